// Logical backups as names in a folder or bucket: what a name says, which one is meant, which may go. Pure: listings and the
// time come in.
//
// A name is DATABASE_full_YYYYMMDD_HHMMSS.backup, in UTC, so that sorting the listing as text puts the newest of a database
// last. Beside it lie NAME.sha256 (as sha256sum writes and reads it) and NAME.profile.json (what was in the database in the
// very snapshot that was dumped). One that a plan had taken has NAME.made.json, too (core/logical/note.hpp). The checksum is written
// last: a backup without one is not whole, or is not ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"

namespace lifeboat {

struct LogicalBackup {
  std::string database;
  WallTime at;
  std::string path;  // of the file, from the top of the place
  uint64_t bytes = 0;
  bool checksum = false;  // NAME.sha256 is there
  bool profile = false;   // NAME.profile.json is there
  bool noted = false;     // NAME.made.json is there: a plan had it taken, and may have it removed
};

struct PlacedFile {
  std::string path;
  uint64_t bytes = 0;
};

// "shop_full_20240101_020000.backup". Characters that do not belong into a file's name are percent-encoded.
std::string logical_name(std::string_view database, WallTime at);
// Database and time of a path whose last part is such a name; nothing for any other.
std::optional<LogicalBackup> parse_logical_path(std::string_view path);
std::string checksum_path(std::string_view path);
std::string profile_path(std::string_view path);
std::string note_path(std::string_view path);

// The backups among the files, the newest last; of one moment, by their path.
std::vector<LogicalBackup> logical_backups(const std::vector<PlacedFile>& files);

// "2024-01-01_020000", UTC. Errors say how it is written.
Result<WallTime> parse_backup_date(std::string_view text);
std::string backup_date(WallTime at);

// The backup of that database (of any, when empty and all are of one) taken at that moment, or the newest when there is no
// moment. `not_found` names the nearest ones before and after; `invalid_input` asks for the database when there are several;
// `conflict` when two files are of the same moment.
Result<LogicalBackup> choose_logical(const std::vector<LogicalBackup>& all, std::string_view database,
                                     std::optional<WallTime> at);

// The checksum in a file as sha256sum writes it, for the file of that name. `invalid_input` for anything else.
Result<std::string> parse_checksum(std::string_view text, std::string_view name);

// ---- which may go

struct LogicalRetention {
  Duration keep_for = std::chrono::hours(24 * 30);
  size_t at_least = 7;  // of each database, however old
};

struct LogicalExpiry {
  LogicalBackup backup;
  bool keep = true;
  std::string reason;
};

// What may be deleted of each database. Nothing may, as long as the newest backup is without checksum, older than the span, or
// less than half as large as is usual: then old ones may be all there is.
std::vector<LogicalExpiry> judge_retention(const std::vector<LogicalBackup>& all, const LogicalRetention& retention,
                                           WallTime now);

// What may be deleted so that the newest `keep` whole ones of each database stay. What is not whole stays for a day: it may be under
// way. Nothing goes while the newest lies in the future or is less than half as large as is usual.
std::vector<LogicalExpiry> judge_keep(const std::vector<LogicalBackup>& all, size_t keep, WallTime now);

}  // namespace lifeboat
