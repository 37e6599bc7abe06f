// What users lost and for how long, computed from what a witness saw. Pure: samples in, figures out.
//
// Recovery time (RTA) is the longest time between two good answers, the later of which came after the fault; reads and
// writes are looked at apart and the longer of both counts, so that a page that can be read does not hide writes that fail.
// Data loss (RPA) is the acknowledged writes that are not there afterwards, and the age of the oldest at the fault.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/data/json.hpp"

namespace lifeboat::measure {

// One journey of a user.
struct Sample {
  MonoTime sent{};
  MonoTime done{};
  bool write = false;
  std::string key;  // of a write
  bool ok = false;
  int status = 0;   // of HTTP; 0: none came
  std::string error;
};

// One write that a server acknowledged to somebody who asked it directly.
struct Ack {
  MonoTime sent{};
  MonoTime done{};
};

// JSON lines as the witness writes them; lines that do not fit are an error with their number.
Json encode_sample(const Sample& sample);
Result<std::vector<Sample>> read_samples(std::string_view json_lines);
Json encode_ack(const Ack& ack);
Result<std::vector<Ack>> read_acks(std::string_view json_lines);

struct Gap {
  MonoTime from{};  // last good answer before
  MonoTime to{};    // next good answer
  Duration length() const { return to_duration(to - from); }
};

struct Recovery {
  bool recovered = false;                 // good answers of every kind came again
  Duration rta{};                         // see above; to the end of the samples when not recovered
  std::optional<Duration> first_served;   // after the fault: end of the gap that rta is
  std::optional<Duration> tenth_served;   // after the fault: a tenth of a second's journeys succeed again
  std::optional<Duration> all_served;     // after the fault: from here on every journey succeeds, for 2 s at least
  double error_rate = 0;                  // of journeys sent after the fault and within `until`
  size_t journeys = 0;
};
// Looks at journeys from `fault` to `until`; earlier ones only for the last good answer.
Recovery measure_recovery(const std::vector<Sample>& samples, MonoTime fault, MonoTime until);

// The longest time without a good write between the two times, from the last good one before.
Duration longest_write_gap(const std::vector<Sample>& samples, MonoTime from, MonoTime to);

struct Latency {
  double p50_ms = 0;
  double p95_ms = 0;
  double p99_ms = 0;
};
Latency latency_of(const std::vector<Sample>& samples, MonoTime from, MonoTime to);

struct Loss {
  size_t acknowledged = 0;
  size_t lost = 0;
  std::optional<Duration> oldest_age;  // of the oldest lost write, at the fault
  std::vector<std::string> keys;       // the lost ones, oldest first
};
// Writes acknowledged between the two times, and which of their keys are missing. Ages count back from `fault`.
Loss measure_loss(const std::vector<Sample>& samples, const std::vector<std::string>& missing, MonoTime from, MonoTime to, MonoTime fault);

// The time in which two servers acknowledged writes: each server acknowledges from one ack to the next when they lie at
// most 200 ms apart, and times of two servers that overlap are added up. A single write of one server in the middle of
// the other's counts as the time it took.
Duration double_acknowledged(const std::map<std::string, std::vector<Ack>>& by_server);

}  // namespace lifeboat::measure
