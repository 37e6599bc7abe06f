#include "lab/drill_data.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::lab {
namespace {

using testing::HasSubstr;

// A run that restored and swapped, as the journal and the run's page tell of it.
DrillTrace swapped() {
  DrillTrace trace;
  trace.run_id = "R-1";
  auto step = [](const char* id, const char* uses) { return Json(JsonObject{{"id", id}, {"uses", uses}}); };
  trace.run = JsonObject{{"steps", JsonArray{step("restore", "postgres.restore"), step("swap", "postgres.adopt")}}};
  auto finished = [](const char* id, JsonObject data) {
    return Json(JsonObject{{"stream", "run/R-1"},
                           {"kind", "step-finished"},
                           {"body", JsonObject{{"step", id}, {"data", std::move(data)}}}});
  };
  trace.events = {finished("restore", {{"target", "before:77"}, {"bytes", 4'000}}),
                  finished("swap", {{"evidence", JsonObject{{"kept", "/data.kept-1"}, {"done", true}}}})};
  return trace;
}

TEST(DrillOfData, TellsWhereTheEvidenceIsAndWhatALookAtItFound) {
  DrillTrace trace = swapped();
  EXPECT_EQ(text_or(evidence_in(trace), "kept"), "/data.kept-1");
  trace.evidence = JsonObject{{"files", 12}, {"checked", 12}, {"writable", 0}, {"problem", ""}};
  Json restored = restore_in(trace, 0, 3);
  EXPECT_EQ(text_or(restored, "target"), "before:77");
  EXPECT_EQ(int_or(restored, "collateral_transactions"), 3);
  EXPECT_EQ(int_or(member(restored, "evidence_checked"), "checked"), 12);
  EXPECT_EQ(why_data_fail(trace), "");
  EXPECT_TRUE(evidence_in(DrillTrace{}).is_null());
}

TEST(DrillOfData, FailsOnEvidenceThatDoesNotFitItsHashes) {
  DrillTrace trace = swapped();
  trace.evidence = JsonObject{{"files", 12}, {"checked", 0}, {"problem", "base/5/1259: FAILED"}};
  EXPECT_THAT(why_data_fail(trace), HasSubstr("base/5/1259: FAILED"));
}

TEST(DrillOfData, FailsOnABackupThatTheAttackerTookAway) {
  DrillTrace trace = swapped();
  EXPECT_EQ(why_data_fail(trace), "") << "nobody attacked them";
  trace.backups = BackupAttack{.before = {"20261101-000000F", "20261102-000000F"},
                               .after = {"20261102-000000F"},
                               .tries = {{"expire as the server's user", CameOfIt::done}},
                               .whole = true,
                               .problem = {}};
  EXPECT_THAT(why_data_fail(trace), HasSubstr("20261101-000000F"));
}

}  // namespace
}  // namespace lifeboat::lab
