// redis-cluster.promote: the masters of all shards stand in one region.
#include "actions/redis_common.hpp"
#include "actions/registry.hpp"
#include "io/dial.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{20};          // between two looks while a promotion settles
constexpr Duration kElection{8'000};   // a failover with votes is given up by Redis itself after 5 s
constexpr Duration kAgreement{8'000};  // for the members to have heard of each other's last changes

struct ClusterPromoteParams {
  Identifier service;
  Identifier to;

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    if (service_as<RedisClusterService>(plan, service.text) == nullptr) {
      problems.push_back(unknown_reference("/service", "redis-cluster service", service.text, plan.services.names()));
    }
    if (!plan.regions.contains(to.text)) {
      problems.push_back(unknown_reference("/to", "region", to.text, plan.regions.names()));
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(ClusterPromoteParams, (), (service, to))
constexpr auto field_docs(const ClusterPromoteParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the redis-cluster service"},
      {"to", Need::required, "the region whose replicas become masters"},
  });
}

enum class Method {
  coordinated,  // CLUSTER FAILOVER: the old master waits until the replica has everything; nothing is lost
  force,        // FORCE: the old master is dead, the other masters vote
  takeover,     // TAKEOVER: the majority of masters is dead, nobody can vote
};

std::string_view word_of(Method method) {
  switch (method) {
    case Method::coordinated: return "coordinated";
    case Method::force: return "force";
    case Method::takeover: return "takeover";
  }
  return "?";
}

struct Shard {
  std::string slots;
  std::string master_id;
  std::string master;  // member's name, or its address when it is none of ours
  bool master_answers = false;
  bool in_place = false;            // its master is in the region
  ClusterProbe* replica = nullptr;  // the best one in the region
  ClusterProbe* unheard = nullptr;  // a member of the region that took over under an epoch that nobody will believe
  Method method = Method::coordinated;
};

struct ClusterView {
  std::vector<ClusterProbe> probes;
  std::vector<Shard> shards;
  int slots = 0;    // covered by the shards
  bool ok = false;  // every member of the region that answers says cluster_state ok
  int in_place = 0;
};

std::string name_of_node(const std::vector<ClusterProbe>& probes, const RedisClusterNode& node) {
  for (const ClusterProbe& probe : probes) {
    bool same = probe.answers ? probe.self().id == node.id : probe.member.endpoint() == node.address;
    if (same) return probe.member.name;
  }
  return node.address;
}

// The replica of a master in the region that has most of its data. Never one that has not had its data at all.
ClusterProbe* best_replica(std::vector<ClusterProbe>& probes, std::string_view region, std::string_view master_id) {
  ClusterProbe* best = nullptr;
  for (ClusterProbe& probe : probes) {
    if (!probe.answers || probe.member.region != region || probe.self().master_id != master_id) continue;
    if (!probe.replication.has_synced || probe.replication.loading) continue;
    if (best == nullptr || probe.replication.offset > best->replication.offset) best = &probe;
  }
  return best;
}

// Fills in the shards as the region's members see them. Pure.
void read_shards(ClusterView& view, const std::string& region) {
  view.shards.clear();
  view.slots = view.in_place = 0;
  const ClusterProbe* eyes = best_view(view.probes, region);
  if (eyes == nullptr) return;
  int alive = 0;
  for (const RedisClusterNode& node : eyes->nodes) {
    if (!node.master || node.slots == 0) continue;
    Shard shard{.slots = node.slot_text, .master_id = node.id, .master = name_of_node(view.probes, node)};
    view.slots += node.slots;
    for (ClusterProbe& probe : view.probes) {
      // A promotion is known to the one promoted some milliseconds before the eyes hear of it; the newer epoch counts.
      bool successor =
          probe.serves_slots() && probe.self().slot_text == node.slot_text && probe.self().epoch > node.epoch;
      bool claims = probe.serves_slots() && probe.self().slot_text == node.slot_text && probe.self().id != node.id;
      if (claims && !successor && probe.member.region == region) shard.unheard = &probe;
      if (!probe.serves_slots() || (probe.self().id != node.id && !successor)) continue;
      shard.master_answers = true;
      shard.in_place = shard.in_place || probe.member.region == region;
    }
    if (shard.master_answers) ++alive;
    if (shard.in_place) ++view.in_place;
    shard.replica = best_replica(view.probes, region, node.id);
    view.shards.push_back(std::move(shard));
  }
  bool majority = alive * 2 > static_cast<int>(view.shards.size());
  for (Shard& shard : view.shards) {
    shard.method = shard.master_answers ? Method::coordinated : majority ? Method::force : Method::takeover;
  }
  view.ok = std::ranges::all_of(view.probes, [&](const ClusterProbe& probe) {
    return probe.member.region != region || !probe.answers || probe.info.ok;
  });
}

bool settled(const ClusterView& view) {
  return view.ok && view.slots == kClusterSlots && view.in_place == static_cast<int>(view.shards.size());
}

// Why this replica would not be elected now; empty when nothing is in its way. It does not ask its master to step down while its
// own link to that one is down (cluster.c, clusterCommand: "Master is down or failed"), as it is for moments after a cut. The masters
// refuse who they still take for a master, and who asks in an epoch that they have voted in already (Redis cluster
// specification, "Replica election and promotion"). An election that is lost is not repeated by Redis before four node timeouts have
// passed.
std::string objection_to(const ClusterView& view, const Shard& shard) {
  const ClusterProbe& candidate = *shard.replica;
  auto master = std::ranges::find(candidate.nodes, shard.master_id, &RedisClusterNode::id);
  bool reachable = master != candidate.nodes.end() && master->link_up && !master->fail;
  if (shard.method == Method::coordinated && !reachable)
    return fmt::format("{} has no link to {} yet", candidate.member.name, shard.master);
  for (const ClusterProbe& voter : view.probes) {
    if (!voter.serves_slots()) continue;
    if (voter.info.current_epoch != candidate.info.current_epoch) {
      return fmt::format("{} is in epoch {}, {} in {}", voter.member.name, voter.info.current_epoch,
                         candidate.member.name, candidate.info.current_epoch);
    }
    auto known = std::ranges::find(voter.nodes, candidate.self().id, &RedisClusterNode::id);
    if (known == voter.nodes.end() || known->master || known->master_id != shard.master_id) {
      return fmt::format("{} does not know yet that {} is a replica of {}", voter.member.name, candidate.member.name,
                         shard.master);
    }
  }
  return "";
}

// The shard whose master is to be elected next: those without a master first. Null when all are in place.
Shard* next_to_elect(ClusterView& view) {
  Shard* next = nullptr;
  for (Shard& shard : view.shards) {
    if (shard.in_place || shard.unheard != nullptr) continue;
    if (next == nullptr || shard.method == Method::force) next = &shard;
  }
  return next;
}

std::string state_text(const ClusterView& view, const std::string& region) {
  return fmt::format("{} of {} shards have their master in {}, {} of {} slots known, cluster {}", view.in_place,
                     view.shards.size(), region, view.slots, kClusterSlots, view.ok ? "ok" : "not ok");
}

class ClusterPromote final : public Action {
 public:
  explicit ClusterPromote(ClusterPromoteParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override;
  Task<Result<Outcome>> apply(ActionContext context) override;

 private:
  Task<Result<ClusterView>> look(World* world, Deadline deadline);
  Result<void> check_moves(const ClusterView& view) const;
  Task<Result<void>> take_over(ClusterView* view, Deadline deadline);
  Task<Result<void>> elect_next(ClusterView* view, Deadline deadline);
  Task<Result<void>> agree(ClusterView* view, Deadline deadline);
  Task<> look_again(ClusterView* view, Deadline deadline);
  Task<> raise_epochs(ClusterView* view, Deadline deadline);
  Task<Result<void>> settle(ClusterView* view, std::function<bool(const ClusterView&)> done, Deadline deadline);

  ClusterPromoteParams params_;
  std::string password_;
};

Task<Result<ClusterView>> ClusterPromote::look(World* world, Deadline deadline) {
  const auto* service = service_as<RedisClusterService>(world->plan, params_.service.text);
  if (service == nullptr) co_return fail(ErrorKind::invalid_input, "no such service: " + params_.service.text);
  CO_TRY(password_, redis_password(*world, service->password));
  ClusterView view;
  view.probes = co_await probe_cluster(redis_members(world->plan, service->members), password_, deadline);
  const std::string& region = params_.to.text;
  read_shards(view, region);
  if (best_view(view.probes, region) != nullptr) co_return view;
  for (const ClusterProbe& probe : view.probes) {
    if (probe.member.region != region) continue;
    co_return fail(ErrorKind::unreachable,
                   fmt::format("no member of {} in {} answers; {}: {}", params_.service.text, region, probe.member.name,
                               probe.problem.text()),
                   "check that the servers run and are reachable from the controller");
  }
  co_return fail(ErrorKind::invalid_input, fmt::format("{} has no member in {}", params_.service.text, region));
}

Result<void> ClusterPromote::check_moves(const ClusterView& view) const {
  if (view.shards.empty()) {
    return fail(ErrorKind::refused,
                fmt::format("{} serves no slots: it is not set up as a cluster", params_.service.text));
  }
  for (const Shard& shard : view.shards) {
    if (shard.in_place || shard.replica != nullptr || shard.unheard != nullptr) continue;
    // A member that did not answer in time may be the very replica that is missing: worth another look.
    bool all_seen = std::ranges::all_of(view.probes, [&](const ClusterProbe& probe) {
      return probe.member.region != params_.to.text || (probe.answers && !probe.replication.syncing);
    });
    return fail(all_seen ? ErrorKind::refused : ErrorKind::unreachable,
                fmt::format("slots {} (master {}) have no replica in {} that has its data", shard.slots, shard.master,
                            params_.to.text),
                "never promoted: a replica that has not synced would bring up an empty shard; restore it from a backup "
                "or bring its master back");
  }
  return {};
}

std::string what_of(const Shard& shard) {
  return fmt::format("promote {} for slots {}", shard.replica->member.name, shard.slots);
}

// All at once: nobody votes.
Task<Result<void>> ClusterPromote::take_over(ClusterView* view, Deadline deadline) {
  std::vector<Task<Result<RedisReply>>> orders;
  std::vector<std::string> whats;
  for (Shard& shard : view->shards) {
    if (shard.in_place || shard.unheard != nullptr || shard.method != Method::takeover) continue;
    std::vector<std::string> words{"CLUSTER", "FAILOVER", "TAKEOVER"};
    whats.push_back(what_of(shard));
    orders.push_back(shard.replica->connection.command(std::move(words), deadline));
  }
  auto replies = co_await gather(std::move(orders));
  for (size_t index = 0; index < replies.size(); ++index) {
    CO_TRY([[maybe_unused]] auto accepted, ok(std::move(replies[index]), whats[index]));
  }
  if (replies.empty()) co_return Result<void>{};
  // From here on there is a majority again, which can vote for what is left.
  int goal = view->in_place + static_cast<int>(replies.size());
  auto all_taken = [goal](const ClusterView& now) { return now.in_place >= goal; };
  co_return co_await settle(view, all_taken, deadline);
}

// One shard at a time: a master votes once in an epoch, so simultaneous elections take each other's votes, and Redis
// then waits four node timeouts before it tries again. Those without a master first.
Task<Result<void>> ClusterPromote::elect_next(ClusterView* view, Deadline deadline) {
  CO_TRY_VOID(co_await agree(view, deadline.at_most(kAgreement)));
  Shard* next = next_to_elect(*view);
  if (next == nullptr) co_return Result<void>{};
  std::vector<std::string> words{"CLUSTER", "FAILOVER"};
  if (next->method == Method::force) words.emplace_back("FORCE");
  std::string what = what_of(*next);
  auto reply = co_await next->replica->connection.command(std::move(words), deadline);
  // The link was lost since it was looked at. Whoever calls looks again.
  if (reply && lacks_link_to_master(*reply) && !deadline.passed()) {
    co_await sleep_for(kLook);
    co_await look_again(view, deadline);
    co_return Result<void>{};
  }
  CO_TRY([[maybe_unused]] auto accepted, ok(std::move(reply), what));
  // A master that steps down keeps its clients waiting until it has heard of its successor.
  auto handed_over = [goal = view->in_place + 1, old = next->master_id](const ClusterView& now) {
    bool heard = std::ranges::none_of(
        now.probes, [&](const ClusterProbe& probe) { return probe.serves_slots() && probe.self().id == old; });
    return now.in_place >= goal && heard;
  };
  co_return co_await settle(view, handed_over, deadline.at_most(kElection));
}

// Until every master that answers would vote for the next replica.
Task<Result<void>> ClusterPromote::agree(ClusterView* view, Deadline deadline) {
  while (true) {
    CO_TRY_VOID(check_moves(*view));
    Shard* next = next_to_elect(*view);
    std::string objection = next == nullptr ? "" : objection_to(*view, *next);
    if (objection.empty()) co_return Result<void>{};
    if (deadline.passed()) {
      co_return fail(
          ErrorKind::timed_out, fmt::format("{} would not be elected: {}", next->replica->member.name, objection),
          "members of a cluster tell each other within seconds; see that their bus ports (port + 10000) are open "
          "both ways");
    }
    co_await sleep_for(kLook);
    co_await look_again(view, deadline);
  }
}

// Asks all again; members of the region also when they did not answer before.
Task<> ClusterPromote::look_again(ClusterView* view, Deadline deadline) {
  std::vector<size_t> silent;
  std::vector<RedisMember> members;
  for (size_t index = 0; index < view->probes.size(); ++index) {
    ClusterProbe& probe = view->probes[index];
    if (probe.answers) {
      auto seen = co_await refresh(&probe, deadline.at_most(kRedisReach));
      if (!seen) probe.problem = std::move(seen).error();
    }
    if (probe.answers || probe.member.region != params_.to.text) continue;
    silent.push_back(index);
    members.push_back(probe.member);
  }
  if (!silent.empty()) {
    auto asking = probe_cluster(std::move(members), password_, deadline);
    std::vector<ClusterProbe> fresh = co_await std::move(asking);
    for (size_t index = 0; index < silent.size(); ++index) view->probes[silent[index]] = std::move(fresh[index]);
  }
  read_shards(*view, params_.to.text);
}

// Slots go to the higher epoch. A takeover raises the epoch only if another one is the highest yet (Redis, cluster.c:
// clusterBumpConfigEpochWithoutConsensus); a replica that was left with the same epoch as its dead master then owns the
// slots in its own eyes only. Once anybody else has raised the highest epoch, it can raise its own.
Task<> ClusterPromote::raise_epochs(ClusterView* view, Deadline deadline) {
  bool unheard = std::ranges::any_of(view->shards, [](const Shard& shard) { return shard.unheard != nullptr; });
  if (!unheard) co_return;
  for (ClusterProbe& probe : view->probes) {
    if (!probe.answers || probe.member.region != params_.to.text) continue;
    std::vector<std::string> words{"CLUSTER", "BUMPEPOCH"};
    auto reply = co_await probe.connection.command(std::move(words), deadline.at_most(kRedisReach));
    if (!reply) probe.problem = std::move(reply).error();
  }
}

// Looks at the region's members until `done`.
Task<Result<void>> ClusterPromote::settle(ClusterView* view, std::function<bool(const ClusterView&)> done,
                                          Deadline deadline) {
  while (true) {
    co_await look_again(view, deadline);
    co_await raise_epochs(view, deadline);
    if (done(*view)) co_return Result<void>{};
    if (deadline.passed()) {
      co_return fail(ErrorKind::unknown_outcome,
                     fmt::format("promotion of {} was ordered and has not settled: {}", params_.service.text,
                                 state_text(*view, params_.to.text)),
                     "a master that has seen the majority missing waits cluster-node-timeout (0.5 s to 5 s) before it "
                     "serves again; slots that are not covered need a master, or cluster-require-full-coverage no");
    }
    co_await sleep_for(kLook);
  }
}

Task<Result<Observation>> ClusterPromote::observe(ActionContext context) {
  CO_TRY(ClusterView view, co_await look(&context.world, context.deadline));
  Observation out;
  out.holds = settled(view);
  out.state = state_text(view, params_.to.text);
  JsonArray shards;
  std::vector<std::string> changes;
  for (const Shard& shard : view.shards) {
    if (shard.in_place) continue;
    if (shard.unheard != nullptr) {
      changes.push_back(fmt::format("slots {}: raise the epoch of {}", shard.slots, shard.unheard->member.name));
      continue;
    }
    std::string replica = shard.replica != nullptr ? shard.replica->member.name : "nobody";
    changes.push_back(fmt::format("slots {}: {} → {} ({})", shard.slots, shard.master, replica, word_of(shard.method)));
    shards.push_back(
        {{"slots", shard.slots}, {"master", shard.master}, {"replica", replica}, {"method", word_of(shard.method)}});
  }
  out.change = out.holds         ? ""
               : changes.empty() ? "waits until the cluster is ok"
                                 : fmt::format("{}", fmt::join(changes, "; "));
  out.data = {{"shards", view.shards.size()}, {"in_place", view.in_place}, {"ok", view.ok}, {"moves", shards}};
  co_return out;
}

Task<Result<Outcome>> ClusterPromote::apply(ActionContext context) {
  MonoTime began = boot_now();
  CO_TRY(ClusterView view, co_await look(&context.world, context.deadline));
  CO_TRY_VOID(check_moves(view));
  JsonArray moved;
  for (const Shard& shard : view.shards) {
    if (shard.in_place || shard.unheard != nullptr) continue;
    bool lossless = shard.method == Method::coordinated;
    // What a dead master had beyond the replica is known to nobody any more.
    moved.push_back({{"slots", shard.slots},
                     {"from", shard.master},
                     {"to", shard.replica->member.name},
                     {"method", word_of(shard.method)},
                     {"offset", shard.replica->replication.offset},
                     {"lost_bytes", lossless ? Json(0) : Json(nullptr)}});
    context.progress(fmt::format("slots {}: {} → {} ({})", shard.slots, shard.master, shard.replica->member.name,
                                 word_of(shard.method)));
  }
  CO_TRY_VOID(co_await take_over(&view, context.deadline));
  while (next_to_elect(view) != nullptr) {
    CO_TRY_VOID(co_await elect_next(&view, context.deadline));
  }
  CO_TRY_VOID(co_await settle(&view, settled, context.deadline));
  Outcome out;
  double seconds = to_seconds(boot_now() - began);
  out.summary = moved.empty() ? fmt::format("nothing to do: {}", state_text(view, params_.to.text))
                              : fmt::format("{} shards now have their master in {}, cluster ok, after {:.2f} s",
                                            moved.size(), params_.to.text, seconds);
  out.data = {{"service", params_.service.text},
              {"region", params_.to.text},
              {"moved", std::move(moved)},
              {"seconds", seconds}};
  co_return out;
}

}  // namespace

const ActionDescriptor& redis_cluster_promote_action() {
  static const ActionDescriptor descriptor{
      .name = "redis-cluster.promote",
      .summary = "Gives every shard of a Redis cluster its master in one region.",
      .details =
          "Observes how the members of the region see the cluster. Applies, for each shard whose master stands "
          "elsewhere, "
          "the gentlest way there is: when the old master answers, CLUSTER FAILOVER (coordinated, nothing is lost); "
          "when it "
          "does not but a majority of masters does, FORCE (they vote); when the majority is gone, TAKEOVER. A replica "
          "that "
          "never had its master's data is not promoted: the step is refused. Then it waits until every member of the "
          "region "
          "says cluster_state ok.\n\n"
          "Replication is asynchronous: what a dead master had acknowledged and not sent is lost, and nobody can say "
          "how "
          "much it was (lost_bytes is null). After a takeover the old masters must not serve clients any more: when "
          "they "
          "return, the newer epoch wins and they become replicas. A member that saw the majority missing waits "
          "cluster-node-timeout (0.5 s to 5 s) before it serves again.",
      .example = "{id: cache, uses: redis-cluster.promote, with: {service: cache, to: west}}",
      .usual_timeout = Duration{30'000},
      .touches = touches_service,
      .schema = params_schema<ClusterPromoteParams>,
      .validate = validate_params<ClusterPromoteParams>,
      .make = make_action<ClusterPromote, ClusterPromoteParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
