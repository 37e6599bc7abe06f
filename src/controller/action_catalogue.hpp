// The actions of this program as the plan room wants to know them: the one place where both rooms meet.
#pragma once

#include "plan/catalogue.hpp"

namespace lifeboat {

// The actions of this program, for load_plan.
ActionCatalogue built_in_actions();

}  // namespace lifeboat
