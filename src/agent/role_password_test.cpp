// A role's password on a real server: the former one is out at once, sessions too.
#include <gmock/gmock.h>

#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

PgParams as_user(const Pair& p, const std::string& host, const std::string& password) {
  return {{"host", "127.0.0.1"},
          {"port", std::to_string(p.ports.at(host))},
          {"dbname", "app"},
          {"user", "a \"user\""},
          {"password", password}};
}

Task<bool> password_is_renewed(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto making = p.sql("a", "CREATE ROLE \"a \"\"user\"\"\" LOGIN PASSWORD 'the former one'");
  REQUIRE(co_await std::move(making));
  auto connecting = PgConnection::connect(as_user(p, "a", "the former one"), Deadline::after(Duration{3'000}));
  auto session = co_await std::move(connecting);
  REQUIRE(session);
  wire::SetPassword order{kService, "a \"user\"", scram_verifier("the one that comes", random_bytes(16))};
  auto setting = p.controller.ask("a", order);
  auto set = co_await std::move(setting);
  REQUIRE(set);
  EXPECT_EQ(int_or(*set, "ended"), 1);
  auto asking = (*session)->query("SELECT 1", {}, Deadline::after(Duration{3'000}));
  EXPECT_FALSE(co_await std::move(asking)) << "the attacker's session went on";
  auto trying = PgConnection::connect(as_user(p, "a", "the former one"), Deadline::after(Duration{3'000}));
  EXPECT_FALSE(co_await std::move(trying));
  auto knowing = PgConnection::connect(as_user(p, "a", "the one that comes"), Deadline::after(Duration{3'000}));
  auto known = co_await std::move(knowing);
  EXPECT_TRUE(known) << known.error().text();

  auto on_standby = p.controller.ask("b", order);
  auto refused = co_await std::move(on_standby);
  REQUIRE(!refused);
  EXPECT_THAT(refused.error().text(), testing::HasSubstr("it takes no writes"));
  order.verifier = "the one that comes";
  auto in_clear = p.controller.ask("a", order);
  EXPECT_FALSE(co_await std::move(in_clear)) << "a password in clear must not get to the server";
  auto log = read_file(p.folder + "/a/database/server.log");
  REQUIRE(log);
  EXPECT_THAT(*log, testing::Not(testing::HasSubstr("SCRAM")));
  co_return true;
}

constexpr const char* kNext = "the next one: \\ 'of' standbys";

PgParams as_standby(const Pair& p, const std::string& host, const std::string& password) {
  PgParams out = as_user(p, host, password);
  out["user"] = "replicator";
  return out;
}

Task<bool> lets_in(Pair& p, std::string host, std::string password) {
  auto connecting = PgConnection::connect(as_standby(p, host, password), Deadline::after(Duration{3'000}));
  auto connected = co_await std::move(connecting);
  co_return connected.has_value();
}

void renew_for(Pair& p, const std::string& host) {
  p.controller.hosts[host].configuration.servers.find(kService)->replication_password = kNext;
  p.controller.configure(host);
}

// Asks until the agent says that it is in force, and gives its last answer.
Task<Json> in_force_on(Pair& p, std::string host, std::string streams = {}) {
  Json last;
  for (Deadline deadline = Deadline::after(Duration{15'000}); !deadline.passed();) {
    auto asking = p.controller.ask(host, wire::ReplicationPassword{kService, scram_verifier(kNext, random_bytes(16))});
    if (auto answer = co_await std::move(asking)) {
      last = *answer;
      bool streaming = streams.empty() || to_text(member(last, "streaming")).find(streams) != std::string::npos;
      if (bool_or(last, "in_force") && streaming) co_return last;
    }
    co_await sleep_for(Duration{20});
  }
  ADD_FAILURE() << host << " says " << to_text(last);
  co_return last;
}

Task<bool> standbys_password_is_renewed(Pair& p) {
  REQUIRE(co_await p.stand_up());
  std::string former = p.controller.hosts["a"].configuration.servers.find(kService)->replication_password;
  auto to_a = PgConnection::connect(as_standby(p, "a", former), Deadline::after(Duration{3'000}));
  auto on_a = co_await std::move(to_a);
  REQUIRE(on_a);
  auto to_b = PgConnection::connect(as_standby(p, "b", former), Deadline::after(Duration{3'000}));
  auto on_b = co_await std::move(to_b);
  REQUIRE(on_b);
  auto early = p.controller.ask("a", wire::ReplicationPassword{kService, scram_verifier(kNext, random_bytes(16))});
  auto not_told = co_await std::move(early);
  REQUIRE(not_told);
  EXPECT_FALSE(bool_or(*not_told, "knows", true)) << "it would have gone on with the former one";

  renew_for(p, "a");
  renew_for(p, "b");
  auto at_a = in_force_on(p, "a", "db-b");
  Json said = co_await std::move(at_a);
  EXPECT_GE(int_or(said, "ended"), 2) << "the stream of b, and the attacker's session";
  auto at_b = in_force_on(p, "b");
  Json said_by_b = co_await std::move(at_b);
  EXPECT_EQ(int_or(said_by_b, "ended"), 1);

  for (auto* session : {&*on_a, &*on_b}) {
    auto asking = (*session)->query("SELECT 1", {}, Deadline::after(Duration{3'000}));
    EXPECT_FALSE(co_await std::move(asking)) << "the attacker's session went on";
  }
  for (std::string host : {"a", "b"}) {
    auto with_former = lets_in(p, host, former);
    EXPECT_FALSE(co_await std::move(with_former)) << host;
    auto with_next = lets_in(p, host, kNext);
    EXPECT_TRUE(co_await std::move(with_next)) << host;
    auto log = read_file(fmt::format("{}/{}/database/server.log", p.folder, host));
    REQUIRE(log);
    EXPECT_THAT(*log, testing::Not(testing::HasSubstr("SCRAM")));
  }
  auto writing = p.takes_writes("a");
  EXPECT_TRUE(co_await std::move(writing));
  auto asking = p.sql("b", "SELECT conninfo, status FROM pg_stat_wal_receiver");
  auto receiver = co_await std::move(asking);
  REQUIRE(receiver);
  EXPECT_EQ(receiver->text(0, "status"), "streaming");
  co_return true;
}

// The new primary has the role of before the change, if that was lost on the way or had not been begun.
Task<bool> new_primary_renews_it(Pair& p) {
  REQUIRE(co_await p.stand_up());
  std::string former = p.controller.hosts["a"].configuration.servers.find(kService)->replication_password;
  renew_for(p, "b");
  REQUIRE(co_await p.fail_over_to_b());
  auto at_b = in_force_on(p, "b");
  Json said = co_await std::move(at_b);
  auto with_former = lets_in(p, "b", former);
  EXPECT_FALSE(co_await std::move(with_former));
  auto with_next = lets_in(p, "b", kNext);
  EXPECT_TRUE(co_await std::move(with_next));
  // The old one is told when it is back, and becomes a standby with it.
  renew_for(p, "a");
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  auto streaming = in_force_on(p, "b", "db-a");
  said = co_await std::move(streaming);
  co_return true;
}

Task<bool> who_was_away_gets_it(Pair& p) {
  REQUIRE(co_await p.stand_up());
  std::string former = p.controller.hosts["a"].configuration.servers.find(kService)->replication_password;
  p.agents["b"]->kill_now();
  auto ending = p.until([&p] { return p.server_is_gone("b"); });
  REQUIRE(co_await std::move(ending));
  renew_for(p, "a");
  p.controller.hosts["b"].configuration.servers.find(kService)->replication_password = kNext;
  // Nobody asks for it: the controller may be gone by now.
  Deadline deadline = Deadline::after(Duration{10'000});
  for (bool let_in = true; let_in && !deadline.passed();) {
    auto trying = lets_in(p, "a", former);
    let_in = co_await std::move(trying);
  }
  EXPECT_FALSE(deadline.passed());
  p.start("b");
  auto streaming = in_force_on(p, "a", "db-b");
  Json said = co_await std::move(streaming);
  co_return true;
}

class RolePassword : public PairTest {};
TEST_F(RolePassword, IsRenewedAndWhoHasTheFormerOneIsOut) { play(password_is_renewed(*pair)); }
TEST_F(RolePassword, OfStandbysIsRenewedAndTheyStreamAgain) { play(standbys_password_is_renewed(*pair)); }
TEST_F(RolePassword, OfStandbysIsGivenToTheRoleByWhoeverTakesTheLead) { play(new_primary_renews_it(*pair)); }
TEST_F(RolePassword, OfStandbysReachesAMemberThatWasAway) { play(who_was_away_gets_it(*pair)); }

}  // namespace
}  // namespace lifeboat
