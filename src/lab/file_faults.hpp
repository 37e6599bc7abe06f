// Faults of a database's files: bytes that a disk changed, or all of them gone.
#pragma once

#include "lab/faults.hpp"

namespace lifeboat::lab {

// TABLE, or left out: the largest table of the database that no other refers to. Bytes in the middle of pages of its heap and of one
// of its indexes are turned round in the primary's files. The server goes on with what it has in memory; replicas are whole. `detail`:
// {service, table, member, files: [{path, blocks}]}.
Result<FaultDone> put_corrupt_pages(LabWorld& world, const std::string& target, ActiveFault& active);

// Bytes turned round in the first pages of the table's heap and of one of its indexes: [{path, blocks}].
Result<JsonArray> damage_table_files(pid_t postmaster, const std::string& database, const std::string& table);

// SERVICE, or left out: the database. The data directories of all its members are gone, and their servers with them. `detail`:
// {service, members}.
Result<FaultDone> put_lost_datadir(LabWorld& world, const std::string& target, ActiveFault& active);

// Every page of each member's files looked at, by `lifeboat pages`: {SERVICE: {MEMBER: {pages, damaged_pages}}}. A member without a server
// is left out.
Result<Json> damaged_pages(const LabWorld& world);

}  // namespace lifeboat::lab
