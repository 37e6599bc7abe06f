#include "actions/validate_common.hpp"

#include "actions/references.hpp"
#include "core/data/encode.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

constexpr size_t kNamed = 20;  // in an error
constexpr size_t kKept = 500;  // in the data

}  // namespace

void check_asked(const DatabaseAsked& asked, const Plan& plan, DecodeProblems& problems) {
  require_service<PostgresService>(plan, asked.service.text, problems);
  if (asked.port < 0 || asked.port > 65'535) problems.push_back({"/port", "there is no such port", {}});
}

std::string name_of(const DatabaseAsked& asked) {
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
