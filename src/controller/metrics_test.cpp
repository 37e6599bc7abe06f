#include "controller/metrics.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

Json status() {
  JsonArray members{JsonObject{{"member", "east-1"},
                               {"region", "east"},
                               {"connected", true},
                               {"state", "primary"},
                               {"lag_ms", -1},
                               {"handicaps", JsonArray{}},
                               {"cancelled_waits", JsonObject{{"count", 3}, {"alone", 2}, {"not_counted", ""}}}},
                    JsonObject{{"member", "west-1"},
                               {"region", "west"},
                               {"connected", true},
                               {"state", "standby"},
                               {"streaming", true},
                               {"cancelled_waits", JsonObject{{"count", 0}, {"alone", 0}, {"not_counted", ""}}},
                               {"lag_ms", 1'500},
                               {"handicaps", JsonArray{"a right is missing"}}},
                    JsonObject{{"member", "west-2"}, {"region", "west"}, {"connected", false}, {"streaming", true}}};
  JsonObject backups{{"trouble", "a backup is overdue"},
                     {"rpo_ms", 300'000},
                     {"loss_ms", 250},
                     {"archive_lag_ms", -1},
                     {"connected", true},
                     {"backups", 3},
                     {"newest_at", "1970-01-01T00:01:40.500Z"},
                     {"oldest_at", ""},
                     {"restorable_to", "1970-01-01T00:03:20Z"},
                     {"gap", ""}};
  JsonObject database{
      {"term", 4}, {"writable", true}, {"automatic_made", 1}, {"members", members}, {"backups", backups}};
  JsonArray runs{JsonObject{{"state", "done"}}, JsonObject{{"state", "done"}}, JsonObject{{"state", "failed"}}};
  return JsonObject{{"databases", JsonObject{{"main", database}}},
                    {"signals", JsonArray{JsonObject{{"signal", "a \"b\"\\"}, {"subject", "line\nline"}}}},
                    {"runs", runs},
                    {"drills", JsonArray{JsonObject{{"name", "backups"},
                                                    {"standing", "overdue"},
                                                    {"due_at", "1970-01-01T00:01:00.000Z"},
                                                    {"proven_at", "1970-01-01T00:00:30.000Z"}},
                                         JsonObject{{"name", "region"},
                                                    {"standing", "due"},
                                                    {"due_at", "1970-01-01T00:02:00.000Z"},
                                                    {"proven_at", ""}}}}};
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(Metrics, SayWhatTheStatusSaysInPrometheusFormat) {
  std::string text = metrics_text(status());
  for (const char* line : {
           "# TYPE lifeboat_database_writable gauge",
           "lifeboat_database_writable{service=\"main\"} 1",
           "lifeboat_database_term{service=\"main\"} 4",
           "lifeboat_member_lag_seconds{service=\"main\",member=\"west-1\",region=\"west\"} 1.5",
           "lifeboat_member_handicaps{service=\"main\",member=\"west-1\",region=\"west\"} 1",
           "# TYPE lifeboat_member_cancelled_waits_total counter",
           "lifeboat_member_cancelled_waits_total{service=\"main\",member=\"east-1\",region=\"east\"} 3",
           "lifeboat_member_cancelled_waits_alone{service=\"main\",member=\"east-1\",region=\"east\"} 2",
           "lifeboat_backup_trouble{service=\"main\"} 1",
           "lifeboat_backup_loss_seconds{service=\"main\"} 0.25",
           "lifeboat_backup_rpo_seconds{service=\"main\"} 300",
           "lifeboat_backup_newest_timestamp_seconds{service=\"main\"} 100.5",
           "lifeboat_backup_newest_restorable_timestamp_seconds{service=\"main\"} 200",
           "lifeboat_drill_overdue{drill=\"backups\"} 1",
           "lifeboat_drill_overdue{drill=\"region\"} 0",
           "lifeboat_drill_due_timestamp_seconds{drill=\"region\"} 120",
           "lifeboat_drill_last_timestamp_seconds{drill=\"backups\"} 30",
           "lifeboat_runs{state=\"done\"} 2",
           "lifeboat_signal_raised{signal=\"a \\\"b\\\"\\\\\",subject=\"line\\nline\"} 1",
       })
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
}

TEST(Metrics, WhatIsNotKnownIsLeftOut) {
  std::string text = metrics_text(status());
  EXPECT_EQ(text.find("lag_seconds{service=\"main\",member=\"east-1\""), std::string::npos);
  EXPECT_EQ(text.find("lifeboat_member_streaming{service=\"main\",member=\"west-2\""), std::string::npos);
  EXPECT_EQ(text.find("cancelled_waits_total{service=\"main\",member=\"west-1\""), std::string::npos)
      << "nobody waits at a standby";
  EXPECT_EQ(text.find("backup_archive_lag_seconds"), std::string::npos);
  EXPECT_EQ(text.find("backup_oldest_timestamp_seconds"), std::string::npos);
  EXPECT_EQ(metrics_text(JsonObject{}), "");
}

TEST(Metrics, TellOfLogicalBackupsOnceTheirPlaceWasListed) {
  Json dumps = JsonObject{{"trouble", ""}, {"count", -1}, {"newest_at", ""}, {"newest_bytes", 0}};
  auto text_with = [&] {
    Json all = status();
    all.at("databases").at("main").as_object()["dumps"] = dumps;
    return metrics_text(all);
  };
  EXPECT_TRUE(has_line(text_with(), "lifeboat_dump_trouble{service=\"main\"} 0"));
  EXPECT_EQ(text_with().find("dump_sets"), std::string::npos) << "not known yet";
  dumps.as_object()["count"] = 0;
  EXPECT_TRUE(has_line(text_with(), "lifeboat_dump_sets{service=\"main\"} 0"));
  EXPECT_EQ(text_with().find("dump_newest"), std::string::npos) << "there is none";
  dumps = JsonObject{{"trouble", "overdue"}, {"count", 2}, {"newest_at", "1970-01-01T00:01:40Z"}, {"newest_bytes", 77}};
  std::string text = text_with();
  for (const char* line : {"lifeboat_dump_trouble{service=\"main\"} 1", "lifeboat_dump_sets{service=\"main\"} 2",
                           "lifeboat_dump_newest_bytes{service=\"main\"} 77",
                           "lifeboat_dump_newest_timestamp_seconds{service=\"main\"} 100"})
    EXPECT_TRUE(has_line(text, line)) << line << "\n" << text;
}

TEST(Metrics, WaitsThatCannotBeCountedAreNotZero) {
  Json all = status();
  Json& primary = all.at("databases").at("main").at("members").at(0);
  primary.at("cancelled_waits").as_object()["not_counted"] = "lc_messages is 'de'";
  EXPECT_EQ(metrics_text(all).find("cancelled_waits"), std::string::npos);
}

}  // namespace
}  // namespace lifeboat
