// http.check: something answers as it should, asked the way a user asks or directly at the instances.
#include "actions/check_action.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "io/dns.hpp"
#include "io/http_client.hpp"

namespace lifeboat {
namespace {

BOOST_DEFINE_ENUM_CLASS(HttpCheckVia, entry, direct)

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
  if (service.has_value() == !url.empty()) {
    problems.push_back({"", "exactly one of 'service' and 'url' is needed", "service: NAME, or url: https://…"});
    return problems;
  }
  if (!url.empty() && !url.starts_with("http://") && !url.starts_with("https://"))
    problems.push_back({"/url", "the address starts with http:// or https://", {}});
  if (!path.starts_with('/')) problems.push_back({"/path", "the path starts with '/'", {}});
  if (status < 100 || status > 599) problems.push_back({"/status", "a status lies between 100 and 599", {}});
  if (region) require_name(plan.regions, "region", region->text, problems, "/region");
  if (!service) return problems;
  const Service* found = require_name(plan.services, "service", service->text, problems, "/service");
  if (found == nullptr) return problems;
  bool asked = std::holds_alternative<HttpService>(*found) || std::holds_alternative<HaproxyService>(*found) ||
               std::holds_alternative<DnsService>(*found);
  if (!asked)
    problems.push_back({"/service", fmt::format("'{}' is not a dns, haproxy or http service", service->text), {}});
  if (via == HttpCheckVia::direct && std::holds_alternative<DnsService>(*found) && !region)
    problems.push_back({"/region", "'via: direct' needs the region whose target is asked", {}});
  return problems;
}

struct Place {
  std::string name;        // for people: "api in west"
  std::string url;         // without the path
  std::string connect_to;  // address in place of the name in the URL
};

std::string origin(const std::string& address, int port) {
  std::string host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  return port == 80 ? fmt::format("http://{}", host) : fmt::format("http://{}:{}", host, port);
}

class HttpCheck : public CheckAction {
 public:
  explicit HttpCheck(HttpCheckParams params) : params_(std::move(params)) {}

 private:
  Task<Result<Outcome>> look(ActionContext context) override;
  Task<Result<std::vector<Place>>> places(ActionContext context);
  Task<Result<Place>> entry_place(ActionContext context, DnsService dns);
  Result<Outcome> judge(const Place& place, const HttpResponse& answer) const;
  bool meant(const std::string& region) const { return !params_.region || params_.region->text == region; }

  HttpCheckParams params_;
};

// The port users connect to: that of the plan's journey, or of the load balancer or service on the target host.
int entry_port(const Plan& plan, const std::string& service, const DnsService& dns) {
  if (plan.journey && plan.journey->entry.text == service) return plan.journey->port;
  for (const auto& [name, other] : plan.services) {
    for (const auto& [region, host] : dns.targets) {
      const auto* balancer = std::get_if<HaproxyService>(&other);
      const HaproxyMember* member = balancer == nullptr ? nullptr : balancer->members.find(region);
      if (member != nullptr && member->host == host) return member->port;
      const auto* http = std::get_if<HttpService>(&other);
      const InstanceGroup* group = http == nullptr ? nullptr : http->instances.find(region);
      if (group != nullptr && group->host == host) return group->port;
    }
  }
  return 80;
}

Task<Result<Place>> HttpCheck::entry_place(ActionContext context, DnsService dns) {
  const Plan& plan = context.world.plan;
  int port = entry_port(plan, params_.service->text, dns);
  Place place{dns.name, origin(dns.name, port), ""};
  if (params_.region && params_.via == HttpCheckVia::direct) {
    const Identifier* target = dns.targets.find(params_.region->text);
    if (target == nullptr)
      co_return fail(ErrorKind::invalid_input, fmt::format("{} has no target in {}", dns.name, params_.region->text));
    place.name = fmt::format("{} in {}", dns.name, params_.region->text);
    place.connect_to = address_of(plan, target->text);
    co_return place;
  }
  // Users' resolver is asked, not this machine's: the question is where users are led. Without one in the plan, the
  // authoritative server says where they will be.
  bool users = dns.resolver.has_value();
  DnsServer resolver{address_of(plan, users ? dns.resolver->text : dns.server.text), users ? 53 : dns.port};
  CO_TRY(DnsAnswer answer, co_await query_a(resolver, dns.name, users, context.deadline.at_most(params_.within)));
  if (answer.addresses.empty())
    co_return fail(ErrorKind::unreachable,
                   fmt::format("{} has no address ({} of {})", dns.name, answer.rcode, resolver.address));
  place.connect_to = answer.addresses.front();
  place.name = fmt::format("{} at {}", dns.name, place.connect_to);
  co_return place;
}

Task<Result<std::vector<Place>>> HttpCheck::places(ActionContext context) {
  const Plan& plan = context.world.plan;
  std::vector<Place> out;
  if (!params_.service) {
    out.push_back({url_for_people(params_.url), params_.url, ""});
    co_return out;
  }
  const std::string& name = params_.service->text;
  if (const auto* dns = service_as<DnsService>(plan, name)) {
    CO_TRY(Place place, co_await entry_place(context, *dns));
    out.push_back(std::move(place));
  }
  if (const auto* balancer = service_as<HaproxyService>(plan, name)) {
    for (const auto& [region, member] : balancer->members) {
      if (meant(region))
        out.push_back(
            {fmt::format("{} in {}", name, region), origin(address_of(plan, member.host.text), member.port), ""});
    }
  }
  if (const auto* http = service_as<HttpService>(plan, name)) {
    for (const auto& [region, group] : http->instances) {
      if (meant(region))
        out.push_back(
            {fmt::format("{} in {}", name, region), origin(address_of(plan, group.host.text), group.port), ""});
    }
  }
  if (out.empty()) co_return fail(ErrorKind::invalid_input, fmt::format("{} has nothing to ask there", name));
  co_return out;
}

Result<Outcome> HttpCheck::judge(const Place& place, const HttpResponse& answer) const {
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
  CO_TRY(std::vector<Place> all, co_await places(context));
  std::vector<std::string> said;
  Outcome last;
  for (const Place& place : all) {
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
