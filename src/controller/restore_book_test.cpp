// The book of restores on a real journal: what one controller measured, the next one knows.
#include "controller/restore_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/test_world.hpp"

namespace lifeboat {
namespace {

class RestoreBookTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_sqlite_store((world_.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
  }
  void measure(RestoreBook& book, const std::string& service, const std::string& backup, double seconds) {
    recovery::RestoreTiming timing{.at = *ScalarText<Moment>::parse("2026-01-01 00:00:00Z"),
                                   .backup = backup,
                                   .host = "db-2",
                                   .target = "latest",
                                   .by = "R-1",
                                   .drill = true,
                                   .bytes = 1000,
                                   .seconds = seconds,
                                   .copy_seconds = 1};
    auto written = TestWorld::run(book.measured(service, timing));
    ASSERT_TRUE(written) << written.error().text();
  }

  TestWorld world_;
  std::unique_ptr<Store> store_;
};

TEST_F(RestoreBookTest, WhatWasMeasuredIsKnownToTheNextController) {
  RestoreBook first(*store_);
  ASSERT_TRUE(TestWorld::run(first.start()));
  measure(first, "orders", "A", 3);
  measure(first, "users", "B", 4);
  measure(first, "orders", "C", 5.25);
  RestoreBook next(*store_);
  EXPECT_TRUE(next.of("orders").empty());
  ASSERT_TRUE(TestWorld::run(next.start()));
  ASSERT_EQ(next.of("orders").size(), 2u);
  EXPECT_EQ(next.of("orders")[0].backup, "A");
  EXPECT_EQ(next.of("orders")[1].seconds, 5.25);
  EXPECT_EQ(next.of("users").size(), 1u);
}

TEST_F(RestoreBookTest, TheJournalSaysItInWords) {
  RestoreBook book(*store_);
  measure(book, "orders", "A", 3);
  auto events = TestWorld::run(store_->read({}));
  ASSERT_TRUE(events);
  EXPECT_EQ(text_or(events->back().body, "text"), "restore drill of orders from A on db-2: 3.0 s, sound");
}

TEST_F(RestoreBookTest, OnlyTheNewestAreHeld) {
  RestoreBook book(*store_);
  for (int index = 0; index < 210; ++index) measure(book, "orders", std::to_string(index), 1);
  EXPECT_EQ(book.of("orders").size(), 200u);
  EXPECT_EQ(book.of("orders").back().backup, "209");
}

TEST(ForecastInJson, SaysWhetherASlowOneFitsIntoTheRto) {
  recovery::Forecast forecast{.samples = 2, .expected = Duration{50'000}, .longest = Duration{70'000}};
  EXPECT_TRUE(bool_or(forecast_in_json("orders", forecast, Duration{70'000}), "fits"));
  Json late = forecast_in_json("orders", forecast, Duration{60'000});
  EXPECT_FALSE(bool_or(late, "fits", true));
  EXPECT_THAT(text_or(late, "text"), testing::HasSubstr("LONGER THAN THE RTO of 1 min"));
  Json unknown = forecast_in_json("orders", std::nullopt, Duration{60'000});
  EXPECT_TRUE(member(unknown, "fits").is_null());
}

}  // namespace
}  // namespace lifeboat
