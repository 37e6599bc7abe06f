// Time and processes of a made-up world: one queue of events, one thread. True time is nanoseconds since the history began;
// what a process sees of it is the business of its clock.
#pragma once

#include <boost/heap/d_ary_heap.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "sim/random.hpp"

namespace lifeboat::sim {

// True time, and spans of it, in nanoseconds.
using Nanos = int64_t;
constexpr Nanos operator""_ms(unsigned long long n) { return static_cast<Nanos>(n) * 1'000'000; }
constexpr Nanos operator""_s(unsigned long long n) { return static_cast<Nanos>(n) * 1'000'000'000; }
inline constexpr Nanos kNever = INT64_MAX;

// A clock that only goes on, at a rate of its own and from a start of its own.
struct Clock {
  Nanos offset = 0;
  double rate = 1;
  MonoTime read(Nanos truth) const { return MonoTime{std::chrono::nanoseconds(offset + scaled(truth, rate))}; }
  // The true time at which it shows `at`.
  Nanos truth_of(MonoTime at) const {
    if (at == MonoTime::max()) return kNever;
    return scaled(at.time_since_epoch().count() - offset, 1 / rate) + 1;
  }
  static Nanos scaled(Nanos span, double by) { return span + static_cast<Nanos>(static_cast<double>(span) * (by - 1)); }
};

// Thrown through a process's own code where it dies, and caught by the kernel.
struct ProcessDied {};

using ProcessId = uint32_t;

class Kernel {
 public:
  using Action = std::move_only_function<void()>;
  struct Timer {
    uint32_t slot = UINT32_MAX;
    uint32_t order = 0;
  };

  // Process 0 is the world itself: never paused, never killed.
  explicit Kernel(bool tell) : tells_(tell) { processes_.emplace_back("world"); }

  Nanos now() const { return now_; }

  ProcessId add_process(std::string name);
  // All that a process waits for is forgotten; what it was is started again as a new life.
  void kill(ProcessId process);
  bool alive(ProcessId process) const { return processes_[process].alive; }
  void start(ProcessId process) { processes_[process].alive = true; }
  // Nothing of it runs before `until`; what came meanwhile runs then.
  void pause(ProcessId process, Nanos until);
  void resume(ProcessId process) { processes_[process].paused_until = 0; }
  bool paused(ProcessId process) const { return processes_[process].paused_until > now_; }
  // When this process can do something next.
  Nanos ready(ProcessId process) const { return std::max(now_, processes_[process].paused_until); }
  const std::string& name(ProcessId process) const { return processes_[process].name; }

  Timer at(ProcessId process, Nanos when, Action action);
  Timer after(ProcessId process, Nanos span, Action action) { return at(process, now_ + span, std::move(action)); }
  void cancel(Timer timer);

  // Until `end`, or until stop().
  void run(Nanos end);
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  uint64_t events() const { return events_; }

  // The history so far as one number; anything that differs makes another one.
  void mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001B3ull + (hash_ >> 29); }
  void mix(std::string_view text);
  uint64_t hash() const { return hash_; }
  // A line of the story. `text` is made only when somebody listens.
  bool tells() const { return tells_; }
  void tell(std::string line);
  const std::vector<std::string>& story() const { return story_; }

 private:
  struct Process {
    explicit Process(std::string called) : name(std::move(called)) {}
    std::string name;
    bool alive = true;
    uint32_t life = 0;
    Nanos paused_until = 0;
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Slot {
    Action action;
    uint32_t order = kNone;  // of the event that it is for; what is cancelled leaves its event behind
    ProcessId process = 0;
    uint32_t life = 0;
  };
  // Four of them, the children of one in the heap, are as long as a line of the cache.
  struct Event {
    Nanos when;
    uint32_t order;  // no two of a history have the same
    uint32_t slot;
    // Without a branch: which of two comes first is nothing that a processor could guess.
    bool operator>(const Event& other) const {
      return (when > other.when) | ((when == other.when) & (order > other.order));
    }
  };

  bool tells_;
  Nanos now_ = 0;
  uint32_t next_order_ = 0;
  uint64_t events_ = 0;
  uint64_t hash_ = 0xCBF29CE484222325ull;
  bool stopped_ = false;
  std::vector<Process> processes_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  boost::heap::d_ary_heap<Event, boost::heap::arity<4>, boost::heap::compare<std::greater<>>>
      heap_;  // the next one first
  std::vector<std::string> story_;

  void release(uint32_t slot);
};

}  // namespace lifeboat::sim
