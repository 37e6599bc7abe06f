// sql.check: the data is there, asked of the member that takes writes.
#include <charconv>
#include <cmath>

#include "actions/check_action.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "io/postgres.hpp"

namespace lifeboat {
namespace {

struct SqlCheckParams {
  Identifier service;
  std::string query;
  Json expect;
  std::optional<double> at_least;
  std::optional<double> at_most;
  Duration within{5'000};
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(SqlCheckParams, (), (service, query, expect, at_least, at_most, within))
constexpr auto field_docs(const SqlCheckParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"query", Need::required, "one SELECT; the first column of its first row is compared"},
      {"expect", Need::optional, "true, false, a number or text that it must be"},
      {"at_least", Need::optional, "a number that it must not be below"},
      {"at_most", Need::optional, "a number that it must not be above"},
      {"within", Need::optional, "time allowed for the answer (5s)"},
  });
}

DecodeProblems SqlCheckParams::check(const Plan& plan) const {
  DecodeProblems problems;
  require_service<PostgresService>(plan, service.text, problems);
  if (query.find_first_not_of(" \t\r\n") == std::string::npos) problems.push_back({"/query", "the query is empty", {}});
  if (expect.is_null() && !at_least && !at_most)
    problems.push_back({"", "nothing says what the answer should be", "expect: true, or at_least: 1"});
  if (expect.is_array() || expect.is_object())
    problems.push_back({"/expect", "the answer is compared with one value, not with a list or mapping", {}});
  return problems;
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = problem == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
  return whole ? std::optional(value) : std::nullopt;
}

// Text of the server against a value of the plan: PostgreSQL writes booleans as t and f, numbers in more than one way.
bool is_same(std::string_view found, const Json& expected) {
  if (expected.is_bool())
    return found == (expected.get_bool() ? "t" : "f") || found == (expected.get_bool() ? "true" : "false");
  if (expected.is_number()) {
    auto number = number_of(found);
    return number && std::abs(*number - expected.to_number<double>()) < 1e-9;
  }
  return expected.is_string() && found == std::string_view(expected.get_string());
}

class SqlCheck : public CheckAction {
 public:
  explicit SqlCheck(SqlCheckParams params) : params_(std::move(params)) {}

 private:
  Task<Result<Outcome>> look(ActionContext context) override;
  Result<PgParams> holder_params(World& world) const;
  Result<Outcome> judge(const std::string& found) const;

  SqlCheckParams params_;
};

Result<PgParams> SqlCheck::holder_params(World& world) const {
  const auto* database = service_as<PostgresService>(world.plan, params_.service.text);
  if (database == nullptr)
    return fail(ErrorKind::invalid_input, fmt::format("{} is no database", params_.service.text));
  TRY(DatabaseView view, world.databases.view(params_.service.text));
  const PostgresMember* member = database->members.find(view.holder);
  if (member == nullptr)
    return fail(ErrorKind::unreachable, fmt::format("nobody takes writes for {}", params_.service.text));
  PgParams params{{"host", address_of(world.plan, member->host.text)},
                  {"port", std::to_string(member->port)},
                  {"dbname", database->database},
                  {"user", database->user},
                  {"application_name", "lifeboat check"}};
  // The server itself keeps the bound and the promise to change nothing, whatever the query says.
  params["options"] =
      fmt::format("-c default_transaction_read_only=on -c statement_timeout={}", params_.within.count());
  if (database->password) {
    TRY(params["password"], world.secrets.get(*database->password));
  }
  return params;
}

Result<Outcome> SqlCheck::judge(const std::string& found) const {
  std::string shown = Decoder::printable(found.substr(0, 100));
  JsonObject data{{"value", found.substr(0, 1'000)}};
  auto wrong = [&](std::string expected) {
    return fail(ErrorKind::conflict,
                fmt::format("{} answers '{}', expected {}", params_.service.text, shown, expected));
  };
  if (!params_.expect.is_null() && !is_same(found, params_.expect)) return wrong(to_text(params_.expect));
  if (params_.at_least || params_.at_most) {
    auto number = number_of(found);
    if (!number) return wrong("a number");
    if (params_.at_least && *number < *params_.at_least) return wrong(fmt::format("at least {}", *params_.at_least));
    if (params_.at_most && *number > *params_.at_most) return wrong(fmt::format("at most {}", *params_.at_most));
    data["number"] = *number;
  }
  return Outcome{fmt::format("{} answers '{}'", params_.service.text, shown), std::move(data)};
}

Task<Result<Outcome>> SqlCheck::look(ActionContext context) {
  CO_TRY(PgParams params, holder_params(context.world));
  Deadline deadline = context.deadline.at_most(params_.within);
  CO_TRY(std::unique_ptr<PgConnection> connection, co_await PgConnection::connect(std::move(params), deadline));
  // default_transaction_read_only could be switched off by the query itself; inside this transaction it cannot.
  CO_TRY_VOID(co_await connection->query("begin read only", {}, deadline));
  CO_TRY(PgRows rows, co_await connection->query(params_.query, {}, deadline));
  if (rows.rows.empty() || rows.rows.front().empty())
    co_return fail(ErrorKind::conflict, fmt::format("{}: the query gives no row", params_.service.text));
  const auto& value = rows.rows.front().front();
  if (!value) co_return fail(ErrorKind::conflict, fmt::format("{}: the query gives NULL", params_.service.text));
  co_return judge(*value);
}

}  // namespace

const ActionDescriptor& sql_check_action() {
  static const ActionDescriptor descriptor{
      .name = "sql.check",
      .summary = "Checks what a query answers on the member that takes writes.",
      .details =
          "Connects as the service's user and asks in a read-only transaction with a bounded time. Fails when nobody "
          "takes writes, the query fails, gives no row or NULL, or its first value is not what is expected.",
      .example =
          "- {id: data, uses: sql.check, needs: [promote],\n"
          "   with: {service: database, query: \"select count(*) from users\", at_least: 1},\n"
          "   retries: {attempts: 3, backoff: 500ms}}",
      .usual_timeout = Duration{60'000},
      .schema = params_schema<SqlCheckParams>,
      .validate = validate_params<SqlCheckParams>,
      .make = make_action<SqlCheck, SqlCheckParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
