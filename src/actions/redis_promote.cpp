// redis.promote: the master of a plain Redis service stands where it is wanted.
#include "actions/redis_common.hpp"
#include "actions/registry.hpp"
#include "io/dial.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{10};
constexpr Duration kHandover{5'000};  // the longest that writes may pause in a planned move

struct RedisPromoteParams {
  Identifier service;
  Identifier to;

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* redis = service_as<RedisService>(plan, service.text);
    if (redis == nullptr) {
      problems.push_back(unknown_reference("/service", "redis service", service.text, plan.services.names()));
    }
    if (!plan.regions.contains(to.text) && (redis == nullptr || !redis->members.contains(to.text))) {
      std::vector<std::string> known = plan.regions.names();
      if (redis != nullptr) std::ranges::copy(redis->members.names(), std::back_inserter(known));
      problems.push_back(unknown_reference("/to", "region or member", to.text, known));
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(RedisPromoteParams, (), (service, to))
constexpr auto field_docs(const RedisPromoteParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the redis service"},
      {"to", Need::required, "the region, or the member, that becomes master"},
  });
}

struct PromoteView {
  std::vector<RedisProbe> probes;
  RedisProbe* candidate = nullptr;     // who would be promoted
  RedisProbe* in_place = nullptr;      // a master that already stands where it is wanted
  std::vector<RedisProbe*> elsewhere;  // masters that answer and stand elsewhere
  std::string none_because;            // why there is no candidate
};

bool wanted(const RedisMember& member, const std::string& to) { return member.region == to || member.name == to; }

// Why a replica must not be promoted; empty if it may.
std::string objection(const RedisProbe& probe) {
  if (!probe.answers) return "does not answer: " + probe.problem.text();
  if (probe.replication.loading) return "is still reading its data set";
  if (probe.replication.syncing) return "is in the middle of a full copy: its data set is not whole";
  if (!probe.replication.has_synced) return "has never had its master's data: it would become an empty master";
  return {};
}

// Redis does not say which master is the rightful one after an outage; one with followers comes before one without.
void choose(PromoteView& view, const std::string& to) {
  std::vector<std::string> objections;
  for (RedisProbe& probe : view.probes) {
    if (probe.answers && probe.replication.is_master) {
      if (!wanted(probe.member, to)) {
        view.elsewhere.push_back(&probe);
      } else if (view.in_place == nullptr || probe.replication.offset > view.in_place->replication.offset) {
        view.in_place = &probe;
      }
      continue;
    }
    if (!wanted(probe.member, to)) continue;
    std::string against = objection(probe);
    if (!against.empty()) {
      objections.push_back(fmt::format("{} {}", probe.member.name, against));
    } else if (view.candidate == nullptr || probe.replication.offset > view.candidate->replication.offset) {
      view.candidate = &probe;
    }
  }
  view.none_because =
      objections.empty() ? fmt::format("no member in {}", to) : fmt::format("{}", fmt::join(objections, "; "));
}

bool follows(const RedisProbe& probe, const RedisMember& master) {
  return probe.answers && !probe.replication.is_master && probe.replication.master_host == master.address &&
         probe.replication.master_port == master.port;
}

// An old master that the one in place was promoted from, and that wrote nothing since: it can follow without loss.
bool left_behind(const RedisProbe& old_master, const RedisProbe& in_place) {
  return in_place.replication.replid2 == old_master.replication.replid &&
         old_master.replication.offset <= in_place.replication.promoted_at;
}

// The master from which the candidate takes its data, if it answers.
RedisProbe* live_upstream(const PromoteView& view) {
  if (view.candidate == nullptr || !view.candidate->replication.link_up) return nullptr;
  for (RedisProbe* master : view.elsewhere) {
    if (follows(*view.candidate, master->member)) return master;
  }
  return nullptr;
}

class RedisPromote final : public Action {
 public:
  explicit RedisPromote(RedisPromoteParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override;
  Task<Result<Outcome>> apply(ActionContext context) override;

 private:
  Task<Result<PromoteView>> look(World* world, Deadline deadline);
  Task<Result<void>> pause_and_catch_up(RedisProbe* master, RedisProbe* candidate, Deadline deadline);
  Task<JsonArray> point_at(std::vector<RedisProbe*> others, RedisMember master, Deadline deadline);

  RedisPromoteParams params_;
};

// One command whose answer is only OK or an error.
Task<Result<void>> tell(RedisProbe* probe, std::vector<std::string> words, Deadline deadline) {
  std::string what = fmt::format("{} at {}", fmt::join(words, " "), probe->member.name);
  auto reply = co_await probe->connection.command(std::move(words), deadline);
  CO_TRY([[maybe_unused]] auto accepted, ok(std::move(reply), what));
  co_return Result<void>{};
}

Task<Result<PromoteView>> RedisPromote::look(World* world, Deadline deadline) {
  const auto* service = service_as<RedisService>(world->plan, params_.service.text);
  if (service == nullptr) co_return fail(ErrorKind::invalid_input, "no such service: " + params_.service.text);
  CO_TRY(std::string password, redis_password(*world, service->password));
  PromoteView view;
  view.probes = co_await probe_redis(redis_members(world->plan, service->members), std::move(password), deadline);
  choose(view, params_.to.text);
  co_return view;
}

// Writes wait at the old master until the candidate has everything that was written. If anything goes wrong the pause
// ends by itself.
Task<Result<void>> RedisPromote::pause_and_catch_up(RedisProbe* master, RedisProbe* candidate, Deadline deadline) {
  Deadline bound = deadline.at_most(kHandover);
  std::vector<std::string> pause{"CLIENT", "PAUSE", std::to_string(kHandover.count()), "WRITE"};
  CO_TRY_VOID(co_await tell(master, std::move(pause), bound));
  CO_TRY_VOID(co_await refresh(master, bound));
  int64_t goal = master->replication.offset;
  while (true) {
    CO_TRY_VOID(co_await refresh(candidate, bound));
    if (candidate->replication.offset >= goal) co_return Result<void>{};
    if (bound.left() <= kLook) {
      std::vector<std::string> unpause{"CLIENT", "UNPAUSE"};
      CO_TRY_VOID(co_await tell(master, std::move(unpause), Deadline::after(kRedisReach)));
      co_return fail(ErrorKind::timed_out,
                     fmt::format("{} lacks {} bytes of {} after writes paused for {}", candidate->member.name,
                                 goal - candidate->replication.offset, master->member.name, format_span(kHandover)),
                     "nothing was changed; wait until its lag is small");
    }
    co_await sleep_for(kLook);
  }
}

// Makes others follow the new master. What one of them answers does not undo the promotion: it is reported.
Task<JsonArray> RedisPromote::point_at(std::vector<RedisProbe*> others, RedisMember master, Deadline deadline) {
  JsonArray out;
  for (RedisProbe* other : others) {
    std::vector<std::string> words{"REPLICAOF", master.address, std::to_string(master.port)};
    auto told = co_await tell(other, std::move(words), deadline.at_most(kRedisReach));
    out.push_back({{"member", other->member.name},
                   {"follows", told.has_value()},
                   {"problem", told ? Json(nullptr) : Json(told.error().text())}});
  }
  co_return out;
}

Task<Result<Observation>> RedisPromote::observe(ActionContext context) {
  CO_TRY(PromoteView view, co_await look(&context.world, context.deadline));
  Observation out;
  std::vector<std::string> masters;
  for (const RedisProbe* probe : view.elsewhere) masters.push_back(probe->member.name);
  if (view.in_place != nullptr) masters.insert(masters.begin(), view.in_place->member.name);
  out.state = masters.empty() ? "no master answers" : fmt::format("master: {}", fmt::join(masters, ", "));
  out.holds = view.in_place != nullptr && view.elsewhere.empty();
  if (view.in_place != nullptr) {
    if (!out.holds)
      out.change = fmt::format("{} is master already; old masters that wrote nothing since follow it",
                               view.in_place->member.name);
    out.data = {{"master", view.in_place->member.name}, {"keys", view.in_place->keys}};
    co_return out;
  }
  out.change =
      view.candidate != nullptr ? "→ " + view.candidate->member.name : "nobody can be promoted: " + view.none_because;
  out.data = {{"candidate", view.candidate != nullptr ? Json(view.candidate->member.name) : Json(nullptr)},
              {"planned", live_upstream(view) != nullptr}};
  co_return out;
}

Task<Result<Outcome>> RedisPromote::apply(ActionContext context) {
  MonoTime began = boot_now();
  CO_TRY(PromoteView view, co_await look(&context.world, context.deadline));
  RedisProbe* chosen = view.in_place != nullptr ? view.in_place : view.candidate;
  if (chosen == nullptr) {
    co_return fail(ErrorKind::refused, fmt::format("nobody can be promoted: {}", view.none_because),
                   "restore the data from a backup, or bring the old master back");
  }
  // What an old master that is silent had beyond the replica is known to nobody.
  Json lost = nullptr;
  RedisProbe* upstream = view.in_place != nullptr ? nullptr : live_upstream(view);
  if (upstream != nullptr) {
    context.progress(
        fmt::format("writes pause at {} until {} has everything", upstream->member.name, chosen->member.name));
    CO_TRY_VOID(co_await pause_and_catch_up(upstream, chosen, context.deadline));
    lost = 0;
  } else if (view.in_place == nullptr && !view.elsewhere.empty()) {
    const RedisProbe& other = *view.elsewhere.front();
    co_return fail(ErrorKind::refused,
                   fmt::format("{} is master and answers, and {} has no link to it: there would be two masters",
                               other.member.name, chosen->member.name),
                   "stop it first, or let the replica catch up (redis.replicate)");
  }
  if (view.in_place == nullptr) {
    std::vector<std::string> words{"REPLICAOF", "NO", "ONE"};
    CO_TRY_VOID(co_await tell(chosen, std::move(words), context.deadline));
    CO_TRY_VOID(co_await refresh(chosen, context.deadline.at_most(kRedisReach)));
    if (!chosen->replication.is_master) {
      co_return fail(ErrorKind::conflict, fmt::format("{} was promoted and is a replica again", chosen->member.name),
                     "something else manages this Redis, such as Sentinel: it must be stopped first");
    }
  }
  std::vector<RedisProbe*> others;
  std::string also_master;
  for (RedisProbe& probe : view.probes) {
    if (&probe == chosen || !probe.answers || follows(probe, chosen->member)) continue;
    // A master that wrote on its own may hold what nobody else has: only redis.replicate, which asks, drops that.
    bool may_follow = !probe.replication.is_master || &probe == upstream || left_behind(probe, *chosen);
    if (may_follow) others.push_back(&probe);
    if (!may_follow) also_master = fmt::format("; {} is a master too, with data of its own", probe.member.name);
  }
  JsonArray pointed = co_await point_at(std::move(others), chosen->member, context.deadline);
  if (upstream != nullptr) {
    std::vector<std::string> unpause{"CLIENT", "UNPAUSE"};  // it is a replica now: writes there get READONLY at once
    CO_TRY_VOID(co_await tell(upstream, std::move(unpause), context.deadline.at_most(kRedisReach)));
  }
  std::vector<std::string> rewrite{"CONFIG", "REWRITE"};
  auto kept = co_await tell(chosen, std::move(rewrite), context.deadline.at_most(kRedisReach));
  Outcome out;
  out.summary = fmt::format("{} is master with {} keys{}{}", chosen->member.name, chosen->keys,
                            lost.is_null() ? "" : ", nothing lost", also_master);
  out.data = {{"service", params_.service.text},
              {"master", chosen->member.name},
              {"keys", chosen->keys},
              {"offset", chosen->replication.offset},
              {"lost_bytes", lost},
              {"others", std::move(pointed)},
              {"survives_restart", kept.has_value()},
              {"restart_note", kept ? Json(nullptr) : Json(kept.error().text())},
              {"seconds", to_seconds(boot_now() - began)}};
  co_return out;
}

}  // namespace

const ActionDescriptor& redis_promote_action() {
  static const ActionDescriptor descriptor{
      .name = "redis.promote",
      .summary = "Makes a replica the master of a Redis service.",
      .details =
          "Observes who is master. Applies: chooses, among the members asked for, the replica with most data. If its "
          "master "
          "still answers, writes pause there (at most 5 s) until the replica has everything, so nothing is lost, and "
          "the old "
          "master becomes a replica. If not, the replica is promoted with what it has. Replicas that answer are "
          "pointed at "
          "the new master.\n\n"
          "Redis itself would promote a replica that has never had any data. This does not: a replica that never "
          "synced, is "
          "in the middle of a full copy or is reading its data set makes the step refused. Not for a Redis behind "
          "Sentinel, "
          "which would reverse it.",
      .example = "{id: sessions, uses: redis.promote, with: {service: sessions, to: west}}",
      .usual_timeout = Duration{30'000},
      .touches = touches_service,
      .schema = params_schema<RedisPromoteParams>,
      .validate = validate_params<RedisPromoteParams>,
      .make = make_action<RedisPromote, RedisPromoteParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
