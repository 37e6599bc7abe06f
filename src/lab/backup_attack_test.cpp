#include "lab/backup_attack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::lab {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kLog =
    "tried failed expire by the member\n"
    "  ERROR: [072]: expire command must be run on the repository host\n"
    "tried refused overwrite backup/main/20261101-000000F/backup.manifest through the server\n"
    "  tried done what was said to it is no try\n"
    "tried refused overwrite backup/main/20261102-000000F/backup.manifest through the server\n"
    "tried done overwrite backup/main/backup.info through the server\n"
    "tried refused expire as the server's user\n"
    "tried refused remove backup/main/20261101-000000F as the server's user\n"
    "UPDATE 40\n"
    "tried\n"
    "tried refused remove backup/main/20261102-000000F as the server's user\n"
    "tried somehow\n";

BackupAttack repelled() {
  return {.before = {"20261101-000000F", "20261102-000000F"},
          .after = {"20261101-000000F", "20261102-000000F", "20261103-000000F"},
          .tries = tries_in(kLog),
          .whole = true,
          .problem = {}};
}

TEST(AttackOnBackups, WhatWasTriedStandsInTheLogWithWhatCameOfIt) {
  auto tries = tries_in(kLog);
  ASSERT_EQ(tries.size(), 7u);
  EXPECT_EQ(tries[0].what, "expire by the member");
  EXPECT_EQ(tries[0].came_of_it, CameOfIt::failed);
  EXPECT_EQ(tries[3].what, "overwrite backup/main/backup.info through the server");
  EXPECT_EQ(tries[3].came_of_it, CameOfIt::done);
  EXPECT_EQ(tries[6].came_of_it, CameOfIt::refused);
}

TEST(AttackOnBackups, OneThatTookNothingIsPassedAndSaysWhatWasTried) {
  EXPECT_EQ(why_attack_fails(repelled()), "");
  Json said = to_json(repelled());
  EXPECT_EQ(int_or(said, "tried"), 7);
  EXPECT_EQ(int_or(said, "refused"), 5);
  EXPECT_EQ(int_or(said, "sets_before"), 2);
  EXPECT_EQ(int_or(said, "sets_after"), 3);
  EXPECT_TRUE(member(said, "deleted").get_array().empty());
  EXPECT_EQ(to_text(member(said, "went_through")), R"(["overwrite backup/main/backup.info through the server"])");
}

TEST(AttackOnBackups, ASetThatWentIsAFailedDrillAlsoWhenThereAreMoreNow) {
  BackupAttack attack = repelled();
  attack.after = {"20261102-000000F", "20261103-000000F", "20261104-000000F"};
  EXPECT_THAT(sets_gone(attack), ElementsAre("20261101-000000F"));
  EXPECT_THAT(why_attack_fails(attack), HasSubstr("took backups away: 20261101-000000F"));
  Json said = to_json(attack);
  EXPECT_EQ(to_text(member(said, "deleted")), R"(["20261101-000000F"])");
}

TEST(AttackOnBackups, ASetThatIsListedButNotWholeIsAFailedDrill) {
  BackupAttack attack = repelled();
  attack.whole = false;
  attack.problem = "checksum invalid: 1";
  EXPECT_THAT(why_attack_fails(attack), HasSubstr("not whole: checksum invalid: 1"));
  attack.problem.clear();
  EXPECT_THAT(why_attack_fails(attack), HasSubstr("nobody looked"));
}

TEST(AttackOnBackups, AnAttackThatCouldTakeNothingShowsNothing) {
  BackupAttack one_set = repelled();
  one_set.before.pop_back();
  EXPECT_THAT(why_attack_fails(one_set), HasSubstr("nothing could be expired"));
  auto without = [](size_t at) {
    BackupAttack attack = repelled();
    attack.tries.erase(attack.tries.begin() + static_cast<std::ptrdiff_t>(at));
    return why_attack_fails(attack);
  };
  EXPECT_THAT(without(2), HasSubstr("did not come to overwrite 20261102-000000F"));
  EXPECT_THAT(without(6), HasSubstr("did not come to remove 20261102-000000F"));
  EXPECT_THAT(without(4), HasSubstr("did not come to expire"));
  // A client that fails before it asks was refused by nobody.
  BackupAttack broken = repelled();
  broken.tries[5].came_of_it = CameOfIt::failed;
  EXPECT_THAT(why_attack_fails(broken), HasSubstr("did not come to remove 20261101-000000F"));
  BackupAttack idle = repelled();
  idle.tries.clear();
  EXPECT_NE(why_attack_fails(idle), "");
}

}  // namespace
}  // namespace lifeboat::lab
