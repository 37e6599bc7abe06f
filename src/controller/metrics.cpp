#include "controller/metrics.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/data/decode.hpp"
#include "core/data/list_of.hpp"

namespace lifeboat {
namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// In a label's value these three are written with a backslash before them.
std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// All samples of a name stand together, below what they are.
class Page {
 public:
  void add(std::string_view name, std::string_view help, const Labels& labels, double value) {
    std::string& block = blocks_[std::string(name)];
    std::string_view kind = name.ends_with("_total") ? "counter" : "gauge";
    if (block.empty()) block = fmt::format("# HELP lifeboat_{0} {1}\n# TYPE lifeboat_{0} {2}\n", name, help, kind);
    std::string written;
    for (const auto& [label, text] : labels)
      written += fmt::format("{}{}=\"{}\"", written.empty() ? "" : ",", label, escaped(text));
    block += fmt::format("lifeboat_{}{} {}\n", name, written.empty() ? "" : "{" + written + "}", value);
  }
  std::string text() const {
    std::string out;
    for (const auto& [name, block] : blocks_) out += block;
    return out;
  }

 private:
  std::map<std::string, std::string> blocks_;
};

void add_member(Page& page, const std::string& service, const Json& member_) {
  Labels labels{{"service", service}, {"member", text_or(member_, "member")}, {"region", text_or(member_, "region")}};
  bool connected = bool_or(member_, "connected");
  page.add("member_connected", "Whether the member's agent is linked to the controller.", labels, connected);
  if (!connected) return;
  page.add("member_streaming", "Whether a standby receives from its upstream.", labels, bool_or(member_, "streaming"));
  double lag = number_or(member_, "lag_ms", -1);
  if (lag >= 0) page.add("member_lag_seconds", "Age of what a standby has not replayed.", labels, lag / 1000);
  page.add("member_handicaps", "What would hinder a rewind or a failover on the day.", labels,
           static_cast<double>(list_of(member_, "handicaps").size()));
  const Json& waits = member(member_, "cancelled_waits");
  bool counted = text_or(member_, "state") == "primary" && waits.is_object() && text_or(waits, "not_counted").empty();
  if (!counted) return;
  page.add("member_cancelled_waits_total", "Commits whose wait for a standby was cancelled, since its server started.",
           labels, number_or(waits, "count"));
  page.add("member_cancelled_waits_alone", "Such commits that may be on the primary alone.", labels,
           number_or(waits, "alone"));
}

void add_moment(Page& page, std::string_view name, std::string_view help, const Labels& labels, const std::string& at) {
  if (auto moment = parse_wall(at))
    page.add(name, help, labels, std::chrono::duration<double>(moment->time_since_epoch()).count());
}

// What a restore could bring back now, and what it would cost.
void add_backups(Page& page, const std::string& service, const Json& backups) {
  Labels labels{{"service", service}};
  page.add("backup_trouble", "Whether the backups would not bring back what the plan's RPO asks for.", labels,
           !text_or(backups, "trouble").empty());
  page.add("backup_rpo_seconds", "The plan's RPO.", labels, number_or(backups, "rpo_ms") / 1000);
  double loss = number_or(backups, "loss_ms", -1), lag = number_or(backups, "archive_lag_ms", -1);
  double waiting = number_or(backups, "archive_waiting", -1);
  if (loss >= 0)
    page.add("backup_loss_seconds", "What the loss of the primary's region would cost now.", labels, loss / 1000);
  if (lag >= 0)
    page.add("backup_archive_lag_seconds", "Age of the oldest segment that is not archived.", labels, lag / 1000);
  if (waiting >= 0) page.add("backup_archive_waiting", "Segments that are not archived.", labels, waiting);
  if (!bool_or(backups, "connected")) return;
  page.add("backup_sets", "Backups in the repository.", labels, number_or(backups, "backups"));
  page.add("backup_gap", "Whether archived log is missing.", labels, !text_or(backups, "gap").empty());
  page.add("backup_held", "Whether expiry waits for a person.", labels, !text_or(backups, "held").empty());
  add_moment(page, "backup_newest_timestamp_seconds", "When the newest backup ended.", labels,
             text_or(backups, "newest_at"));
  add_moment(page, "backup_proven_timestamp_seconds", "When a restore last proved a backup.", labels,
             text_or(backups, "proven_at"));
  add_moment(page, "backup_oldest_timestamp_seconds", "The earliest moment that can be restored.", labels,
             text_or(backups, "oldest_at"));
  add_moment(page, "backup_newest_restorable_timestamp_seconds", "The latest moment that can be restored.", labels,
             text_or(backups, "restorable_to"));
}

void add_dumps(Page& page, const std::string& service, const Json& dumps) {
  Labels labels{{"service", service}};
  page.add("dump_trouble", "Whether the logical backups are not what the plan asks for.", labels,
           !text_or(dumps, "trouble").empty());
  double count = number_or(dumps, "count", -1);
  if (count < 0) return;
  page.add("dump_sets", "Logical backups where the plan keeps them.", labels, count);
  if (count == 0) return;
  page.add("dump_newest_bytes", "Size of the newest logical backup.", labels, number_or(dumps, "newest_bytes"));
  add_moment(page, "dump_newest_timestamp_seconds", "When the newest logical backup was taken.", labels,
             text_or(dumps, "newest_at"));
}

// What the calendar of the plan asks people to rehearse.
void add_drill(Page& page, const Json& drill) {
  Labels labels{{"drill", text_or(drill, "name")}};
  page.add("drill_overdue", "Whether a drill of the plan should have been held by now, and its grace is over.", labels,
           text_or(drill, "standing") == "overdue");
  add_moment(page, "drill_due_timestamp_seconds", "When a drill is to be held.", labels, text_or(drill, "due_at"));
  add_moment(page, "drill_last_timestamp_seconds", "When a drill was last held with success.", labels,
             text_or(drill, "proven_at"));
}

void add_database(Page& page, const std::string& service, const Json& database) {
  Labels labels{{"service", service}};
  page.add("database_writable", "Whether a member takes writes.", labels, bool_or(database, "writable"));
  page.add("database_term", "How often the right to write was granted.", labels, number_or(database, "term"));
  page.add("database_automatic_failovers", "Automatic failovers that count towards their limit.", labels,
           number_or(database, "automatic_made"));
  for (const Json& one : list_of(database, "members")) add_member(page, service, one);
  const Json& backups = member(database, "backups");
  if (backups.is_object()) add_backups(page, service, backups);
  const Json& dumps = member(database, "dumps");
  if (dumps.is_object()) add_dumps(page, service, dumps);
}

}  // namespace

std::string metrics_text(const Json& status) {
  Page page;
  const Json& databases = member(status, "databases");
  for (const auto& [service, database] : databases.is_object() ? databases.get_object() : JsonObject{})
    add_database(page, std::string(service), database);
  for (const Json& drill : list_of(status, "drills")) add_drill(page, drill);
  for (const Json& signal : list_of(status, "signals"))
    page.add("signal_raised", "A signal of the plan that is raised now.",
             {{"signal", text_or(signal, "signal")}, {"subject", text_or(signal, "subject")}}, 1);
  std::map<std::string, int> states;
  for (const Json& run : list_of(status, "runs")) ++states[text_or(run, "state")];
  for (const auto& [state, count] : states)
    page.add("runs", "Runs of plans by their state.", {{"state", state}}, count);
  return page.text();
}

}  // namespace lifeboat
