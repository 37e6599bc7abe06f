// Has somebody been given more than on a good day, and has anything been added that acts by itself?
#pragma once

#include <string>

#include "core/validation/access.hpp"
#include "core/validation/judge.hpp"

namespace lifeboat {

// What is new, or may do more than then, fails and is named. What is gone is noted: it takes nothing from anybody's data.
Checks judge_access(const AccessProfile& before, const AccessProfile& now);
// Without a profile of before nothing can be called new: all of it is noted, for a person to look at.
Checks note_access(const AccessProfile& now);
// The same checks, none of which fails.
Checks only_noted(Checks checks);
// Of what is noted, in one line: "superusers: postgres, mallory; jobs: …". Empty when nothing is.
std::string noted_in_words(const Checks& checks);

}  // namespace lifeboat
