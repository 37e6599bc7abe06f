#include "core/logical/backups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "core/base/similar.hpp"
#include "core/data/decode.hpp"

namespace lifeboat {
namespace {

constexpr std::string_view kKind = "_full_";
constexpr std::string_view kEnding = ".backup";
constexpr size_t kStamp = 15;  // 20240101_020000

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

std::string encoded(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (plain(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    unsigned value = 0;
    if (at + 2 >= text.size()) return std::nullopt;
    auto [end, problem] = std::from_chars(text.data() + at + 1, text.data() + at + 3, value, 16);
    if (problem != std::errc{} || end != text.data() + at + 3) return std::nullopt;
    out += static_cast<char>(value);
    at += 2;
  }
  return out;
}

// "20240101_020000"
std::optional<WallTime> parse_stamp(std::string_view text) {
  if (text.size() != kStamp || text[8] != '_') return std::nullopt;
  return parse_wall(fmt::format("{}-{}-{}T{}:{}:{}Z", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2),
                                text.substr(9, 2), text.substr(11, 2), text.substr(13, 2)));
}

std::string stamp(WallTime at) {
  std::string text = format_wall(at);  // 2026-11-23T04:12:55.123Z
  return fmt::format("{}{}{}_{}{}{}", text.substr(0, 4), text.substr(5, 2), text.substr(8, 2), text.substr(11, 2),
                     text.substr(14, 2), text.substr(17, 2));
}

std::string in_words(const LogicalBackup& backup) {
  return fmt::format("{} of {}", backup_date(backup.at), backup.database);
}

std::string nearest(const std::vector<LogicalBackup>& of, WallTime at) {
  const LogicalBackup* before = nullptr;
  const LogicalBackup* after = nullptr;
  for (const LogicalBackup& backup : of) {
    if (backup.at < at) before = &backup;
    if (backup.at > at && after == nullptr) after = &backup;
  }
  std::string out;
  if (before != nullptr) out = fmt::format("the nearest before it is {}", in_words(*before));
  if (after != nullptr) out += fmt::format("{}the nearest after it is {}", out.empty() ? "" : ", ", in_words(*after));
  return out;
}

uint64_t median_of(std::vector<uint64_t> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// That the newest one is much smaller than those before it; empty when it is not.
std::string shrunken(const std::vector<LogicalBackup>& of) {
  std::vector<uint64_t> sizes;
  for (size_t index = of.size() - 1; index-- > 0 && sizes.size() < 7;) sizes.push_back(of[index].bytes);
  if (sizes.size() < 2 || of.back().bytes >= median_of(sizes) / 2) return {};
  return fmt::format("the newest one has {} bytes where {} are usual", of.back().bytes, median_of(sizes));
}

// Why nothing of this database may go; empty when the newest is as it should be.
std::string hold_back(const std::vector<LogicalBackup>& of, const LogicalRetention& retention, WallTime now) {
  const LogicalBackup& newest = of.back();
  if (!newest.checksum) return "the newest one has no checksum";
  if (newest.at > now) return "the newest one lies in the future: a clock is or was wrong";
  if (now - newest.at > retention.keep_for) return "the newest one is itself older than that";
  return shrunken(of);
}

using ByDatabase = std::map<std::string, std::vector<LogicalBackup>>;

// Each database's, the newest last.
ByDatabase by_database(const std::vector<LogicalBackup>& all) {
  ByDatabase out;
  for (const LogicalBackup& backup : all) out[backup.database].push_back(backup);
  for (auto& [database, of] : out)
    std::ranges::sort(of, [](const auto& a, const auto& b) { return std::tie(a.at, a.path) < std::tie(b.at, b.path); });
  return out;
}

constexpr Duration kMayBeUnderWay = std::chrono::hours(24);

LogicalExpiry judge_one_kept(const LogicalBackup& backup, size_t keep, size_t whole_after, const std::string& held,
                             WallTime now) {
  if (!backup.checksum && now - backup.at <= kMayBeUnderWay)
    return {backup, true, "it is not whole, and may be under way"};
  if (backup.checksum && whole_after < keep) return {backup, true, fmt::format("one of the {} newest", keep)};
  // What is not whole stands in for nothing, but it goes only when something newer is whole.
  if (whole_after == 0) return {backup, true, "nothing newer is whole"};
  if (!held.empty()) return {backup, true, fmt::format("nothing goes: {}", held)};
  return {backup, false, backup.checksum ? fmt::format("{} newer ones are whole", whole_after) : "it is not whole"};
}

}  // namespace

std::string logical_name(std::string_view database, WallTime at) {
  return fmt::format("{}{}{}{}", encoded(database), kKind, stamp(at), kEnding);
}

std::optional<LogicalBackup> parse_logical_path(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
  size_t tail = kKind.size() + kStamp + kEnding.size();
  if (!name.ends_with(kEnding) || name.size() <= tail) return std::nullopt;
  std::string_view database = name.substr(0, name.size() - tail);
  if (name.substr(database.size(), kKind.size()) != kKind) return std::nullopt;
  auto at = parse_stamp(name.substr(database.size() + kKind.size(), kStamp));
  auto plain_name = decoded(database);
  if (!at || !plain_name) return std::nullopt;
  return LogicalBackup{*plain_name, *at, std::string(path)};
}

std::string checksum_path(std::string_view path) { return fmt::format("{}.sha256", path); }
std::string profile_path(std::string_view path) { return fmt::format("{}.profile.json", path); }
std::string note_path(std::string_view path) { return fmt::format("{}.made.json", path); }

std::vector<LogicalBackup> logical_backups(const std::vector<PlacedFile>& files) {
  std::map<std::string_view, bool> there;
  for (const PlacedFile& file : files) there[file.path] = true;
  std::vector<LogicalBackup> out;
  for (const PlacedFile& file : files) {
    auto backup = parse_logical_path(file.path);
    if (!backup) continue;
    backup->bytes = file.bytes;
    backup->checksum = there.contains(checksum_path(file.path));
    backup->profile = there.contains(profile_path(file.path));
    backup->noted = there.contains(note_path(file.path));
    out.push_back(std::move(*backup));
  }
  std::ranges::sort(out, [](const auto& a, const auto& b) { return std::tie(a.at, a.path) < std::tie(b.at, b.path); });
  return out;
}

Result<WallTime> parse_backup_date(std::string_view text) {
  std::string digits;
  for (size_t at = 0; at < text.size(); ++at) {
    bool dash = text[at] == '-' && (at == 4 || at == 7);
    if (!dash) digits += text[at];
  }
  auto at = text.size() == kStamp + 2 ? parse_stamp(digits) : std::nullopt;
  if (!at)
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no date of a backup", Decoder::printable(text)),
                "it is written 2024-01-01_020000, in UTC");
  return *at;
}

std::string backup_date(WallTime at) {
  std::string text = stamp(at);
  return fmt::format("{}-{}-{}{}", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2), text.substr(8));
}

Result<LogicalBackup> choose_logical(const std::vector<LogicalBackup>& all, std::string_view database,
                                     std::optional<WallTime> at) {
  std::vector<std::string> names;
  std::vector<LogicalBackup> of;
  for (const LogicalBackup& backup : all) {
    if (std::ranges::find(names, backup.database) == names.end()) names.push_back(backup.database);
    if (database.empty() || backup.database == database) of.push_back(backup);
  }
  if (names.empty()) return fail(ErrorKind::not_found, "there is no backup there", "look at the address of the place");
  if (of.empty()) {
    std::string hint = did_you_mean(database, names);
    if (hint.empty()) hint = fmt::format("there are backups of {}", fmt::join(names, ", "));
    return fail(ErrorKind::not_found, fmt::format("there is no backup of '{}'", Decoder::printable(database)), hint);
  }
  if (database.empty() && names.size() > 1)
    return fail(ErrorKind::invalid_input, fmt::format("there are backups of {}", fmt::join(names, ", ")),
                "say which database is meant");
  WallTime wanted = at.value_or(of.back().at);
  std::vector<LogicalBackup> found;
  for (const LogicalBackup& backup : of) {
    if (backup.at == wanted) found.push_back(backup);
  }
  if (found.empty())
    return fail(ErrorKind::not_found, fmt::format("there is no backup of {}", backup_date(wanted)),
                nearest(of, wanted));
  if (found.size() > 1)
    return fail(ErrorKind::conflict,
                fmt::format("two backups are of {}: {} and {}", backup_date(wanted), found[0].path, found[1].path),
                "name a place that holds only one of them");
  return found.front();
}

Result<std::string> parse_checksum(std::string_view text, std::string_view name) {
  auto wrong = [&](std::string_view why) {
    return fail(ErrorKind::invalid_input, fmt::format("the checksum of {} cannot be read: {}", name, why));
  };
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.size() < 66) return wrong("it is too short");
  std::string_view digits = text.substr(0, 64);
  bool hex = std::ranges::all_of(digits, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hex || text[64] != ' ' || (text[65] != ' ' && text[65] != '*')) return wrong("it is not as sha256sum writes it");
  if (text.substr(66) != name) return wrong(fmt::format("it is of '{}'", Decoder::printable(text.substr(66, 200))));
  return std::string(digits);
}

std::vector<LogicalExpiry> judge_retention(const std::vector<LogicalBackup>& all, const LogicalRetention& retention,
                                           WallTime now) {
  std::vector<LogicalExpiry> out;
  for (const auto& [database, of] : by_database(all)) {
    std::string held = hold_back(of, retention, now);
    size_t whole_after = 0;  // backups with a checksum that are newer
    std::vector<LogicalExpiry> judged;
    for (size_t index = of.size(); index-- > 0;) {
      const LogicalBackup& backup = of[index];
      bool young = now - backup.at <= retention.keep_for;
      bool needed = whole_after < std::max<size_t>(1, retention.at_least);
      LogicalExpiry entry{backup, true, {}};
      if (young) {
        entry.reason = fmt::format("not older than {}", format_duration(retention.keep_for));
      } else if (needed) {
        entry.reason = fmt::format("one of the {} newest", std::max<size_t>(1, retention.at_least));
      } else if (!held.empty()) {
        entry.reason = fmt::format("nothing goes: {}", held);
      } else {
        entry.keep = false;
        entry.reason = fmt::format("older than {}", format_duration(retention.keep_for));
      }
      whole_after += backup.checksum ? 1 : 0;
      judged.push_back(std::move(entry));
    }
    std::ranges::reverse(judged);
    std::ranges::move(judged, std::back_inserter(out));
  }
  return out;
}

std::vector<LogicalExpiry> judge_keep(const std::vector<LogicalBackup>& all, size_t keep, WallTime now) {
  std::vector<LogicalExpiry> out;
  for (const auto& [database, of] : by_database(all)) {
    std::vector<LogicalBackup> whole;
    std::ranges::copy_if(of, std::back_inserter(whole), &LogicalBackup::checksum);
    std::string held;
    if (!whole.empty())
      held = whole.back().at > now ? "the newest one lies in the future: a clock is or was wrong" : shrunken(whole);
    std::vector<LogicalExpiry> judged;
    size_t whole_after = 0;
    for (size_t index = of.size(); index-- > 0;) {
      judged.push_back(judge_one_kept(of[index], std::max<size_t>(1, keep), whole_after, held, now));
      whole_after += of[index].checksum ? 1 : 0;
    }
    std::ranges::reverse(judged);
    std::ranges::move(judged, std::back_inserter(out));
  }
  return out;
}

}  // namespace lifeboat
