// The book of profiles on a real journal: what one controller counted, the next one holds data against.
#include "controller/profile_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/test_world.hpp"

namespace lifeboat {
namespace {

class ProfileBookTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_sqlite_store((world_.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
  }
  void take(ProfileBook& book, const std::string& service, const std::string& database, const std::string& taken) {
    DatabaseProfile profile{.taken = taken, .database = database};
    profile.tables = {{.name = "public.users", .rows = 500}};
    auto known = std::make_shared<const KnownProfile>(to_keep(std::move(profile), {}));
    auto written = TestWorld::run(book.taken(service, known));
    ASSERT_TRUE(written) << written.error().text();
  }

  TestWorld world_;
  std::unique_ptr<Store> store_;
};

TEST_F(ProfileBookTest, TheNextControllerKnowsTheNewestOfEachDatabase) {
  ProfileBook first(*store_);
  ASSERT_TRUE(TestWorld::run(first.start()));
  take(first, "orders", "shop", "2026-01-01T00:00:00.000Z");
  take(first, "orders", "stock", "2026-01-02T00:00:00.000Z");
  take(first, "orders", "shop", "2026-02-01T00:00:00.000Z");
  ProfileBook next(*store_);
  EXPECT_EQ(next.last("orders", "shop", {}), nullptr);
  ASSERT_TRUE(TestWorld::run(next.start()));
  auto last = next.last("orders", "shop", {});
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->profile.taken, "2026-02-01T00:00:00.000Z");
  EXPECT_EQ(last->profile.rows(), 500);
  EXPECT_EQ(next.last("orders", "shop", parse_wall("2026-01-15T00:00:00Z"))->profile.taken, "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(next.last("orders", "stock", {})->profile.taken, "2026-01-02T00:00:00.000Z");
  EXPECT_EQ(next.last("users", "shop", {}), nullptr);
}

TEST_F(ProfileBookTest, TheJournalSaysItInWords) {
  ProfileBook book(*store_);
  take(book, "orders", "shop", "2026-01-01T00:00:00.000Z");
  auto events = TestWorld::run(store_->read({}));
  ASSERT_TRUE(events);
  EXPECT_EQ(text_or(events->back().body, "text"),
            "profile of orders, database shop: 1 tables, 500 rows at 2026-01-01T00:00:00.000Z");
}

TEST_F(ProfileBookTest, OnlyTheNewestAreHeld) {
  ProfileBook book(*store_);
  for (int day = 10; day < 60; ++day) take(book, "orders", "shop", "20" + std::to_string(day) + "-01-01T00:00:00.000Z");
  EXPECT_NE(book.last("orders", "shop", parse_wall("2020-06-01T00:00:00Z")), nullptr);
  EXPECT_EQ(book.last("orders", "shop", parse_wall("2019-06-01T00:00:00Z")), nullptr);
}

}  // namespace
}  // namespace lifeboat
