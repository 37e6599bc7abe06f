// What users lost and for how long, computed from what a witness saw. Pure: samples in, figures out.
//
// Recovery time (RTA) is the longest time without a good answer that reaches past the fault; reads and writes are
// looked at apart and the longer of both counts, so that a page that can be read does not hide writes that fail. Time
// in which nobody asked is no outage. Data loss (RPA) is the acknowledged writes that are not there afterwards, and how
// far back the oldest lies. Times are those of one machine's boot clock.
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
  int status = 0;  // of HTTP; 0: none came
  std::string error;
  std::string address;  // the name led there; empty when it could not be resolved
};

// One write that a server acknowledged to somebody who asked it directly.
struct Ack {
  MonoTime sent{};
  MonoTime done{};
  std::string key{};  // by which it is found again; empty when nobody will look for it
};

// JSON lines as witnesses write them: {"kind": "read" | "write", "sent_ns", "done_ns", "ok", "status", "key", "error",
// "address"} for journeys, {"sent_ns", "done_ns", "ok": true, "key"} for acknowledgements. A last line without its end was cut
// off and is left out; any other line that cannot be read is an error with its number.
Json encode_sample(const Sample& sample);
Result<std::vector<Sample>> read_samples(std::string_view json_lines);
Json encode_ack(const Ack& ack);
Result<std::vector<Ack>> read_acks(std::string_view json_lines);

struct Gap {
  MonoTime from{};    // last good answer before; without one, the start of what is looked at
  MonoTime to{};      // next good answer, or the end of what is looked at
  bool open = false;  // no good answer came before that end
  Duration length() const { return to_duration(to - from); }
};

struct Recovery {
  bool recovered = false;                // good answers of every kind came again
  Duration rta{};                        // see above; to the end of what is looked at when not recovered
  std::optional<Duration> first_served;  // after the fault: end of the gap that rta is
  std::optional<Duration> tenth_served;  // after the fault: a tenth of the journeys of a second succeeds again
  std::optional<Duration> all_served;    // after the fault: first moment from which all succeed, for 2 s or to the end
  size_t failed_later = 0;               // journeys that failed nevertheless after that
  size_t journeys = 0;
  double error_rate = 0;  // of these
};
// Looks at journeys from `fault` to `until`; earlier ones only for the last good answer.
Recovery measure_recovery(const std::vector<Sample>& samples, MonoTime fault, MonoTime until);

// The longest time without a good write that touches the window, from the last good one before. 0 when nobody wrote.
Duration longest_write_gap(const std::vector<Sample>& samples, MonoTime from, MonoTime to);

// Nearest-rank percentiles of the good journeys sent in [from, to); all 0 when there are none.
struct Latency {
  double p50_ms = 0;
  double p95_ms = 0;
  double p99_ms = 0;
};
Latency latency_of(const std::vector<Sample>& samples, MonoTime from, MonoTime to);

struct Loss {
  size_t acknowledged = 0;
  size_t lost = 0;
  std::optional<Duration>
      oldest_age;                 // from the oldest lost write to the fault, or to the newest lost one if that is later
  std::vector<std::string> keys;  // the lost ones, oldest first
};
// Writes acknowledged in [from, to), and which of their keys are missing. A server that is cut off may acknowledge for
// a while after the fault; what it took then is lost too and lengthens the age.
Loss measure_loss(const std::vector<Sample>& samples, const std::vector<std::string>& missing, MonoTime from,
                  MonoTime to, MonoTime fault);

struct DoubleAcks {
  Duration time{};   // in which two servers acknowledged writes, at least 1 ms for each two stretches that touch
  size_t count = 0;  // acknowledgements of one server amid another's
};
// Each server acknowledges from one acknowledgement to the next when they lie at most 200 ms apart. An acknowledgement
// counts at the moment of its answer: when it became durable before that, nobody outside can know.
DoubleAcks double_acknowledged(const std::map<std::string, std::vector<Ack>>& by_server);

}  // namespace lifeboat::measure
