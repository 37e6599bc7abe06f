// probe.quorum: several regions agree that one is lost, or the run stops here.
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct ProbeQuorumParams {
  Identifier region;
  Duration within{15'000};
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    require_name(plan.regions, "region", region.text, problems, "/region");
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(ProbeQuorumParams, (), (region, within))
constexpr auto field_docs(const ProbeQuorumParams*) {
  return std::to_array<FieldDoc>({
      {"region", Need::required, "the region that should be lost"},
      {"within", Need::optional, "how long to wait for the others to agree (15s)"},
  });
}

// "agent db-west-1: 4 of 4 fail since 3 s; controller north: 0 of 4 fail"
std::string in_words(const RegionView& view) {
  std::vector<std::string> parts;
  for (const auto& vantage : view.vantages) {
    std::string since = vantage.failing_for.count() > 0 ? " since " + format_span(vantage.failing_for) : "";
    std::string detail = vantage.detail.empty() ? "" : fmt::format(" ({})", vantage.detail);
    parts.push_back(
        fmt::format("{}: {} of {} fail{}{}", vantage.from, vantage.failing, vantage.targets, since, detail));
  }
  return parts.empty() ? "nobody watches it" : fmt::format("{}", fmt::join(parts, "; "));
}

Json data_of(const RegionView& view) {
  JsonArray vantages;
  for (const auto& vantage : view.vantages) {
    vantages.push_back(JsonObject{{"from", vantage.from},
                                  {"region", vantage.region},
                                  {"targets", vantage.targets},
                                  {"failing", vantage.failing},
                                  {"failing_s", to_seconds(vantage.failing_for)}});
  }
  return JsonObject{{"region", view.region},
                    {"lost", view.lost},
                    {"agreeing", view.regions_agreeing},
                    {"quorum", view.quorum},
                    {"vantages", vantages}};
}

class ProbeQuorum : public Action {
 public:
  explicit ProbeQuorum(ProbeQuorumParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(RegionView view, context.world.observers.region(params_.region.text));
    std::string state = fmt::format("{} of {} regions see {} fail: {}", view.regions_agreeing, view.quorum,
                                    params_.region.text, in_words(view));
    std::string change = view.lost ? "" : fmt::format("wait until {} regions see it fail", view.quorum);
    co_return Observation{view.lost, std::move(state), std::move(change), data_of(view)};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    Deadline until = context.deadline.at_most(params_.within);
    int told = -1;
    while (true) {
      CO_TRY(RegionView view, context.world.observers.region(params_.region.text));
      if (view.lost) {
        co_return Outcome{fmt::format("{} is lost: {} regions agree", params_.region.text, view.regions_agreeing),
                          data_of(view)};
      }
      if (until.passed()) {
        co_return fail(ErrorKind::refused,
                       fmt::format("{} is not lost: {} of {} regions see it fail. {}", params_.region.text,
                                   view.regions_agreeing, view.quorum, in_words(view)),
                       "nothing is moved away from a region that others still reach");
      }
      if (view.regions_agreeing != told && context.progress)
        context.progress(fmt::format("{} of {} regions agree", view.regions_agreeing, view.quorum));
      told = view.regions_agreeing;
      co_await sleep_for(Duration{100});
    }
  }

 private:
  ProbeQuorumParams params_;
};

}  // namespace

const ActionDescriptor& probe_quorum_action() {
  static const ActionDescriptor descriptor{
      .name = "probe.quorum",
      .summary = "Confirms that a region is lost, by what is seen from other regions.",
      .details =
          "Holds when, from a quorum of other regions, every watched target in the region has failed for as long as "
          "the plan's region-lost signal says. Otherwise waits for that. Refused, with what each vantage point "
          "sees, when the others do not agree in time.",
      .example = "- {id: confirm, uses: probe.quorum, needs: [], with: {region: east}}",
      .usual_timeout = Duration{60'000},
      .schema = params_schema<ProbeQuorumParams>,
      .validate = validate_params<ProbeQuorumParams>,
      .make = make_action<ProbeQuorum, ProbeQuorumParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
