// manual: a person does it and confirms.
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct ManualParams {
  std::string instructions;
  std::vector<Identifier> of;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    for (size_t index = 0; index < of.size(); ++index)
      require_name(plan.people.roles, "role", of[index].text, problems, fmt::format("/of/{}", index));
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(ManualParams, (), (instructions, of))
constexpr auto field_docs(const ManualParams*) {
  return std::to_array<FieldDoc>({
      {"instructions", Need::required, "what is to be done, so that somebody tired can do it"},
      {"of", Need::optional, "roles whose people may confirm; anybody when left out"},
  });
}

}  // namespace

const ActionDescriptor& manual_action() {
  static const ActionDescriptor descriptor{
      .name = "manual",
      .summary = "Shows a person what to do and waits until they confirm it.",
      .details = "Whoever confirms is written into the journal, with what they noted. The clock of the run goes on.",
      .example = "- {id: isolate, uses: manual, with: {instructions: Cut the compromised servers from the network.}}",
      .kind = ActionKind::manual,
      .usual_timeout = Duration{14'400'000},
      .schema = params_schema<ManualParams>,
      .validate = validate_params<ManualParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
