// For tests of recovery: the process kills itself at a named point of a run, each point once. The points stand in a file,
// one a line ("promote before"), and are taken from it before the process dies, so that a restarted one goes on to the next.
#pragma once

#include <string>
#include <string_view>

namespace lifeboat {

class CrashPoints {
 public:
  // An empty path: no points.
  explicit CrashPoints(std::string path) : path_(std::move(path)) {}
  // Does not return if the point stands in the file. `when`: "before" or "after" the effect.
  void pass(std::string_view step, std::string_view when) const;

 private:
  std::string path_;
};

}  // namespace lifeboat
