// From a file to a plan that can be acted on. Three stages, and nothing has an effect before all have passed: bytes
// (plan/yaml.hpp), shape (core/data/decode.hpp), meaning (plan/meaning.hpp). What is merely unwise does not stop a
// plan; `lifeboat check` tells it (plan/rules).
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "core/model/plan.hpp"
#include "plan/catalogue.hpp"
#include "plan/finding.hpp"

namespace lifeboat {

struct LoadOptions {
  std::string inventory;  // JSON file {"hosts": {"name": "address"}}; its addresses replace the plan's. May be empty
  std::string profile;    // checked to exist; its values are tried in the steps, its leases put in. May be empty
};

struct LoadedPlan {
  Plan plan;
  Json document;  // as written, without addresses of the inventory
  Positions positions;
  std::string file;
  std::string bytes;  // exactly what was read and judged: hash this to bind a run to it
};

struct LoadFailure {
  bool unreadable = false;  // the file could not be read or is not YAML; otherwise it was read and is wrong
  Findings findings;        // at least one, each with its place
};

// Reads and judges a plan. Only regular files are read.
std::expected<LoadedPlan, LoadFailure> load_plan(const std::string& path, const ActionCatalogue& actions,
                                                 const LoadOptions& options = {});
// The same for text that is already here; `file` is only named in findings.
std::expected<LoadedPlan, LoadFailure> load_plan_text(std::string bytes, const std::string& file,
                                                      const ActionCatalogue& actions, const LoadOptions& options = {});

// Puts the inventory's addresses into the plan. Unknown hosts in it are an error.
Result<> apply_inventory(Plan& plan, const Json& inventory);

// Gives the services the leases of this profile; nothing happens when there is no such profile.
void apply_profile(Plan& plan, std::string_view profile);

// Reads a regular file of at most `largest` bytes; symbolic links, devices and pipes are refused.
Result<std::string> read_regular_file(const std::string& path, size_t largest);

}  // namespace lifeboat
