#include "cli/orphans.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "agent/protocol.hpp"
#include "cli/exit_codes.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/orphans/replay.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

constexpr size_t kRowsAtATime = 100;

Result<std::vector<wire::OrphansSaved>> list_all(Client& client) {
  TRY(Json answer, client.get("/api/orphans"));
  std::vector<wire::OrphansSaved> out;
  const Json& all = member(answer, "orphans");
  for (const Json& one : all.is_array() ? all.get_array() : JsonArray{}) {
    auto saved = decode<wire::OrphansSaved>(one);
    if (!saved) return fail(ErrorKind::invalid_input, "the controller's answer does not fit", "use the same version");
    // What was said of one last holds.
    std::erase_if(out, [&](const wire::OrphansSaved& before) { return before.id == saved->id; });
    out.push_back(std::move(*saved));
  }
  return out;
}

Result<wire::OrphansSaved> find(Client& client, const std::string& id) {
  TRY(std::vector<wire::OrphansSaved> all, list_all(client));
  auto found = std::ranges::find(all, id, &wire::OrphansSaved::id);
  if (found == all.end())
    return fail(ErrorKind::not_found, fmt::format("no orphaned writes are saved as '{}'", id),
                "`lifeboat orphans show` lists them");
  return *found;
}

Result<std::string> whole_file(Client& client, const std::string& id, const std::string& file) {
  std::string text;
  for (int64_t offset = 0;;) {
    TRY(Json piece, client.get(fmt::format("/api/orphans/{}?file={}&offset={}", percent_encode(id), file, offset)));
    text += text_or(piece, "text");
    if (bool_or(piece, "end")) return text;
    int64_t next = int_or(piece, "next");
    if (next <= offset) return fail(ErrorKind::internal, fmt::format("{} of {} cannot be read on", file, id));
    offset = next;
  }
}

Result<std::vector<orphans::Kept>> changes_of(Client& client, const std::string& id) {
  TRY(std::string text, whole_file(client, id, "changes.jsonl"));
  std::vector<orphans::Kept> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    TRY(Json line, parse_json(std::string_view(text).substr(at, end - at)));
    auto change = decode<orphans::Kept>(line);
    if (!change) return std::unexpected(to_error(change.error(), fmt::format("line {} of {}", out.size() + 1, id)));
    out.push_back(std::move(*change));
    at = end + 1;
  }
  return out;
}

std::string values_of(const TextMap<Json>& values) { return values.empty() ? "-" : to_text(encode(values)); }

using Rows = std::map<std::string, std::optional<orphans::Row>>;

// The present rows that the changes are about; `unknown`: those that could not be looked up, and why.
Result<Rows> look_up(Client& client, const std::string& service, const std::vector<orphans::Kept>& changes,
                     std::map<std::string, std::string>& unknown) {
  Rows rows;
  std::vector<std::string> names;
  wire::LookUpRows question{service, {}};
  auto ask = [&]() -> Result<> {
    if (names.empty()) return {};
    TRY(Json answer, client.post("/api/orphans/look-up", encode(question), Duration{40'000}));
    const Json& found = member(answer, "rows");
    if (!found.is_array() || found.get_array().size() != names.size())
      return fail(ErrorKind::internal, "not as many rows were answered as were asked for");
    for (size_t index = 0; index < names.size(); ++index) {
      const Json& one = found.get_array()[index];
      if (std::string error = text_or(one, "error"); !error.empty()) unknown[names[index]] = error;
      if (!bool_or(one, "found")) continue;
      orphans::Row row;
      for (const auto& [name, value] : member(one, "values").get_object())
        row[std::string(name)] = value.is_string() ? std::optional(std::string(value.get_string())) : std::nullopt;
      rows[names[index]] = std::move(row);
    }
    names.clear();
    question.rows.clear();
    return {};
  };
  std::set<std::string> asked;
  for (const orphans::Kept& change : changes) {
    for (const TextMap<Json>& key : orphans::keys_of(change)) {
      auto name = orphans::row_name(change, key);
      if (!name || !asked.insert(*name).second) continue;
      rows[*name] = std::nullopt;
      names.push_back(*name);
      question.rows.push_back({change.database, change.table, change.types.names(), key});
      if (names.size() >= kRowsAtATime) TRY_VOID(ask());
    }
  }
  TRY_VOID(ask());
  return rows;
}

std::string why_unknown(const orphans::Kept& change, const std::map<std::string, std::string>& unknown) {
  for (const TextMap<Json>& key : orphans::keys_of(change)) {
    auto name = orphans::row_name(change, key);
    auto found = name ? unknown.find(*name) : unknown.end();
    if (found != unknown.end()) return found->second;
  }
  return {};
}

}  // namespace

int show_orphans(Client& client, const std::string& id, const Output& output) {
  if (id.empty()) {
    auto all = list_all(client);
    if (!all) return complain(all.error());
    if (output.json) {
      JsonArray out;
      for (const wire::OrphansSaved& one : *all) out.push_back(encode(one));
      fmt::print("{}\n", to_text(Json(JsonObject{{"orphans", out}})));
      return kOk;
    }
    if (all->empty()) fmt::print("No orphaned writes stand in the journal.\n");
    for (const wire::OrphansSaved& one : *all) {
      fmt::print("{}\n  {} transactions, {} changes, {}; {} .. {}\n", one.id, one.transactions, one.changes,
                 one.complete ? "all read back" : fmt::format("{} NOT READ BACK", one.undecoded), one.first_commit,
                 one.last_commit);
      for (const auto& [table, count] : one.tables) fmt::print("  {:>8} {}\n", count, table);
      for (const std::string& remark : one.remarks) fmt::print("  {}\n", remark);
      if (!one.kept.empty()) fmt::print("  the old data are kept in {}\n", one.kept);
    }
    return kOk;
  }
  if (auto saved = find(client, id); !saved) return complain(saved.error());
  auto changes = changes_of(client, id);
  if (!changes) return complain(changes.error());
  for (const orphans::Kept& change : *changes) {
    if (output.json) {
      fmt::print("{}\n", to_text(encode(change)));
      continue;
    }
    fmt::print("{}  transaction {}  {} {}.{}  key {}\n", change.committed_at, change.xid, change.operation,
               change.database, change.table, values_of(change.key));
    if (!change.before.empty()) fmt::print("    before {}\n", values_of(change.before));
    if (!change.after.empty()) fmt::print("    after  {}\n", values_of(change.after));
  }
  return kOk;
}

int export_orphans(Client& client, const std::string& id, const std::string& as, const std::string& file) {
  if (auto saved = find(client, id); !saved) return complain(saved.error());
  auto text = whole_file(client, id, as == "sql" ? "replay.sql" : as == "log" ? "log.txt" : "changes.jsonl");
  if (!text) return complain(text.error());
  if (file.empty()) {
    std::fwrite(text->data(), 1, text->size(), stdout);
    return kOk;
  }
  // They are users' data.
  if (auto written = write_file_atomic(file, *text, 0600); !written) return complain(written.error());
  return kOk;
}

int replay_orphans(Client& client, const std::string& id, const Output& output) {
  auto saved = find(client, id);
  if (!saved) return complain(saved.error());
  auto changes = changes_of(client, id);
  if (!changes) return complain(changes.error());
  std::map<std::string, std::string> unknown;
  auto rows = look_up(client, saved->service, *changes, unknown);
  if (!rows) return complain(rows.error());
  std::map<orphans::Verdict, int64_t> counts;
  JsonArray lines;
  for (const orphans::Kept& change : *changes) {
    std::string cannot = why_unknown(change, unknown);
    orphans::Judged judged =
        cannot.empty() ? orphans::judge(change, *rows) : orphans::Judged{orphans::Verdict::cannot_tell, cannot};
    std::string verdict(enum_name(judged.verdict));
    ++counts[judged.verdict];
    if (output.json) {
      lines.push_back(JsonObject{{"xid", change.xid},
                                 {"table", change.table},
                                 {"operation", change.operation},
                                 {"key", encode(change.key)},
                                 {"verdict", verdict},
                                 {"why", judged.why}});
    } else {
      fmt::print("{:<14} {} {}.{} {}{}\n", verdict, change.operation, change.database, change.table,
                 values_of(change.key), judged.why.empty() ? "" : ": " + judged.why);
    }
  }
  using enum orphans::Verdict;
  bool all_well = saved->complete && counts[conflict] == 0 && counts[cannot_tell] == 0;
  if (output.json) {
    JsonObject sums;
    for (const auto& [verdict, count] : counts) sums[enum_name(verdict)] = count;
    fmt::print("{}\n", to_text(Json(JsonObject{{"id", id}, {"changes", lines}, {"verdicts", sums}})));
  } else {
    fmt::print("\n{} would apply, {} are there already, {} conflict, {} cannot be told. Nothing was changed.\n",
               counts[applies], counts[already_there], counts[conflict], counts[cannot_tell]);
    if (!saved->complete) fmt::print("{} transactions could not be read back at all.\n", saved->undecoded);
  }
  return all_well ? kOk : kNotWell;
}

}  // namespace lifeboat::cli
