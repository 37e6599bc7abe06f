// Each step's action and its parameters, with variables put in.
#include <set>

#include "core/expression/expression.hpp"
#include "plan/action_names.hpp"
#include "plan/meaning.hpp"

namespace lifeboat {
namespace {

class Steps {
 public:
  Steps(const Plan& plan, const ActionCatalogue& actions, Findings& out) : plan_(plan), actions_(actions), out_(out) {}

  void with_profile(const std::string& profile) {
    for (const auto& [name, scenario] : plan_.scenarios) {
      Vars vars = merge_vars(plan_, name, profile);
      scenario_ = &scenario;
      var_names_ = vars.names();
      ids_.clear();
      for (const auto& [phase, steps] : scenario.phases) {
        for (const Step& step : steps) ids_.push_back(step.id.text);
      }
      for (const auto& [phase, steps] : scenario.phases) {
        for (size_t index = 0; index < steps.size(); ++index) step(steps[index], vars, step_path(name, phase, index));
      }
    }
  }

 private:
  void step(const Step& step, const Vars& vars, const std::string& at) {
    if (!actions_.has(step.uses)) {
      // Another name may be an action of a later version, which is a warning of check; a near miss is a mistake.
      std::string meant = nearest_action(step.uses, actions_.names);
      if (!meant.empty())
        complain("unknown-action", fmt::format("there is no action '{}'", Decoder::printable(step.uses)), at + "/uses",
                 "did you mean '" + meant + "'?");
    }
    DecodeProblems problems;
    StepData later;
    Json with = expand(step.with.is_null() ? Json(JsonObject{}) : step.with, vars, plan_, problems, {}, &later);
    for (const std::string& pointer : later.left) found_by_others(step, with.at_pointer(pointer), pointer, problems);
    if (problems.empty() && actions_.has(step.uses) && actions_.validate)
      problems = actions_.validate(step.uses, with, plan_);
    for (DecodeProblem& problem : problems)
      complain("parameters", std::move(problem.message), at + "/with" + problem.path, std::move(problem.suggestion),
               problem.at_key);
    problems.clear();
    expand(Json(step.title), vars, plan_, problems, at + "/title");
    for (DecodeProblem& problem : problems)
      complain("parameters", std::move(problem.message), std::move(problem.path), std::move(problem.suggestion));
    condition(step.if_, at + "/if");
    condition(step.halt_if, at + "/halt_if");
  }

  // What a parameter takes from other steps, these have found when it begins.
  void found_by_others(const Step& step, const Json& text, const std::string& pointer, DecodeProblems& problems) const {
    for (const std::string& name : references_in(std::string_view(text.get_string()))) {
      if (!is_step_data(name)) continue;
      size_t id_ends = std::min(name.find('.', kSteps.size()), name.size());
      std::string id = name.substr(kSteps.size(), id_ends - kSteps.size());
      std::string_view rest = std::string_view(name).substr(id_ends);
      std::string what = fmt::format("'${{{}}}'", Decoder::printable(name));
      if (std::ranges::find(ids_, id) == ids_.end())
        problems.push_back(
            {pointer, fmt::format("{}: there is no step '{}'", what, Decoder::printable(id)), did_you_mean(id, ids_)});
      else if (!rest.starts_with(kData) || rest.size() == kData.size())
        problems.push_back({pointer, what + " is nothing that a step finds", "steps.ID.data.KEY"});
      else if (!comes_before(id, step))
        problems.push_back({pointer, fmt::format("{}: '{}' need not be done by then", what, id),
                            fmt::format("add {} to the step's needs", id)});
    }
  }

  // Whether `id` has ended whenever `step` begins.
  bool comes_before(const std::string& id, const Step& step) const {
    std::vector<const Step*> ahead{&step};
    std::set<std::string> seen;
    while (!ahead.empty()) {
      const Step& one = *ahead.back();
      ahead.pop_back();
      for (const Step* need : needs_of(one)) {
        if (need->id.text == id) return true;
        if (seen.insert(need->id.text).second) ahead.push_back(need);
      }
    }
    return false;
  }

  // Those that it names, else all of the phases before its own.
  std::vector<const Step*> needs_of(const Step& step) const {
    std::vector<const Step*> out;
    for (const auto& [phase, steps] : scenario_->phases) {
      bool own = std::ranges::any_of(steps, [&](const Step& each) { return &each == &step; });
      if (own && !step.needs) break;
      for (const Step& each : steps) {
        bool named = step.needs && std::ranges::find(*step.needs, each.id.text, &Identifier::text) != step.needs->end();
        if (named || !step.needs) out.push_back(&each);
      }
    }
    return out;
  }

  void condition(const std::string& text, const std::string& at) {
    if (text.empty()) return;
    for (ExpressionProblem& problem : check_expression(text, ids_, var_names_))
      complain("condition", problem.text(), at, std::move(problem.suggestion));
  }

  void complain(std::string rule, std::string message, std::string path, std::string suggestion, bool at_key = false) {
    // The same mistake is found once for each profile.
    if (!told_.insert(path + "\n" + message).second) return;
    out_.push_back(
        {std::move(rule), Severity::error, std::move(message), std::move(path), std::move(suggestion), at_key, {}, {}});
  }

  static constexpr std::string_view kSteps = "steps.", kData = ".data.";

  const Plan& plan_;
  const ActionCatalogue& actions_;
  Findings& out_;
  const Scenario* scenario_ = nullptr;        // that is looked at
  std::vector<std::string> ids_, var_names_;  // of the scenario that is looked at
  std::set<std::string> told_;
};

}  // namespace

void check_steps(const Plan& plan, const ActionCatalogue& actions, std::string_view profile, Findings& out) {
  if (!profile.empty() && !plan.profiles.contains(profile)) {
    std::string hint = did_you_mean(profile, plan.profiles.names());
    out.push_back({"unknown-name",
                   Severity::error,
                   fmt::format("there is no profile '{}'", Decoder::printable(profile)),
                   "/profiles",
                   hint,
                   false,
                   {},
                   {}});
  }
  Steps steps(plan, actions, out);
  steps.with_profile("");
  for (const auto& [name, values] : plan.profiles) steps.with_profile(name);
}

Findings check_meaning(const Plan& plan, const ActionCatalogue& actions, std::string_view profile) {
  Findings out;
  check_references(plan, out);
  check_graph(plan, actions, out);
  check_values(plan, out);
  check_steps(plan, actions, profile, out);
  return out;
}

}  // namespace lifeboat
