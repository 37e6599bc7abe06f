// The configuration files of the lab's servers, as text.
#pragma once

#include <string>

#include "core/model/plan.hpp"

namespace lifeboat::lab {

// The zone with the users' name leading to `target`; `server` is the address of its own name server.
std::string zone_file(const DnsService& dns, const std::string& server, const std::string& target);
// Knot DNS: the key may change the users' name and nothing else.
std::string knot_config(const DnsService& dns, const std::string& folder, const std::string& listen,
                        const std::string& key);
// Unbound: asks the lab's server for the zone, honours the TTL and forgets refusals at once.
std::string unbound_config(const DnsService& dns, const std::string& folder, const std::string& listen,
                           const std::string& server);
// HAProxy: every instance that any region may ever run; those of other regions have weight 0 until someone raises it.
std::string haproxy_config(const Plan& plan, const std::string& region, const HaproxyMember& member,
                           const std::string& backend_name, const HttpService& backend);
std::string redis_config(const std::string& listen, int port, const std::string& password);
std::string redis_cluster_lines(const std::string& announce);

}  // namespace lifeboat::lab
