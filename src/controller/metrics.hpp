// What `GET /metrics` says: the status as numbers over time, for a monitoring system that keeps their history.
#pragma once

#include <string>

#include "core/data/json.hpp"

namespace lifeboat {

// The status, as `GET /api/status` gives it, in Prometheus' text format (0.0.4). What is not known now is left out, so that it is
// missed there instead of being taken for a number.
std::string metrics_text(const Json& status);

}  // namespace lifeboat
