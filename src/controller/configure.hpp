// What each agent is told to do, derived from the plan: servers, instances and probes.
#pragma once

#include "agent/protocol.hpp"
#include "core/detection/detection.hpp"
#include "core/model/plan.hpp"
#include "core/ownership/sync_sets.hpp"
#include "io/secrets.hpp"

namespace lifeboat {

// A thing that is watched from every vantage point, and how.
struct WatchTarget {
  detection::Target target;
  wire::ProbeConfig probe;
};

// How the right to write to one database is decided.
ownership::Config ownership_config(const Plan& plan, const std::string& name, const PostgresService& service);

// What stands in each region and can be asked from outside: load balancers, databases, caches. Timing comes from the
// plan's region-lost signal.
std::vector<WatchTarget> region_targets(const Plan& plan);

// All an agent on `host` has to do. Resolves secrets into environments and passwords; the message must never be logged.
Result<wire::Configure> configuration_for(const Plan& plan, const std::string& host, Secrets& secrets,
                                          const std::vector<WatchTarget>& watched);

}  // namespace lifeboat
