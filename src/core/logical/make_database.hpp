// A database made again as another one was, in SQL, and whether it is.
#pragma once

#include <string>
#include <vector>

#include "core/validation/database_made.hpp"
#include "core/validation/judge.hpp"

namespace lifeboat {

// Of template0. Without `made`, of which older dumps know nothing, with what template0 has.
std::string create_database_sql(const std::string& database, const DatabaseMade* made);
// Puts one of its settings into force for `database`.
std::string setting_sql(const std::string& database, const KeptSetting& setting);
// "search_path", "search_path for role seller". Never the value.
std::string in_words(const KeptSetting& setting);

// `created`: it was made like that just now, so a difference is a failure; a database that was there before is somebody's own, and a
// difference is told.
Checks judge_made(const DatabaseMade& before, const DatabaseMade& now, bool created);

}  // namespace lifeboat
