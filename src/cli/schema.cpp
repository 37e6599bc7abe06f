#include "cli/schema.hpp"

#include <cstdio>

#include "core/data/schema.hpp"
#include "core/model/plan.hpp"

namespace lifeboat {

Json plan_schema() {
  JsonObject out{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", "Lifeboat plan"}};
  Json plan = schema_of<Plan>();
  for (auto& [key, value] : plan.as_object()) out[key] = std::move(value);
  return out;
}

int run_schema() {
  std::string text = to_pretty_text(plan_schema()) + "\n";
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}

}  // namespace lifeboat
