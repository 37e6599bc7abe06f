// dns.switch: the users' name leads to another region.
#include <boost/asio/ip/address_v4.hpp>

#include "actions/registry.hpp"
#include "io/dns.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAsk{2'000};         // for one question
constexpr Duration kResolverLook{100};  // between two questions to the resolver
constexpr Duration kResolverGrace{1'000};
constexpr int kDnsPort = 53;

struct DnsSwitchParams {
  Identifier service;
  Identifier to;

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* dns = service_as<DnsService>(plan, service.text);
    if (dns == nullptr) {
      problems.push_back(unknown_reference("/service", "dns service", service.text, plan.services.names()));
    } else if (!dns->targets.contains(to.text)) {
      problems.push_back(unknown_reference("/to", "target region of the service", to.text, dns->targets.names()));
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(DnsSwitchParams, (), (service, to))
constexpr auto field_docs(const DnsSwitchParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the dns service"},
      {"to", Need::required, "the region, one of the service's targets, that the name is to lead to"},
  });
}

using Addresses = std::vector<std::string>;

std::string text_of(const Addresses& addresses) {
  return addresses.empty() ? "no address" : fmt::format("{}", fmt::join(addresses, ", "));
}

struct DnsView {
  DnsService service;
  DnsServer server;
  Addresses wanted;
  DnsAnswer now;
};

class DnsSwitch final : public Action {
 public:
  explicit DnsSwitch(DnsSwitchParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override;
  Task<Result<Outcome>> apply(ActionContext context) override;
  Task<Result<Outcome>> undo(ActionContext context, Json applied) override;

 private:
  Task<Result<DnsView>> look(World* world, Deadline deadline);
  // Changes the record from what it is to `wanted`, and reads it back.
  Task<Result<void>> change(World* world, DnsView view, Addresses expected, Addresses wanted, Deadline deadline);
  Task<Result<double>> seen_by_resolver(World* world, DnsView view, Deadline deadline);

  DnsSwitchParams params_;
};

// Asks the authoritative server itself: what a cache says is no ground for a compare-and-set.
Task<Result<DnsAnswer>> ask_authority(DnsServer server, std::string name, Deadline deadline) {
  CO_TRY(DnsAnswer answer, co_await query_a(server, name, false, deadline.at_most(kAsk)));
  bool has_answer = answer.rcode == "NOERROR" || answer.rcode == "NXDOMAIN";
  if (!has_answer || !answer.authoritative) {
    co_return fail(ErrorKind::refused,
                   fmt::format("{}:{} does not answer for {} with authority ({})", server.address, server.port, name,
                               answer.rcode),
                   "the service's server must be the primary of the zone");
  }
  co_return answer;
}

Task<Result<DnsView>> DnsSwitch::look(World* world, Deadline deadline) {
  const auto* service = service_as<DnsService>(world->plan, params_.service.text);
  const Identifier* target = service == nullptr ? nullptr : service->targets.find(params_.to.text);
  if (target == nullptr) {
    co_return fail(ErrorKind::invalid_input, fmt::format("{} has no target {}", params_.service.text, params_.to.text));
  }
  DnsView view;
  view.service = *service;
  view.server = {.address = address_of(world->plan, service->server.text), .port = service->port};
  view.wanted = {address_of(world->plan, target->text)};
  boost::system::error_code not_literal;
  asio::ip::make_address_v4(view.wanted.front(), not_literal);
  if (not_literal) {
    co_return fail(ErrorKind::invalid_input,
                   fmt::format("the address of {} is '{}', not an IPv4 address", target->text, view.wanted.front()),
                   "give the host its address in the plan or the inventory");
  }
  CO_TRY(view.now, co_await ask_authority(view.server, service->name, deadline));
  co_return view;
}

Task<Result<void>> DnsSwitch::change(World* world, DnsView view, Addresses expected, Addresses wanted,
                                     Deadline deadline) {
  TsigKey key;
  if (view.service.key) {
    key.name = view.service.key_name;
    // Names of keys are domain names, written with or without their last dot.
    if (!key.name.empty() && !key.name.ends_with('.')) key.name += '.';
    CO_TRY(key.secret, world->secrets.get(*view.service.key));
  }
  DnsUpdate update{.zone = view.service.zone,
                   .name = view.service.name,
                   .ttl = view.service.ttl,
                   .expected = std::move(expected),
                   .wanted = wanted};
  CO_TRY_VOID(co_await update_a_record(view.server, std::move(update), std::move(key), deadline.at_most(kAsk)));
  // RFC 2136, 3.4.2.2: an address next to a CNAME is ignored, with NOERROR.
  CO_TRY(DnsAnswer after, co_await ask_authority(view.server, view.service.name, deadline));
  std::ranges::sort(wanted);
  if (after.addresses != wanted) {
    co_return fail(
        ErrorKind::conflict,
        fmt::format("{} is {} after it was set to {}", view.service.name, text_of(after.addresses), text_of(wanted)),
        "is the name a CNAME? Then nothing can be put beside it");
  }
  co_return Result<void>{};
}

// Seconds until the resolver that users use gave the new addresses; negative when it had not within the TTL.
Task<Result<double>> DnsSwitch::seen_by_resolver(World* world, DnsView view, Deadline deadline) {
  MonoTime began = boot_now();
  // Ends before the step does: a switch that has happened must not count as timed out for the sake of a cache.
  Deadline bound = Deadline{deadline.at - kResolverGrace}.at_most(view.now.ttl + kResolverGrace);
  DnsServer resolver{.address = address_of(world->plan, view.service.resolver->text), .port = kDnsPort};
  while (true) {
    CO_TRY(DnsAnswer answer, co_await query_a(resolver, view.service.name, true, bound.at_most(kAsk)));
    if (answer.addresses == view.wanted) co_return to_seconds(boot_now() - began);
    if (bound.left() <= kResolverLook) co_return -1.0;
    co_await sleep_for(kResolverLook);
  }
}

Task<Result<Observation>> DnsSwitch::observe(ActionContext context) {
  CO_TRY(DnsView view, co_await look(&context.world, context.deadline));
  Observation out;
  out.holds = view.now.addresses == view.wanted;
  out.state = fmt::format("{} → {}", view.service.name, text_of(view.now.addresses));
  if (!out.holds) {
    out.change = fmt::format("→ {}; caches keep the old address for at most {}", text_of(view.wanted),
                             format_span(view.now.ttl));
  }
  out.data = {{"name", view.service.name},
              {"now", encode(view.now.addresses)},
              {"wanted", encode(view.wanted)},
              {"ttl_s", to_seconds(view.now.ttl)}};
  co_return out;
}

Task<Result<Outcome>> DnsSwitch::apply(ActionContext context) {
  CO_TRY(DnsView view, co_await look(&context.world, context.deadline));
  Outcome out;
  double old_ttl_s = to_seconds(view.now.ttl);
  out.data = {
      {"name", view.service.name}, {"old", encode(view.now.addresses)},     {"new", encode(view.wanted)},
      {"changed", true},           {"ttl_s", to_seconds(view.service.ttl)}, {"caches_expired_after_s", old_ttl_s}};
  if (view.now.addresses == view.wanted) {
    out.data.as_object()["changed"] = false;
    out.summary = fmt::format("{} leads to {} already", view.service.name, text_of(view.wanted));
    co_return out;
  }
  MonoTime began = boot_now();
  CO_TRY_VOID(co_await change(&context.world, view, view.now.addresses, view.wanted, context.deadline));
  out.data.as_object()["authoritative_after_s"] = to_seconds(boot_now() - began);
  out.summary = fmt::format("{} leads to {}, was {}; every cache has it in {}", view.service.name, text_of(view.wanted),
                            text_of(view.now.addresses), format_span(view.now.ttl));
  if (!view.service.resolver) co_return out;
  context.progress(fmt::format("{} answers {}; waiting for {}", view.service.server.text, text_of(view.wanted),
                               view.service.resolver->text));
  // The switch has happened: what a cache says now is worth knowing and no reason to fail.
  auto seen = co_await seen_by_resolver(&context.world, view, context.deadline);
  bool fresh = seen && *seen >= 0;
  out.data.as_object()["resolver_after_s"] = fresh ? Json(*seen) : Json(nullptr);
  if (!seen)
    out.summary += fmt::format("; {} could not be asked: {}", view.service.resolver->text, seen.error().text());
  if (seen && !fresh) {
    out.summary += fmt::format("; {} still gives the old address after its TTL", view.service.resolver->text);
  }
  co_return out;
}

Task<Result<Outcome>> DnsSwitch::undo(ActionContext context, Json applied) {
  CO_TRY(DnsView view, co_await look(&context.world, context.deadline));
  auto was = decode<Addresses>(member(applied, "old"));
  auto ours = decode<Addresses>(member(applied, "new"));
  if (!was || !ours)
    co_return fail(ErrorKind::invalid_input, "the record of the switch does not say what was there before");
  Outcome out;
  out.data = {{"name", view.service.name}, {"old", encode(*ours)}, {"new", encode(*was)}};
  if (!bool_or(applied, "changed", true) || view.now.addresses == *was) {
    out.summary = fmt::format("{} leads to {}, as before", view.service.name, text_of(view.now.addresses));
    co_return out;
  }
  if (was->empty()) {
    co_return fail(ErrorKind::refused,
                   fmt::format("{} had no address before; it keeps {}", view.service.name, text_of(*ours)),
                   "a name is never left without an address; remove it by hand if that is meant");
  }
  // Only if it is still what the switch made it: the server itself compares.
  CO_TRY_VOID(co_await change(&context.world, view, *ours, *was, context.deadline));
  out.summary = fmt::format("{} leads to {} again", view.service.name, text_of(*was));
  co_return out;
}

}  // namespace

const ActionDescriptor& dns_switch_action() {
  static const ActionDescriptor descriptor{
      .name = "dns.switch",
      .summary = "Leads the users' name to another region.",
      .details =
          "Observes the address at the authoritative server. Applies one signed dynamic update that replaces it, all "
          "or "
          "nothing, and only if it is still what was observed (compare-and-set); then reads it back from the "
          "authoritative "
          "server, which makes the switch done, and asks the service's resolver until it gives the new address, for at "
          "most "
          "the old TTL and one second. Fails on a conflict when somebody else changed the name meanwhile, and is "
          "refused for "
          "a wrong key or a server that is not the zone's primary.\n\n"
          "Caches keep the old address until its TTL ends (caches_expired_after_s), and some clients longer: DNS moves "
          "users, "
          "it fences nobody. Undo puts the old address back if the name is still what the switch made it.",
      .example = "{id: divert, uses: dns.switch, with: {service: entry, to: west}}",
      .can_undo = true,
      .usual_timeout = Duration{90'000},
      .touches = touches_service,
      .schema = params_schema<DnsSwitchParams>,
      .validate = validate_params<DnsSwitchParams>,
      .make = make_action<DnsSwitch, DnsSwitchParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
