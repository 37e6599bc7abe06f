// For tests of this room: a catalogue of made-up actions, and files of the source tree.
#pragma once

#include <fstream>
#include <sstream>

#include "plan/load.hpp"

namespace lifeboat {

// Knows the names that the reference plan runs today and takes any parameters.
inline ActionCatalogue lenient_actions() {
  ActionCatalogue out;
  out.names = {"approval",
               "dns.switch",
               "http.check",
               "incident.close",
               "incident.open",
               "incident.update",
               "manual",
               "network.isolate",
               "network.rejoin",
               "notify",
               "postgres.adopt",
               "postgres.assess",
               "postgres.clean-point",
               "postgres.dump",
               "postgres.failover",
               "postgres.forensics",
               "postgres.reprotect",
               "postgres.restore",
               "postgres.restore-drill",
               "postgres.switchover",
               "probe.quorum",
               "redis-cluster.promote",
               "redis-cluster.replicate",
               "redis.promote",
               "redis.replicate",
               "secrets.rotate",
               "service.scale",
               "shell",
               "sql.check",
               "statuspage.update",
               "tcp.check",
               "traffic.drain",
               "traffic.ramp",
               "traffic.weights",
               "validate.application",
               "validate.database",
               "validate.profile",
               "wait"};
  out.validate = [](std::string_view, const Json&, const Plan&) { return DecodeProblems{}; };
  out.is_message = [](std::string_view name) { return name == "notify" || name == "statuspage.update"; };
  return out;
}

inline std::string source_file(const std::string& path) {
  std::ifstream in(std::string(LIFEBOAT_SOURCE_DIR) + "/" + path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline std::string lines_of(const Findings& findings) {
  std::string out;
  for (const Finding& finding : findings) out += one_line(finding) + "\n";
  return out;
}

}  // namespace lifeboat
