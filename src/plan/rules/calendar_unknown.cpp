#include "core/model/fault_names.hpp"
#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_calendar_unknown(const RuleInput& input, Findings& out) {
  const std::vector<std::string> known{"weekly", "monthly", "quarterly", "annually"};
  auto judge_one = [&](const std::string& every, std::string path) {
    if (std::ranges::find(known, every) != known.end()) return;
    std::string hint = did_you_mean(every, known);
    tell(out, "calendar-unknown", Severity::error, std::move(path),
         fmt::format("'{}' is not how often something comes", Decoder::printable(every)),
         hint.empty() ? fmt::format("one of {}", fmt::join(known, ", ")) : hint);
  };
  for (size_t index = 0; index < input.plan.drills.size(); ++index)
    judge_one(input.plan.drills[index].every, fmt::format("/drills/{}/every", index));
  for (size_t index = 0; index < input.plan.maintenance.size(); ++index)
    judge_one(input.plan.maintenance[index].every, fmt::format("/maintenance/{}/every", index));
  const std::vector<std::string> faults(kFaultNames.begin(), kFaultNames.end());
  for (size_t index = 0; index < input.plan.drills.size(); ++index) {
    const Drill& drill = input.plan.drills[index];
    for (size_t entry = 0; entry < drill.faults.size(); ++entry) {
      if (std::ranges::find(faults, drill.faults[entry]) != faults.end()) continue;
      std::string hint = did_you_mean(drill.faults[entry], faults);
      tell(out, "calendar-unknown", Severity::error, fmt::format("/drills/{}/faults/{}", index, entry),
           fmt::format("there is no fault '{}'", Decoder::printable(drill.faults[entry])),
           hint.empty() ? fmt::format("one of {}", fmt::join(faults, ", ")) : hint);
    }
  }
}

}  // namespace lifeboat
