// For tests of recovery: the process kills itself at a named point of a run, each point once. The points stand in a file,
// one a line ("promote before"), and are taken from it before the process dies, so that a restarted one goes on to the next. FILE.passed has those
// that were passed, with their time on CLOCK_BOOTTIME in nanoseconds.
#pragma once

#include <string>

#include "io/task.hpp"

namespace lifeboat {

class CrashPoints {
 public:
  // An empty path: no points.
  explicit CrashPoints(std::string path) : path_(std::move(path)) {}
  // The controller leads from now on.
  void begin() { began_ = boot_now(); }
  // Does not return if the point stands in the file. `when`: "before" or "after" the effect. It dies a second after it began
  // to lead at the earliest, so that leases can be renewed between two deaths.
  Task<> pass(std::string step, std::string when) const;

 private:
  std::string path_;
  MonoTime began_ = boot_now();
};

}  // namespace lifeboat
