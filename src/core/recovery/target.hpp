// What a restore is to reach. One of several kinds of point; each is stated exactly, a moment always with its zone.
#pragma once

#include <string>

#include "core/data/json.hpp"
#include "core/ownership/report.hpp"
#include "core/recovery/moment.hpp"

namespace lifeboat::recovery {

BOOST_DEFINE_ENUM_CLASS(TargetKind,
                        latest,      // the end of the archive
                        time,        // every commit up to this moment, none after it
                        lsn,         // every record up to this position
                        xid_before,  // stops before the commit of this transaction
                        xid_after,   // stops after it
                        name,        // a restore point that somebody set
                        immediate)   // as soon as the copy is consistent

struct RecoveryTarget {
  TargetKind kind = TargetKind::latest;
  Moment time{};
  Lsn lsn;
  uint64_t xid = 0;
  std::string name;
  bool operator==(const RecoveryTarget&) const = default;
};

// What a person gave on the command line; empty where nothing was given.
struct TargetWords {
  std::string to;       // moment
  std::string to_lsn;   // 0/16B3748
  std::string to_xid;   // before:N or after:N
  std::string to_name;  // restore point
  bool latest = false;
  bool immediate = false;
};
// Errors: `invalid_input` when none or more than one was given, or one cannot be read; the hint says how it is written.
Result<RecoveryTarget> parse_target(const TargetWords& words);

// The same in one text, for steps of a plan: "latest", "before:4711" or "after:4711" (a transaction), "0/16B3748", "name:POINT", or a
// moment with its zone.
Result<RecoveryTarget> target_of_text(const std::string& text);

// "2024-01-01 14:30:00 UTC", "before transaction 4711", "the end of the archive".
std::string in_words(const RecoveryTarget& target);
// {"kind": "time", "time": …}: only what belongs to its kind. Numbers of transactions are numbers, positions text.
Json to_json(const RecoveryTarget& target);
Result<RecoveryTarget> target_from_json(const Json& json);

// The lines of postgresql.conf that have PostgreSQL stop there. None for `latest`: it ends where the log ends.
std::vector<std::pair<std::string, std::string>> target_settings(const RecoveryTarget& target);

}  // namespace lifeboat::recovery
