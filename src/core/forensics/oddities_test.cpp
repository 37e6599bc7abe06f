#include "core/forensics/oddities.hpp"

#include <gtest/gtest.h>

namespace lifeboat::forensics {
namespace {

constexpr TableKey kOrders{16384, 16400}, kItems{16384, 16410};

struct Log {
  void commit(DeedKind kind, TableKey table, bool counts = true) {
    Transaction transaction;
    transaction.xid = ++xid;
    transaction.commit = Lsn{0x1000ull + 64 * xid};
    oddities.add(transaction, {{.kind = kind, .key = table, .rows = 1}}, counts);
  }
  std::vector<Oddity> found() const { return oddities.find(names); }

  Oddities oddities;
  NameBook names;
  uint32_t xid = 0;
};

TEST(Oddities, TheOnlyDeleteAmongManyUpdatesIsOne) {
  Log log;
  for (int index = 0; index < 1'000; ++index) log.commit(DeedKind::updated, kOrders);
  log.commit(DeedKind::deleted, kOrders);
  for (int index = 0; index < 1'000; ++index) log.commit(DeedKind::updated, kOrders);
  auto found = log.found();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].mark.xid, 1'001u);
  EXPECT_EQ(found[0].alike, 1u);
}

TEST(Oddities, WhatWasDoneBeforeIsAHabit) {
  Log log;
  for (int index = 0; index < 4; ++index) log.commit(DeedKind::deleted, kItems, false);
  log.commit(DeedKind::deleted, kItems);
  EXPECT_TRUE(log.found().empty());
}

TEST(Oddities, AFewAlikeAreAllNamedOldestFirst) {
  Log log;
  log.commit(DeedKind::deleted, kItems, false);
  log.commit(DeedKind::deleted, kItems);
  log.commit(DeedKind::inserted, kOrders);
  log.commit(DeedKind::deleted, kItems);
  auto found = log.found();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].mark.xid, 2u);
  EXPECT_EQ(found[0].alike, 3u);
  EXPECT_EQ(found[1].mark.xid, 3u);
  EXPECT_EQ(found[2].mark.xid, 4u);
}

TEST(Oddities, WhatStandsOutByItselfIsNotCounted) {
  Log log;
  log.commit(DeedKind::dropped, kItems);
  log.commit(DeedKind::truncated, kOrders);
  EXPECT_TRUE(log.found().empty());
}

}  // namespace
}  // namespace lifeboat::forensics
