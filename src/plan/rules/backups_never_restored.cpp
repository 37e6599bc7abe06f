#include "plan/rules/tell.hpp"

namespace lifeboat {
namespace {

// A scenario that a drill runs, with a step that restores this service's backups.
bool is_rehearsed(const Plan& plan, const std::string& service) {
  bool found = false;
  for_each_step(plan, [&](const std::string& scenario, const Step& step, const std::string&) {
    bool restores = step.uses == "postgres.restore-drill" || step.uses == "postgres.restore";
    if (!restores || text_or(step.with, "service") != service) return;
    found = found || std::ranges::any_of(plan.drills,
                                         [&](const Drill& drill) { return drill.run && drill.run->text == scenario; });
  });
  return found;
}

}  // namespace

void judge_backups_never_restored(const RuleInput& input, Findings& out) {
  for_each_service<PostgresService>(
      input.plan, [&](const std::string& name, const PostgresService& service, const std::string& path) {
        if (kept_backups(service) == nullptr || is_rehearsed(input.plan, name)) return;
        tell(out, "backups-never-restored", Severity::warning, path + "/backups",
             fmt::format("no drill restores the backups of {}: nobody knows whether they can be, nor how long it takes",
                         name),
             "add a drill that runs a scenario with a step postgres.restore-drill");
      });
}

}  // namespace lifeboat
