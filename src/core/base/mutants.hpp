// Bugs that are planted on purpose, so that the simulator can show that it finds them. In the product `LIFEBOAT_BUG` is
// `false`, and nothing of this is compiled into it; only the library that the simulator links is built with LIFEBOAT_MUTANTS.
#pragma once

#ifdef LIFEBOAT_MUTANTS

#include <string_view>

namespace lifeboat::mutants {

// The one bug that is switched on in this process; empty: none. Set before the first history begins.
inline std::string_view active;

// Compared by address first: every use names its bug by a literal of its own, so the text decides.
inline bool is_on(std::string_view name) { return !active.empty() && active == name; }

}  // namespace lifeboat::mutants

#define LIFEBOAT_BUG(name) (::lifeboat::mutants::is_on(name))

#else

#define LIFEBOAT_BUG(name) false

#endif
