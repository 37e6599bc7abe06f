#include "agent/guard.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <optional>
#include <thread>

#include "agent/test_pair.hpp"
#include "io/run_in_test.hpp"

namespace lifeboat {
namespace {

// A server that is told to read its settings again while it is still starting has no answer to that signal yet but to die of it.
TEST(Guard, AReloadThatComesBeforeTheServerListensForItIsNotItsEnd) {
  asio::io_context context(1);
  std::optional<int> ended;
  GuardedProgram program;
  program.argv = {"/bin/sh", "-c", "sleep 0.3; exit 7"};
  program.directory = testing::TempDir();
  auto guard = Guard::start(context.get_executor(), program, [&](Guard::Ended, int status) { ended = status; });
  ASSERT_TRUE(guard) << guard.error().text();
  (*guard)->signal_server(SIGHUP);
  auto wait = [&]() -> Task<bool> {
    while (!ended) co_await sleep_for(Duration{5});
    co_return true;
  };
  ASSERT_TRUE(run_in_test(context, wait(), Duration{20'000}));
  ASSERT_TRUE(WIFEXITED(*ended)) << "signal " << WTERMSIG(*ended);
  EXPECT_EQ(WEXITSTATUS(*ended), 7);
}

// Lets a process run for a millisecond at once, with a pause after it, as on a machine that has far too much to do.
class Starved {
 public:
  Starved(pid_t pid, Duration pause) : pid_(pid), pause_(pause), thread_([this] { run(); }) {}
  ~Starved() {
    ended_ = true;
    thread_.join();
  }
  Starved(const Starved&) = delete;
  Starved& operator=(const Starved&) = delete;

 private:
  pid_t pid_;
  Duration pause_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;

  void run() {
    while (!ended_) {
      kill(pid_, SIGSTOP);
      std::this_thread::sleep_for(pause_);
      kill(pid_, SIGCONT);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
};

struct Acknowledged {
  MonoTime last{};
  int64_t count = 0;
};

// Writes all the time, over a new connection whenever one is lost.
Task<> write_on(Pair& p, Acknowledged& acknowledged) {
  while (true) {
    auto connecting = PgConnection::connect(p.socket_of("a"), Deadline::after(Duration{1'000}));
    auto connection = co_await std::move(connecting);
    bool writes = connection.has_value();
    while (writes) {
      auto writing = (*connection)
                         ->query(fmt::format("INSERT INTO notes VALUES ({})", acknowledged.count + 1), {},
                                 Deadline::after(Duration{5'000}));
      writes = (co_await std::move(writing)).has_value();
      if (!writes) break;
      acknowledged.last = boot_now();
      ++acknowledged.count;
    }
    co_await sleep_for(Duration{10});
  }
}

class StarvedAgent : public PairTest {};

Task<bool> agent_is_starved(Pair& p, Duration pause) {
  REQUIRE(co_await p.stand_up());
  p.stop_agent("b");  // so that nobody promises anything
  Acknowledged acknowledged;
  Scope background(p.context.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
  background.spawn("writer", write_on(p, acknowledged));
  auto writing = p.until([&] { return acknowledged.count > 0; });
  REQUIRE(co_await std::move(writing));
  MonoTime hungry = boot_now();
  std::optional<Starved> starved(std::in_place, p.agents["a"]->pid, pause);
  // One that does not run asks for no renewal; for another there is a time from which on it gets none.
  bool renews = pause < kTestLease / 2;
  if (renews) co_await sleep_for(kTestLease * 3 / 4);
  if (renews) p.controller.answers_renewals = false;
  MonoTime last_asked = renews ? boot_now() : hungry;
  auto gone = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(gone));
  int64_t took = ms_since(last_asked);
  testing::Test::RecordProperty("fenced with a starved agent", std::to_string(took));
  fmt::print("[  figure  ] fenced with a starved agent (lease 2000, a millisecond in {}): {} ms\n", pause.count(),
             took);
  co_await sleep_for(kTestLease);
  EXPECT_GT(acknowledged.last, hungry);
  EXPECT_LT(acknowledged.last, last_asked + kTestLease);
  EXPECT_TRUE(p.server_is_gone("a"));
  starved.reset();
  auto released = p.until([&] { return !p.controller.releases.empty(); });
  EXPECT_TRUE(co_await std::move(released));
  auto stopping = background.stop(Duration{100});
  co_await std::move(stopping);
  co_return true;
}
TEST_F(StarvedAgent, NothingIsAcknowledgedBeyondTheLeaseOfOneThatGetsNearlyNoTime) {
  play(agent_is_starved(*pair, Duration{99}));
}
// Its answers wait for it, and it reads them too late.
TEST_F(StarvedAgent, NothingIsAcknowledgedBeyondTheLeaseOfOneThatGetsNoneForLongerThanThat) {
  play(agent_is_starved(*pair, kTestLease * 3 / 2));
}

}  // namespace
}  // namespace lifeboat
