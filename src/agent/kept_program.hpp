// A program that runs for as long as it is wanted, and is started again when it ends by itself.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "io/process.hpp"
#include "io/task.hpp"

namespace lifeboat {

class KeptProgram {
 public:
  using Log = std::function<void(const std::string& text)>;

  KeptProgram(Scope& scope, std::string name, Log log);
  // Kills it.
  ~KeptProgram();

  // Runs `spec` from now on; one that runs with another spec is ended first.
  void run(ProcessSpec spec);
  // Asks it to end, and starts it no more. Returns when it is gone, or killed at the deadline.
  Task<> stop(Deadline deadline);
  bool running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  Scope& scope_;
  static Task<> keep(std::shared_ptr<State> state);
};

}  // namespace lifeboat
