// Faults of the data themselves: no server stops by itself for them, and no replica is any better.
#pragma once

#include "lab/faults.hpp"

namespace lifeboat::lab {

// A table of users, in quotes where SQL needs them; what measures is none.
struct UserTable {
  std::string name;
  bool referenced = false;  // by another one's foreign key
  bool indexed = false;
};
// The largest first.
Result<std::vector<UserTable>> user_tables(pid_t postmaster, const std::string& database);
// The table that a fault hits, in quotes where SQL needs them: the one named, or the largest of the database that no other refers to.
Result<std::string> table_to_hit(pid_t postmaster, const std::string& database, const std::string& wanted);

// One transaction that is known afterwards. `deed`: SQL with {} for the table. `detail` as below.
struct HitTable {
  pid_t postmaster = -1;
  std::string service, member, host, database, table;
};
Result<HitTable> find_table_to_hit(const LabWorld& world, const std::string& target);
Result<FaultDone> hit(const HitTable& table, const std::string& deed);

// TABLE, or left out: the largest table of the database that no other refers to. Both say in `detail` which transaction did it:
// {service, table, xid, rows, at}.
Result<FaultDone> put_drop_table(LabWorld& world, const std::string& target, ActiveFault& active);
Result<FaultDone> put_mass_delete(LabWorld& world, const std::string& target, ActiveFault& active);

}  // namespace lifeboat::lab
