#include "sim/mutants.hpp"

#include <algorithm>

namespace lifeboat::sim {
namespace {

constexpr Mutant kMutants[] = {
    {"guard-ignores-fence", "the guard does not end the server at its fence time"},
};

}  // namespace

std::span<const Mutant> mutants() { return kMutants; }

bool is_mutant(std::string_view name) { return std::ranges::find(kMutants, name, &Mutant::name) != std::end(kMutants); }

}  // namespace lifeboat::sim
