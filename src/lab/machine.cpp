#include "lab/machine.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unordered_map>

#include "core/base/process_end.hpp"
#include "io/priority.hpp"

namespace lifeboat::lab {

namespace {

// The first process of a host: starts programs, reaps all, and says what ended.
class FirstProcess {
 public:
  FirstProcess(JsonLines link, Mode mode) : link_(std::move(link)), mode_(mode) {}

  [[noreturn]] void run() {
    sigset_t watched;
    sigemptyset(&watched);
    for (int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&watched, number);
    sigprocmask(SIG_SETMASK, &watched, nullptr);
    Fd signals(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    while (!link_.closed()) {
      pollfd waits[] = {{link_.fd(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
      if (poll(waits, 2, -1) < 0 && errno != EINTR) break;
      signalfd_siginfo info;
      bool asked_to_end = false;
      while (read(signals.get(), &info, sizeof info) == sizeof info) {
        asked_to_end = asked_to_end || info.ssi_signo != SIGCHLD;
      }
      // On loopback the death of the keeper comes as SIGTERM, so that the tree can be taken down first.
      if (asked_to_end && mode_ == Mode::loopback) break;
      reap();
      if ((waits[0].revents & (POLLIN | POLLHUP)) != 0) link_.fill();
      while (auto order = link_.buffered()) obey(*order);
    }
    end_all();
    _exit(0);
  }

 private:
  void obey(const Json& order) {
    std::string name = text_or(order, "name");
    if (text_or(order, "do") == "start") {
      start(name, order);
    } else if (auto found = running_.find(name); found != running_.end()) {
      kill(found->second, static_cast<int>(int_or(order, "signal")));
    }
  }

  void start(const std::string& name, const Json& order) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return say({{"failed", name}, {"error", "no pipe"}});
    pid_t pid = fork();
    if (pid == 0) run_daemon(order, report[1]);
    ::close(report[1]);
    char problem[400];
    ssize_t got = pid < 0 ? 0 : read(report[0], problem, sizeof problem);
    ::close(report[0]);
    if (pid < 0 || got > 0) {
      return say({{"failed", name}, {"error", std::string(problem, static_cast<size_t>(std::max<ssize_t>(got, 0)))}});
    }
    running_[name] = pid;
    say({{"started", name}});
  }

  [[noreturn]] void run_daemon(const Json& order, int report) {
    auto give_up = [report](const std::string& what) {
      std::string text = what + ": " + std::strerror(errno);
      if (write(report, text.data(), text.size()) < 0) _exit(126);
      _exit(127);
    };
    setsid();
    if (bool_or(order, "first")) start_first();
    if (mode_ == Mode::loopback) prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::string log = text_or(order, "log"), folder = text_or(order, "folder");
    int in = open("/dev/null", O_RDONLY);
    int out = open(log.empty() ? "/dev/null" : log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
    if (in < 0 || out < 0) give_up("cannot open " + log);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    if (in > 2) ::close(in);
    if (out > 2) ::close(out);
    if (!folder.empty() && chdir(folder.c_str()) != 0) give_up("cannot enter " + folder);
    for (const auto& entry : member(order, "environment").as_object()) {
      setenv(std::string(entry.key()).c_str(), std::string(entry.value().as_string()).c_str(), 1);
    }
    std::vector<std::string> words;
    for (const Json& word : member(order, "argv").as_array()) words.emplace_back(word.as_string());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execvp(pointers[0], pointers.data());
    give_up("cannot start " + words[0]);
    _exit(127);
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      for (auto at = running_.begin(); at != running_.end(); ++at) {
        if (at->second != pid) continue;
        say({{"exited", at->first}, {"how", how_it_ended(status)}});
        running_.erase(at);
        break;
      }
    }
  }

  void end_all() {
    if (mode_ == Mode::namespaces) return;  // the kernel does it
    for (int round = 0; round < 100; ++round) {
      auto left = descendants(getpid());
      if (left.empty()) return;
      for (pid_t pid : left) kill(pid, SIGKILL);
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      pause_for(Duration{5});
    }
  }

  void say(const JsonObject& message) {
    if (!link_.send(message)) link_.close();
  }

  JsonLines link_;
  Mode mode_;
  std::map<std::string, pid_t> running_;
};

[[noreturn]] void become_first_process(const std::string& name, Mode mode, int netns, int generation, JsonLines link) {
  prctl(PR_SET_NAME, ("lab:" + name).substr(0, 15).c_str());
  setsid();
  if (mode == Mode::loopback) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
  } else {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (netns >= 0 && setns(netns, CLONE_NEWNET) != 0) _exit(1);
    // What the keeper holds (other hosts' links, its control socket) is none of a host's business.
    for (int fd = 3; fd < 1024; ++fd) {
      if (fd != link.fd()) ::close(fd);
    }
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(1);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) _exit(1);
    // A host that comes back must not give a server the number that its lock file from before names.
    if (auto done = write_file("/proc/sys/kernel/ns_last_pid", fmt::format("{}", 100 + generation * 3000), 0644);
        !done) {
      dprintf(2, "%s\n", done.error().text().c_str());
    }
    if (sethostname(name.c_str(), name.size()) != 0) _exit(1);
  }
  FirstProcess(std::move(link), mode).run();
}

}  // namespace

std::vector<pid_t> descendants(pid_t root) {
  std::unordered_map<pid_t, std::vector<pid_t>> children;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failed)) {
    std::string name = entry.path().filename();
    if (name.empty() || name[0] < '0' || name[0] > '9') continue;
    auto stat = read_file("/proc/" + name + "/stat");
    if (!stat) continue;  // it ended meanwhile
    size_t after_name = stat->rfind(')');
    char state = 0;
    int parent = 0;
    if (after_name == std::string::npos || sscanf(stat->c_str() + after_name + 1, " %c %d", &state, &parent) != 2)
      continue;
    if (state != 'Z') children[parent].push_back(static_cast<pid_t>(std::stol(name)));
  }
  std::vector<pid_t> found, open{root};
  while (!open.empty()) {
    pid_t at = open.back();
    open.pop_back();
    for (pid_t child : children[at]) {
      found.push_back(child);
      open.push_back(child);
    }
  }
  return found;
}

Machine::~Machine() {
  if (up()) {
    kill_all();
    wait_dead();
  }
}

Result<void> Machine::boot() {
  TRY(SocketPair pair, socket_pair());
  int generation = generation_++;
  long flags = SIGCHLD;
  if (mode_ == Mode::namespaces) flags |= CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS;
  long pid = syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
  if (pid < 0) return std::unexpected(os_error("cannot start host " + name_));
  if (pid == 0) {
    pair.here.reset();
    become_first_process(name_, mode_, netns_, generation, JsonLines(std::move(pair.there)));
  }
  pid_ = static_cast<pid_t>(pid);
  link_ = JsonLines(std::move(pair.here));
  daemons_.clear();
  return {};
}

Result<void> Machine::start(const Daemon& daemon) {
  if (!up()) return fail(ErrorKind::refused, "host " + name_ + " is down");
  JsonObject order{{"do", "start"}, {"name", daemon.name}, {"folder", daemon.folder}, {"log", daemon.log}};
  JsonArray argv;
  for (const std::string& word : daemon.argv) argv.emplace_back(word);
  order["argv"] = std::move(argv);
  order["first"] = daemon.first;
  JsonObject environment;
  for (const auto& [key, value] : daemon.environment) environment[key] = value;
  order["environment"] = std::move(environment);
  TRY_VOID(link_.send(order));
  int64_t deadline = deadline_in(Duration{10'000});
  while (auto message = link_.receive(deadline)) {
    if (text_or(*message, "started") == daemon.name) {
      daemons_[daemon.name] = DaemonState::running;
      return {};
    }
    if (text_or(*message, "failed") == daemon.name) {
      return fail(ErrorKind::refused, fmt::format("{} on {}: {}", daemon.name, name_, text_or(*message, "error")));
    }
    take(*message, &unread_exits_);
  }
  return fail(ErrorKind::internal, fmt::format("host {} does not answer", name_));
}

Result<void> Machine::signal(const std::string& daemon, int number) {
  if (state(daemon) != DaemonState::running) {
    return fail(ErrorKind::not_found, fmt::format("{} does not run on {}", daemon, name_));
  }
  return link_.send(JsonObject{{"do", "signal"}, {"name", daemon}, {"signal", number}});
}

void Machine::kill_all() {
  if (!up()) return;
  if (mode_ == Mode::loopback) {
    for (int round = 0; round < 100; ++round) {
      auto left = descendants(pid_);
      if (left.empty()) break;
      for (pid_t pid : left) kill(pid, SIGKILL);
    }
  }
  kill(pid_, SIGKILL);
}

void Machine::wait_dead() {
  if (!up()) return;
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  link_.close();
  for (auto& [name, state] : daemons_) state = DaemonState::idle;
}

void Machine::take(const Json& message, std::vector<std::pair<std::string, std::string>>* exits) {
  if (std::string name = text_or(message, "exited"); !name.empty()) {
    daemons_[name] = DaemonState::exited;
    exits->emplace_back(std::move(name), text_or(message, "how"));
  }
}

std::vector<std::pair<std::string, std::string>> Machine::poll_exits() {
  auto exits = std::exchange(unread_exits_, {});
  if (!up()) return exits;
  link_.fill();
  while (auto message = link_.buffered()) take(*message, &exits);
  return exits;
}

bool Machine::wait_for_exit(const std::string& daemon, int64_t deadline_ns) {
  while (state(daemon) == DaemonState::running) {
    auto message = link_.receive(deadline_ns);
    if (!message) return false;
    take(*message, &unread_exits_);
  }
  return true;
}

DaemonState Machine::state(const std::string& daemon) const {
  auto found = daemons_.find(daemon);
  return found == daemons_.end() ? DaemonState::idle : found->second;
}

std::vector<pid_t> Machine::processes() const { return up() ? descendants(pid_) : std::vector<pid_t>{}; }

}  // namespace lifeboat::lab
