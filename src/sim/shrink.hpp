// From a history that fails to the shortest that still does.
#pragma once

#include "sim/setup.hpp"

namespace lifeboat::sim {

// Takes faults away, shortens and simplifies for as long as the same rule is broken.
Setup shrink(const Setup& failing);

// The setup and its faults in words.
std::string describe(const Setup& setup);

}  // namespace lifeboat::sim
