// What the benchmarks share: a table of named figures that is printed and written as JSON. A figure that depends on the
// disk stands beside what the disk can do, measured in the same run.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace lifeboat::bench {

struct Figure {
  std::string name;
  double value = 0;
  std::string unit;
};
using Figures = std::vector<Figure>;

// Seconds that `work` takes.
inline double seconds_of(const std::function<void()>& work) {
  auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Synchronous 4 KiB writes per second in that folder.
double fsync_rate(const std::string& folder);

void journalled_steps(const std::string& folder, Figures& out);
void large_plan(Figures& out);
void resume_large_journal(const std::string& folder, Figures& out);
// CPU of asking 1,000 targets once a second, from `responder_port` on loopback.
void watch_targets(int responder_port, Figures& out);

// A web server that answers 200 to everything, in a process of its own; call before any thread exists. Ends with the
// process that started it.
struct Responder {
  int port = 0;
  int pid = 0;
};
Responder start_responder();

}  // namespace lifeboat::bench
