// traffic.ramp: users move to another region in steps, as long as they are well there.
#include <cmath>

#include "actions/registry.hpp"
#include "actions/traffic_common.hpp"
#include "core/ramp/ramp.hpp"

namespace lifeboat {
namespace {

constexpr Duration kSample{1'000};
constexpr Duration kShortestSample{50};
constexpr Duration kUserViewAge{5'000};  // an older view of the witness says nothing about now
constexpr Duration kSilence{5'000};      // a load balancer may be silent this long before the ramp stops with an error

struct HaltIf {
  std::optional<Percent> error_rate;
  std::optional<Duration> p95;
};
BOOST_DESCRIBE_STRUCT(HaltIf, (), (error_rate, p95))
constexpr auto field_docs(const HaltIf*) {
  return std::to_array<FieldDoc>({
      {"error_rate", Need::optional, "more failed requests than this"},
      {"p95", Need::optional, "slower answers than this: the witness's 95th percentile, the load balancer's mean"},
  });
}

struct TrafficRampParams {
  Identifier service;
  std::optional<Identifier> at;
  Identifier from;
  Identifier to;
  Percent start{10};
  Percent step{25};
  Duration every{1'800'000};
  HaltIf halt_if{.error_rate = Percent{1}, .p95 = std::nullopt};
  uint64_t min_requests = 10;

  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    check_traffic(plan, service, at, problems);
    check_region(plan, "/from", from, problems);
    check_region(plan, "/to", to, problems);
    if (from == to) problems.push_back({"/to", "from and to are the same region", ""});
    if (start.value <= 0) problems.push_back({"/start", "the first share must be above 0%", ""});
    if (step.value < 1) problems.push_back({"/step", "a step must be 1% or more", ""});
    if (every <= Duration{0}) problems.push_back({"/every", "the time between steps must be above 0", ""});
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(TrafficRampParams, (), (service, at, from, to, start, step, every, halt_if, min_requests))
constexpr auto field_docs(const TrafficRampParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the haproxy service"},
      {"at", Need::optional, "region of the load balancer; all of them when left out"},
      {"from", Need::required, "the region that serves users now"},
      {"to", Need::required, "the region that users move to"},
      {"start", Need::optional, "first share (10%)"},
      {"step", Need::optional, "added after each interval (25%)"},
      {"every", Need::optional, "how long users must be well before the next step (30m)"},
      {"halt_if", Need::optional, "bounds; beyond one of them all users go back (error_rate: 1%)"},
      {"min_requests", Need::optional, "requests that the new region must have answered before a step is judged (10)"},
  });
}

RampRules rules_of(const TrafficRampParams& params) {
  RampRules rules;
  rules.start = params.start.value;
  rules.step = params.step.value;
  rules.interval = params.every;
  if (params.halt_if.error_rate) rules.max_error_rate = params.halt_if.error_rate->value / 100;
  if (params.halt_if.p95) rules.max_p95_ms = static_cast<double>(params.halt_if.p95->count());
  rules.min_requests = params.min_requests;
  rules.window = std::min(params.every, Duration{30'000});
  rules.confirm = std::min(params.every / 4, Duration{2'000});
  return rules;
}

// Turns counters since the start of HAProxy into what happened since the last look.
class Counters {
 public:
  RampSample since_last(const std::vector<BalancerView>& views, const std::string& region) {
    RampSample sample;
    bool first = seen_.empty();
    bool any_up = false;
    for (const BalancerView& view : views) {
      for (const HaproxyServer& server : view.servers) {
        if (region_of_server(server.name) != region) continue;
        any_up = any_up || server.up;
        Seen& last = seen_[view.region + "/" + server.name];
        int64_t answered = server.responses + server.failed_connections;
        int64_t failed = server.responses_5xx + server.failed_connections;
        if (first) last.mean_at_start = server.mean_ms;
        // Counters begin again when HAProxy restarts: then this look is the new beginning.
        if (!first && answered >= last.answered && failed >= last.failed) {
          sample.requests += static_cast<uint64_t>(answered - last.answered);
          sample.errors += static_cast<uint64_t>(failed - last.failed);
          // The mean reaches back over 1024 requests. If it was worse before the ramp, it is a memory of that.
          bool fresh = answered > last.answered && server.mean_ms > last.mean_at_start;
          if (fresh) sample.p95_ms = std::max(sample.p95_ms.value_or(0), static_cast<double>(server.mean_ms));
        }
        last.answered = answered;
        last.failed = failed;
      }
    }
    sample.nothing_up = !any_up;
    return sample;
  }

 private:
  struct Seen {
    int64_t answered = 0;
    int64_t failed = 0;
    int64_t mean_at_start = 0;
  };
  std::map<std::string, Seen> seen_;
};

void add_users(RampSample& sample, const std::optional<UserView>& users) {
  if (!users || users->age > kUserViewAge || users->requests_per_second <= 0) return;
  sample.user_error_rate = users->error_rate;
  sample.user_p95_ms = users->p95_ms;
  if (users->reach) sample.users_from = boot_now() - users->age - *users->reach;
}

// Which servers are up, as a value to compare: when it changes, the same share needs other weights.
std::string who_is_up(const std::vector<BalancerView>& views) {
  std::string out;
  for (const BalancerView& view : views) {
    for (const HaproxyServer& server : view.servers) {
      if (server.up) out += view.region + "/" + server.name + " ";
    }
  }
  return out;
}

class TrafficRamp final : public Action {
 public:
  explicit TrafficRamp(TrafficRampParams params) : params_(std::move(params)), rules_(rules_of(params_)) {}

  Task<Result<Observation>> observe(ActionContext context) override;
  Task<Result<Outcome>> apply(ActionContext context) override;
  Task<Result<Outcome>> undo(ActionContext context, Json applied) override;

 private:
  Task<Result<std::vector<BalancerView>>> look(World* world, Deadline deadline) {
    return look_at_balancers(world, params_.service.text, text_of(params_.at), deadline);
  }
  Shares shares_for(double share) const { return {{params_.to.text, share}, {params_.from.text, 100 - share}}; }
  double present_share(const std::vector<BalancerView>& views) const;
  Task<Result<void>> set_share(std::vector<BalancerView> views, double share, Deadline deadline);
  Task<Result<RampState>> climb(ActionContext context, std::vector<BalancerView> views);

  TrafficRampParams params_;
  RampRules rules_;
};

// After a crash in the middle of a change balancers may differ: the least share counts, so nothing rises unjudged.
double TrafficRamp::present_share(const std::vector<BalancerView>& views) const {
  double least = 100;
  for (const BalancerView& view : views) {
    Shares now = shares_now(view);
    auto found = now.find(params_.to.text);
    least = std::min(least, found == now.end() ? 0.0 : found->second);
  }
  return least;
}

Task<Result<void>> TrafficRamp::set_share(std::vector<BalancerView> views, double share, Deadline deadline) {
  for (const BalancerView& view : views) CO_TRY_VOID(co_await give_shares(view, shares_for(share), deadline));
  co_return Result<void>{};
}

// Samples and moves until the ramp has ended one way or the other.
Task<Result<RampState>> TrafficRamp::climb(ActionContext context, std::vector<BalancerView> views) {
  RampState state = begin_ramp(rules_, std::round(present_share(views)), boot_now());
  CO_TRY_VOID(co_await set_share(views, state.share, context.deadline));
  context.progress(fmt::format("{:g} % of users go to {}", state.share, params_.to.text));
  Counters counters;
  counters.since_last(views, params_.to.text);
  std::string up = who_is_up(views);
  Duration pause = std::clamp(params_.every / 10, kShortestSample, kSample);
  MonoTime heard = boot_now();
  std::string said;
  while (state.phase == RampPhase::ramping) {
    co_await sleep_for(pause);
    auto now = co_await look(&context.world, context.deadline);
    if (!now) {
      if (boot_now() - heard > kSilence) co_return std::unexpected(std::move(now).error());
      continue;
    }
    heard = boot_now();
    RampSample sample = counters.since_last(*now, params_.to.text);
    add_users(sample, context.world.observers.users());
    RampDecision decision = step_ramp(rules_, state, sample, boot_now());
    bool moved = decision.state.share != state.share;
    bool servers_changed = !sample.nothing_up && who_is_up(*now) != up;
    if (moved || servers_changed) {
      CO_TRY_VOID(co_await set_share(*now, decision.state.share, context.deadline));
      up = who_is_up(*now);
    }
    if (decision.verdict == RampVerdict::roll_back) {
      co_return fail(ErrorKind::refused,
                     fmt::format("all users are back in {}: {}", params_.from.text, decision.reason),
                     fmt::format("find out what is wrong in {} before the next try", params_.to.text));
    }
    std::string line =
        moved ? fmt::format("{:g} % of users go to {}; {}", decision.state.share, params_.to.text, decision.reason)
        : decision.state.breach_since ? fmt::format("held at {:g} %: {}", state.share, decision.reason)
                                      : std::string();
    if (!line.empty() && line != said) context.progress(line);
    if (!line.empty()) said = line;
    state = std::move(decision.state);
  }
  co_return state;
}

Task<Result<Observation>> TrafficRamp::observe(ActionContext context) {
  CO_TRY(auto views, co_await look(&context.world, context.deadline));
  double share = present_share(views);
  Observation out;
  out.holds = share >= 99.999;
  out.state = shares_now_text(views);
  if (!out.holds) {
    std::vector<std::string> stages;
    for (double stage : ramp_stages(rules_, std::round(share))) stages.push_back(fmt::format("{:g} %", stage));
    out.change = fmt::format("users move to {}: {}; {} each", params_.to.text, fmt::join(stages, ", "),
                             format_span(params_.every));
  }
  out.data = {{"share", share}};
  co_return out;
}

Task<Result<Outcome>> TrafficRamp::apply(ActionContext context) {
  MonoTime began = boot_now();
  // Some users go either way.
  CO_TRY(auto views, co_await look_when_up(&context.world, params_.service.text, text_of(params_.at), shares_for(50),
                                           context.deadline));
  Outcome out;
  out.data = {{"service", params_.service.text},
              {"from", params_.from.text},
              {"to", params_.to.text},
              {"balancers", remember(views)}};
  CO_TRY(RampState end, co_await climb(context, std::move(views)));
  double seconds = to_seconds(boot_now() - began);
  out.data.as_object()["seconds"] = seconds;
  out.summary = fmt::format("all users are in {} after {}", params_.to.text,
                            format_span(Duration(static_cast<int64_t>(seconds * 1000))));
  co_return out;
}

Task<Result<Outcome>> TrafficRamp::undo(ActionContext context, Json applied) {
  CO_TRY(auto views, co_await look(&context.world, context.deadline));
  CO_TRY_VOID(co_await restore(std::move(views), member(applied, "balancers"), context.deadline));
  Outcome out;
  out.summary = fmt::format("weights of {} are as they were before", params_.service.text);
  co_return out;
}

}  // namespace

const ActionDescriptor& traffic_ramp_action() {
  static const ActionDescriptor descriptor{
      .name = "traffic.ramp",
      .summary = "Moves users to another region in steps, and back when they are not well there.",
      .details =
          "Observes the weights at the load balancers: the share that the new region has now is where the ramp begins, "
          "so a "
          "restart goes on instead of beginning again. Applies the first share, then looks once a second (more often "
          "for short "
          "intervals) at the load balancer's counters of the new region and at what the witness sees. After a whole "
          "interval "
          "without a breach, and with enough requests to judge by, the share rises by one step; the last one, 100 %, "
          "is watched "
          "as long as the others. While a breach stands the share never rises. One that stands for two seconds (a "
          "quarter of a "
          "shorter interval) sends all users back and the step is refused with what was measured. So does a stage that "
          "gets no "
          "verdict in ten intervals (at least ten minutes).\n\n"
          "HAProxy keeps means, not percentiles: its mean time to answer above the p95 bound is a breach too. Other "
          "regions "
          "than these two get no users. Undo puts the weights back as they were before.",
      .example =
          "{id: ramp, uses: traffic.ramp, with: {service: balancer, from: west, to: east, start: 10%, step: "
          "25%, "
          "every: 30m, halt_if: {error_rate: 1%, p95: 500ms}}}",
      .can_undo = true,
      .usual_timeout = Duration{14'400'000},
      .touches = touches_service,
      .schema = params_schema<TrafficRampParams>,
      .validate = validate_params<TrafficRampParams>,
      .make = make_action<TrafficRamp, TrafficRampParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
