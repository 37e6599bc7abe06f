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

class RolePassword : public PairTest {};
TEST_F(RolePassword, IsRenewedAndWhoHasTheFormerOneIsOut) { play(password_is_renewed(*pair)); }

}  // namespace
}  // namespace lifeboat
