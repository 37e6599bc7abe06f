// How much is written into a segment of the log so that little of it is left. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ownership/report.hpp"

namespace lifeboat::recovery {

// A server that archives ends its segment when it stops in good order: it fills what is left of it with zeroes, up to 16 MiB that go to the
// disk and to every standby while nobody can write (xlog.c, ShutdownXLOG). Filled before, there is little left to fill. `at`: where the log
// is now. `room`: bytes that may be written meanwhile without getting into the next segment, of which all would be left.
// Gives how many records of `record` bytes, headers of pages included, fit in between; 0 when filling does not pay.
inline uint64_t records_to_fill(Lsn at, uint64_t segment, uint64_t room, uint64_t record) {
  uint64_t left = segment - at.value % segment;
  constexpr uint64_t kPays = 1u << 20;
  if (left < room + kPays || record == 0) return 0;
  return (left - room) / record;
}

// The room that a log needs which grew by `bytes` in `time` and goes on like this for `more`; never too little for a quiet one.
inline uint64_t room_for(uint64_t bytes, Duration time, Duration more) {
  constexpr uint64_t kQuiet = 256u << 10;
  uint64_t of_time = static_cast<uint64_t>(std::max<int64_t>(1, time.count()));
  return kQuiet + bytes * static_cast<uint64_t>(more.count()) / of_time;
}

}  // namespace lifeboat::recovery
