#include "actions/validate_common.hpp"

#include "actions/references.hpp"
#include "actions/restore_common.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/messages.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

constexpr size_t kNamed = 20;  // in an error
constexpr size_t kKept = 500;  // in the data
constexpr int64_t kRows = 10'000;

Task<Result<PgRows>> ask_once(ActionContext context, std::string host, DatabaseAsked asked, std::string sql,
                              Deadline deadline) {
  wire::RestoreQuery order{.service = asked.service.text,
                           .name = asked.restored,
                           .database = asked.database,
                           .sql = std::move(sql),
                           .as = "postgres",
                           .rows = kRows,
                           .timeout_ms = std::max<int64_t>(1, deadline.left().count())};
  auto asking = context.world.agents.call(host, std::string(wire::RestoreQuery::kMethod), encode(order), deadline,
                                          [](std::string) {});
  CO_TRY(Json answer, co_await std::move(asking));
  if (bool_or(answer, "more"))
    co_return fail(ErrorKind::unsupported, fmt::format("a copy gives at most {} rows to one question", kRows));
  PgRows rows;
  const Json& columns = lifeboat::member(answer, "columns");
  const Json& found = lifeboat::member(answer, "rows");
  if (!columns.is_array() || !found.is_array()) co_return fail(ErrorKind::internal, host + " sent no rows");
  for (const Json& column : columns.get_array()) rows.columns.emplace_back(column.as_string());
  for (const Json& row : found.get_array()) {
    auto& values = rows.rows.emplace_back();
    for (const Json& value : row.as_array())
      values.push_back(value.is_null() ? std::nullopt : std::optional(std::string(value.as_string())));
  }
  co_return rows;
}

}  // namespace

void check_asked(const DatabaseAsked& asked, const Plan& plan, DecodeProblems& problems) {
  require_service<PostgresService>(plan, asked.service.text, problems);
  if (!asked.restored.empty() && !asked.host.empty())
    problems.push_back({"/host", "a restored copy is found by its name", "leave host out"});
  if (asked.port < 0 || asked.port > 65'535) problems.push_back({"/port", "there is no such port", {}});
}

std::string name_of(const DatabaseAsked& asked) {
  if (!asked.restored.empty()) return fmt::format("restore {} of {}", asked.restored, asked.service.text);
  return asked.host.empty() ? asked.service.text : fmt::format("{} on {}", asked.service.text, asked.host);
}

Result<PgParams> params_of(World& world, const DatabaseAsked& asked, const std::string& options) {
  const auto* database = service_as<PostgresService>(world.plan, asked.service.text);
  if (database == nullptr) return fail(ErrorKind::invalid_input, fmt::format("{} is no database", asked.service.text));
  PgParams params{{"dbname", asked.database.empty() ? database->database : asked.database},
                  {"user", database->user},
                  {"application_name", "lifeboat validation"},
                  {"options", options}};
  int port = asked.port == 0 ? 5432 : asked.port;
  if (asked.host.empty()) {
    TRY(DatabaseView view, world.databases.view(asked.service.text));
    const PostgresMember* member = database->members.find(view.holder);
    if (member == nullptr)
      return fail(ErrorKind::unreachable, fmt::format("nobody takes writes for {}", asked.service.text));
    params["host"] = address_of(world.plan, member->host.text);
    if (asked.port == 0) port = member->port;
  } else {
    params["host"] = asked.host.starts_with('/') ? asked.host : address_of(world.plan, asked.host);
  }
  params["port"] = std::to_string(port);
  if (database->password) {
    TRY(params["password"], world.secrets.get(*database->password));
  }
  return params;
}

Task<Result<PgAsk>> ask_of_copy(ActionContext context, DatabaseAsked asked) {
  std::string host;
  for (const recovery::RestorePlace& place : restore_places(context.world, asked.service.text)) {
    if (!place.connected || !host.empty()) continue;
    auto finding = find_copy(context, place.host, asked.service.text, asked.restored);
    auto found = co_await std::move(finding);
    if (found && text_or(*found, "state") == "done") host = place.host;
  }
  if (host.empty())
    co_return fail(ErrorKind::not_found,
                   fmt::format("no host has a finished restore '{}' of {}", asked.restored, asked.service.text),
                   "lifeboat restores list");
  // A closure must not capture what a coroutine of it still needs after it is gone.
  co_return PgAsk([context, host, asked](std::string sql, Deadline deadline) {
    return ask_once(context, host, asked, std::move(sql), deadline);
  });
}

Result<Outcome> outcome_of(ActionContext context, const std::string& what, const Checks& checks, JsonObject data) {
  if (!all_hold(checks)) {
    for (const Check& check : checks) {
      if (check.verdict == Verdict::passed || check.verdict == Verdict::noted) continue;
      context.progress(context.world.secrets.redact(fmt::format("{}: {}", check.name, check.text)));
    }
    return fail(ErrorKind::conflict, fmt::format("{}: {}", what, in_words(checks, kNamed)));
  }
  size_t left_out = checks.size() - std::min(checks.size(), kKept);
  data["checks"] = encode(Checks(checks.begin(), checks.end() - static_cast<std::ptrdiff_t>(left_out)));
  if (left_out > 0) data["checks_left_out"] = left_out;
  return Outcome{fmt::format("{}: {}", what, in_words(checks)), std::move(data)};
}

}  // namespace lifeboat
