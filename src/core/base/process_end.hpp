// How a process ended, for people.
#pragma once

#include <string>

namespace lifeboat {

// From its wait status (waitpid(2), Linux): "signal 9", "exit code 1".
inline std::string how_it_ended(int wait_status) {
  constexpr int kSignal = 0x7f, kCodeAt = 8, kCode = 0xff;
  int signal = wait_status & kSignal;
  if (signal != 0) return "signal " + std::to_string(signal);
  return "exit code " + std::to_string((wait_status >> kCodeAt) & kCode);
}

}  // namespace lifeboat
