#include "core/validation/judge.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace lifeboat {
namespace {

// 1234567 → "1,234,567"
std::string grouped(int64_t value) {
  std::string digits = std::to_string(value), out;
  for (size_t index = 0; index < digits.size(); ++index) {
    size_t left = digits.size() - index;
    if (index > 0 && left % 3 == 0 && digits[index - 1] != '-') out += ',';
    out += digits[index];
  }
  return out;
}

std::string share(double value) { return fmt::format("{:.3g} %", value * 100); }

Check check(std::string name, Verdict verdict, std::string text, Json found = nullptr, Json expected = nullptr) {
  return {std::move(name), verdict, std::move(text), std::move(found), std::move(expected)};
}

Check judge_rows(const TableProfile& before, const TableProfile& now, const RowBounds& bounds, double days) {
  std::string name = fmt::format("rows of {}", before.name);
  auto say = [&](Verdict verdict, std::string_view more) {
    return check(name, verdict, fmt::format("{} rows, {} were known{}", grouped(now.rows), grouped(before.rows), more),
                 now.rows, before.rows);
  };
  if (before.unlogged && now.rows < before.rows)
    return say(Verdict::noted, ": the table is unlogged, and a recovery empties those");
  if (bounds.exact && now.rows != before.rows) return say(Verdict::failed, " in the very same moment");
  double known = static_cast<double>(before.rows);
  auto least = static_cast<int64_t>(std::ceil(known * (1 - bounds.fewer)));
  double missing = known > 0 ? 1 - static_cast<double>(now.rows) / known : 0;
  if (now.rows < least)
    return say(Verdict::failed, fmt::format(": {} are missing, {} may be", share(missing), share(bounds.fewer)));
  if (now.rows == 0 && before.rows > 0 && bounds.fewer < 1) return say(Verdict::failed, ": it is empty");
  if (bounds.more || bounds.more_per_day) {
    double allowed = known * (bounds.more.value_or(0) + bounds.more_per_day.value_or(0) * days);
    if (static_cast<double>(now.rows - before.rows) > std::max(allowed, static_cast<double>(kSmallGrowth)))
      return say(Verdict::failed, fmt::format(": it grew by more than {} rows", grouped(std::llround(allowed))));
  }
  return say(Verdict::passed, "");
}

std::optional<Check> judge_columns(const TableProfile& before, const TableProfile& now) {
  if (before.columns == now.columns || before.columns.empty()) return std::nullopt;
  std::vector<std::string> gone, fresh;
  for (const std::string& column : before.columns) {
    if (std::ranges::find(now.columns, column) == now.columns.end()) gone.push_back(column);
  }
  for (const std::string& column : now.columns) {
    if (std::ranges::find(before.columns, column) == before.columns.end()) fresh.push_back(column);
  }
  std::string text = gone.empty() ? "" : fmt::format("without '{}'", fmt::join(gone, "', '"));
  if (!fresh.empty()) text += fmt::format("{}with '{}'", text.empty() ? "" : ", ", fmt::join(fresh, "', '"));
  if (text.empty()) text = "in another order";
  return check(fmt::format("columns of {}", before.name), gone.empty() ? Verdict::noted : Verdict::failed, text);
}

std::optional<Check> judge_contents(const TableProfile& before, const TableProfile& now, const RowBounds& bounds) {
  if (before.contents.empty() || now.contents.empty()) return std::nullopt;
  std::string name = fmt::format("contents of {}", before.name);
  if (before.contents == now.contents) return check(name, Verdict::passed, "the same in every row");
  // On another day rows have changed as they should; then it says only that they have.
  return check(name, bounds.exact ? Verdict::failed : Verdict::noted, "rows differ from those that were known");
}

// Digits compared as the numbers they are.
bool is_lower(std::string_view left, std::string_view right) {
  bool minus_left = left.starts_with('-'), minus_right = right.starts_with('-');
  if (minus_left != minus_right) return minus_left;
  bool shorter = left.size() != right.size() ? left.size() < right.size() : left < right;
  return minus_left ? !shorter && left != right : shorter;
}

std::optional<Check> judge_key(const TableProfile& before, const TableProfile& now, const RowBounds& bounds) {
  if (before.highest_key.empty() || before.unlogged || !is_lower(now.highest_key, before.highest_key))
    return std::nullopt;
  // The newest rows are missing, though others may have come in their place.
  return check(fmt::format("newest rows of {}", before.name), bounds.fewer > 0 ? Verdict::noted : Verdict::failed,
               fmt::format("the highest key is {}, {} was known", now.highest_key.empty() ? "none" : now.highest_key,
                           before.highest_key),
               Json(now.highest_key), Json(before.highest_key));
}

void judge_objects(const DatabaseProfile& before, const DatabaseProfile& now, Checks& out) {
  std::map<std::pair<std::string, std::string>, const ObjectProfile*> there;
  for (const ObjectProfile& object : now.objects) there[{object.kind, object.name}] = &object;
  std::map<std::string, std::pair<int, int>> by_kind;  // known, still there
  for (const ObjectProfile& object : before.objects) {
    auto& [known, still] = by_kind[object.kind];
    ++known;
    auto found = there.find({object.kind, object.name});
    std::string name = fmt::format("{} {}", object.kind, object.name);
    if (found == there.end()) {
      out.push_back(check(name, Verdict::failed, "is missing"));
      continue;
    }
    ++still;
    if (found->second->definition != object.definition)
      out.push_back(check(name, Verdict::noted, "is defined in another way"));
  }
  // Releases bring such too, and so does somebody who wants to stay.
  std::set<std::pair<std::string, std::string>> known_before;
  for (const ObjectProfile& object : before.objects) known_before.insert({object.kind, object.name});
  for (const auto& [key, _] : there) {
    bool runs = key.first == "function" || key.first == "trigger" || key.first == "extension";
    if (runs && !known_before.contains(key))
      out.push_back(check(fmt::format("{} {}", key.first, key.second), Verdict::noted, "was not known"));
  }
  for (const auto& [kind, count] : by_kind) {
    auto [known, still] = count;
    if (still == known)
      out.push_back(check(fmt::format("every {}", kind), Verdict::passed, fmt::format("all {} are there", known)));
  }
}

}  // namespace

Checks judge_against(const DatabaseProfile& before, const DatabaseProfile& now, const RowBounds& bounds, Duration age) {
  Checks out;
  double days = std::max(0.0, to_seconds(age) / 86'400);
  for (const TableProfile& table : before.tables) {
    const TableProfile* found = now.table(table.name);
    if (found == nullptr) {
      out.push_back(check(fmt::format("table {}", table.name), Verdict::failed,
                          fmt::format("is missing; it held {} rows", grouped(table.rows)), nullptr, table.rows));
      continue;
    }
    if (found->locked) {
      out.push_back(judge_locked("table " + table.name));
      continue;
    }
    out.push_back(judge_rows(table, *found, bounds, days));
    for (auto& more :
         {judge_columns(table, *found), judge_contents(table, *found, bounds), judge_key(table, *found, bounds)}) {
      if (more) out.push_back(*more);
    }
  }
  for (const TableProfile& table : now.tables) {
    if (before.table(table.name) == nullptr)
      out.push_back(check(fmt::format("table {}", table.name), Verdict::noted,
                          fmt::format("was not known; it holds {} rows", grouped(table.rows)), table.rows));
  }
  if (before.tables.empty()) out.push_back(check("profile", Verdict::unknown, "the profile knows no table"));
  if (now.objects_locked) {
    out.push_back(judge_locked("an index or another object"));
  } else {
    judge_objects(before, now, out);
  }
  return out;
}

Checks judge_alone(const DatabaseProfile& now) {
  if (now.tables.empty()) return {check("tables", Verdict::failed, "there is no table")};
  if (now.rows() == 0) return {check("tables", Verdict::failed, "all tables are empty", 0)};
  return {check(
      "tables", Verdict::passed,
      fmt::format("{} tables with {} rows; no profile to hold them against", now.tables.size(), grouped(now.rows())),
      now.rows())};
}

Check judge_not_empty(const DatabaseProfile& now, const std::string& name) {
  const TableProfile* table = now.table(name.find('.') == std::string::npos ? "public." + name : name);
  std::string what = fmt::format("table {} is not empty", name);
  if (table != nullptr && table->locked) return judge_locked(what);
  bool held = table != nullptr && table->rows > 0;
  std::string text = table == nullptr ? "is missing" : fmt::format("holds {} rows", table->rows);
  return {std::move(what), held ? Verdict::passed : Verdict::failed, std::move(text),
          table == nullptr ? Json(nullptr) : Json(table->rows), "at least 1"};
}

Checks judge_integrity(const Integrity& integrity) {
  Checks out;
  for (const OrphanRows& orphan : integrity.orphans)
    out.push_back(
        check(fmt::format("foreign key {}", orphan.constraint), Verdict::failed,
              fmt::format("{} rows of {} point at nothing in {}", grouped(orphan.rows), orphan.table, orphan.parent),
              orphan.rows, 0));
  if (integrity.orphans.empty() && integrity.foreign_keys > 0)
    out.push_back(check("foreign keys", Verdict::passed,
                        fmt::format("every row of {} foreign keys has its parent", integrity.foreign_keys)));
  for (const SequenceBehind& sequence : integrity.behind)
    out.push_back(
        check(fmt::format("sequence {}", sequence.sequence), Verdict::failed,
              fmt::format("gives {} next, but {} holds {} already", sequence.next, sequence.column, sequence.highest),
              Json(sequence.next), Json(sequence.highest)));
  if (integrity.behind.empty() && integrity.sequences > 0)
    out.push_back(check("sequences", Verdict::passed,
                        fmt::format("all {} are ahead of what their columns hold", integrity.sequences)));
  for (const std::string& index : integrity.invalid_indexes)
    out.push_back(check(fmt::format("index {}", index), Verdict::failed, "is not valid: queries do not use it",
                        "invalid", "valid"));
  if (integrity.invalid_indexes.empty()) out.push_back(check("indexes", Verdict::passed, "all are valid"));
  for (const std::string& constraint : integrity.unproven)
    out.push_back(check(fmt::format("constraint {}", constraint), Verdict::noted,
                        "is not validated: older rows were never held against it"));
  if (!integrity.checksums) {
    out.push_back(
        check("page checksums", Verdict::noted, "this cluster has none: flipped bits in a page go unnoticed"));
  } else if (integrity.checksum_failures > 0) {
    out.push_back(check("page checksums", Verdict::failed,
                        fmt::format("{} pages were read that are damaged", integrity.checksum_failures),
                        integrity.checksum_failures, 0));
  } else {
    out.push_back(check("page checksums", Verdict::passed, "no page that was read is damaged"));
  }
  for (const Damage& damage : integrity.damage)
    out.push_back(check(fmt::format("structure of {}", damage.where), Verdict::failed, damage.what));
  if (!integrity.no_amcheck.empty()) {
    out.push_back(check("structure", Verdict::noted, fmt::format("was not looked at: {}", integrity.no_amcheck)));
  } else if (integrity.damage.empty()) {
    out.push_back(check("structure", Verdict::passed,
                        fmt::format("amcheck finds nothing in {} tables and indexes", integrity.relations)));
  }
  for (const std::string& name : integrity.locked) out.push_back(judge_locked(name));
  for (const Damage& unknown : integrity.unknown)
    out.push_back(check(unknown.where, Verdict::unknown, fmt::format("could not be looked at: {}", unknown.what)));
  return out;
}

Check judge_locked(const std::string& name) {
  return check(name, Verdict::noted,
               "is locked by a transaction that had not ended; it cannot be read before that is undone");
}

bool all_hold(const Checks& checks) {
  return std::ranges::none_of(
      checks, [](const Check& c) { return c.verdict == Verdict::failed || c.verdict == Verdict::unknown; });
}

std::string in_words(const Checks& checks, size_t most) {
  size_t judged = 0, well = 0, told = 0, bad = 0;
  std::string more;
  for (const Check& c : checks) {
    if (c.verdict == Verdict::noted) continue;
    ++judged;
    if (c.verdict == Verdict::passed) {
      ++well;
      continue;
    }
    ++bad;
    if (told == most) continue;
    ++told;
    more += fmt::format("{}{}: {}", more.empty() ? "" : "; ", c.name, c.text);
  }
  std::string out = well == judged ? fmt::format("all {} checks hold", judged)
                                   : fmt::format("{} of {} checks hold: {}", well, judged, more);
  if (bad > told) out += fmt::format("; and {} more", bad - told);
  return out;
}

}  // namespace lifeboat
