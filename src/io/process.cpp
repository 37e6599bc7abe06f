#include "io/process.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "io/file.hpp"
#include "io/priority.hpp"

extern char** environ;

namespace lifeboat {
namespace {

using Descriptor = asio::posix::stream_descriptor;

struct Pipe {
  int read = -1;
  int write = -1;
  ~Pipe() {
    close_read();
    close_write();
  }
  bool open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  void close_read() {
    if (read >= 0) close(read);
    read = -1;
  }
  void close_write() {
    if (write >= 0) close(write);
    write = -1;
  }
  int take_read() { return std::exchange(read, -1); }
  int take_write() { return std::exchange(write, -1); }
};

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
  std::string home;
};

Result<std::optional<Account>> account_of(const std::string& user) {
  if (user.empty() || geteuid() != 0) return std::optional<Account>();
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  if (getpwnam_r(user.c_str(), &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr)
    return fail(ErrorKind::unsupported, fmt::format("this machine has no user '{}'", user));
  return Account{entry.pw_uid, entry.pw_gid, user, entry.pw_dir};
}

std::vector<std::string> environment_of(const ProcessSpec& spec, const std::optional<Account>& account) {
  std::map<std::string, std::string> all;
  if (spec.inherit_environment) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      std::string_view text = *entry;
      size_t equals = text.find('=');
      if (equals != std::string_view::npos) all[std::string(text.substr(0, equals))] = text.substr(equals + 1);
    }
  } else {
    const char* path = std::getenv("PATH");
    const char* home = std::getenv("HOME");
    all = {{"PATH", path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path},
           {"LANG", "C.UTF-8"},
           {"HOME", home == nullptr ? "/" : home}};
    // A sanitizer's settings belong to the build that is running, so our own children need them too.
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"}) {
      if (const char* value = std::getenv(name)) all[name] = value;
    }
  }
  if (account) all["HOME"] = account->home, all["USER"] = account->name;
  for (const auto& [name, value] : spec.environment) all[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

// What happens between fork and exec: only calls that are safe there, everything was prepared before.
struct ChildPlan {
  const char* program = nullptr;
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* directory = nullptr;
  const Account* account = nullptr;
  std::vector<gid_t> groups;
  int in = -1, out = -1, err = -1;
  bool new_session = true;
  bool behind_others = false;
  pid_t parent = -1;  // ends with this one; -1: lives on
  int report = -1;    // errno is written here when exec fails
};

[[noreturn]] void become(const ChildPlan& plan) {
  auto give_up = [&] {
    int problem = errno;
    ssize_t ignored = write(plan.report, &problem, sizeof problem);
    (void)ignored;
    _exit(127);
  };
  if (plan.new_session) setsid();
  if (plan.behind_others) {
    start_behind_others();
  } else {
    start_like_others();
  }
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (dup2(plan.in, 0) < 0 || dup2(plan.out, 1) < 0 || dup2(plan.err, 2) < 0) give_up();
  if (plan.account != nullptr) {
    if (setgroups(plan.groups.size(), plan.groups.data()) != 0 || setgid(plan.account->gid) != 0 ||
        setuid(plan.account->uid) != 0)
      give_up();
  }
  if (plan.parent >= 0) {
    // A change of user clears it, so it is set after that; the parent may have gone in between.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != plan.parent) _exit(127);
  }
  if (plan.directory != nullptr && chdir(plan.directory) != 0) give_up();
  execve(plan.program, plan.argv.data(), plan.environment.data());
  give_up();
  _exit(127);
}

std::vector<gid_t> groups_of(const Account& account) {
  int count = 64;
  std::vector<gid_t> groups(64);
  if (getgrouplist(account.name.c_str(), account.gid, groups.data(), &count) < 0) return {account.gid};
  groups.resize(static_cast<size_t>(count));
  return groups;
}

Result<pid_t> launch(const ProcessSpec& spec, int in, int out, int err) {
  if (spec.argv.empty()) return fail(ErrorKind::invalid_input, "there is no program to run");
  std::string program = find_program(spec.argv.front());
  if (program.empty()) {
    return fail(ErrorKind::unsupported, fmt::format("the program '{}' is not installed", spec.argv.front()));
  }
  TRY(std::optional<Account> account, account_of(spec.user));
  std::vector<std::string> arguments = spec.argv;
  std::vector<std::string> environment = environment_of(spec, account);
  Pipe report;
  if (!report.open()) return fail(ErrorKind::internal, fmt::format("pipe: {}", std::strerror(errno)));
  ChildPlan plan;
  plan.program = program.c_str();
  for (std::string& argument : arguments) plan.argv.push_back(argument.data());
  for (std::string& entry : environment) plan.environment.push_back(entry.data());
  plan.argv.push_back(nullptr);
  plan.environment.push_back(nullptr);
  plan.directory = spec.directory.empty() ? nullptr : spec.directory.c_str();
  if (account) plan.account = &*account, plan.groups = groups_of(*account);
  plan.in = in;
  plan.out = out;
  plan.err = err;
  plan.new_session = spec.new_session;
  plan.behind_others = spec.behind_others;
  plan.parent = spec.ends_with_us ? getpid() : -1;
  plan.report = report.write;
  pid_t child = fork();
  if (child < 0) return fail(ErrorKind::internal, fmt::format("fork: {}", std::strerror(errno)));
  if (child == 0) become(plan);
  report.close_write();
  int problem = 0;
  ssize_t got = 0;
  do got = read(report.read, &problem, sizeof problem);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    waitpid(child, nullptr, 0);
    return fail(ErrorKind::refused, fmt::format("{} could not be started: {}", program, std::strerror(problem)));
  }
  return child;
}

Task<> keep_output(int fd, size_t cap, std::string& into, bool& cut) {
  Descriptor from(co_await asio::this_coro::executor, fd);
  char buffer[8192];
  while (true) {
    auto [problem, got] = co_await from.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (problem) co_return;
    size_t room = cap - std::min(cap, into.size());
    into.append(buffer, std::min(room, got));
    cut = cut || got > room;
  }
}

// Gives it away piece by piece; what does not want more ends the process.
Task<> pass_output(int fd, pid_t child, std::function<bool(std::string_view)> sink, bool& cut) {
  Descriptor from(co_await asio::this_coro::executor, fd);
  std::vector<char> buffer(256 * 1024);
  while (true) {
    auto [problem, got] = co_await from.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
    if (problem) co_return;
    if (cut || sink({buffer.data(), got})) continue;
    cut = true;
    kill_tree(child, SIGKILL);
  }
}

Task<> feed_input(int fd, std::string text) {
  Descriptor to(co_await asio::this_coro::executor, fd);
  size_t done = 0;
  while (done < text.size()) {
    auto [problem, wrote] = co_await to.async_write_some(asio::buffer(text.data() + done, text.size() - done),
                                                         asio::as_tuple(asio::use_awaitable));
    if (problem) co_return;
    done += wrote;
  }
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> out;
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return out;
  while (const dirent* entry = readdir(proc)) {
    pid_t pid = 0;
    std::string_view name = entry->d_name;
    auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (problem == std::errc{} && end == name.data() + name.size()) out.push_back(pid);
  }
  closedir(proc);
  return out;
}

// What /proc says of a process behind its name, which may hold anything; empty when it is not there.
std::string stat_of(pid_t pid) {
  char path[64], text[512];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return {};
  text[got] = 0;
  const char* name_end = std::strrchr(text, ')');
  return name_end == nullptr ? std::string() : std::string(name_end + 1);
}

}  // namespace

std::string find_program(const std::string& name, const std::vector<std::string>& folders) {
  auto runnable = [](const std::string& path) { return access(path.c_str(), X_OK) == 0; };
  if (name.find('/') != std::string::npos) return runnable(name) ? name : std::string();
  for (const std::string& folder : folders) {
    if (runnable(folder + "/" + name)) return folder + "/" + name;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/sbin:/usr/bin:/sbin:/bin" : path;
  while (!rest.empty()) {
    size_t colon = rest.find(':');
    std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
    if (runnable(candidate)) return candidate;
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  }
  return {};
}

Result<pid_t> start_process(const ProcessSpec& spec) {
  int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const char* target = spec.output_file.empty() ? "/dev/null" : spec.output_file.c_str();
  int out = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (out < 0) {
    close(in);
    return fail(ErrorKind::refused, fmt::format("{}: {}", target, std::strerror(errno)));
  }
  auto child = launch(spec, in, out, out);
  close(in);
  close(out);
  return child;
}

Task<Result<int>> wait_for_exit(pid_t child, Deadline deadline) {
  int fd = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  if (fd < 0) co_return fail(ErrorKind::not_found, fmt::format("process {}: {}", child, std::strerror(errno)));
  Descriptor descriptor(co_await asio::this_coro::executor, fd);
  using namespace asio::experimental::awaitable_operators;
  auto ended = co_await (descriptor.async_wait(Descriptor::wait_read, asio::as_tuple(asio::use_awaitable)) ||
                         sleep_until(deadline.at));
  if (ended.index() == 1) co_return fail(ErrorKind::timed_out, fmt::format("process {} did not end in time", child));
  int status = 0;
  if (waitpid(child, &status, WNOHANG) != child)
    co_return fail(ErrorKind::not_found, fmt::format("process {} is no child", child));
  co_return status;
}

Task<Result<ProcessResult>> run_process(ProcessSpec spec, Deadline deadline) {
  MonoTime begun = boot_now();
  Pipe given;
  given.write = spec.output_fd;
  Pipe in, out, err;
  if (!in.open() || !out.open() || !err.open())
    co_return fail(ErrorKind::internal, fmt::format("pipe: {}", std::strerror(errno)));
  if (!spec.output_file.empty()) {
    given.write = open(spec.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (given.write < 0)
      co_return fail(ErrorKind::refused, fmt::format("{}: {}", spec.output_file, std::strerror(errno)));
  }
  auto launched = launch(spec, in.read, given.write < 0 ? out.write : given.write, err.write);
  given.close_write();
  CO_TRY(pid_t child, std::move(launched));
  in.close_read();
  out.close_write();
  err.close_write();
  // However this ends, nothing of the child is left.
  struct Reaper {
    pid_t child;
    bool reaped = false;
    ~Reaper() {
      if (reaped) return;
      kill_tree(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  } reaper{child};
  ProcessResult result;
  using namespace asio::experimental::awaitable_operators;
  auto listen = spec.on_output ? pass_output(out.take_read(), child, spec.on_output, result.cut)
                               : keep_output(out.take_read(), spec.capture, result.out, result.cut);
  auto talk = std::move(listen) && keep_output(err.take_read(), spec.capture, result.err, result.cut) &&
              feed_input(in.take_write(), spec.input);
  auto finished = co_await (std::move(talk) || sleep_until(deadline.at));
  auto late = [&] {
    return fail(ErrorKind::timed_out, fmt::format("{} did not end in time{}", spec.argv.front(),
                                                  result.err.empty() ? "" : ": " + result.err.substr(0, 400)));
  };
  if (finished.index() == 1) co_return late();
  auto waiting = wait_for_exit(child, deadline);
  auto status = co_await std::move(waiting);
  if (!status) co_return late();
  reaper.reaped = true;
  result.exit_code = WIFSIGNALED(*status) ? 128 + WTERMSIG(*status) : WEXITSTATUS(*status);
  result.took = to_duration(boot_now() - begun);
  co_return result;
}

int64_t processor_time_of(pid_t pid) {
  int64_t own_user = 0, own_system = 0, ended_user = 0, ended_system = 0;
  int got = std::sscanf(stat_of(pid).c_str(), " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld %ld %ld", &own_user,
                        &own_system, &ended_user, &ended_system);
  return got == 4 ? own_user + own_system + ended_user + ended_system : 0;
}

std::vector<pid_t> descendants_of(pid_t root) {
  std::unordered_multimap<pid_t, pid_t> children;
  for (pid_t pid : all_processes()) {
    int parent = 0;
    char state = 0;
    if (std::sscanf(stat_of(pid).c_str(), " %c %d", &state, &parent) == 2) children.emplace(parent, pid);
  }
  std::vector<pid_t> out;
  std::vector<pid_t> open_list{root};
  while (!open_list.empty()) {
    pid_t parent = open_list.back();
    open_list.pop_back();
    auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      out.push_back(child->second);
      open_list.push_back(child->second);
    }
  }
  return out;
}

std::vector<pid_t> processes_at(const std::string& folder, const std::string& program) {
  auto real = [](const std::string& path) {
    char out[PATH_MAX];
    return realpath(path.c_str(), out) == nullptr ? std::string() : std::string(out);
  };
  std::string at = real(folder), runs = real(program);
  std::vector<pid_t> out;
  if (at.empty() || runs.empty()) return out;
  for (pid_t pid : all_processes()) {
    auto target = [pid](const char* what) {
      char path[64], text[PATH_MAX];
      std::snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
      ssize_t got = readlink(path, text, sizeof text);
      return std::string(text, got > 0 ? static_cast<size_t>(got) : 0);
    };
    // A program that was replaced on disk while it runs is shown as "PATH (deleted)". One that is just ending has given up
    // its program before its folder and its open files: it counts until it has let go of these, too.
    std::string exe = target("exe");
    if (target("cwd") == at && (exe.empty() || exe == runs || exe == runs + " (deleted)")) out.push_back(pid);
  }
  return out;
}

namespace {
constexpr Duration kReaped{500};
}  // namespace

bool end_processes_at(const std::string& folder, const std::string& program, Duration patience) {
  Deadline deadline = Deadline::after(patience);
  std::vector<pid_t> seen;
  bool gone = false;
  while (!gone) {
    std::vector<pid_t> there = processes_at(folder, program);
    gone = there.empty();
    for (pid_t pid : there) {
      kill(pid, SIGKILL);
      seen.push_back(pid);
    }
    if (!gone && deadline.passed()) break;
    if (!gone) usleep(1'000);
  }
  // Children of this process are reaped; of others this says only that they are none. One that is ending lets go of its folder a
  // moment before it can be reaped, and until it is, its number is taken for that of one that lives.
  Deadline reaped = Deadline::after(gone ? kReaped : Duration{0});
  for (pid_t pid : seen) {
    while (waitpid(pid, nullptr, WNOHANG) == 0 && !reaped.passed()) usleep(200);
  }
  return gone;
}

void kill_tree(pid_t root, int signal_number) {
  std::vector<pid_t> known = descendants_of(root);
  kill(root, signal_number);
  for (pid_t pid : known) kill(pid, signal_number);
  if (signal_number != SIGKILL) return;
  // A child that was born while we looked is now an orphan of one we knew; look once more from what we knew.
  for (pid_t pid : known) {
    for (pid_t late : descendants_of(pid)) kill(late, signal_number);
  }
}

}  // namespace lifeboat
