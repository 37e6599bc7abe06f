// The bugs that can be planted, each a real one of somebody's.
#pragma once

#include <span>
#include <string_view>

namespace lifeboat::sim {

struct Mutant {
  std::string_view name;
  std::string_view what;
};

std::span<const Mutant> mutants();
bool is_mutant(std::string_view name);

}  // namespace lifeboat::sim
