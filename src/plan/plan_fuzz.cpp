// libFuzzer target for all that stands between a file and a plan: bytes, YAML, shape, meaning, rules. Whatever comes
// in, it ends soon and without a fault, and a refusal says where.
//
//   cmake --preset debug -DLIFEBOAT_FUZZ=ON && ninja -C build/debug fuzz_plan && build/debug/fuzz_plan src/plan/corpus
#include <cstdint>
#include <cstdlib>

#include "plan/load.hpp"
#include "plan/rules/rule.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lifeboat;
  static const ActionCatalogue actions{
      .names = {"notify", "postgres.failover", "shell", "wait"},
      .validate = [](std::string_view, const Json&, const Plan&) { return DecodeProblems{}; },
      .is_message = [](std::string_view name) { return name == "notify"; }};
  auto loaded = load_plan_text(std::string(reinterpret_cast<const char*>(data), size), "fuzz.yaml", actions);
  if (loaded) {
    for (const Finding& finding : judge({loaded->plan, actions, {2024, 1, 1}}, loaded->positions, loaded->file)) {
      if (finding.at.line < 1 || finding.message.empty()) std::abort();
    }
    runnable_scenarios(loaded->plan, actions);
    return 0;
  }
  if (loaded.error().findings.empty()) std::abort();
  for (const Finding& finding : loaded.error().findings) {
    if (finding.at.line < 1 || finding.at.column < 1 || finding.message.empty()) std::abort();
  }
  return 0;
}
