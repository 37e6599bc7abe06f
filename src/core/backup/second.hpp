// What is wrong with the second repository of a service, from what stands in both. Pure.
#pragma once

#include <string>

#include "core/recovery/catalogue.hpp"

namespace lifeboat::backup {

// Each backup is taken into the first and then into the second, so the second's newest began when the first's newest was whole.
// Either is null when it has no backup. In words; empty: the second is as good as the first.
std::string second_lacks(const recovery::Catalogue* first, const recovery::Catalogue* second);

}  // namespace lifeboat::backup
