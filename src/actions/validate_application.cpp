// validate.application: the application is well in all its parts, and serves a known user what it should.
#include "actions/check_action.hpp"
#include "actions/http_places.hpp"
#include "actions/registry.hpp"
#include "actions/validate_common.hpp"
#include "core/validation/application.hpp"
#include "io/http_client.hpp"

namespace lifeboat {
namespace {

struct ValidateApplicationParams {
  std::optional<Identifier> service;
  std::string url;
  std::optional<Identifier> region;
  HttpCheckVia via = HttpCheckVia::entry;
  std::string health = "/health";
  Json healthy;
  std::string sample;
  std::optional<SecretRef> token;
  Json expect;
  Duration within{10'000};
  HttpAsked asked() const { return {service, url, region, via}; }
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(ValidateApplicationParams, (),
                      (service, url, region, via, health, healthy, sample, token, expect, within))
constexpr auto field_docs(const ValidateApplicationParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::optional, "a dns, haproxy or http service of the plan; this or url"},
      {"url", Need::optional, "scheme, host and port of what is not a service of the plan"},
      {"region", Need::optional, "only what stands in this region; all regions with members when left out"},
      {"via", Need::optional,
       "for a dns service: entry (default) asks the name as users do, direct asks the target of `region`"},
      {"health", Need::optional, "path of the detailed health answer, JSON (/health)"},
      {"healthy", Need::optional, "fields that it must have, as in `expect`"},
      {"sample", Need::optional, "path of a known user's data, JSON"},
      {"token", Need::optional, "secret sent with it as bearer token"},
      {"expect", Need::optional,
       "fields that the sample must have: a value, '*' for anything but empty, '>= 1' or '<= 5' for a number; other "
       "fields "
       "may be there too"},
      {"within", Need::optional, "time allowed for each answer (10s)"},
  });
}

DecodeProblems ValidateApplicationParams::check(const Plan& plan) const {
  DecodeProblems problems;
  check_asked(asked(), plan, problems);
  if (!health.starts_with('/')) problems.push_back({"/health", "the path starts with '/'", {}});
  if (!sample.empty() && !sample.starts_with('/')) problems.push_back({"/sample", "the path starts with '/'", {}});
  if (!healthy.is_null() && !healthy.is_object())
    problems.push_back({"/healthy", "expected a mapping of fields", "healthy: {database: ok}"});
  if (!expect.is_null() && !expect.is_object())
    problems.push_back({"/expect", "expected a mapping of fields", "expect: {name: test}"});
  if (sample.empty() && (!expect.is_null() || token))
    problems.push_back({"", "'expect' and 'token' are for the sample, and there is none", "sample: /api/user/test"});
  return problems;
}

class ValidateApplication : public CheckAction {
 public:
  explicit ValidateApplication(ValidateApplicationParams params) : params_(std::move(params)) {}

 private:
  Task<Result<Outcome>> look(ActionContext context) override;
  Task<Result<HttpResponse>> get(ActionContext context, HttpPlace place, std::string path, std::string bearer);

  ValidateApplicationParams params_;
};

Task<Result<HttpResponse>> ValidateApplication::get(ActionContext context, HttpPlace place, std::string path,
                                                    std::string bearer) {
  HttpRequest request;
  request.url = place.url + path;
  request.connect_to = place.connect_to;
  request.bearer = std::move(bearer);
  request.fresh_connection = true;
  auto sending = context.world.http.send(std::move(request), context.deadline.at_most(params_.within));
  auto answer = co_await std::move(sending);
  if (!answer) co_return std::unexpected(std::move(answer).error().with(place.name));
  co_return std::move(*answer);
}

Task<Result<Outcome>> ValidateApplication::look(ActionContext context) {
  std::string token;
  if (params_.token) {
    CO_TRY(token, context.world.secrets.get(*params_.token));
  }
  auto placing = http_places(context, params_.asked(), context.deadline.at_most(params_.within));
  CO_TRY(std::vector<HttpPlace> all, co_await std::move(placing));
  Checks checks;
  std::vector<std::string> names;
  auto add = [&](const HttpPlace& place, Checks more) {
    for (Check& check : more) {
      if (all.size() > 1) check.name = fmt::format("{}: {}", place.name, check.name);
      checks.push_back(std::move(check));
    }
  };
  for (const HttpPlace& place : all) {
    names.push_back(place.name);
    auto asking = get(context, place, params_.health, "");
    CO_TRY(HttpResponse health, co_await std::move(asking));
    add(place, judge_health(health.status, health.body, params_.healthy));
    if (params_.sample.empty()) continue;
    auto sampling = get(context, place, params_.sample, token);
    CO_TRY(HttpResponse sample, co_await std::move(sampling));
    add(place, judge_fields("sample", sample.status, sample.body, params_.expect));
  }
  co_return outcome_of(context, fmt::format("{}", fmt::join(names, ", ")), checks, {});
}

}  // namespace

const ActionDescriptor& validate_application_action() {
  static const ActionDescriptor descriptor{
      .name = "validate.application",
      .summary = "Checks that the application is well in all its parts and serves a known user's data.",
      .details =
          "Asks for the detailed health answer and judges every status in it, then, with the token, for a known user's "
          "data, "
          "and holds their fields against what is expected. Each field is a `check` of its own in the data, with what "
          "was "
          "found. Fails when there is no answer in time, or one check does not hold.",
      .example =
          "- {id: application, uses: validate.application, timeout: 1m, retries: {attempts: 5, backoff: 1s},\n"
          "   with: {service: entry, health: /api/health/detailed, healthy: {database: ok},\n"
          "          sample: /api/user/profile/test, token: test-token, expect: {user: test}}}",
      .usual_timeout = Duration{60'000},
      .schema = params_schema<ValidateApplicationParams>,
      .validate = validate_params<ValidateApplicationParams>,
      .make = make_action<ValidateApplication, ValidateApplicationParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
