#include "actions/http_places.hpp"

#include "actions/references.hpp"
#include "io/dns.hpp"
#include "io/http_client.hpp"

namespace lifeboat {
namespace {

bool meant(const HttpAsked& asked, const std::string& region) { return !asked.region || asked.region->text == region; }

std::string origin(const std::string& address, int port) {
  std::string host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  return port == 80 ? fmt::format("http://{}", host) : fmt::format("http://{}:{}", host, port);
}

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

Task<Result<HttpPlace>> entry_place(ActionContext context, HttpAsked asked, DnsService dns, Deadline deadline) {
  const Plan& plan = context.world.plan;
  int port = entry_port(plan, asked.service->text, dns);
  HttpPlace place{dns.name, origin(dns.name, port), ""};
  if (asked.region && asked.via == HttpCheckVia::direct) {
    const Identifier* target = dns.targets.find(asked.region->text);
    if (target == nullptr)
      co_return fail(ErrorKind::invalid_input, fmt::format("{} has no target in {}", dns.name, asked.region->text));
    place.name = fmt::format("{} in {}", dns.name, asked.region->text);
    place.connect_to = address_of(plan, target->text);
    co_return place;
  }
  // Users' resolver is asked, not this machine's: the question is where users are led. Without one in the plan, the
  // authoritative server says where they will be.
  bool users = dns.resolver.has_value();
  DnsServer resolver{address_of(plan, users ? dns.resolver->text : dns.server.text), users ? 53 : dns.port};
  CO_TRY(DnsAnswer answer, co_await query_a(resolver, dns.name, users, deadline));
  if (answer.addresses.empty())
    co_return fail(ErrorKind::unreachable,
                   fmt::format("{} has no address ({} of {})", dns.name, answer.rcode, resolver.address));
  place.connect_to = answer.addresses.front();
  place.name = fmt::format("{} at {}", dns.name, place.connect_to);
  co_return place;
}

}  // namespace

void check_asked(const HttpAsked& asked, const Plan& plan, DecodeProblems& problems) {
  if (asked.service.has_value() == !asked.url.empty()) {
    problems.push_back({"", "exactly one of 'service' and 'url' is needed", "service: NAME, or url: https://…"});
    return;
  }
  if (!asked.url.empty() && !asked.url.starts_with("http://") && !asked.url.starts_with("https://"))
    problems.push_back({"/url", "the address starts with http:// or https://", {}});
  if (asked.region) require_name(plan.regions, "region", asked.region->text, problems, "/region");
  if (!asked.service) return;
  const std::string& name = asked.service->text;
  const Service* found = require_name(plan.services, "service", name, problems, "/service");
  if (found == nullptr) return;
  bool answers = std::holds_alternative<HttpService>(*found) || std::holds_alternative<HaproxyService>(*found) ||
                 std::holds_alternative<DnsService>(*found);
  if (!answers) problems.push_back({"/service", fmt::format("'{}' is not a dns, haproxy or http service", name), {}});
  if (asked.via == HttpCheckVia::direct && std::holds_alternative<DnsService>(*found) && !asked.region)
    problems.push_back({"/region", "'via: direct' needs the region whose target is asked", {}});
}

Task<Result<std::vector<HttpPlace>>> http_places(ActionContext context, HttpAsked asked, Deadline deadline) {
  const Plan& plan = context.world.plan;
  std::vector<HttpPlace> out;
  if (!asked.service) {
    out.push_back({url_for_people(asked.url), asked.url, ""});
    co_return out;
  }
  const std::string& name = asked.service->text;
  if (const auto* dns = service_as<DnsService>(plan, name)) {
    auto placing = entry_place(context, asked, *dns, deadline);
    CO_TRY(HttpPlace place, co_await std::move(placing));
    out.push_back(std::move(place));
  }
  if (const auto* balancer = service_as<HaproxyService>(plan, name)) {
    for (const auto& [region, member] : balancer->members) {
      if (meant(asked, region))
        out.push_back(
            {fmt::format("{} in {}", name, region), origin(address_of(plan, member.host.text), member.port), ""});
    }
  }
  if (const auto* http = service_as<HttpService>(plan, name)) {
    for (const auto& [region, group] : http->instances) {
      if (meant(asked, region))
        out.push_back(
            {fmt::format("{} in {}", name, region), origin(address_of(plan, group.host.text), group.port), ""});
    }
  }
  if (out.empty()) co_return fail(ErrorKind::invalid_input, fmt::format("{} has nothing to ask there", name));
  co_return out;
}

}  // namespace lifeboat
