// A logical backup that a plan has taken: once for each order, from the first of several servers that lets it, and then those that are
// too many go. Only backups that this plan had taken for this service are counted and removed; what people took stays.
//
// Errors are those of take_dump(). A backup that is whole while something old could not be removed is no error.
#pragma once

#include "recovery/logical.hpp"

namespace lifeboat {

struct PlannedServer {
  std::string name;  // the member's, or the host's
  PgParams server;   // with dbname
};

struct PlannedDump {
  std::vector<PlannedServer> servers;  // the next one is asked when a standby's replay ended the dump
  DumpNote note;                       // plan, service and order
  bool contents = false;
  int keep = 0;  // 0: all
};

struct PlannedDumped {
  LogicalBackup backup;
  DumpNote note;
  bool already = false;              // it was there
  std::vector<std::string> removed;  // names
  std::string kept_back;             // why something that is too many stays
};

// The whole backup of that plan, service and order, of those begun at `from` or later. `place` must outlive the call, here and below.
Task<Result<std::optional<PlannedDumped>>> find_planned(BackupPlace* place, DumpNote wanted, WallTime from,
                                                        Deadline deadline);
// `from`: when the order was given, at the earliest.
Task<Result<PlannedDumped>> take_planned(PlannedDump wish, WallTime from, BackupPlace* place, Deadline deadline,
                                         OnLogicalProgress progress);

// The backups of a place, the newest last; none when the folder is not there yet.
Task<Result<std::vector<LogicalBackup>>> list_dumps(BackupPlace* place, Deadline deadline);
// Of those with a note, the ones that this plan had taken for that service.
Task<Result<std::vector<LogicalBackup>>> dumps_of(BackupPlace* place, DumpNote owner, Deadline deadline);

}  // namespace lifeboat
