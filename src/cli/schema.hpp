// `lifeboat schema`: the plan format as JSON Schema, for editors, from the description that the decoder uses.
#pragma once

#include "core/data/json.hpp"

namespace lifeboat {

// The schema with its title and version of JSON Schema.
Json plan_schema();
// Prints it. Always 0.
int run_schema();

}  // namespace lifeboat
