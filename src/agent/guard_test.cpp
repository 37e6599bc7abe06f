#include "agent/guard.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <optional>

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

}  // namespace
}  // namespace lifeboat
