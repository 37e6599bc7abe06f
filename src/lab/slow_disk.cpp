#include "lab/slow_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace lifeboat::lab {

namespace {

constexpr Duration kAttach{5'000};

// Whether somebody traces it, or it is gone.
bool is_traced(pid_t pid) {
  auto text = read_file(fmt::format("/proc/{}/status", pid));
  return !text || text->find("TracerPid:\t0\n") == std::string::npos;
}

}  // namespace

Result<pid_t> slow_down_syncs(const std::vector<pid_t>& processes) {
  std::string strace = find_program("strace");
  if (strace.empty()) return fail(ErrorKind::unsupported, "strace is not installed", "apt install strace");
  std::vector<std::string> words{strace,
                                 "-f",
                                 "-qq",
                                 "-o",
                                 "/dev/null",
                                 "-e",
                                 "trace=fsync,fdatasync",
                                 "-e",
                                 fmt::format("inject=fsync,fdatasync:delay_exit={}", kSlowSync.count() * 1000)};
  for (pid_t pid : processes) words.insert(words.end(), {"-p", std::to_string(pid)});
  pid_t helper = fork();
  if (helper < 0) return std::unexpected(os_error("cannot start strace"));
  if (helper == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    int null = open("/dev/null", O_RDWR);
    for (int target : {0, 1, 2}) dup2(null, target);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  for (int64_t deadline = deadline_in(kAttach); boot_ns() < deadline; pause_for(Duration{5})) {
    if (waitpid(helper, nullptr, WNOHANG) == helper)
      return fail(ErrorKind::unsupported, "strace may not trace here", "a container must allow ptrace for this fault");
    if (std::ranges::all_of(processes, is_traced)) return helper;
  }
  TRY_VOID(let_syncs_be(helper));
  return fail(ErrorKind::timed_out, "strace did not take hold of the server");
}

Result<void> let_syncs_be(pid_t helper) {
  // It lets go of all processes before it ends.
  kill(helper, SIGTERM);
  for (int64_t deadline = deadline_in(kAttach); boot_ns() < deadline; pause_for(Duration{5})) {
    if (waitpid(helper, nullptr, WNOHANG) != 0) return {};
  }
  kill(helper, SIGKILL);
  waitpid(helper, nullptr, 0);
  return {};
}

}  // namespace lifeboat::lab
