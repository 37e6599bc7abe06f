#include "core/detection/data_change.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lifeboat::detection {
namespace {

// Fewer rows than this are changed and deleted in many tables all day long.
constexpr int64_t kFewRows = 100;
constexpr double kFarMore = 3;
// Smaller samples say nothing of a column; fewer texts may look encrypted by chance.
constexpr int64_t kFewTexts = 20;
constexpr int64_t kSomeEncrypted = 5;
// What a job does every night is half forgotten when it comes again, and then still usual.
constexpr Duration kUsualFades{std::chrono::hours(24)};
// A server that has just been promoted does not know how many rows its tables have.
constexpr Duration kRowsFade{std::chrono::hours(1)};
constexpr Duration kForget{std::chrono::hours(1)};
constexpr int kCalmWindows = 10;
// Tables that come and go all the time must not fill the journal.
constexpr size_t kMostColumns = 2'000;

double faded(double value, std::chrono::nanoseconds age, Duration half) {
  return value * std::exp2(-to_seconds(age) / to_seconds(half));
}

}  // namespace

Json to_json(const TextBaseline& baseline) {
  JsonObject out;
  for (const auto& [column, count] : baseline)
    out[column] = JsonObject{{"texts", count.texts}, {"encrypted", count.encrypted}};
  return out;
}

void read_baseline(const Json& from, TextBaseline& into) {
  if (!from.is_object()) return;
  for (const auto& [column, count] : from.get_object())
    into[std::string(column)] = {int_or(count, "texts"), int_or(count, "encrypted")};
}

TextBaseline DataWatch::take(const DataSeen& seen, MonoTime now) {
  // Each server counts for itself, and begins anew after a crash.
  bool anew = seen.member != member_;
  bool gap = !last_ || now - *last_ > bounds_.within;
  member_ = seen.member;
  last_ = now;
  TextBaseline learnt;
  for (const auto& [name, look] : seen.tables) {
    auto [found, fresh] = tables_.try_emplace(name);
    Table& table = found->second;
    // What happened in a longer silence did not happen in one window.
    if (gap) table.points.clear();
    count_rows(name, table, look, anew || fresh, now);
    look_at_texts(name, table, look, learnt);
  }
  for (auto& [name, table] : tables_) {
    if (table.seen_at == now) continue;
    // It was dropped, or others have outgrown it.
    table.points.clear();
    table.sudden.clear();
    table.texts.clear();
  }
  std::erase_if(tables_, [&](const auto& entry) { return now - entry.second.seen_at > kForget; });
  if (anew || failures_first_ < 0 || seen.checksum_failures < failures_first_) failures_first_ = seen.checksum_failures;
  failures_ = seen.checksum_failures;
  if (!reasons().empty()) {
    calm_since_.reset();
  } else if (!calm_since_ || gap) {
    calm_since_ = now;
  }
  return learnt;
}

void DataWatch::count_rows(const std::string& name, Table& table, const TableLook& look, bool anew, MonoTime now) {
  bool restarted = anew || look.updated < table.updated || look.deleted < table.deleted;
  int64_t deleted = restarted ? 0 : look.deleted - table.deleted;
  int64_t changed = restarted ? 0 : look.updated - table.updated + deleted;
  table.rows = std::max(static_cast<double>(look.rows),
                        faded(table.rows - static_cast<double>(deleted), now - table.seen_at, kRowsFade));
  table.updated = look.updated;
  table.deleted = look.deleted;
  table.seen_at = now;
  Point point{.at = now, .rows = table.rows, .changed = changed, .deleted = deleted};
  if (!table.points.empty()) {
    point.changed += table.points.back().changed;
    point.deleted += table.points.back().deleted;
  }
  table.points.push_back(point);
  judge_rows(name, table, now);
}

void DataWatch::judge_rows(const std::string& name, Table& table, MonoTime now) {
  table.sudden.clear();
  // A window that ended before the newest began is one of those that say what is usual.
  while (table.points.size() > 1 && table.points[1].at <= now - bounds_.within) {
    table.points.pop_front();
    if (!table.points.front().in_window) continue;
    double usual = faded(table.usual.value_or(0), now - table.usual_at, kUsualFades);
    table.usual = std::max(usual, static_cast<double>(*table.points.front().in_window));
    table.usual_at = now;
  }
  const Point& first = table.points.front();
  Point& newest = table.points.back();
  if (first.at > now - bounds_.within) return;
  int64_t changed = newest.changed - first.changed, deleted = newest.deleted - first.deleted;
  newest.in_window = changed;
  if (!table.usual || changed < kFewRows || first.rows < static_cast<double>(kFewRows)) return;
  if (static_cast<double>(changed) < bounds_.rewritten * first.rows) return;
  double usual = faded(*table.usual, now - table.usual_at, kUsualFades);
  if (static_cast<double>(changed) <= kFarMore * usual) return;
  table.sudden = fmt::format(
      "{} rows of {} were changed and {} deleted within {}; it has about {:.0f}, and usually {:.0f} at most",
      changed - deleted, name, deleted, format_duration(bounds_.within), first.rows, usual);
}

void DataWatch::look_at_texts(const std::string& name, Table& table, const TableLook& look, TextBaseline& learnt) {
  if (!look.sampled) return;
  std::erase_if(table.texts, [&](const auto& entry) { return !look.columns.contains(entry.first); });
  for (const auto& [column, count] : look.columns) {
    if (count.texts < kFewTexts) {
      if (look.rows < kFewTexts) table.texts.erase(column);
      continue;
    }
    table.texts[column] = count;
    std::string key = name + "." + column;
    if (usual_.contains(key) || usual_.size() >= kMostColumns) continue;
    usual_[key] = learnt[key] = count;
  }
}

const ColumnCount* DataWatch::usual_where_encrypted(const std::string& column, const ColumnCount& now) const {
  auto usual = usual_.find(column);
  if (usual == usual_.end() || now.encrypted < kSomeEncrypted) return nullptr;
  return now.share() >= usual->second.share() + bounds_.encrypted ? &usual->second : nullptr;
}

std::vector<std::string> DataWatch::reasons() const {
  std::vector<std::string> out;
  for (const auto& [name, table] : tables_) {
    for (const auto& [column, now] : table.texts) {
      std::string key = name + "." + column;
      if (const ColumnCount* usual = usual_where_encrypted(key, now))
        out.push_back(fmt::format("{} of {} texts of {} look encrypted, {} of {} did at first", now.encrypted,
                                  now.texts, key, usual->encrypted, usual->texts));
    }
  }
  for (const auto& [name, table] : tables_) {
    if (!table.sudden.empty()) out.push_back(table.sudden);
  }
  if (failures_ > failures_first_)
    out.push_back(
        fmt::format("{} more pages were found with a wrong checksum on {}", failures_ - failures_first_, member_));
  return out;
}

bool DataWatch::calm() const { return calm_since_ && last_ && *last_ - *calm_since_ >= kCalmWindows * bounds_.within; }

TextBaseline DataWatch::accept() {
  TextBaseline out;
  for (auto& [name, table] : tables_) {
    for (const auto& [column, now] : table.texts) {
      std::string key = name + "." + column;
      if (usual_where_encrypted(key, now) != nullptr) usual_[key] = out[key] = now;
    }
    table.sudden.clear();
  }
  failures_first_ = failures_;
  return out;
}

}  // namespace lifeboat::detection
