// approval: a step that is nothing but a question to people.
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct ApprovalParams {
  std::string question;
  std::vector<Identifier> of;
  std::optional<int> need;
  std::optional<Duration> expires;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    for (size_t index = 0; index < of.size(); ++index)
      require_name(plan.people.roles, "role", of[index].text, problems, fmt::format("/of/{}", index));
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(ApprovalParams, (), (question, of, need, expires))
constexpr auto field_docs(const ApprovalParams*) {
  return std::to_array<FieldDoc>({
      {"question", Need::optional, "what is asked; the step's title when left out"},
      {"of", Need::optional, "roles whose people may approve, if the step has no `approval`"},
      {"need", Need::optional, "how many distinct people (1)"},
      {"expires", Need::optional, "how long the question stands (15m)"},
  });
}

}  // namespace

const ActionDescriptor& approval_action() {
  static const ActionDescriptor descriptor{
      .name = "approval",
      .summary = "Asks people to agree before the run goes on.",
      .details =
          "Who is asked, how many must agree and until when stands in the step's `approval`. One person counts once, "
          "whatever roles they have. When the question expires or somebody declines, the step fails.",
      .example = "- {id: agree, uses: approval, approval: {of: [incident-commander], need: 1, expires: 1h}}",
      .kind = ActionKind::approval,
      .schema = params_schema<ApprovalParams>,
      .validate = validate_params<ApprovalParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
