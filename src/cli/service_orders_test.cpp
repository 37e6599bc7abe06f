// Looks that are ordered from a controller: what it is told, and what is printed of its answer.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/clean_point.hpp"
#include "cli/exit_codes.hpp"
#include "cli/forensics.hpp"
#include "cli/test_controller.hpp"
#include "core/recovery/moment.hpp"

namespace lifeboat::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

// Takes one order and tells of it what it is given, one answer after the other; the last one is repeated.
class FakeController : public TestController {
 public:
  FakeController() : TestController([this](const HttpIncoming& request) { return reply(request); }) {}
  void answer(JsonObject job) {
    job.emplace("number", 7);
    job.emplace("what", "");
    jobs_.push_back(std::move(job));
  }

 private:
  HttpReply reply(const HttpIncoming& request) {
    if (request.method == "POST") {
      what_ = request.path.substr(request.path.rfind('/') + 1);
      return json_reply(200, R"({"service":"database","number":7})");
    }
    if (request.path != "/api/restores/database/job/7") return json_reply(404, R"({"error":"no such thing"})");
    JsonObject job = jobs_[std::min(told_++, jobs_.size() - 1)];
    if (text_or(job, "what").empty()) job["what"] = what_;
    return json_reply(200, to_text(job));
  }

  std::string what_;
  std::vector<JsonObject> jobs_;
  size_t told_ = 0;
};

struct Said {
  int code = 0;
  std::string out, err;
};
template <class Order>
Said said_by(Order order) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  int code = order();
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

class LookOrders : public testing::Test {
 protected:
  FakeController controller;

  Said forensics(ForensicsOptions options, const Output& output = {}) {
    options.order.service = "database";
    options.order.by = "alice";
    Client client(controller.options());
    return said_by([&] { return order_forensics(client, options, output); });
  }
  Said clean_point(CleanPointOptions options, const Output& output = {}) {
    options.order.service = "database";
    options.order.by = "alice";
    Client client(controller.options());
    return said_by([&] { return order_clean_point(client, options, output); });
  }
};

const JsonObject kReport{
    {"from", "2024-01-01T14:00:00Z"},
    {"to", "2024-01-01T15:00:00Z"},
    {"first", "2024-01-01T14:00:01Z"},
    {"transactions", 900},
    {"most_unusual", 757},
    {"findings",
     JsonArray{
         JsonObject{{"xid", 757},
                    {"time", "2024-01-01T14:30:00.123456Z"},
                    {"lsn", "0/3000060"},
                    {"did", JsonArray{JsonObject{{"what", "deleted"}, {"table", "app.public.orders"}, {"rows", 1500}}}},
                    {"why", JsonArray{"nobody else did"}},
                    {"restore_to", JsonObject{{"xid", "before:757"}, {"lsn", "0/3000000"}}}}}}};

const JsonObject kFound{{"found", true},
                        {"last_good", JsonObject{{"xid", 756}, {"time", "2024-01-01T14:29:59Z"}, {"lsn", "0/2FFFF00"}}},
                        {"first_bad", JsonObject{{"xid", 757}, {"time", "2024-01-01T14:30:00Z"}, {"lsn", "0/3000060"}}},
                        {"restore_to", JsonObject{{"xid", "before:757"}}},
                        {"failed", JsonArray{"'no order is lost' (false)"}},
                        {"did", "deleted 1,500 rows of app.public.orders"},
                        {"restores_used", 1},
                        {"probes", 3},
                        {"reasoning", JsonArray{"Just before it the checks hold.", "Just behind it they fail."}}};

TEST_F(LookOrders, ForensicsTellsTheControllerTheTimeAndPrintsEachFindingWithItsTarget) {
  controller.answer({{"state", "running"}, {"progress", "two has archived its log"}});
  controller.answer({{"state", "done"}, {"result", kReport}});
  ForensicsOptions options;
  options.from = "2024-01-01 15:00:00+01";
  options.to = "2024-01-01 15:00:00+00";
  options.order.on = "east-2";
  options.top = 5;
  Said said = forensics(options);
  EXPECT_EQ(said.code, kOk) << said.err;
  EXPECT_EQ(controller.path(), "/api/restores/database/forensics");
  Json body = controller.body();
  EXPECT_EQ(text_or(body, "by"), "alice");
  EXPECT_EQ(text_or(body, "on"), "east-2");
  EXPECT_EQ(text_or(body, "from"), "2024-01-01T14:00:00Z");
  EXPECT_EQ(text_or(body, "to"), "2024-01-01T15:00:00Z");
  EXPECT_EQ(int_or(body, "usual_ms"), 3'600'000);
  EXPECT_EQ(int_or(body, "most"), 5);
  for (const char* part :
       {"database: 1 of 900", "> 2024-01-01 14:30:00.123456  xid 757", "deleted 1,500 rows of app.public.orders",
        "committed at 0/3000060; just before it: --to-xid before:757"})
    EXPECT_THAT(said.out, HasSubstr(part));
  EXPECT_THAT(said.err, HasSubstr("two has archived its log\n"));
  EXPECT_THAT(said.out, Not(HasSubstr("\x1b"))) << "only a terminal is redrawn";
}

TEST_F(LookOrders, ForensicsLooksAtTheHourBeforeTheEndWhenNoBeginIsGiven) {
  controller.answer({{"state", "done"}, {"result", kReport}});
  ForensicsOptions options;
  options.to = "2024-01-01 15:00:00+00";
  EXPECT_EQ(forensics(options).code, kOk);
  EXPECT_EQ(text_or(controller.body(), "from"), "2024-01-01T14:00:00Z");
}

TEST_F(LookOrders, JsonIsTheReportAndNothingElse) {
  controller.answer({{"state", "running"}, {"progress", "reads"}});
  controller.answer({{"state", "done"}, {"result", kReport}});
  Said said = forensics({}, {.json = true});
  auto json = parse_json(said.out);
  ASSERT_TRUE(json) << said.out;
  EXPECT_EQ(text_or(*json, "service"), "database");
  EXPECT_EQ(int_or(*json, "most_unusual"), 757);
  EXPECT_EQ(said.err, "");
}

TEST_F(LookOrders, OnATerminalWhatIsSaidMeanwhileGoesAwayAgain) {
  controller.answer({{"state", "running"}, {"progress", "reads\x1b[31m the log"}});
  controller.answer({{"state", "done"}, {"result", kReport}});
  Said said = forensics({}, {.terminal = true});
  EXPECT_THAT(said.out, testing::StartsWith("\r\x1b[Kreads[31m the log\r\x1b[Kdatabase: "));
  EXPECT_EQ(said.err, "");
}

TEST_F(LookOrders, AMomentWithoutAZoneIsNotSent) {
  ForensicsOptions options;
  options.from = "2024-01-01 14:00:00";
  Said said = forensics(options);
  EXPECT_EQ(said.code, kBadInput);
  EXPECT_THAT(said.err, HasSubstr("--from"));
  EXPECT_EQ(controller.path(), "");
}

TEST_F(LookOrders, AnOrderThatFailedEndsWithTheCodeOfItsKind) {
  controller.answer({{"state", "failed"},
                     {"error_kind", to_string(ErrorKind::invalid_input)},
                     {"error", "the check 'x' cannot be asked"},
                     {"hint", "try it first"}});
  Said said = forensics({});
  EXPECT_EQ(said.code, kBadInput);
  EXPECT_THAT(said.err, HasSubstr("the check 'x' cannot be asked"));
  EXPECT_THAT(said.err, HasSubstr("try it first"));
}

TEST_F(LookOrders, AHostThatDidNotAnswerIsNoControllerThatDoesNot) {
  controller.answer(
      {{"state", "failed"}, {"error_kind", to_string(ErrorKind::unreachable)}, {"error", "db-2 is gone"}});
  EXPECT_EQ(forensics({}).code, kUnknown);
}

TEST_F(LookOrders, AnOrderOfSomebodyElseIsNotTakenForOnesOwn) {
  controller.answer({{"state", "done"}, {"number", 8}, {"result", kReport}});
  Said said = forensics({});
  EXPECT_EQ(said.code, kUnknown);
  EXPECT_EQ(said.out, "");
}

TEST_F(LookOrders, NobodyWaitsLongerThanSaid) {
  controller.answer({{"state", "running"}});
  ForensicsOptions options;
  options.within = "100ms";
  options.order.beside = Duration{0};
  Said said = forensics(options);
  EXPECT_EQ(said.code, kUnknown);
  EXPECT_EQ(int_or(controller.body(), "within_ms"), 100) << "whoever does it gives up, too";
  EXPECT_THAT(said.err, HasSubstr("--within"));
}

class CleanPointOrders : public LookOrders {
 protected:
  CleanPointOrders() {
    file = (std::filesystem::temp_directory_path() / fmt::format("lifeboat-checks-{}.sql", getpid())).string();
    std::ofstream(file) << "-- no order is lost\nSELECT count(*) >= 6000 FROM orders;\n"
                           "-- database: billing\nSELECT true;\n";
  }
  ~CleanPointOrders() override { std::filesystem::remove(file); }
  std::string file;
};

TEST_F(CleanPointOrders, TheChecksAreSentAndTheMomentIsPrintedWithHowItWasFound) {
  controller.answer({{"state", "done"}, {"result", kFound}});
  CleanPointOptions options;
  options.checks = file;
  options.to = "2024-01-02 15:00:00+00";
  options.encrypted = true;
  Said said = clean_point(options);
  EXPECT_EQ(said.code, kOk) << said.err;
  EXPECT_EQ(controller.path(), "/api/restores/database/clean-point");
  Json body = controller.body();
  EXPECT_EQ(text_or(body, "from"), "2024-01-01T15:00:00Z") << "a day when left out";
  EXPECT_TRUE(bool_or(body, "encrypted"));
  EXPECT_FALSE(bool_or(body, "pages"));
  const JsonArray& checks = member(body, "checks").as_array();
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(text_or(checks[0], "name"), "no order is lost");
  EXPECT_EQ(text_or(checks[0], "database", "none"), "") << "the plan knows which";
  EXPECT_EQ(text_or(checks[1], "database"), "billing");
  for (const char* part : {"Just before it the checks hold.\nJust behind it they fail.\n",
                           "just before transaction 757", "0/3000060", "which deleted 1,500 rows", "transaction 756",
                           "'no order is lost' (false)", "restore to   --to-xid before:757"})
    EXPECT_THAT(said.out, HasSubstr(part));
}

TEST_F(CleanPointOrders, ChecksThatFailFromTheBeginningAreNamedAndNoAnswer) {
  controller.answer({{"state", "done"},
                     {"result", JsonObject{{"found", false},
                                           {"why", "the checks fail at the beginning already"},
                                           {"failed", JsonArray{"'x' (relation \"orders\" does not exist)"}}}}});
  CleanPointOptions options;
  options.checks = file;
  options.database = "app";
  Said said = clean_point(options);
  EXPECT_EQ(said.code, kNotWell);
  Json body = controller.body();
  EXPECT_EQ(text_or(member(body, "checks").as_array()[0], "database"), "app");
  EXPECT_THAT(said.out, HasSubstr("relation \"orders\" does not exist"));
}

TEST_F(CleanPointOrders, WithoutAnythingToCheckNothingIsOrdered) {
  Said said = clean_point({});
  EXPECT_EQ(said.code, kBadInput);
  EXPECT_EQ(controller.path(), "");
}

}  // namespace
}  // namespace lifeboat::cli
