#include "core/backup/second.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/recovery/test_catalogues.hpp"

namespace lifeboat::backup {
namespace {

using recovery::Catalogue;
using testing::HasSubstr;

Catalogue first() { return recovery::quiet_week(); }
// Taken right after those of the first.
Catalogue second() {
  Catalogue out{.stanza = "m", .repository = 2, .archive = "15-1", .system_id = "7713003758779266069", .version = "15"};
  out.sets = {recovery::set_at("third", 1, 12, 13), recovery::set_at("fourth", 1, 32, 33)};
  recovery::archive(out, 1, 5, 50);
  return out;
}
std::string lacks(const Catalogue& it) {
  Catalogue other = first();
  return second_lacks(&other, &it);
}

TEST(SecondRepository, ThatHasABackupOfItsOwnForTheNewestOfTheFirstIsWell) {
  EXPECT_EQ(lacks(second()), "");
  EXPECT_EQ(second_lacks(nullptr, nullptr), "") << "nothing was taken yet";
}

TEST(SecondRepository, WithoutABackupOrBehindTheFirstSaysSo) {
  Catalogue whole = first(), behind = second();
  EXPECT_THAT(second_lacks(&whole, nullptr), HasSubstr("no backup"));
  behind.sets.pop_back();
  EXPECT_THAT(lacks(behind), testing::AllOf(HasSubstr("third"), HasSubstr("second")));
}

TEST(SecondRepository, ThatLogDidNotReachSaysWhatIsMissing) {
  Catalogue hole = second();
  std::erase_if(hole.segments, [](const recovery::WalSegment& one) { return one.number == 40; });
  EXPECT_THAT(lacks(hole), HasSubstr("000000010000000000000028"));
  Catalogue older = second();
  std::erase_if(older.segments, [](const recovery::WalSegment& one) { return one.number == 20; });
  EXPECT_EQ(lacks(older), "") << "the newest backup lies behind it";
  Catalogue own = second();
  std::erase_if(own.segments, [](const recovery::WalSegment& one) { return one.number == 33; });
  EXPECT_THAT(lacks(own), HasSubstr("cannot be restored"));
}

}  // namespace
}  // namespace lifeboat::backup
