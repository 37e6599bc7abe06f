// ${name} in steps. One pass over typed values, so that a value can never become a reference, a key or a second value:
//   - text that is exactly "${x}" becomes the variable's own value (a number stays a number);
//   - inside other text the value is written out (numbers, true/false and text only);
//   - ${host.NAME} is the address of a host; `$${` is a literal `${`;
//   - what a variable holds is not looked at again;
//   - ${steps.ID.data.KEY} is what another step of the run found. It is known when that step is done, so a text with one in it is
//     left as it is when a run is opened, and all of its references are replaced when its own step begins.
// Order, later wins: plan, profile, scenario, run. So waits that a profile compresses are variables of the plan, and a
// scenario's own variables say what it is about (from, to).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/decode.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/model/plan.hpp"

namespace lifeboat {

using Vars = OrderedMap<Json>;

// The values that hold in a run. Unknown names of scenario or profile add nothing.
Vars merge_vars(const Plan& plan, std::string_view scenario, std::string_view profile = {}, const Vars& run = {});

// What steps of a run found.
struct StepData {
  // The value of "steps.ID.data.KEY…", or nothing when it is not there; empty: texts that need one are left as they are.
  std::function<std::optional<Json>(const std::string& name)> find;
  // JSON pointers (RFC 6901) into the value that was expanded, of the texts that were left.
  std::vector<std::string> left;
};

// `value` with all references replaced, at any depth (never in keys). Unknown names are added to `problems`, with paths
// that begin with `path`; the text is then left as it was. Without `steps`, references to other steps' data are unknown names.
Json expand(const Json& value, const Vars& vars, const Plan& plan, DecodeProblems& problems,
            const std::string& path = {}, StepData* steps = nullptr);

// Text with its references replaced by what `lookup` says; `lookup` gives nothing for a name it does not know, and
// those names are returned in `unknown` (the text keeps them). For commands and environments, where ${port},
// ${host.NAME} and ${secret.NAME} have their own sources.
std::string expand_text(std::string_view text,
                        const std::function<std::optional<std::string>(std::string_view)>& lookup,
                        std::vector<std::string>& unknown);

// Whether a reference is to what a step found.
bool is_step_data(std::string_view name);

// The names referred to in a text, in order: "to", "host.db-east-1". An unclosed ${ counts as the name "".
std::vector<std::string> references_in(std::string_view text);

}  // namespace lifeboat
