// How well the databases stand, by what a controller says of them: GET /api/status. Pure: no clock, no network.
#pragma once

#include <string>

#include "core/data/json.hpp"

namespace lifeboat::lab {

enum class Protection { some, whole };
// Every database has a writable holder and a standby that streams from it, or only such standbys.
bool protected_by(const Json& status, Protection wanted);

// Who holds each database, as one text.
std::string holders_in(const Json& status);

}  // namespace lifeboat::lab
