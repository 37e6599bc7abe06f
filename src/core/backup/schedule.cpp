#include "core/backup/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace lifeboat::backup {
namespace {

using std::chrono::hours;

std::vector<std::string> words_of(std::string_view text) {
  std::string plain(text);
  std::ranges::replace(plain, ',', ' ');
  std::istringstream in(plain);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::optional<Duration> span_named(std::string_view name) {
  static constexpr std::pair<std::string_view, hours> kWords[] = {
      {"hourly", hours(1)},         {"daily", hours(24)},        {"nightly", hours(24)},
      {"weekly", hours(24 * 7)},    {"monthly", hours(24 * 31)}, {"quarterly", hours(24 * 92)},
      {"annually", hours(24 * 366)}};
  for (const auto& [word, span] : kWords) {
    if (name == word) return Duration(span);
  }
  return std::nullopt;
}

std::optional<Duration> span_written(std::string_view text) {
  auto span = parse_duration(text);
  return span && *span > Duration{0} ? span : std::nullopt;
}

std::optional<Duration> span_of(const std::vector<std::string>& words) {
  if (words.size() == 3 && words[1] == "every") return span_written(words[2]);
  return words.size() == 2 ? span_named(words[1]) : std::nullopt;
}

std::optional<Type> type_of(const std::string& word) {
  if (word == "full") return Type::full;
  if (word == "diff" || word == "differential") return Type::diff;
  if (word == "incr" || word == "incremental") return Type::incr;
  return std::nullopt;
}

// Clocks of two hosts differ; one that is further ahead is wrong, and a backup that was taken by it would be young for as long.
constexpr Duration kClocksDiffer{600'000};

bool lies_ahead(const Taken& one, WallTime now) { return one.at > now + kClocksDiffer; }

// The newest that does at least as much as `type`.
const Taken* newest(const std::vector<Taken>& taken, Type type, WallTime now) {
  const Taken* best = nullptr;
  for (const Taken& one : taken) {
    if (one.type > type || lies_ahead(one, now)) continue;
    if (best == nullptr || one.at > best->at) best = &one;
  }
  return best;
}

std::string no_full_backup(const std::vector<Taken>& taken, WallTime now) {
  bool ahead = std::ranges::any_of(taken, [&](const Taken& one) { return lies_ahead(one, now); });
  return ahead ? "there is no full backup but what lies in the future: a clock is or was wrong"
               : "there is no full backup";
}

}  // namespace

std::expected<Schedule, std::string> parse_schedule(const std::vector<std::string>& words) {
  Schedule out;
  for (const std::string& text : words) {
    auto parts = words_of(text);
    if (parts.size() == 2 && parts[0] == "wal" && parts[1] == "continuous") {
      out.wal_continuous = true;
      continue;
    }
    auto type = parts.empty() ? std::nullopt : type_of(parts[0]);
    auto every = span_of(parts);
    if (!type || !every) return std::unexpected(fmt::format("'{}' is no entry of a schedule", text));
    out.entries.push_back({*type, *every});
  }
  std::ranges::sort(out.entries, {}, &Entry::type);
  return out;
}

std::optional<Duration> parse_every(std::string_view word) {
  auto named = span_named(word);
  return named ? named : span_written(word);
}

std::expected<Retention, std::string> parse_retention(std::string_view text) {
  Retention out;
  auto words = words_of(text);
  if (words.empty()) return out;
  auto number = [](const std::string& word) {
    int value = 0;
    auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), value);
    return problem == std::errc() && end == word.data() + word.size() && value > 0 && value <= 9999 ? value : 0;
  };
  auto wrong = [&] { return std::unexpected(fmt::format("'{}' says not how long backups are kept", text)); };
  if (words.size() == 1 || (words.size() == 2 && words[1].starts_with("day"))) {
    std::string count = words[0];
    if (words.size() == 1 && count.ends_with('d')) {
      count.pop_back();
    } else if (words.size() == 1) {
      return wrong();
    }
    out.days = number(count);
    if (out.days == 0) return wrong();
    return out;
  }
  if (words.size() != 2 && words.size() != 4) return wrong();
  for (size_t at = 0; at < words.size(); at += 2) {
    int count = number(words[at]);
    if (count == 0) return wrong();
    if (words[at + 1] == "full") {
      out.full = count;
    } else if (words[at + 1] == "diff") {
      out.diff = count;
    } else {
      return wrong();
    }
  }
  return out;
}

std::optional<Due> due(const Schedule& schedule, const std::vector<Taken>& taken, WallTime now) {
  if (schedule.entries.empty()) return std::nullopt;
  if (newest(taken, Type::full, now) == nullptr) return Due{Type::full, no_full_backup(taken, now)};
  for (const Entry& entry : schedule.entries) {
    Duration age = now - newest(taken, entry.type, now)->at;
    if (age >= entry.every)
      return Due{entry.type, fmt::format("the last one that does as much as {} is {} old", enum_name(entry.type),
                                         format_span(age))};
  }
  return std::nullopt;
}

std::string overdue(const Schedule& schedule, const std::vector<Taken>& taken, WallTime now) {
  if (schedule.entries.empty()) return {};
  if (newest(taken, Type::full, now) == nullptr) return no_full_backup(taken, now);
  for (const Entry& entry : schedule.entries) {
    Duration age = now - newest(taken, entry.type, now)->at;
    if (age > entry.every + entry.every / 2)
      return fmt::format("a {} backup is due every {}, and the last one is {} old", enum_name(entry.type),
                         format_duration(entry.every), format_span(age));
  }
  return {};
}

Duration pause_after(int failures) {
  if (failures <= 0) return Duration{0};
  constexpr Duration kFirst{5'000}, kMost{1'800'000};
  Duration pause = kFirst;
  for (int times = 1; times < failures && pause < kMost; ++times) pause *= 2;
  return std::min(pause, kMost);
}

}  // namespace lifeboat::backup
