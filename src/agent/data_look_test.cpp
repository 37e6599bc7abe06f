// What the agent of a primary sees of rows that somebody encrypts, on a real server.
#include <algorithm>

#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class DataLooked : public PairTest {};

// What an attacker with the application's password can do: encrypt what is there, row by row.
Task<bool> data_are_encrypted(Pair& p) {
  for (const std::string host : {"a", "b"})
    p.controller.hosts[host].configuration.looks.add(kService, wire::LookConfig{200});
  REQUIRE(co_await p.stand_up());
  for (const std::string text :
       {"CREATE TABLE people (id int PRIMARY KEY, bio text, photo bytea, likes jsonb)",
        "INSERT INTO people SELECT g, 'likes the sea and walking with two dogs, number ' || g, '\\x0102', "
        "'{\"likes\": [\"the sea\", \"dogs\", \"walking in the rain\"]}' FROM generate_series(1, 2000) g",
        "CREATE TABLE lifeboat_own (key text)"}) {
    auto making = p.sql("a", text);
    auto made = co_await std::move(making);
    EXPECT_TRUE(made) << made.error().text();
  }
  auto newest = [&]() -> const detection::TableLook* {
    return p.controller.looks.empty() ? nullptr : p.controller.looks.back().seen.tables.find("public.people");
  };
  auto sampled = p.until([&] {
    const detection::TableLook* people = newest();
    return people != nullptr && people->rows == 2'000 && people->sampled;
  });
  REQUIRE(co_await std::move(sampled));
  const detection::DataSeen& seen = p.controller.looks.back().seen;
  EXPECT_EQ(seen.member, "db-a");
  EXPECT_EQ(seen.checksum_failures, 0);
  EXPECT_EQ(seen.tables.find("public.lifeboat_own"), nullptr);
  EXPECT_GE(newest()->columns.find("bio")->texts, 20);
  EXPECT_LE(newest()->columns.find("bio")->texts, 200);
  EXPECT_EQ(newest()->columns.find("bio")->encrypted, 0);
  EXPECT_EQ(newest()->columns.find("likes")->encrypted, 0);
  EXPECT_EQ(newest()->updated, 0);
  auto encrypting = p.sql("a",
                          "UPDATE people SET bio = encode(sha512(bio::bytea), 'base64'), photo = sha512(photo) || "
                          "sha512(bio::bytea) WHERE id <= 1800");
  auto encrypted = co_await std::move(encrypting);
  EXPECT_TRUE(encrypted) << encrypted.error().text();
  auto shows = p.until([&] {
    const detection::TableLook* people = newest();
    if (people == nullptr || people->updated != 1'800) return false;
    return people->columns.find("bio")->share() > 0.5 && people->columns.find("photo")->share() > 0.5;
  });
  REQUIRE(co_await std::move(shows));
  // Somebody who locks a table hides it, and nothing else.
  PgParams params = p.socket_of("a");
  auto connecting = PgConnection::connect(params, Deadline::after(Duration{3'000}));
  auto connection = co_await std::move(connecting);
  REQUIRE(connection.has_value());
  for (const std::string text : {"BEGIN", "LOCK TABLE people"}) {
    auto locking = (*connection)->query(text, {}, Deadline::after(Duration{3'000}));
    REQUIRE((co_await std::move(locking)).has_value());
  }
  auto hidden = p.until([&] { return newest() != nullptr && !newest()->sampled; });
  REQUIRE(co_await std::move(hidden));
  EXPECT_EQ(newest()->updated, 1'800);
  // Only who takes writes looks.
  EXPECT_TRUE(std::ranges::all_of(p.controller.looks, [](const auto& look) { return look.seen.member == "db-a"; }));
  co_return true;
}
TEST_F(DataLooked, RowsThatAreEncryptedShowInWhatTheAgentOfThePrimarySees) { play(data_are_encrypted(*pair)); }

}  // namespace
}  // namespace lifeboat
