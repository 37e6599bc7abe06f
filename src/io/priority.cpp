#include "io/priority.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "io/process.hpp"
#include "io/task.hpp"

namespace lifeboat {
namespace {

constexpr int kFirst = -10;
constexpr int kUsual = 0;
constexpr int kBehind = 5;

// A kernel that weighs sessions compares priorities only within one: a server's sessions are each one of their own.
void weigh_session(pid_t pid, int nice) {
  if (getsid(pid) != (pid == 0 ? getpid() : pid)) return;
  char path[64], text[16];
  std::snprintf(path, sizeof path, "/proc/%d/autogroup", pid == 0 ? getpid() : pid);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  int length = std::snprintf(text, sizeof text, "%d", nice);
  [[maybe_unused]] ssize_t written = write(fd, text, static_cast<size_t>(length));
  close(fd);
}

// A process that has ended meanwhile, or a right that is missing, is nobody's trouble.
void set(pid_t pid, int nice) {
  if (setpriority(PRIO_PROCESS, static_cast<id_t>(pid), nice) == 0) weigh_session(pid, nice);
}

}  // namespace

void go_first() {
  // The threads for long work are there before, and stay as they are.
  (void)blocking_pool();
  set(0, kFirst);
}

void let_go_first(pid_t root, bool first) {
  if (root <= 0) return;
  int nice = first ? kFirst : kUsual;
  set(root, nice);
  for (pid_t pid : descendants_of(root)) set(pid, nice);
}

void start_first() { set(0, kFirst); }

void start_like_others() {
  if (getpriority(PRIO_PROCESS, 0) < kUsual) set(0, kUsual);
}

void start_behind_others() { set(0, kBehind); }

void take_priority_into_session() { weigh_session(0, getpriority(PRIO_PROCESS, 0)); }

}  // namespace lifeboat
