#include "actions/validate_common.hpp"

#include <algorithm>
#include <functional>

#include "actions/references.hpp"
#include "actions/restore_common.hpp"
#include "core/data/encode.hpp"
#include "core/recovery/messages.hpp"
#include "io/crypto.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

constexpr size_t kNamed = 20;  // in an error
constexpr size_t kKept = 500;  // in the data
// One answer may have so many rows and bytes: those of a large schema, and no more than a controller can hold.
constexpr size_t kRowsMost = 1'000'000;
constexpr size_t kBytesMost = 64UL * 1024 * 1024;
constexpr int64_t kRowsAtOnce = 20'000;
// Of a hash that only has to differ when its text does.
constexpr size_t kDigits = 16;

// Adds what one message brought. Gives its bytes.
Result<size_t> add_rows(const Json& answer, const std::string& host, PgRows& out) {
  const Json& columns = lifeboat::member(answer, "columns");
  const Json& found = lifeboat::member(answer, "rows");
  if (!columns.is_array() || !found.is_array()) return fail(ErrorKind::internal, host + " sent no rows");
  if (out.columns.empty()) {
    for (const Json& column : columns.get_array()) out.columns.emplace_back(column.as_string());
  }
  size_t bytes = 0;
  for (const Json& row : found.get_array()) {
    auto& values = out.rows.emplace_back();
    for (const Json& value : row.as_array()) {
      values.push_back(value.is_null() ? std::nullopt : std::optional(std::string(value.as_string())));
      if (values.back()) bytes += values.back()->size();
    }
  }
  return bytes;
}

// A message of the link holds a part of a long answer; the copy stands still, so the next part goes on where it ended.
Task<Result<PgRows>> ask_once(ActionContext context, std::string host, DatabaseAsked asked,
                              std::optional<bool> system_names, std::string sql, Deadline deadline) {
  PgRows rows;
  size_t bytes = 0;
  for (bool more = true; more;) {
    wire::RestoreQuery order{.service = asked.service.text,
                             .name = asked.restored,
                             .database = asked.database,
                             .sql = sql,
                             .as = "postgres",
                             .rows = kRowsAtOnce,
                             .skip = static_cast<int64_t>(rows.rows.size()),
                             .timeout_ms = std::max<int64_t>(1, deadline.left().count()),
                             .system_names = system_names};
    auto asking = context.world.agents.call(host, std::string(wire::RestoreQuery::kMethod), encode(order), deadline,
                                            [](std::string) {});
    CO_TRY(Json answer, co_await std::move(asking));
    size_t before = rows.rows.size();
    CO_TRY(size_t added, add_rows(answer, host, rows));
    bytes += added;
    more = bool_or(answer, "more") && rows.rows.size() > before;
    if (more && (rows.rows.size() >= kRowsMost || bytes >= kBytesMost))
      co_return fail(ErrorKind::unsupported,
                     fmt::format("{} has more to say to one question than {} rows or {} MB", name_of(asked), kRowsMost,
                                 kBytesMost >> 20),
                     "ask for less: a check needs to select only some of what is wrong");
  }
  co_return rows;
}

// A closure must not capture what a coroutine of it still needs after it is gone.
PgAsk asking_of(ActionContext context, std::string host, DatabaseAsked asked, std::optional<bool> system_names) {
  return [context, host, asked, system_names](std::string sql, Deadline deadline) {
    return ask_once(context, host, asked, system_names, std::move(sql), deadline);
  };
}

struct FoundCopy {
  std::string host;
  DatabaseAsked asked;  // by the name of its folder
  Json restored;        // what came of the restore
};

Task<Result<FoundCopy>> the_copy(ActionContext context, DatabaseAsked asked) {
  const auto* database = service_as<PostgresService>(context.world.plan, asked.service.text);
  // The agent on the repository's host does not know what the service's is called.
  if (asked.database.empty() && database != nullptr) asked.database = database->database;
  std::vector<std::pair<std::string, Json>> done;
  for (const std::string& host : hosts_with_copies(context.world, asked.service.text)) {
    if (!context.world.agents.connected(host)) continue;
    auto finding = find_copy(context, host, asked.service.text, asked.restored);
    auto found = co_await std::move(finding);
    if (found && text_or(*found, "state") == "done") done.emplace_back(host, *found);
  }
  if (done.empty())
    co_return fail(ErrorKind::not_found,
                   fmt::format("no host has a finished restore '{}' of {}", asked.restored, asked.service.text),
                   "lifeboat restores list");
  // Of several with that name this run's own is meant.
  auto own = [&](const auto& one) { return is_of_this_run(context, one.second); };
  if (std::ranges::any_of(done, own)) std::erase_if(done, std::not_fn(own));
  if (done.size() > 1)
    co_return fail(ErrorKind::conflict,
                   fmt::format("both {} and {} have a finished restore '{}' of {}", done[0].first, done[1].first,
                               asked.restored, asked.service.text),
                   "give it a name of its own, or remove the other: lifeboat restores remove");
  asked.restored = text_or(done.front().second, "name");
  co_return FoundCopy{done.front().first, asked, lifeboat::member(done.front().second, "restored")};
}

Task<Result<PgAsk>> ask_of_that_copy(ActionContext context, FoundCopy copy, std::string database) {
  if (!database.empty()) copy.asked.database = std::move(database);
  co_return asking_of(context, copy.host, copy.asked, true);
}

Task<Result<PgAsk>> ask_of_server(ActionContext context, DatabaseAsked asked, std::string options, std::string database,
                                  Deadline deadline) {
  if (!database.empty()) asked.database = std::move(database);
  CO_TRY(PgParams params, params_of(context.world, asked, options));
  auto connecting = PgConnection::connect(std::move(params), deadline);
  CO_TRY(std::unique_ptr<PgConnection> connected, co_await std::move(connecting));
  std::shared_ptr<PgConnection> connection = std::move(connected);
  co_return PgAsk([connection](std::string sql, Deadline at) { return connection->query(std::move(sql), {}, at); });
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
  auto finding = the_copy(context, std::move(asked));
  CO_TRY(FoundCopy copy, co_await std::move(finding));
  co_return asking_of(context, copy.host, copy.asked, std::nullopt);
}

Task<Result<PgAskOf>> databases_of_copy(ActionContext context, DatabaseAsked asked) {
  auto finding = the_copy(context, std::move(asked));
  CO_TRY(FoundCopy copy, co_await std::move(finding));
  co_return PgAskOf(
      [context, copy](std::string database, Deadline) { return ask_of_that_copy(context, copy, std::move(database)); });
}

PgAskOf databases_of_server(ActionContext context, DatabaseAsked asked, std::string options) {
  return [context, asked, options](std::string database, Deadline deadline) {
    return ask_of_server(context, asked, options, std::move(database), deadline);
  };
}

Task<Result<std::optional<WallTime>>> data_until_of_copy(ActionContext context, DatabaseAsked asked) {
  auto finding = the_copy(context, std::move(asked));
  CO_TRY(FoundCopy copy, co_await std::move(finding));
  co_return data_until(copy.restored);
}

std::shared_ptr<const KnownProfile> last_profile(World& world, const DatabaseAsked& asked,
                                                 std::optional<WallTime> data_until) {
  const auto* database = service_as<PostgresService>(world.plan, asked.service.text);
  std::string name = asked.database;
  if (name.empty() && database != nullptr) name = database->database;
  return world.profiles.last(asked.service.text, name, data_until);
}

KeyedHash hash_of_profiles(World& world, const std::string& service) {
  const auto* database = service_as<PostgresService>(world.plan, service);
  if (database == nullptr || !database->password) return {};
  auto password = world.secrets.get(*database->password);
  if (!password) return {};
  return [key = *password](std::string_view text) { return hmac_sha256_hex(key, text).substr(0, kDigits); };
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
