// What stands in a backup repository, as plain data: sets, archived log, histories of timelines. io/pgbackrest.hpp fills it;
// everything that is decided about backups and restores is decided from this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/orphans/lineage.hpp"
#include "core/ownership/report.hpp"
#include "core/recovery/moment.hpp"

namespace lifeboat::recovery {

BOOST_DEFINE_ENUM_CLASS(BackupType, full, diff, incr)

// One backup that can be restored (with those it refers to). Its copy is consistent from `stop_lsn` on: no moment before
// `stopped` can be reached from it.
struct BackupSet {
  std::string label;  // pgBackRest's: 20261123-023055F
  BackupType type = BackupType::full;
  int64_t repository = 1;
  std::string archive;    // folder of the log that belongs to it: 15-1
  std::string system_id;  // decimal text: 64 bits do not survive a JSON reader that knows only doubles
  std::string version;    // PostgreSQL's major version
  Moment started;         // whole seconds
  Moment stopped;         // whole seconds
  Lsn start_lsn;
  Lsn stop_lsn;
  std::string wal_start;  // names of the first and last segment without which it is worth nothing
  std::string wal_stop;
  uint64_t bytes = 0;                    // of the database when it was copied
  uint64_t copied_bytes = 0;             // of these, copied by this very backup
  uint64_t repository_bytes = 0;         // in the repository, with all it refers to
  uint64_t repository_copied_bytes = 0;  // in the repository, of this very backup
  std::optional<bool> page_errors;       // page checksums failed while it was copied; empty: not known
  std::string prior;                     // the set it was made against; empty for a full one
  std::vector<std::string> references;   // all sets it needs
};
BOOST_DESCRIBE_STRUCT(BackupSet, (),
                      (label, type, repository, archive, system_id, version, started, stopped, start_lsn, stop_lsn,
                       wal_start, wal_stop, bytes, copied_bytes, repository_bytes, repository_copied_bytes, page_errors,
                       prior, references))
constexpr auto field_docs(const BackupSet*) {
  return std::to_array<FieldDoc>({{"label", Need::required, "name of the set in the repository"},
                                  {"type", Need::required, "full, diff or incr"},
                                  {"repository", Need::optional, "number of the repository it stands in"},
                                  {"archive", Need::optional, "folder of the log that belongs to it"},
                                  {"system_id", Need::optional, "which cluster it is of"},
                                  {"version", Need::optional, "major version of PostgreSQL"},
                                  {"started", Need::required, "when the copy began"},
                                  {"stopped", Need::required, "when it became consistent: its earliest moment"},
                                  {"start_lsn", Need::optional, "position where replay begins"},
                                  {"stop_lsn", Need::optional, "position from which on it is consistent"},
                                  {"wal_start", Need::optional, "first segment it needs"},
                                  {"wal_stop", Need::optional, "last segment it needs to be consistent"},
                                  {"bytes", Need::optional, "size of the database"},
                                  {"copied_bytes", Need::optional, "of these, copied by this very backup"},
                                  {"repository_bytes", Need::optional, "stored, with all it refers to"},
                                  {"repository_copied_bytes", Need::optional, "stored, of this very backup"},
                                  {"page_errors", Need::optional, "whether page checksums failed while copying"},
                                  {"prior", Need::optional, "the set it was made against"},
                                  {"references", Need::optional, "all sets it needs"}});
}

// One archived file of the log.
struct WalSegment {
  uint64_t timeline = 0;
  uint64_t number = 0;  // of the segment, from the beginning of all log
  std::string sha1;     // of its content, 40 hex digits, as its name in the repository says; empty: not known
  uint64_t stored_bytes = 0;
  std::optional<Moment> archived;  // when the file was written there
  bool partial = false;            // the unfinished last segment of a timeline that was left (.partial)
};

// NNNNNNNN.history as it stands in the archive; empty text for a timeline without one (the first).
struct TimelineHistory {
  uint64_t timeline = 0;
  std::string text;
};

// Of one stanza in one repository and one incarnation of the cluster (`archive`).
struct Catalogue {
  std::string stanza;
  int64_t repository = 1;
  std::string archive;
  std::string system_id;
  std::string version;
  std::string cipher;                      // "none", or how the repository is encrypted
  uint64_t segment_bytes = 16u << 20;      // of one segment of log
  std::vector<BackupSet> sets;             // oldest first
  std::vector<WalSegment> segments;        // by timeline, then number
  std::vector<TimelineHistory> histories;  // by timeline
};

// "000000020000000100000003" and what it says.
std::string segment_name(uint64_t timeline, uint64_t number, uint64_t segment_bytes);
struct SegmentName {
  uint64_t timeline = 0;
  uint64_t number = 0;
  bool operator==(const SegmentName&) const = default;
};
std::optional<SegmentName> parse_segment_name(std::string_view name, uint64_t segment_bytes);
inline uint64_t segment_of(Lsn at, uint64_t segment_bytes) { return at.value / segment_bytes; }
inline Lsn segment_begin(uint64_t number, uint64_t segment_bytes) { return Lsn{number * segment_bytes}; }

// The size of segments that agrees with what every set says of its positions and its segments; nothing when none does.
// Of several that agree (a young cluster) PostgreSQL's own default wins.
std::optional<uint64_t> segment_bytes_of(const std::vector<BackupSet>& sets);

// The timelines that lead to `timeline`, oldest first. Errors: `not_found` (its history is not in the archive).
Result<orphans::Lineage> lineage_of(const Catalogue& catalogue, uint64_t timeline);
// The highest timeline of which the archive has log or a history; 0 when it is empty.
uint64_t newest_timeline(const Catalogue& catalogue);
// Sorts what is sorted in a catalogue.
void put_in_order(Catalogue& catalogue);

}  // namespace lifeboat::recovery
