// The way between members that is needed only when no controller is left, with real agents: what keeps it from working is seen
// while there is one.
#include "agent/member_line.hpp"

#include <algorithm>

#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class MembersTalk : public PairTest {};

// What arrives at this port is answered by nobody, and nobody else can have it.
class TakenPort {
 public:
  explicit TakenPort(int port) : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  }
  ~TakenPort() { close(socket_); }
  TakenPort(const TakenPort&) = delete;
  TakenPort& operator=(const TakenPort&) = delete;

 private:
  int socket_;
};

std::vector<std::string> handicaps_of(const Pair& p, const std::string& host) {
  const MemberReport* report = p.controller.member(host);
  return report == nullptr ? std::vector<std::string>() : report->handicaps;
}

Task<bool> neighbour_is_not_heard(Pair& p) {
  auto taken = std::make_unique<TakenPort>(p.ports["b"]);
  MonoTime begun = boot_now();
  REQUIRE(co_await p.stand_up());
  const std::string silent = fmt::format(
      "db-b has not answered over UDP {} for more than 10 s: without it this primary does not outlive the loss of all "
      "controllers",
      p.ports["b"]);
  auto told = p.until([&] { return !handicaps_of(p, "a").empty(); }, Duration{30'000});
  REQUIRE(co_await std::move(told));
  EXPECT_GE(ms_since(begun), detection::kSilentAfter.count()) << "it may just have been starting";
  EXPECT_EQ(handicaps_of(p, "a"), std::vector{silent});
  // The other one knows why.
  auto told_there = p.until([&] { return !handicaps_of(p, "b").empty(); });
  REQUIRE(co_await std::move(told_there));
  EXPECT_NE(handicaps_of(p, "b").front().find("Address already in use"), std::string::npos)
      << handicaps_of(p, "b").front();
  // Nothing in it changes while it is so, and it hinders nobody.
  co_await sleep_for(Duration{1'500});
  EXPECT_EQ(handicaps_of(p, "a"), std::vector{silent});
  EXPECT_TRUE(co_await p.takes_writes("a"));
  taken.reset();
  auto gone = p.until([&] { return handicaps_of(p, "a").empty() && handicaps_of(p, "b").empty(); });
  EXPECT_TRUE(co_await std::move(gone));
  co_return true;
}
TEST_F(MembersTalk, ANeighbourThatIsNotHeardIsToldByThePrimaryUntilItIsHeard) { play(neighbour_is_not_heard(*pair)); }

// Then it is not the others who do not answer.
Task<bool> port_is_taken(Pair& p) {
  auto taken = std::make_unique<TakenPort>(p.ports["a"]);
  REQUIRE(co_await p.stand_up());
  auto told = p.until([&] { return !handicaps_of(p, "a").empty(); }, Duration{30'000});
  REQUIRE(co_await std::move(told));
  co_await sleep_for(Duration{1'500});
  REQUIRE(handicaps_of(p, "a").size() == 1);
  EXPECT_TRUE(handicaps_of(p, "a").front().starts_with(
      fmt::format("UDP 127.0.0.1:{}: Address already in use: nothing of other members is heard", p.ports["a"])))
      << handicaps_of(p, "a").front();
  EXPECT_TRUE(handicaps_of(p, "b").empty());
  // It has asked meanwhile, and could hear no answer.
  bool blamed = false;
  auto is_well = [&] {
    for (const std::string& one : handicaps_of(p, "a")) blamed = blamed || one.starts_with("db-b");
    return handicaps_of(p, "a").empty();
  };
  taken.reset();
  auto gone = p.until(is_well);
  EXPECT_TRUE(co_await std::move(gone));
  auto stays = p.until([&] { return !is_well(); }, Duration{1'500});
  EXPECT_FALSE(co_await std::move(stays));
  EXPECT_FALSE(blamed);
  co_return true;
}
TEST_F(MembersTalk, APortThatCannotBeHadIsToldAndNobodyElseIsBlamed) { play(port_is_taken(*pair)); }

}  // namespace
}  // namespace lifeboat
