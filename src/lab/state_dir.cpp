#include "lab/state_dir.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace lifeboat::lab {

namespace {

std::string path_of(int number) { return fmt::format("/var/tmp/lifeboat-lab-{}", number); }

// The folder's lock, if nobody has it. The folder may be removed between open and lock by a janitor that ends: then the
// name is free or another folder, and this lock is worth nothing.
Fd try_lock(const std::string& path) {
  Fd dir(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!dir || flock(dir.get(), LOCK_EX | LOCK_NB) != 0) return Fd();
  struct stat mine{}, named{};
  if (fstat(dir.get(), &mine) != 0 || lstat(path.c_str(), &named) != 0 || mine.st_ino != named.st_ino) return Fd();
  // /var/tmp is everybody's: what is not ours is neither swept nor used.
  if (mine.st_uid != geteuid()) return Fd();
  return dir;
}

}  // namespace

std::vector<std::string> sweep_and_list() {
  std::vector<std::string> alive;
  for (int number = 0; number < kMostLabs; ++number) {
    std::string path = path_of(number);
    if (access(path.c_str(), F_OK) != 0) continue;
    if (Fd lock = try_lock(path)) {
      remove_tree(path);
    } else {
      alive.push_back(path);
    }
  }
  return alive;
}

Result<StateDir> claim_state_dir() {
  sweep_and_list();
  for (int number = 0; number < kMostLabs; ++number) {
    std::string path = path_of(number);
    if (mkdir(path.c_str(), 0711) != 0) {
      if (errno == EEXIST) continue;
      return std::unexpected(os_error("cannot create " + path));
    }
    chmod(path.c_str(), 0711);
    // Another lab that sweeps just now may take the lock of the new folder for a leftover's: then the next number.
    if (Fd lock = try_lock(path)) return StateDir{number, path, std::move(lock)};
  }
  return fail(ErrorKind::conflict, fmt::format("{} labs are running already", kMostLabs),
              "`lifeboat lab down` ends one");
}

Result<Janitor> start_janitor(const StateDir& dir) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(os_error("pipe"));
  Fd reading(ends[0]), writing(ends[1]);
  pid_t pid = fork();
  if (pid < 0) return std::unexpected(os_error("cannot start the janitor"));
  if (pid == 0) {
    setsid();
    prctl(PR_SET_NAME, "lab-janitor");
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    int keep_lock = dir.lock.get(), keep_pipe = reading.get();
    for (int fd = 0; fd < 1024; ++fd) {
      if (fd != keep_lock && fd != keep_pipe) ::close(fd);
    }
    if (chdir("/") != 0) _exit(1);
    char byte;
    while (true) {
      ssize_t got = read(keep_pipe, &byte, 1);
      if (got == 0 || (got < 0 && errno != EINTR)) break;
    }
    // Processes die a moment after their descriptors: what they still wrote is caught by a second look.
    for (int attempt = 0; attempt < 50; ++attempt) {
      remove_tree(dir.path);
      if (access(dir.path.c_str(), F_OK) != 0) break;
      pause_for(Duration{100});
    }
    _exit(0);
  }
  return Janitor{pid, std::move(writing)};
}

}  // namespace lifeboat::lab
