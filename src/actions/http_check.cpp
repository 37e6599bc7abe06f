// http.check: something answers as it should, asked the way a user asks or directly at the instances.
#include "actions/check_action.hpp"
#include "actions/http_places.hpp"
#include "actions/registry.hpp"
#include "io/http_client.hpp"

namespace lifeboat {
namespace {

struct HttpCheckParams {
  std::optional<Identifier> service;
  std::string url;
  std::string path = "/health";
  std::optional<Identifier> region;
  HttpCheckVia via = HttpCheckVia::entry;
  std::string host;
  int status = 200;
  std::string contains;
  std::optional<SecretRef> token;
  Duration within{5'000};
  HttpAsked asked() const { return {service, url, region, via}; }
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(HttpCheckParams, (), (service, url, path, region, via, host, status, contains, token, within))
constexpr auto field_docs(const HttpCheckParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::optional, "a dns, haproxy or http service of the plan; this or url"},
      {"url", Need::optional, "an address that is not a service of the plan"},
      {"path", Need::optional, "path asked (/health)"},
      {"region", Need::optional, "only what stands in this region; all regions with members when left out"},
      {"via", Need::optional,
       "for a dns service: entry (default) asks the name as users do, direct asks the target of `region`"},
      {"host", Need::optional, "Host header, when it is not the name in the address"},
      {"status", Need::optional, "status that is right (200)"},
      {"contains", Need::optional, "text that the body must hold"},
      {"token", Need::optional, "secret sent as bearer token"},
      {"within", Need::optional, "time allowed for the answer (5s)"},
  });
}

DecodeProblems HttpCheckParams::check(const Plan& plan) const {
  DecodeProblems problems;
  check_asked(asked(), plan, problems);
  if (!path.starts_with('/')) problems.push_back({"/path", "the path starts with '/'", {}});
  if (status < 100 || status > 599) problems.push_back({"/status", "a status lies between 100 and 599", {}});
  return problems;
}

class HttpCheck : public CheckAction {
 public:
  explicit HttpCheck(HttpCheckParams params) : params_(std::move(params)) {}

 private:
  Task<Result<Outcome>> look(ActionContext context) override;
  Result<Outcome> judge(const HttpPlace& place, const HttpResponse& answer) const;

  HttpCheckParams params_;
};

Result<Outcome> HttpCheck::judge(const HttpPlace& place, const HttpResponse& answer) const {
  JsonObject data{{"status", answer.status}, {"milliseconds", answer.took.count()}};
  if (answer.status != params_.status) {
    return fail(ErrorKind::conflict, fmt::format("{} answers {} to {}, expected {}", place.name, answer.status,
                                                 params_.path, params_.status));
  }
  if (!params_.contains.empty() && answer.body.find(params_.contains) == std::string::npos) {
    return fail(ErrorKind::conflict, fmt::format("{} answers {} to {}, but without '{}'", place.name, answer.status,
                                                 params_.path, params_.contains));
  }
  return Outcome{fmt::format("{} answers {} in {} ms", place.name, answer.status, answer.took.count()),
                 std::move(data)};
}

Task<Result<Outcome>> HttpCheck::look(ActionContext context) {
  std::string token;
  if (params_.token) {
    CO_TRY(token, context.world.secrets.get(*params_.token));
  }
  auto placing = http_places(context, params_.asked(), context.deadline.at_most(params_.within));
  CO_TRY(std::vector<HttpPlace> all, co_await std::move(placing));
  std::vector<std::string> said;
  Outcome last;
  for (const HttpPlace& place : all) {
    HttpRequest request;
    bool whole = !params_.url.empty();
    request.url = whole ? place.url : place.url + params_.path;
    request.connect_to = place.connect_to;
    request.bearer = token;
    request.fresh_connection = true;
    if (!params_.host.empty()) request.headers.emplace_back("Host", params_.host);
    auto answer = co_await context.world.http.send(std::move(request), context.deadline.at_most(params_.within));
    if (!answer) co_return std::unexpected(std::move(answer).error().with(place.name));
    CO_TRY(last, judge(place, *answer));
    said.push_back(last.summary);
  }
  last.summary = fmt::format("{}", fmt::join(said, "; "));
  co_return last;
}

}  // namespace

const ActionDescriptor& http_check_action() {
  static const ActionDescriptor descriptor{
      .name = "http.check",
      .summary = "Checks that something answers over HTTP as it should.",
      .details =
          "One GET. A dns service is asked by its name, with the address that the users' resolver (or, where the plan "
          "names none, its authoritative server) gives at this moment; a haproxy or http service at its members (the "
          "first instance of each group) in the region, or in "
          "all regions. Redirects are not followed. Fails when there is no answer in time, another status, or a body "
          "without the text; `retries` of the step says how often and how long to go on asking.",
      .example =
          "- {id: answers, uses: http.check, with: {service: entry, path: /health}, timeout: 1m,\n"
          "   retries: {attempts: 10, backoff: 500ms}}",
      .usual_timeout = Duration{60'000},
      .schema = params_schema<HttpCheckParams>,
      .validate = validate_params<HttpCheckParams>,
      .make = make_action<HttpCheck, HttpCheckParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
