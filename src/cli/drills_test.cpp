// The calendar of drills as it is printed, and what a controller is told of one that was held.
#include "cli/drills.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/exit_codes.hpp"
#include "cli/test_controller.hpp"

namespace lifeboat::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

Json drill_row(const std::string& name, const std::string& standing) {
  return JsonObject{{"name", name},
                    {"title", "Title of " + name},
                    {"run", "prove"},
                    {"every", "monthly"},
                    {"in", "production"},
                    {"automatic", name == "backups"},
                    {"standing", standing},
                    {"last", JsonObject{{"text", "done, without profile"}}},
                    {"text", "held 2026-11-28 (R-12), due 2026-12-28"},
                    {"todo", "lifeboat run prove"}};
}

// Has these drills, and takes what it is told of one.
class FakeController : public TestController {
 public:
  explicit FakeController(JsonArray drills, std::string told = "{}")
      : TestController([drills = std::move(drills), told = std::move(told)](const HttpIncoming& request) {
          return json_reply(200, request.method == "GET" ? to_text(JsonObject{{"drills", drills}}) : told);
        }) {}
  Client client() const { return Client(options()); }
};

TEST(Drills, AreListedAndOneThatIsOverdueMakesTheExitCode) {
  FakeController calm({drill_row("backups", "current"), drill_row("region", "due")});
  Client client = calm.client();
  testing::internal::CaptureStdout();
  EXPECT_EQ(list_drills(client, {}), kOk);
  std::string text = testing::internal::GetCapturedStdout();
  EXPECT_THAT(text, HasSubstr("Title of backups, monthly in production: prove, starts by itself\n"));
  EXPECT_THAT(text, HasSubstr("  held 2026-11-28 (R-12), due 2026-12-28\n  last: done, without profile\n"));
  EXPECT_THAT(text, HasSubstr("  to do: lifeboat run prove\n"));
  FakeController late({drill_row("backups", "overdue")});
  Client other = late.client();
  EXPECT_EQ(list_drills(other, {.json = true}), kNotWell);
}

TEST(Drills, OneThatWasHeldIsToldWithItsReport) {
  auto file = std::filesystem::temp_directory_path() / fmt::format("drill-report-{}.json", getpid());
  std::ofstream(file) << R"({"scenario": "failover"})";
  FakeController controller({}, R"({"passed": true, "text": "region passed"})");
  Client client = controller.client();
  EXPECT_EQ(tell_drill_done(client, {.name = "region", .by = "ci", .report = file.string()}, {}), kOk);
  EXPECT_EQ(controller.path(), "/api/drills/region/done");
  Json body = controller.body();
  EXPECT_EQ(text_or(body, "by"), "ci");
  EXPECT_EQ(text_or(member(body, "report"), "scenario"), "failover");
  FakeController strict({}, R"({"passed": false, "text": "region did not pass"})");
  Client other = strict.client();
  EXPECT_EQ(tell_drill_done(other, {.name = "region", .by = "ci", .report = file.string()}, {}), kNotWell);
  std::filesystem::remove(file);
  EXPECT_EQ(tell_drill_done(other, {.name = "region", .by = "ci", .report = file.string()}, {}), kBadInput);
}

TEST(Drills, TheStatusNamesThoseThatAreToBeHeldTheLatestFirst) {
  Json status = JsonObject{{"drills", JsonArray{drill_row("a", "current"), drill_row("b", "due"), drill_row("c", "due"),
                                                drill_row("d", "overdue"), drill_row("e", "due")}}};
  testing::internal::CaptureStdout();
  print_due_drills(status);
  std::string text = testing::internal::GetCapturedStdout();
  EXPECT_THAT(
      text, testing::StartsWith("to rehearse      d: held 2026-11-28 (R-12), due 2026-12-28\n  lifeboat run prove\n"));
  EXPECT_THAT(text, HasSubstr("and 1 more: lifeboat drills\n"));
  EXPECT_THAT(text, Not(HasSubstr(" a: ")));
  testing::internal::CaptureStdout();
  print_due_drills(JsonObject{});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace lifeboat::cli
