#include "cli/restored_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

Json restored(std::string_view more = "") {
  auto json = parse_json(R"({"target":{"kind":"latest"},"reached":{"lsn":"0/7000028","timeline":2,"xid":811,
    "time":"2024-01-01T14:29:59Z","next_time":"2024-01-01T14:30:01Z","next_xid":812},"lost_transactions":0,
    "collateral_transactions":null,"seconds":4.5,"copy_seconds":2.25,"replay_seconds":1.5,"check_seconds":0.25,
    "bytes":2500000000,"log_bytes":33000000,"backup":"20240101-020000F","repository":"repository 1, 15-1","timeline":2,
    "promoted":false,"cut_by_gap":false,"socket":"/var/lib/restores/undo/socket","port":5432)" +
                         std::string(more) + "}");
  EXPECT_TRUE(json) << json.error().text();
  return *json;
}
const std::string kOrdered = R"(,"host":"db-2","name":"undo","folder":"/var/lib/restores/undo","run_as":"postgres")";

std::string words(const Json& json) { return restored_in_words("shop", json, "postgres"); }

TEST(RestoredInWords, SaysWhereACopyIsAndHowItIsEntered) {
  std::string said = words(restored(kOrdered));
  EXPECT_THAT(said, HasSubstr("shop is restored as undo on db-2 to the end of the archive, paused and read-only."));
  EXPECT_THAT(said, HasSubstr("last commit 2024-01-01 14:29:59"));
  EXPECT_THAT(said, HasSubstr("from transaction 812 of 2024-01-01 14:30:01"));
  EXPECT_THAT(said, HasSubstr("/var/lib/restores/undo on db-2, socket /var/lib/restores/undo/socket, port 5432"));
  EXPECT_THAT(said, HasSubstr("sudo -u postgres psql -h /var/lib/restores/undo/socket -p 5432    (on db-2"));
  EXPECT_THAT(said, HasSubstr("2.50 GB"));
  EXPECT_THAT(said, Not(HasSubstr("NOT")));
  EXPECT_THAT(words(restored()), HasSubstr("psql -h /var/lib/restores/undo/socket -p 5432 -U postgres    (no network"));
}

// Whoever ordered it, the bad news is the same.
TEST(RestoredInWords, KeepsNoBadNewsToItself) {
  for (const std::string& whose : {std::string(), kOrdered}) {
    Json bad = restored(whose);
    JsonObject& object = bad.as_object();
    EXPECT_TRUE(is_all_well(bad));
    object["cut_by_gap"] = true;
    EXPECT_FALSE(is_all_well(bad));
    EXPECT_THAT(words(bad), HasSubstr("NOT ALL   the log has a gap"));
    object["cut_by_gap"] = false;
    object["lost_transactions"] = 17;
    EXPECT_FALSE(is_all_well(bad));
    EXPECT_THAT(words(bad), HasSubstr("NOT IN    17 transactions"));
    object["lost_transactions"] = 0;
    object["log_not_closed"] = "nobody is known to write, and one may";
    EXPECT_FALSE(is_all_well(bad));
    EXPECT_THAT(words(bad), HasSubstr("NOT KNOWN to be the latest"));
    EXPECT_THAT(words(bad), HasSubstr("nobody is known to write, and one may"));
    object["collateral_transactions"] = 300;
    EXPECT_THAT(words(bad), HasSubstr("behind it 300 transactions"));
  }
}

TEST(RestoredInWords, SaysOfTheDatabaseWhetherItsDataWereLookedAtAndWhoDoesNotFollow) {
  const std::string leads = kOrdered + R"(,"adopted":{"member":"two","timeline":3,"write_outage_s":1.5,"kept":"/kept"},
    "evidence":{"done":true,"files":12,"manifest":"/kept.sha256","sha256":"abc"})";
  std::string said = words(restored(leads + R"(,"checked":{"summary":"4 tables, 10 rows"})"));
  EXPECT_THAT(said, HasSubstr("the copy is the database now"));
  EXPECT_THAT(said, HasSubstr("checked   4 tables, 10 rows"));
  EXPECT_THAT(said, HasSubstr("12 files, hashes in /kept.sha256 (sha256 abc)"));
  EXPECT_THAT(said, Not(HasSubstr("psql"))) << "there is no copy any more";
  Json alone = restored(leads + R"(,"checked":null,"standbys_error":"one is away")");
  EXPECT_THAT(words(alone), HasSubstr("UNCHECKED"));
  EXPECT_THAT(words(alone), HasSubstr("NOT YET   the other members do not follow: one is away"));
  EXPECT_FALSE(is_all_well(alone));
}

}  // namespace
}  // namespace lifeboat::cli
