// Saves the writes that only this server has, before its history is given up for another's. What was committed behind the fork
// is counted in the log itself; its rows are read back by logical decoding from the slots that the primary kept, on a start that
// nobody else can reach. What cannot be decoded is summed up from the log, and then the old data are not to be thrown away.
//
// Files of one saving, in FOLDER/orphans/ID (mode 0600): changes.jsonl (one change a line), replay.sql, log.txt (every
// transaction, and what the log says of those that were not decoded), summary.json (written last: it is there when all is safe).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/postgres_server.hpp"
#include "core/orphans/lineage.hpp"
#include "core/orphans/wal.hpp"

namespace lifeboat {

class OrphanKeeper {
 public:
  using Say = std::function<void(std::string)>;

  OrphanKeeper(PostgresServer& server, std::string service) : server_(server), service_(std::move(service)) {}

  // The server is stopped and its data are whole. Nothing: the source has all that was committed here. An error: nothing is
  // safe, and nothing may be rewound.
  Task<Result<std::optional<wire::OrphansSaved>>> save(SourceHistory source, Deadline deadline, Say say);
  // Where the old data directory is to be kept when not everything could be decoded.
  std::string place_to_keep(const wire::OrphansSaved& saved) const;
  // Whether what it has can be read back row by row; a standby keeps no slots.
  bool has_slots() const;
  // That it was kept there, in the summary too.
  Result<> kept(wire::OrphansSaved& saved);

  Task<Result<Json>> read(wire::ReadOrphans what);
  Task<Result<Json>> look_up(wire::LookUpRows what, Deadline deadline);

 private:
  struct Found;
  struct Files;

  PostgresServer& server_;
  std::string service_;

  std::string folder_of(const std::string& id) const { return server_.paths().folder + "/orphans/" + id; }
  Task<Result<orphans::Lineage>> own_lineage();
  Task<Result<>> read_log(Found& found, Deadline deadline);
  Task<Result<>> dump_log(const orphans::Stretch& stretch, std::string rmgr, std::string file, Deadline deadline);
  Task<Result<>> decode_all(Found& found, Files& files, Deadline deadline, Say say);
  Task<Result<>> decode_slot(Found& found, Files& files, std::string slot, std::string database, Deadline deadline);
  Task<Result<>> sum_up_the_rest(Found& found, Files& files, Deadline deadline);
  bool has_log_from(const std::string& said, uint64_t timeline) const;
};

}  // namespace lifeboat
