// Whether a logical backup is due, and whether one is missing. Pure: the caller knows the time and what is there.
#pragma once

#include <optional>
#include <string>

#include "core/base/time.hpp"

namespace lifeboat {

// What a controller knows of one service's logical backups.
struct DumpSituation {
  bool listed = false;             // `newest` is what was there when it was looked last
  bool stale = false;              // it is time to look again
  bool ordered = false;            // something is under way
  bool server = false;             // there is somebody to read from
  std::optional<WallTime> newest;  // when the newest whole one was begun
  std::string problem;             // of the last try; empty: there was none, or it went well
  int failures = 0;                // in a row
  Duration since_last{};           // since the last try
};

enum class DumpDuty { nothing, list, take };
DumpDuty next_dump_duty(Duration every, const DumpSituation& situation, WallTime now);

// When the next one is due. One from the future counts as none: a clock is or was wrong.
WallTime next_dump_at(Duration every, std::optional<WallTime> newest, WallTime now);

// Why they are not what the plan asks for; empty: they are. Half as long again as it says is too long.
std::string dump_trouble(Duration every, const DumpSituation& situation, WallTime now);

}  // namespace lifeboat
