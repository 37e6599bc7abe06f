#include "actions/action.hpp"

namespace lifeboat {

Task<Result<Outcome>> Action::undo(ActionContext, Json) {
  co_return fail(ErrorKind::unsupported, "this action cannot be taken back");
}

std::string touches_service(const Json& with) { return text_or(with, "service"); }

DecodeProblem unknown_reference(std::string path, std::string_view what, std::string_view name,
                                std::span<const std::string> known) {
  std::string hint = did_you_mean(name, known);
  if (hint.empty()) hint = known.empty() ? "the plan has none" : fmt::format("known: {}", fmt::join(known, ", "));
  return {std::move(path), fmt::format("there is no {} '{}'", what, Decoder::printable(name)), std::move(hint)};
}

}  // namespace lifeboat
