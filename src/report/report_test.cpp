#include "report/report.hpp"

#include <gtest/gtest.h>

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
  report.steps = {{"confirm", "assess", "done", 1, 1.7, 0.02}, {"promote", "recover", "failed", 2, 1.8, 0.6, "", "", "", "a | b"}};
  report.timeline = {{1.6, "2026-01-01T00:00:01.600Z", "signal-raised", "alpha is lost"}};
  return report;
}

TEST(Report, JsonHasTheKeysThatScriptsRelyOn) {
  Json json = parse_json(report_json(sample_report())).value();
  for (const char* key : {"scenario", "fault", "profile", "milestones", "rta_s", "rpa", "double_acknowledged_s", "objectives", "failback", "steps"})
    EXPECT_TRUE(json.get_object().contains(key)) << key;
  for (const char* key : {"detected", "decided", "writable", "first_served", "all_served", "reprotected"})
    EXPECT_TRUE(member(json, "milestones").get_object().contains(key)) << key;
  EXPECT_EQ(int_or(member(json, "rpa"), "lost"), 3);
}

TEST(Report, HtmlEscapesWhatItShowsAndNeedsNothingElse) {
  std::string html = report_html(sample_report());
  EXPECT_EQ(html.find("<alpha>"), std::string::npos);
  EXPECT_NE(html.find("&lt;alpha&gt;"), std::string::npos);
  EXPECT_EQ(html.find("http"), std::string::npos);
  EXPECT_NE(html.find("Drill"), std::string::npos);
}

TEST(Report, HeadlineSaysTimeAndLoss) {
  EXPECT_EQ(report_headline(sample_report()), "Users were served again after 7.40 s. 3 of 1204 acknowledged writes are lost, the oldest 80 ms old.");
}

TEST(Report, MarkdownKeepsTablesWhole) { EXPECT_NE(report_markdown(sample_report()).find("a \\| b"), std::string::npos); }

}  // namespace
}  // namespace lifeboat
