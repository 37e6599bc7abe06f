#include "io/priority.hpp"

#include <sys/resource.h>

#include "io/process.hpp"
#include "io/task.hpp"

namespace lifeboat {
namespace {

constexpr int kFirst = -10;

// A process that has ended meanwhile, or a right that is missing, is nobody's trouble.
void set(pid_t pid, int nice) { (void)setpriority(PRIO_PROCESS, static_cast<id_t>(pid), nice); }

}  // namespace

void go_first() {
  // The threads for long work are there before, and stay as they are.
  (void)blocking_pool();
  set(0, kFirst);
}

void go_like_others() {
  if (getpriority(PRIO_PROCESS, 0) < 0) set(0, 0);
}

void let_go_first(pid_t root, bool first) {
  if (root <= 0) return;
  set(root, first ? kFirst : 0);
  for (pid_t pid : descendants_of(root)) set(pid, first ? kFirst : 0);
}

}  // namespace lifeboat
