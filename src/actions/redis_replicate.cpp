// redis.replicate: members of a plain Redis service follow its master and have its data.
#include "actions/redis_common.hpp"
#include "actions/registry.hpp"
#include "io/dial.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{100};

struct RedisReplicateParams {
  Identifier service;
  std::optional<Identifier> member;
  std::optional<Identifier> region;
  std::optional<Identifier> of;

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* redis = service_as<RedisService>(plan, service.text);
    if (redis == nullptr) {
      problems.push_back(unknown_reference("/service", "redis service", service.text, plan.services.names()));
      return problems;
    }
    auto names = redis->members.names();
    if (member && !redis->members.contains(member->text)) {
      problems.push_back(unknown_reference("/member", "member", member->text, names));
    }
    if (of && !redis->members.contains(of->text))
      problems.push_back(unknown_reference("/of", "member", of->text, names));
    if (region && !plan.regions.contains(region->text)) {
      problems.push_back(unknown_reference("/region", "region", region->text, plan.regions.names()));
    }
    if (member && region) problems.push_back({"/region", "give member or region, not both", ""});
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(RedisReplicateParams, (), (service, member, region, of))
constexpr auto field_docs(const RedisReplicateParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the redis service"},
      {"member", Need::optional,
       "the member that becomes a replica; all but the master when neither this nor region is given"},
      {"region", Need::optional, "its members become replicas"},
      {"of", Need::optional, "the member that is the master; the only master outside of them when left out"},
  });
}

struct ReplicaView {
  std::vector<RedisProbe> probes;
  RedisProbe* master = nullptr;
  std::vector<RedisProbe*> targets;
};

bool follows(const RedisProbe& probe, const RedisProbe& master) {
  return probe.answers && !probe.replication.is_master && probe.replication.master_host == master.member.address &&
         probe.replication.master_port == master.member.port;
}

bool in_step(const RedisProbe& probe, const RedisProbe& master) {
  return follows(probe, master) && probe.replication.link_up && !probe.replication.syncing &&
         !probe.replication.loading;
}

std::string state_text(const ReplicaView& view) {
  std::vector<std::string> parts;
  for (const RedisProbe* probe : view.targets) {
    std::string_view word = !probe->answers                 ? "does not answer"
                            : in_step(*probe, *view.master) ? "in step"
                            : follows(*probe, *view.master) ? "catching up"
                            : probe->replication.is_master  ? "a master itself"
                                                            : "follows another";
    parts.push_back(fmt::format("{}: {}", probe->member.name, word));
  }
  return fmt::format("master {}; {}", view.master->member.name, fmt::join(parts, ", "));
}

class RedisReplicate final : public Action {
 public:
  explicit RedisReplicate(RedisReplicateParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override;
  Task<Result<Outcome>> apply(ActionContext context) override;

 private:
  bool is_target(const RedisMember& member) const;
  Task<Result<ReplicaView>> look(World* world, Deadline deadline);
  Task<Result<void>> attach(ReplicaView* view, Deadline deadline);

  RedisReplicateParams params_;
};

bool RedisReplicate::is_target(const RedisMember& member) const {
  if (params_.of && params_.of->text == member.name) return false;
  if (params_.member) return params_.member->text == member.name;
  if (params_.region) return params_.region->text == member.region;
  return true;
}

Task<Result<ReplicaView>> RedisReplicate::look(World* world, Deadline deadline) {
  const auto* service = service_as<RedisService>(world->plan, params_.service.text);
  if (service == nullptr) co_return fail(ErrorKind::invalid_input, "no such service: " + params_.service.text);
  CO_TRY(std::string password, redis_password(*world, service->password));
  ReplicaView view;
  view.probes = co_await probe_redis(redis_members(world->plan, service->members), std::move(password), deadline);
  bool chosen_by_name = params_.member || params_.region;
  std::vector<RedisProbe*> masters;
  for (RedisProbe& probe : view.probes) {
    if (params_.of ? params_.of->text != probe.member.name : chosen_by_name && is_target(probe.member)) continue;
    if (probe.answers && probe.replication.is_master) masters.push_back(&probe);
  }
  if (masters.empty()) {
    co_return fail(ErrorKind::refused, fmt::format("no master of {} to follow answers", params_.service.text),
                   "promote one first (redis.promote)");
  }
  if (masters.size() > 1) {
    co_return fail(ErrorKind::refused,
                   fmt::format("{} and {} are both masters of {}", masters[0]->member.name, masters[1]->member.name,
                               params_.service.text),
                   "say which one counts with 'of'; what the other one holds beyond it will be dropped");
  }
  view.master = masters.front();
  for (RedisProbe& probe : view.probes) {
    if (&probe != view.master && is_target(probe.member)) view.targets.push_back(&probe);
  }
  co_return view;
}

Task<Result<void>> RedisReplicate::attach(ReplicaView* view, Deadline deadline) {
  for (RedisProbe* probe : view->targets) {
    if (!probe->answers || follows(*probe, *view->master)) continue;
    // REPLICAOF drops everything that the server holds. An empty master is most likely one that lost its own data.
    if (view->master->keys == 0 && probe->keys > 0) {
      co_return fail(ErrorKind::refused,
                     fmt::format("{} is empty and {} holds {} keys, which would be dropped", view->master->member.name,
                                 probe->member.name, probe->keys),
                     "if the master lost its data, promote the other one instead");
    }
    const RedisMember& master = view->master->member;
    std::vector<std::string> words{"REPLICAOF", master.address, std::to_string(master.port)};
    auto reply = co_await probe->connection.command(std::move(words), deadline.at_most(kRedisReach));
    CO_TRY([[maybe_unused]] auto accepted, ok(std::move(reply), "REPLICAOF at " + probe->member.name));
  }
  co_return Result<void>{};
}

Task<Result<Observation>> RedisReplicate::observe(ActionContext context) {
  CO_TRY(ReplicaView view, co_await look(&context.world, context.deadline));
  Observation out;
  out.holds = std::ranges::all_of(view.targets, [&](const RedisProbe* probe) { return in_step(*probe, *view.master); });
  out.state = state_text(view);
  if (!out.holds)
    out.change =
        fmt::format("all follow {} and catch up; what they hold beyond it is dropped", view.master->member.name);
  out.data = {{"master", view.master->member.name}, {"replicas", view.targets.size()}};
  co_return out;
}

Task<Result<Outcome>> RedisReplicate::apply(ActionContext context) {
  MonoTime began = boot_now();
  std::string last;
  while (true) {
    CO_TRY(ReplicaView view, co_await look(&context.world, context.deadline));
    std::string state = state_text(view);
    bool all =
        std::ranges::all_of(view.targets, [&](const RedisProbe* probe) { return in_step(*probe, *view.master); });
    if (all) {
      Outcome out;
      out.summary = fmt::format("{} replicas follow {} and are in step", view.targets.size(), view.master->member.name);
      out.data = {{"service", params_.service.text},
                  {"master", view.master->member.name},
                  {"replicas", view.targets.size()},
                  {"seconds", to_seconds(boot_now() - began)}};
      co_return out;
    }
    if (context.deadline.left() <= kLook) {
      co_return fail(
          ErrorKind::timed_out, fmt::format("not all replicas of {} are in step: {}", params_.service.text, state),
          "start the servers that do not answer; for links that stay down compare masterauth with the password");
    }
    if (state != last) context.progress(state);
    last = state;
    CO_TRY_VOID(co_await attach(&view, context.deadline));
    co_await sleep_for(kLook);
  }
}

}  // namespace

const ActionDescriptor& redis_replicate_action() {
  static const ActionDescriptor descriptor{
      .name = "redis.replicate",
      .summary = "Makes members of a Redis service replicas of its master and waits until they have its data.",
      .details =
          "Observes whom each member follows and whether its link is up. Applies REPLICAOF where needed, which drops "
          "what the "
          "member holds and loads the master's data, and waits until the links are up and full copies are done.\n\n"
          "Refused when there is no master to follow, when there are two and 'of' does not say which one counts, and "
          "when the "
          "master is empty while the member holds data.",
      .example = "{id: sessions-back, uses: redis.replicate, with: {service: sessions, region: east}}",
      .usual_timeout = Duration{300'000},
      .touches = touches_service,
      .schema = params_schema<RedisReplicateParams>,
      .validate = validate_params<RedisReplicateParams>,
      .make = make_action<RedisReplicate, RedisReplicateParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
