// Did-you-mean: the known word nearest to one that is unknown.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lifeboat {

// The candidate with the smallest edit distance (a swap of neighbours counts one), or empty when none is near
// enough to be what a person meant (a third of the length, at least one).
std::string nearest(std::string_view word, std::span<const std::string> candidates);

// "did you mean 'x'?" or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

}  // namespace lifeboat
