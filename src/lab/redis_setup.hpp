// Joins a plan's fresh Redis servers into what the plan says: a cluster with its masters in one region and a replica of
// each elsewhere, or one master whose replicas have copied it.
#pragma once

#include "lab/secrets.hpp"

namespace lifeboat::lab {

// Returns when slots are served and every replica is linked to its master.
Result<void> set_up_redis(const Plan& placed, const SecretValues& secrets, Duration within);

}  // namespace lifeboat::lab
