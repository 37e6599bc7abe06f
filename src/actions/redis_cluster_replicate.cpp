// redis-cluster.replicate: the members of one region are replicas, in step with masters elsewhere.
#include "actions/redis_common.hpp"
#include "actions/registry.hpp"
#include "io/dial.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{200};
// When a lost region returns, its members still call the others failed, and the others believe them until they have heard
// each other again: twice the node timeout, and some seconds more (cluster specification, "Failure detection").
constexpr Duration kHealing{30'000};
// An order to take over is given up by Redis after 5 s; another one before that would begin it anew.
constexpr Duration kHandover{5'500};

struct ClusterReplicateParams {
  Identifier service;
  Identifier region;

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    if (service_as<RedisClusterService>(plan, service.text) == nullptr) {
      problems.push_back(unknown_reference("/service", "redis-cluster service", service.text, plan.services.names()));
    }
    if (!plan.regions.contains(region.text)) {
      problems.push_back(unknown_reference("/region", "region", region.text, plan.regions.names()));
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(ClusterReplicateParams, (), (service, region))
constexpr auto field_docs(const ClusterReplicateParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the redis-cluster service"},
      {"region", Need::required, "the region whose members are to be replicas"},
  });
}

enum class Standing { silent, replica, catching_up, believes_master, slotless_master, stranger, owner };

struct Standings {
  std::vector<ClusterProbe> probes;
  const ClusterProbe* eyes =
      nullptr;  // who sees the cluster from another region; null while nobody there is sure of it
  std::vector<std::pair<ClusterProbe*, Standing>> members;
  int in_step = 0;

  bool all() const { return eyes != nullptr && in_step == static_cast<int>(members.size()); }
};

Standing standing_of(const ClusterProbe& probe, const ClusterProbe& eyes) {
  if (!probe.answers) return Standing::silent;
  const RedisClusterNode& self = probe.self();
  auto known = std::ranges::find(eyes.nodes, self.id, &RedisClusterNode::id);
  if (known == eyes.nodes.end()) return Standing::stranger;
  if (!self.master) {
    bool in_step =
        probe.replication.link_up && !probe.replication.syncing && !probe.replication.loading && probe.info.ok;
    return in_step ? Standing::replica : Standing::catching_up;
  }
  if (known->master && known->slots > 0) return Standing::owner;
  return self.slots > 0 ? Standing::believes_master : Standing::slotless_master;
}

std::string_view words_for(Standing standing) {
  switch (standing) {
    case Standing::silent: return "does not answer";
    case Standing::replica: return "replica, in step";
    case Standing::catching_up: return "replica, catching up";
    case Standing::believes_master: return "returned as master, has not heard of its successor";
    case Standing::slotless_master: return "master of nothing";
    case Standing::stranger: return "not in the cluster";
    case Standing::owner: return "master of its shard";
  }
  return "?";
}

std::string state_text(const Standings& now) {
  if (now.eyes == nullptr) return "the members elsewhere do not agree yet on who serves what";
  std::vector<std::string> parts;
  for (const auto& [probe, standing] : now.members) {
    parts.push_back(fmt::format("{}: {}", probe->member.name, words_for(standing)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

// The shard with the fewest replicas, counting those given in this round.
std::string neediest_master(const ClusterProbe& eyes, const std::map<std::string, int>& given) {
  std::map<std::string, int> replicas = given;
  for (const RedisClusterNode& node : eyes.nodes) {
    if (!node.master_id.empty() && !node.fail) ++replicas[node.master_id];
  }
  std::string best;
  for (const RedisClusterNode& node : eyes.nodes) {
    if (!node.master || node.slots == 0 || node.fail) continue;
    if (best.empty() || replicas[node.id] < replicas[best]) best = node.id;
  }
  return best;
}

class ClusterReplicate final : public Action {
 public:
  explicit ClusterReplicate(ClusterReplicateParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override;
  Task<Result<Outcome>> apply(ActionContext context) override;

 private:
  Task<Result<Standings>> look(World* world, Deadline deadline);
  Task<Result<void>> nudge(Standings* now, Deadline deadline);

  ClusterReplicateParams params_;
  MonoTime handed_over_at_{};
};

Task<Result<Standings>> ClusterReplicate::look(World* world, Deadline deadline) {
  const auto* service = service_as<RedisClusterService>(world->plan, params_.service.text);
  if (service == nullptr) co_return fail(ErrorKind::invalid_input, "no such service: " + params_.service.text);
  CO_TRY(std::string password, redis_password(*world, service->password));
  Standings now;
  now.probes = co_await probe_cluster(redis_members(world->plan, service->members), std::move(password), deadline);
  for (const ClusterProbe& probe : now.probes) {
    if (!probe.serves_slots() || !probe.info.ok || probe.member.region == params_.region.text) continue;
    if (now.eyes == nullptr || probe.info.current_epoch > now.eyes->info.current_epoch) now.eyes = &probe;
  }
  if (now.eyes == nullptr) {
    bool well_without = std::ranges::any_of(now.probes, [&](const ClusterProbe& probe) {
      return probe.answers && probe.info.ok && probe.member.region != params_.region.text;
    });
    if (well_without) {
      co_return fail(ErrorKind::refused,
                     fmt::format("all shards of {} are served from {}", params_.service.text, params_.region.text),
                     "promote another region first (redis-cluster.promote)");
    }
    co_return now;
  }
  for (ClusterProbe& probe : now.probes) {
    if (probe.member.region != params_.region.text) continue;
    Standing standing = standing_of(probe, *now.eyes);
    if (standing == Standing::replica) ++now.in_step;
    now.members.emplace_back(&probe, standing);
  }
  co_return now;
}

// A replica of `owner` outside `region` that could take its shard over without loss; null: there is none.
ClusterProbe* heir_of(const ClusterProbe& owner, std::string_view region, std::vector<ClusterProbe>& probes) {
  auto heir = std::ranges::find_if(probes, [&](const ClusterProbe& probe) {
    return probe.answers && probe.member.region != region && probe.self().master_id == owner.self().id &&
           probe.replication.link_up;
  });
  return heir == probes.end() ? nullptr : &*heir;
}

// Does what is needed for members that do not become replicas by themselves.
Task<Result<void>> ClusterReplicate::nudge(Standings* now, Deadline deadline) {
  std::map<std::string, int> given;
  for (auto& [member, standing] : now->members) {
    ClusterProbe* probe = member;
    std::vector<std::string> words;
    // The others chose it while they were still finding each other.
    if (standing == Standing::owner) {
      ClusterProbe* heir = heir_of(*member, params_.region.text, now->probes);
      if (heir == nullptr) {
        co_return fail(ErrorKind::refused,
                       fmt::format("{} is master of slots {}", member->member.name, member->self().slot_text),
                       "promote another region first (redis-cluster.promote)");
      }
      // One after the other: elections at the same time take each other's votes.
      if (boot_now() - handed_over_at_ < kHandover) continue;
      handed_over_at_ = boot_now();
      probe = heir;
      words = {"CLUSTER", "FAILOVER"};
    }
    if (standing == Standing::stranger) {
      words = {"CLUSTER", "MEET", now->eyes->member.address, std::to_string(now->eyes->member.port)};
    }
    if (standing == Standing::slotless_master) {
      std::string master = neediest_master(*now->eyes, given);
      ++given[master];
      words = {"CLUSTER", "REPLICATE", master};
    }
    if (words.empty()) continue;
    std::string what = fmt::format("{} {} at {}", words[0], words[1], probe->member.name);
    auto reply = co_await probe->connection.command(std::move(words), deadline.at_most(kRedisReach));
    if (!reply) co_return std::unexpected(std::move(reply).error());
    // "Unknown node": it has met the cluster and not yet heard of that master. The next round tries again.
    if (reply->is_error() && reply->text.contains("Unknown node")) continue;
    // Nor has anything begun here.
    if (lacks_link_to_master(*reply)) {
      handed_over_at_ = {};
      continue;
    }
    CO_TRY([[maybe_unused]] auto accepted, ok(std::move(reply), what));
  }
  co_return Result<void>{};
}

Task<Result<Observation>> ClusterReplicate::observe(ActionContext context) {
  CO_TRY(Standings now, co_await look(&context.world, context.deadline));
  Observation out;
  out.holds = now.all();
  out.state = state_text(now);
  if (!out.holds) {
    out.change = fmt::format("{} of {} members of {} are in step; the others follow their masters and catch up",
                             now.in_step, now.members.size(), params_.region.text);
  }
  out.data = {{"in_step", now.in_step}, {"members", now.members.size()}};
  co_return out;
}

Task<Result<Outcome>> ClusterReplicate::apply(ActionContext context) {
  MonoTime began = boot_now();
  std::string last;
  while (true) {
    CO_TRY(Standings now, co_await look(&context.world, context.deadline));
    if (now.all()) {
      Outcome out;
      double seconds = to_seconds(boot_now() - began);
      out.summary = fmt::format("{} members in {} are replicas and in step", now.in_step, params_.region.text);
      out.data = {{"service", params_.service.text},
                  {"region", params_.region.text},
                  {"members", now.members.size()},
                  {"seconds", seconds}};
      co_return out;
    }
    std::string state = state_text(now);
    if (context.deadline.left() <= kLook) {
      co_return fail(ErrorKind::timed_out,
                     fmt::format("{} of {} members in {} are in step: {}", now.in_step, now.members.size(),
                                 params_.region.text, state),
                     "start the servers that do not answer; for links that stay down compare masterauth with the "
                     "password, and the ports of the cluster bus (port + 10000)");
    }
    if (state != last) context.progress(state);
    last = state;
    if (now.eyes != nullptr) {
      CO_TRY_VOID(co_await nudge(&now, context.deadline));
    } else if (boot_now() - began > kHealing) {
      co_return fail(ErrorKind::refused,
                     fmt::format("no master of {} outside {} answers with cluster_state ok", params_.service.text,
                                 params_.region.text),
                     "promote another region first (redis-cluster.promote)");
    }
    co_await sleep_for(kLook);
  }
}

}  // namespace

const ActionDescriptor& redis_cluster_replicate_action() {
  static const ActionDescriptor descriptor{
      .name = "redis-cluster.replicate",
      .summary = "Waits until the members of a region are replicas, in step with their masters.",
      .details =
          "Observes each member of the region: whether it answers, whom it follows and whether its link is up. Servers "
          "that return after a takeover hear of their successor by themselves and drop what they had beyond it; this "
          "waits for that. A member that serves no slots is made a replica of the shard with the fewest; one that has "
          "forgotten the cluster is introduced to it again. One that the others have made master of a shard hands it "
          "to "
          "its replica in another region; where there is none, or all shards are served from this region, the step is "
          "refused. For half a minute after a region's return the members may not agree on who serves what; that is "
          "waited for.",
      .example = "{id: cache-back, uses: redis-cluster.replicate, with: {service: cache, region: east}}",
      .usual_timeout = Duration{120'000},
      .touches = touches_service,
      .schema = params_schema<ClusterReplicateParams>,
      .validate = validate_params<ClusterReplicateParams>,
      .make = make_action<ClusterReplicate, ClusterReplicateParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
