#include "report/report.hpp"

#include <gtest/gtest.h>

#include "core/data/decode.hpp"
#include "report/words.hpp"

namespace lifeboat {
namespace {

RunReport sample_report() {
  RunReport report;
  report.scenario = "site-failover";
  report.title = "Site <alpha> is lost";
  report.mode = "drill";
  report.measured = true;
  report.rta_s = 7.4;
  report.rpa = {1204, 3, 0.08};
  report.objectives = {300, 60, true};
  report.milestones.detected = 1.6;
  report.milestones.all_served = 7.4;
  report.steps = {{"confirm", "assess", "done", 1, 1.7, 0.02},
                  {"promote", "recover", "failed", 2, 1.8, 0.6, "", "", "", "a | b"},
                  {"tell", "recover", "done", 1, 1.8, 0.1, "Tell <people>", "notify", "war-room heard it", "", true}};
  report.decisions = {{"site-lost", "alpha", "start", "2 of 2 vantage points agree",
                       parse_json(R"({"votes":[{"vantage":"beta","failing":3,"targets":3,"counts":true},
                                               {"vantage":"office","failing":0,"targets":3,"counts":false,"detail":"silent for 4 s"}]})")
                           .value()}};
  report.approvals = {{5, "2026-01-01T00:00:05.000Z", "approval-given", "sam agreed to promote"}};
  report.timeline = {{1.6, "2026-01-01T00:00:01.600Z", "signal-raised", "alpha is lost"}};
  report.chain = {true, 1234, "0123456789abcdef"};
  return report;
}

bool holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(Report, JsonHasTheKeysThatScriptsRelyOn) {
  Json json = parse_json(report_json(sample_report())).value();
  for (const char* key : {"scenario", "fault", "profile", "milestones", "rta_s", "rpa", "double_acknowledged_s",
                          "objectives", "failback", "steps"})
    EXPECT_TRUE(json.get_object().contains(key)) << key;
  for (const char* key : {"detected", "decided", "writable", "first_served", "all_served", "reprotected"})
    EXPECT_TRUE(member(json, "milestones").get_object().contains(key)) << key;
  for (const char* key : {"id", "phase", "status", "attempts", "started_after_s", "seconds"})
    EXPECT_TRUE(member(json, "steps").as_array().front().get_object().contains(key)) << key;
  EXPECT_EQ(int_or(member(json, "rpa"), "lost"), 3);
}

TEST(Report, ShowsEachCheckOfAStepThatValidates) {
  RunReport report = sample_report();
  EXPECT_FALSE(holds(report_html(report), "Checks"));
  report.steps[0].checks = {{"rows of <users>", Verdict::passed, "9 rows | 9 were known", 9, 9},
                            {"sequence s", Verdict::noted, "is fine", nullptr, nullptr}};
  EXPECT_TRUE(holds(report_html(report), "rows of &lt;users&gt;"));
  EXPECT_TRUE(holds(report_html(report), "2 of 2 hold"));
  EXPECT_TRUE(holds(report_markdown(report), "| confirm | sequence s | noted | is fine |"));
  EXPECT_TRUE(holds(report_markdown(report), "9 rows \\| 9 were known"));
}

TEST(Report, JsonCanBeReadBackAndGivesTheSamePages) {
  RunReport report = sample_report();
  report.steps[0].checks = {{"rows of users", Verdict::failed, "8 rows, 9 were known", 8, 9}};
  report.failback = FailbackResult{0.4, 0};
  report.users = UsersView{500, 0.12, 3, 9, 40};
  auto again = decode<RunReport>(parse_json(report_json(report)).value());
  ASSERT_TRUE(again) << to_error(again.error(), "report").text();
  EXPECT_EQ(report_html(*again), report_html(report));
  EXPECT_EQ(report_markdown(*again), report_markdown(report));
  auto empty = decode<RunReport>(parse_json(report_json(RunReport{})).value());
  EXPECT_TRUE(empty) << to_error(empty.error(), "report").text();
}

TEST(Report, HtmlEscapesWhatItShowsAndNeedsNothingElse) {
  RunReport report = sample_report();
  for (std::string* text : {&report.scenario,
                            &report.fault,
                            &report.profile,
                            &report.plan,
                            &report.plan_hash,
                            &report.run,
                            &report.state,
                            &report.by,
                            &report.started,
                            &report.incident,
                            &report.steps[0].id,
                            &report.steps[0].phase,
                            &report.steps[0].status,
                            &report.steps[0].title,
                            &report.steps[0].summary,
                            &report.steps[1].error,
                            &report.decisions[0].signal,
                            &report.decisions[0].subject,
                            &report.decisions[0].verdict,
                            &report.decisions[0].reason,
                            &report.approvals[0].text,
                            &report.approvals[0].at,
                            &report.timeline[0].text,
                            &report.timeline[0].at,
                            &report.chain.head})
    *text = "'\"><script>alert(1)</script>&";
  std::string html = report_html(report);
  EXPECT_FALSE(holds(html, "<script"));
  EXPECT_FALSE(holds(html, "'\">")) << "a quote that ends an attribute";
  EXPECT_FALSE(holds(html, "<alpha>"));
  EXPECT_TRUE(holds(html, "Site &lt;alpha&gt; is lost"));
  for (const char* outside : {"http", "src=", "@import", "url(//"}) EXPECT_FALSE(holds(html, outside)) << outside;
}

TEST(Report, ADrillAndTheRealThingCannotBeMistaken) {
  RunReport report = sample_report();
  std::string drill = report_html(report);
  EXPECT_TRUE(holds(drill, "<body class=drill>"));
  EXPECT_TRUE(holds(drill, ">Drill</span>"));
  EXPECT_FALSE(holds(drill, "Real, not a drill"));
  report.mode = "real";
  std::string real = report_html(report);
  EXPECT_TRUE(holds(real, "Real, not a drill"));
  EXPECT_FALSE(holds(real, "<body class=drill>"));
  EXPECT_TRUE(report_markdown(sample_report()).starts_with("# Drill: "));
  EXPECT_FALSE(holds(report_markdown(report), "Drill"));
}

TEST(Report, PageShowsWhatWasSeenBehindEachDecision) {
  std::string html = report_html(sample_report());
  EXPECT_TRUE(holds(html, "beta: 3 of 3 targets fail"));
  EXPECT_TRUE(holds(html, "not counted: silent for 4 s"));
  EXPECT_TRUE(holds(html, "sam agreed to promote"));
  EXPECT_TRUE(holds(html, "war-room heard it"));
  EXPECT_TRUE(holds(html, "1,234 events, chain whole"));
}

TEST(Report, WhatNobodyMeasuredIsNotSaidAsAFigure) {
  RunReport report = sample_report();
  report.measured = false;
  std::string html = report_html(report);
  EXPECT_FALSE(holds(html, "RTA"));
  EXPECT_TRUE(holds(html, "not measured"));
  EXPECT_TRUE(holds(report_headline(report), "No witness measured"));
}

TEST(Report, AnObjectiveThatIsMissedIsSaidInWordsAndInRed) {
  RunReport report = sample_report();
  report.rta_s = 400;
  report.objectives.met = false;
  std::string html = report_html(report);
  EXPECT_TRUE(holds(html, "Objectives not met"));
  EXPECT_TRUE(holds(html, "big bad"));
  report.rta_s = -1;
  EXPECT_TRUE(holds(report_headline(report), "Users were not served again."));
}

TEST(Report, ChartHasTheObjectiveOnItsAxisOrSaysWhereItIs) {
  RunReport report = sample_report();
  EXPECT_TRUE(holds(report_html(report), "the objective, 5 min"));
  report.objectives.rto_s = 5;
  EXPECT_TRUE(holds(report_html(report), "objective 5.00 s"));
  report.steps.back().seconds = 7200;
  EXPECT_TRUE(holds(report_html(report), "log scale"));
  report.steps.clear();
  EXPECT_FALSE(holds(report_html(report), "What happened when")) << "nothing began";
}

TEST(Report, HeadlineSaysTimeAndLoss) {
  RunReport report = sample_report();
  EXPECT_EQ(report_headline(report),
            "Users were served again after 7.40 s. 3 of 1,204 acknowledged writes are lost, the oldest 80 ms old.");
  report.rpa = {1204, 0, 0};
  EXPECT_EQ(report_headline(report),
            "Users were served again after 7.40 s. None of 1,204 acknowledged writes is lost.");
}

TEST(Report, MarkdownKeepsTablesWhole) {
  RunReport report = sample_report();
  report.timeline.front().text = "two\nlines";
  std::string text = report_markdown(report);
  EXPECT_TRUE(holds(text, "a \\| b"));
  EXPECT_TRUE(holds(text, "two lines"));
}

TEST(Report, CountsAreGrouped) {
  EXPECT_EQ(count_in_words(0), "0");
  EXPECT_EQ(count_in_words(999), "999");
  EXPECT_EQ(count_in_words(4118), "4,118");
  EXPECT_EQ(count_in_words(1234567), "1,234,567");
  EXPECT_EQ(count_in_words(-123), "-123");
}

}  // namespace
}  // namespace lifeboat
