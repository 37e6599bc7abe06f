#include "core/detection/data_change.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::detection {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

MonoTime at(int64_t seconds) { return MonoTime{std::chrono::seconds(seconds)}; }
const DataBounds kBounds{.within = Duration{20'000}, .rewritten = 0.3, .encrypted = 0.1};

// One table of a server, looked at every two seconds, to which a test does what it says.
struct Server {
  DataWatch watch{kBounds, {}};
  int64_t now = 1'000;
  std::string member = "east";
  int64_t failures = 0;
  TableLook table{.rows = 1'000, .updated = 0, .deleted = 0, .sampled = true, .columns = {}};
  TextBaseline learnt;

  void look() {
    DataSeen seen{.member = member, .tables = {}, .checksum_failures = failures};
    seen.tables.add("public.people", table);
    learnt.merge(watch.take(seen, at(now)));
  }
  // `updates` of them every second.
  void run(int64_t seconds, int64_t updates = 0) {
    for (int64_t end = now + seconds; now < end;) {
      now += 2;
      table.updated += 2 * updates;
      look();
    }
  }
  void texts(int64_t texts, int64_t encrypted) {
    table.columns = {};
    table.columns.add("bio", {texts, encrypted});
  }
};

TEST(DataChange, RowsThatAreSuddenlyRewrittenAreAReasonUntilTheWindowIsOver) {
  Server server;
  server.run(60, 1);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
  server.table.updated += 400;
  server.run(2);
  EXPECT_THAT(server.watch.reasons(),
              ElementsAre(HasSubstr("rows of public.people were changed and 0 deleted within 20s")));
  server.run(40);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
}

TEST(DataChange, DeletedRowsCountAgainstThoseThatStoodThereBefore) {
  Server server;
  server.run(60);
  server.table.deleted += 900;
  server.table.rows -= 900;
  server.run(2);
  EXPECT_THAT(server.watch.reasons(), ElementsAre(HasSubstr("900 deleted")));
}

TEST(DataChange, WhatATableIsUsedToIsNoReason) {
  Server server;
  server.run(200, 50);  // all of its rows, once in a window
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
  for (int64_t rate : {100, 140}) {
    server.run(20, rate);
    EXPECT_THAT(server.watch.reasons(), IsEmpty()) << rate;
  }
}

TEST(DataChange, AJobThatComesEveryNightIsToldOnce) {
  Server server;
  server.run(60);
  server.table.updated += 600;
  server.run(2);
  EXPECT_EQ(server.watch.reasons().size(), 1u);
  server.run(24 * 3'600);
  server.table.updated += 600;
  server.run(2);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
}

TEST(DataChange, NothingIsSaidBeforeItIsKnownWhatIsUsual) {
  Server server;
  for (int64_t look = 0; look < 18; ++look) {
    server.run(2, 500);
    EXPECT_THAT(server.watch.reasons(), IsEmpty()) << look;
  }
}

TEST(DataChange, SmallTablesAndSmallChangesAreNoReason) {
  Server small;
  small.table.rows = 50;
  small.run(60);
  small.table.updated += 5'000;
  small.run(2);
  EXPECT_THAT(small.watch.reasons(), IsEmpty());
  Server few;
  few.table.rows = 150;
  few.run(60);
  few.table.updated += 99;
  few.run(2);
  EXPECT_THAT(few.watch.reasons(), IsEmpty());
  Server large;
  large.table.rows = 100'000;
  large.run(60);
  large.table.updated += 20'000;
  large.run(2);
  EXPECT_THAT(large.watch.reasons(), IsEmpty());
}

TEST(DataChange, CountersThatBeginAnewAreNoChange) {
  Server server;
  server.table.updated = 7'000;
  server.run(60);
  server.table.updated = 500;  // after a crash
  server.run(4);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
  server.member = "west";  // which has counted for longer, and does not know its rows
  server.table.updated = 90'000;
  server.table.rows = 0;
  server.run(4);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
  server.table.updated += 200;
  server.run(2);
  EXPECT_THAT(server.watch.reasons(), IsEmpty()) << "of the thousand that there were";
  server.table.updated += 200;
  server.run(2);
  EXPECT_EQ(server.watch.reasons().size(), 1u);
}

TEST(DataChange, WhatHappenedInALongSilenceDidNotHappenInOneWindow) {
  Server server;
  server.run(60);
  server.now += 3'600;
  server.table.updated += 5'000;
  server.run(2);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
}

TEST(DataChange, TextsThatLookEncryptedAreAReasonAsLongAsTheyAreThere) {
  Server server;
  server.texts(10, 9);
  server.run(10);
  EXPECT_TRUE(server.learnt.empty()) << "too few to know what is usual";
  server.texts(200, 2);
  server.run(10);
  EXPECT_EQ(server.learnt.at("public.people.bio").texts, 200);
  server.texts(200, 21);
  server.run(10);
  EXPECT_THAT(server.watch.reasons(), IsEmpty()) << "a tenth more is 22";
  server.texts(200, 150);
  server.run(10);
  EXPECT_THAT(server.watch.reasons(),
              ElementsAre("150 of 200 texts of public.people.bio look encrypted, 2 of 200 did at first"));
  server.table.sampled = false;  // somebody keeps the table locked
  server.run(1'000);
  EXPECT_EQ(server.watch.reasons().size(), 1u);
  EXPECT_FALSE(server.watch.calm());
  server.table.sampled = true;
  server.texts(200, 2);
  server.run(150);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
  EXPECT_FALSE(server.watch.calm());
  server.run(60);
  EXPECT_TRUE(server.watch.calm());
}

TEST(DataChange, AColumnOfKeysIsJudgedByWhatItHeldAtFirst) {
  Server server;
  server.texts(200, 190);
  server.run(10);
  server.texts(200, 200);
  server.run(10);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
}

TEST(DataChange, AWatchThatBeginsWhileTextsAreEncryptedKnowsWhatWasUsual) {
  Server server;
  server.texts(200, 0);
  server.run(10);
  TextBaseline kept;
  read_baseline(to_json(server.learnt), kept);
  server.watch = DataWatch{kBounds, kept};
  server.texts(200, 200);
  server.look();
  EXPECT_EQ(server.watch.reasons().size(), 1u);
}

TEST(DataChange, WhatPeopleHaveLookedAtIsUsual) {
  Server server;
  server.texts(200, 0);
  server.run(10);
  server.texts(200, 100);
  server.run(10);
  EXPECT_EQ(server.watch.accept().at("public.people.bio").encrypted, 100);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
  server.texts(200, 150);
  server.run(10);
  EXPECT_EQ(server.watch.reasons().size(), 1u) << "and it may grow again";
}

TEST(DataChange, PagesThatTheServerFindsDamagedAreAReason) {
  Server server;
  server.failures = 4;
  server.run(10);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
  server.failures = 6;
  server.run(2);
  EXPECT_THAT(server.watch.reasons(), ElementsAre("2 more pages were found with a wrong checksum on east"));
  server.member = "west";
  server.run(2);
  EXPECT_THAT(server.watch.reasons(), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::detection
