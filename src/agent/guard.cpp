#include "agent/guard.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <malloc.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "core/data/json.hpp"
#include "io/priority.hpp"
#include "io/process.hpp"

namespace lifeboat {
namespace {

struct Page {
  std::atomic<int64_t> fence_at_ns{kNoFence};
};

constexpr int kLookEveryMs = 20;
constexpr int kGuardAnswersMs = 1'000;
constexpr Duration kSweep{2'000};
constexpr Duration kSweepAgain{10};

void say(int control, const JsonObject& message) {
  std::string text = to_text(message);
  ssize_t ignored = send(control, text.data(), text.size(), MSG_NOSIGNAL);
  (void)ignored;
}

// In the child, before exec: the server dies with its guard.
pid_t spawn_server(const JsonObject& spec, std::string& problem) {
  std::vector<std::string> arguments;
  for (const Json& argument : spec.at("argv").as_array()) arguments.emplace_back(argument.as_string());
  std::string user = text_or(spec, "user"), output = text_or(spec, "output"), directory = text_or(spec, "directory");
  passwd* account = user.empty() || geteuid() != 0 ? nullptr : getpwnam(user.c_str());
  if (!user.empty() && geteuid() == 0 && account == nullptr) {
    problem = "this machine has no user '" + user + "'";
    return -1;
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    problem = std::strerror(errno);
    return -1;
  }
  pid_t guard = getpid();
  pid_t child = fork();
  if (child == 0) {
    setsid();
    start_like_others();
    auto give_up = [&] {
      int code = errno;
      ssize_t ignored = write(report[1], &code, sizeof code);
      (void)ignored;
      _exit(127);
    };
    int in = open("/dev/null", O_RDONLY);
    int out = open(output.empty() ? "/dev/null" : output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
    if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) give_up();
    if (account != nullptr && (initgroups(account->pw_name, account->pw_gid) != 0 || setgid(account->pw_gid) != 0 ||
                               setuid(account->pw_uid) != 0))
      give_up();
    if (!directory.empty() && chdir(directory.c_str()) != 0) give_up();
    // A change of user clears the parent-death signal, so it is set after it; the guard may have died in between.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != guard) _exit(127);
    // A reload that comes before the server listens for it: it has yet to read its settings anyway.
    signal(SIGHUP, SIG_IGN);
    for (int fd = 3; fd < 256; ++fd) {
      if (fd != report[1]) close(fd);
    }
    execv(argv[0], argv.data());
    give_up();
  }
  close(report[1]);
  int code = 0;
  ssize_t got = 0;
  do got = read(report[0], &code, sizeof code);
  while (got < 0 && errno == EINTR);
  close(report[0]);
  if (child < 0 || got > 0) {
    problem = std::strerror(child < 0 ? errno : code);
    if (child > 0) waitpid(child, nullptr, 0);
    return -1;
  }
  return child;
}

// As much as the way to the last kill needs (it reads all of /proc), several times over.
constexpr size_t kRoom = 1 << 20;

bool may_lock_all_it_wants() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) return true;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

// A fence must not wait for a disk from which pages have to come back. Room for the killing is had before, and kept. What comes later
// is locked too, where that has no limit: at a limit each allocation would fail.
void stay_in_memory() {
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_MMAP_THRESHOLD, static_cast<int>(2 * kRoom));
  if (void* room = malloc(kRoom)) {
    explicit_bzero(room, kRoom);
    free(room);
  }
  if (may_lock_all_it_wants() && mlockall(MCL_CURRENT | MCL_FUTURE) == 0) return;
  mlockall(MCL_CURRENT);
}

// Kills and reaps until this process has no child left. As a subreaper it inherits what the server leaves behind.
int end_everything(pid_t server) {
  int server_status = 0;
  while (true) {
    for (pid_t pid : descendants_of(getpid())) kill(pid, SIGKILL);
    int status = 0;
    pid_t ended = waitpid(-1, &status, WNOHANG);
    if (ended == server) server_status = status;
    if (ended < 0 && errno == ECHILD) return server_status;
    if (ended == 0) usleep(500);
  }
}

}  // namespace

int run_guard(int control, int page_fd) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "lifeboat-guard");
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  void* mapped = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
  if (mapped == MAP_FAILED) return 1;
  auto* page = static_cast<Page*>(mapped);
  stay_in_memory();

  std::string text(65'536, '\0');
  ssize_t got = recv(control, text.data(), text.size(), 0);
  auto spec = parse_json(std::string_view(text).substr(0, got > 0 ? static_cast<size_t>(got) : 0));
  if (!spec || !spec->is_object()) return 1;
  std::string problem;
  pid_t server = spawn_server(spec->get_object(), problem);
  if (server < 0) {
    say(control, {{"failed", problem}});
    return 1;
  }
  say(control, {{"started", server}});
  int server_fd = static_cast<int>(syscall(SYS_pidfd_open, server, 0));
  bool agent_here = true;
  // Ends without the library's own goodbyes, which take time that the agent waits.
  auto end = [&](std::string_view how) -> int {
    int status = end_everything(server);
    say(control, {{"ended", how}, {"status", status}});
    _exit(0);
  };
  while (true) {
    pollfd watched[2] = {{server_fd, POLLIN, 0}, {control, POLLIN, 0}};
    poll(watched, agent_here ? 2 : 1, kLookEveryMs);
    int64_t fence_at = page->fence_at_ns.load(std::memory_order_acquire);
    std::string_view word;
    if (agent_here && watched[1].revents != 0) {
      got = recv(control, text.data(), text.size(), MSG_DONTWAIT);
      word = std::string_view(text).substr(0, got > 0 ? static_cast<size_t>(got) : 0);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) agent_here = false;
    }
    switch (guard_duty(watched[0].revents != 0, word == "kill", agent_here, fence_at, boot_now())) {
      case GuardDuty::end_died: return end("died");
      case GuardDuty::end_fenced: return end("fenced");
      case GuardDuty::go_on: break;
    }
    // Orphans of the server become children of the guard; those that ended are reaped here.
    while (true) {
      siginfo_t info{};
      if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0 || info.si_pid == server) break;
      waitpid(info.si_pid, nullptr, WNOHANG);
    }
  }
}

struct Guard::State {
  explicit State(asio::any_io_executor executor) : control(executor), pause(std::move(executor)) {}
  ~State() {
    if (page != nullptr) munmap(page, sizeof(Page));
  }
  asio::posix::stream_descriptor control;
  asio::steady_timer pause;
  Page* page = nullptr;
  pid_t guard = -1;
  std::string directory;
  std::string program;
  OnEnd on_end;
  bool ended = false;
};

namespace {

// The guard is gone without a word. The kernel kills the server's first process then; its children are looked for and killed
// here, and only when none is left is the end told.
template <class StatePtr>
void sweep_after_lost(StatePtr state) {
  if (!state->on_end) return;
  if (!end_processes_at(state->directory, state->program, Duration{0})) {
    state->pause.expires_after(kSweepAgain);
    return state->pause.async_wait([state](boost::system::error_code) { sweep_after_lost(state); });
  }
  auto on_end = std::move(state->on_end);
  on_end(Guard::Ended::lost, 0);
}

// Reads the guard's last word. Plain callbacks, since this must go on while every coroutine of the agent is busy.
template <class StatePtr>
void listen_to(StatePtr state, std::shared_ptr<std::array<char, 4096>> buffer) {
  state->control.async_wait(asio::posix::stream_descriptor::wait_read, [state,
                                                                        buffer](boost::system::error_code problem) {
    if (problem || state->ended) return;
    ssize_t got = recv(state->control.native_handle(), buffer->data(), buffer->size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return listen_to(state, buffer);
    auto message =
        got > 0 ? parse_json(std::string_view(buffer->data(), static_cast<size_t>(got))) : Result<Json>(Json());
    std::string word = message ? text_or(*message, "ended") : std::string();
    state->ended = true;
    if (word.empty()) kill(state->guard, SIGKILL);
    waitpid(state->guard, nullptr, 0);
    if (word.empty()) return sweep_after_lost(state);
    auto on_end = std::move(state->on_end);
    on_end(word == "fenced" ? Guard::Ended::fenced : Guard::Ended::died, static_cast<int>(int_or(*message, "status")));
  });
}

}  // namespace

Result<std::unique_ptr<Guard>> Guard::start(asio::any_io_executor executor, const GuardedProgram& what, OnEnd on_end,
                                            const std::string& program) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(ErrorKind::internal, std::strerror(errno));
  int page_fd = memfd_create("lifeboat-fence", MFD_CLOEXEC);
  auto state = std::make_shared<State>(executor);
  state->control.assign(ends[0]);
  bool mapped = page_fd >= 0 && ftruncate(page_fd, sizeof(Page)) == 0;
  void* page = mapped ? mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0) : MAP_FAILED;
  if (page == MAP_FAILED) {
    close(ends[1]);
    if (page_fd >= 0) close(page_fd);
    return fail(ErrorKind::internal, fmt::format("the guard's page: {}", std::strerror(errno)));
  }
  state->page = new (page) Page();
  state->directory = what.directory;
  state->program = what.argv.front();
  state->page->fence_at_ns.store(what.fence.time_since_epoch().count(), std::memory_order_release);
  std::string control_text = "3", page_text = "4";
  std::string self = program;
  char* argv[] = {self.data(), const_cast<char*>("guard"), control_text.data(), page_text.data(), nullptr};
  pid_t guard = fork();
  if (guard == 0) {
    setsid();
    take_priority_into_session();
    // Both move away from 3 and 4 first: either may be one of them.
    int control = fcntl(ends[1], F_DUPFD, 10), shared = fcntl(page_fd, F_DUPFD, 10);
    dup2(control, 3);
    dup2(shared, 4);
    for (int fd = 5; fd < 1024; ++fd) close(fd);
    execv(self.c_str(), argv);
    _exit(127);
  }
  close(ends[1]);
  close(page_fd);
  if (guard < 0) return fail(ErrorKind::internal, fmt::format("fork: {}", std::strerror(errno)));
  state->guard = guard;
  JsonArray arguments;
  for (const std::string& argument : what.argv) arguments.push_back(Json(argument));
  JsonObject spec{
      {"argv", arguments}, {"user", what.user}, {"output", what.output_file}, {"directory", what.directory}};
  std::string text = to_text(spec);
  // Fork and exec take milliseconds; a guard that does not answer for 5 s never will.
  timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  send(ends[0], text.data(), text.size(), MSG_NOSIGNAL);
  std::array<char, 4096> answer{};
  ssize_t got = recv(ends[0], answer.data(), answer.size(), 0);
  auto message = parse_json(std::string_view(answer.data(), got > 0 ? static_cast<size_t>(got) : 0));
  auto server = message ? int_or(*message, "started", -1) : -1;
  if (server < 0) {
    kill(guard, SIGKILL);
    waitpid(guard, nullptr, 0);
    return fail(ErrorKind::refused, fmt::format("{} could not be started: {}", what.argv.front(),
                                                message ? text_or(*message, "failed") : "its guard does not answer"));
  }
  std::unique_ptr<Guard> out(new Guard());
  out->state_ = state;
  out->server_ = static_cast<pid_t>(server);
  state->on_end = std::move(on_end);
  listen_to(state, std::make_shared<std::array<char, 4096>>());
  return out;
}

Guard::~Guard() {
  if (!state_) return;
  state_->on_end = nullptr;
  kill_now();
}

void Guard::set_fence(MonoTime at) {
  state_->page->fence_at_ns.store(at.time_since_epoch().count(), std::memory_order_release);
}
void Guard::clear_fence() { state_->page->fence_at_ns.store(kNoFence, std::memory_order_release); }

void Guard::signal_server(int signal_number) {
  if (!state_->ended) kill(server_, signal_number);
}

bool Guard::kill_now() {
  if (state_->ended) return true;
  state_->ended = true;
  send(state_->control.native_handle(), "kill", 4, MSG_NOSIGNAL);
  // Not left to the guard alone: it may be stopped or stuck.
  bool gone = end_processes_at(state_->directory, state_->program, kSweep);
  // It answers when nothing of the server is left. One that does not is of no use any more. (Asio has made the socket
  // non-blocking, so a plain recv would not wait.)
  pollfd answer{state_->control.native_handle(), POLLIN, 0};
  bool answered = poll(&answer, 1, kGuardAnswersMs) > 0;
  if (!answered) kill(state_->guard, SIGKILL);
  waitpid(state_->guard, nullptr, 0);
  if (!answered) gone = end_processes_at(state_->directory, state_->program, kSweep);
  waitpid(server_, nullptr, WNOHANG);
  boost::system::error_code ignored;
  state_->control.close(ignored);
  auto on_end = std::move(state_->on_end);
  if (on_end) on_end(Ended::died, 0);
  return gone;
}

}  // namespace lifeboat
