// From "the programs run" to "users are served": replication of caches, databases created and streaming, the plan's
// first data, and the users' own journey.
#pragma once

#include "lab/world.hpp"

namespace lifeboat::lab {

// lab.yaml beside the plan, if there is one.
struct LabFile {
  OrderedMap<std::string> setup;
};
BOOST_DESCRIBE_STRUCT(LabFile, (), (setup))
constexpr auto field_docs(const LabFile*) {
  return std::to_array<FieldDoc>(
      {{"setup", Need::optional,
        "by postgres service: SQL file run once on the fresh primary, ${secret.NAME} expanded"}});
}
Result<LabFile> read_lab_file(const std::string& plan_file);

Result<void> make_ready(LabWorld& world, const Progress& say, Duration within);

}  // namespace lifeboat::lab
