#include "core/orphans/replay.hpp"

#include <fmt/format.h>

#include "core/data/encode.hpp"

namespace lifeboat::orphans {
namespace {

std::optional<std::string> text_of(const Json& value) {
  if (!value.is_string()) return std::nullopt;
  return std::string(value.get_string());
}

// The first column in which the row is not as wanted; empty when it is.
std::string differs(const Row& row, const TextMap<Json>& wanted) {
  for (const auto& [name, value] : wanted) {
    auto found = row.find(name);
    if (found == row.end() || found->second != text_of(value)) return name;
  }
  return {};
}

// The key of the row after an update that may have changed it.
TextMap<Json> key_after(const Kept& change) {
  TextMap<Json> out;
  for (const auto& [name, value] : change.key) {
    const Json* now = change.after.find(name);
    out.add(name, now == nullptr ? value : *now);
  }
  return out;
}

Judged judge_insert(const Kept& change, std::optional<Row>& row) {
  if (row) {
    std::string column = differs(*row, change.after);
    if (column.empty()) return {Verdict::already_there, "the same row is there"};
    return {Verdict::conflict, fmt::format("another row with this key is there; it differs in {}", column)};
  }
  row.emplace();
  for (const auto& [name, value] : change.after) (*row)[name] = text_of(value);
  return {Verdict::applies, ""};
}

Judged judge_update(const Kept& change, std::optional<Row>& row, std::optional<Row>& target) {
  bool moves = &row != &target;
  if (moves && !row && target && differs(*target, change.after).empty())
    return {Verdict::already_there, "the row is as the change leaves it"};
  if (!row) return {Verdict::conflict, "the row is not there"};
  if (!moves && differs(*row, change.after).empty())
    return {Verdict::already_there, "the row is as the change leaves it"};
  std::string column = differs(*row, change.before);
  if (!column.empty()) return {Verdict::conflict, fmt::format("somebody has changed {} since", column)};
  if (moves && target) return {Verdict::conflict, "another row has the new key"};
  Row next = *row;
  for (const auto& [name, value] : change.after) next[name] = text_of(value);
  if (moves) row.reset();
  target = std::move(next);
  bool knows_old = change.before.size() >= change.after.size();
  return {Verdict::applies,
          knows_old ? "" : "what the row was before is not in the log; it may have been changed since"};
}

Judged judge_delete(const Kept& change, std::optional<Row>& row) {
  if (!row) return {Verdict::already_there, "the row is gone"};
  std::string column = differs(*row, change.before);
  if (!column.empty()) return {Verdict::conflict, fmt::format("somebody has changed {} since", column)};
  row.reset();
  return {Verdict::applies, ""};
}

}  // namespace

std::optional<std::string> row_name(const Kept& change, const TextMap<Json>& key) {
  if (key.empty()) return std::nullopt;
  return fmt::format("{}\n{}\n{}", change.database, change.table, to_canonical_text(encode(key)));
}

std::vector<TextMap<Json>> keys_of(const Kept& change) {
  if (change.key.empty()) return {};
  std::vector<TextMap<Json>> out{change.key};
  TextMap<Json> next = key_after(change);
  if (change.operation == "update" && encode(next) != encode(change.key)) out.push_back(std::move(next));
  return out;
}

Judged judge(const Kept& change, std::map<std::string, std::optional<Row>>& rows) {
  auto name = row_name(change, change.key);
  if (!name) return {Verdict::cannot_tell, change.operation == "truncate" ? "a whole table was emptied" : "no key"};
  std::optional<Row>& row = rows[*name];
  if (change.operation == "insert") return judge_insert(change, row);
  if (change.operation == "delete") return judge_delete(change, row);
  if (change.operation != "update") return {Verdict::cannot_tell, "it is no change of a row"};
  return judge_update(change, row, rows[*row_name(change, key_after(change))]);
}

}  // namespace lifeboat::orphans
