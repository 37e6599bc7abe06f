#include "lab/lab.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "lab/full_disk.hpp"
#include "lab/keeper.hpp"
#include "lab/state_dir.hpp"

namespace lifeboat::lab {

namespace {

[[noreturn]] void give_up(JsonLines& progress, const std::string& what) {
  Error error = os_error(what);
  if (!progress.send(error_answer(error))) _exit(2);
  _exit(1);
}

// Output of the lab's own processes goes to its folder, so that a closed terminal is no trouble.
void to_log(const std::string& folder) {
  int in = open("/dev/null", O_RDONLY);
  int out = open((folder + "/lab.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0640);
  for (auto [from, to] : {std::pair{in, 0}, {out, 1}, {out, 2}}) {
    if (from >= 0) dup2(from, to);
  }
}

// What the lab's processes see of the machine: their own processes, their own shared memory, the lab's resolver.
void own_mounts(JsonLines& progress, const KeeperJob& job) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) give_up(progress, "cannot make mounts private");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    give_up(progress, "cannot mount /proc");
  if (mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0)
    give_up(progress, "cannot mount /dev/shm");
  if (job.small_disks) {
    if (auto mounted = mount_small_disks(job.plan, job.folder); !mounted) give_up(progress, mounted.error().text());
  }
  auto layout = lay_out(job.plan, job.number, job.mode);
  for (const auto& [name, service] : job.plan.services) {
    const auto* dns = std::get_if<DnsService>(&service);
    const LabHost* resolver = layout && dns != nullptr && dns->resolver ? layout->host(dns->resolver->text) : nullptr;
    if (resolver == nullptr) continue;
    std::string file = job.folder + "/resolv.conf";
    if (!write_file(file, "nameserver " + resolver->address + "\noptions timeout:1 attempts:2\n", 0644)) continue;
    if (mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0)
      give_up(progress, "cannot mount resolv.conf");
    return;
  }
}

[[noreturn]] void become_keeper(KeeperJob job) {
  prctl(PR_SET_NAME, "lab-keeper");
  prctl(PR_SET_PDEATHSIG, job.mode == Mode::namespaces ? SIGKILL : SIGTERM);
  umask(022);
  if (job.mode == Mode::namespaces) own_mounts(job.progress, job);
  _exit(keep_lab(std::move(job)));
}

// The guard: stands outside the PID namespace whose first process is the keeper, and ends it when told to.
// `held`: ends that others watch to see this process end.
[[noreturn]] void become_guard(KeeperJob job, std::array<Fd, 2> held) {
  prctl(PR_SET_NAME, "lab-guard");
  setsid();
  // Whoever starts a lab takes it along, until it says (SIGUSR1) that the lab is to live on.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  to_log(job.folder);
  sigset_t watched;
  sigemptyset(&watched);
  for (int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&watched, number);
  sigprocmask(SIG_SETMASK, &watched, nullptr);
  if (job.mode == Mode::namespaces && unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID) != 0) {
    give_up(job.progress, "cannot make namespaces");
  }
  pid_t keeper = fork();
  if (keeper < 0) give_up(job.progress, "cannot start the keeper");
  if (keeper == 0) {
    for (Fd& end : held) end.reset();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    become_keeper(std::move(job));
  }
  bool namespaces = job.mode == Mode::namespaces;
  job.progress.close();
  job.guardian.reset();
  Fd signals(signalfd(-1, &watched, SFD_CLOEXEC));
  while (true) {
    signalfd_siginfo info;
    if (read(signals.get(), &info, sizeof info) != sizeof info) continue;
    int status = 0;
    if (waitpid(keeper, &status, WNOHANG) == keeper) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    if (info.ssi_signo == SIGUSR1) {
      prctl(PR_SET_PDEATHSIG, 0);
      if (write(held[1].get(), "d", 1) != 1) dprintf(2, "nobody waits for the lab to be left alone\n");
      continue;
    }
    if (info.ssi_signo != SIGCHLD) kill(keeper, namespaces ? SIGKILL : SIGTERM);
  }
}

Error with_hint(const std::string& folder, Error error) {
  if (error.hint.empty() && error.where.empty()) error.where = tail_of(folder + "/lab.log", 4);
  return error;
}

}  // namespace

RunningLab::RunningLab(RunningLab&& other) noexcept { *this = std::move(other); }

RunningLab& RunningLab::operator=(RunningLab&& other) noexcept {
  if (this == &other) return *this;
  stop();
  folder_ = std::exchange(other.folder_, {});
  number_ = std::exchange(other.number_, -1);
  guard_ = std::exchange(other.guard_, -1);
  janitor_ = std::exchange(other.janitor_, -1);
  guard_fd_ = std::move(other.guard_fd_);
  return *this;
}

RunningLab::~RunningLab() { stop(); }

void RunningLab::stop() {
  if (guard_ > 0) {
    kill(guard_, SIGTERM);
    while (waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (janitor_ > 0) {
    while (waitpid(janitor_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  guard_ = janitor_ = -1;
}

void RunningLab::detach() {
  pollfd wait{guard_fd_.get(), POLLIN, 0};
  if (guard_ > 0 && kill(guard_, SIGUSR1) == 0) poll(&wait, 1, 5000);
  guard_ = janitor_ = -1;
}

Result<RunningLab> start_lab(LabOptions options, const LabProgress& progress) {
  TRY(StateDir dir, claim_state_dir());
  TRY(Janitor janitor, start_janitor(dir));
  RunningLab lab;
  lab.folder_ = dir.path;
  lab.number_ = dir.number;
  lab.janitor_ = janitor.pid;
  TRY(SocketPair talk, socket_pair());
  TRY(SocketPair guarding, socket_pair());  // the keeper sees the guard end
  TRY(SocketPair living, socket_pair());    // this process sees the guard end
  KeeperJob job{.plan_file = std::filesystem::absolute(options.plan_file).string(),
                .plan = std::move(options.plan),
                .profile = options.profile,
                .drill = options.drill,
                .daemons = options.daemons,
                .small_disks = options.small_disks,
                .crash_points = options.crash_points,
                .ready_within = options.ready_within,
                .number = dir.number,
                .folder = dir.path};
  job.mode = options.mode.value_or(geteuid() == 0 ? Mode::namespaces : Mode::loopback);
  pid_t guard = fork();
  if (guard < 0) return std::unexpected(os_error("cannot start the lab"));
  if (guard == 0) {
    talk.here.reset();
    living.here.reset();
    job.progress = JsonLines(std::move(talk.there));
    job.guardian = std::move(guarding.here);
    become_guard(std::move(job), {std::move(guarding.there), std::move(living.there)});
  }
  lab.guard_ = guard;
  talk.there.reset();
  living.there.reset();
  guarding = {};
  janitor.lifeline.reset();
  dir.lock.reset();
  lab.guard_fd_ = std::move(living.here);
  if (auto done = write_file(dir.path + "/guard.pid", std::to_string(guard), 0644); !done) {
    return std::unexpected(std::move(done).error());
  }
  JsonLines told(std::move(talk.here));
  while (auto message = told.receive(deadline_in(options.ready_within * 3))) {
    double seconds = number_or(*message, "seconds");
    if (bool_or(*message, "ready")) {
      progress("ready", seconds);
      return lab;
    }
    if (!text_or(*message, "error").empty()) return std::unexpected(with_hint(dir.path, error_of(*message)));
    progress(text_or(*message, "progress"), seconds);
  }
  return std::unexpected(with_hint(dir.path, {.kind = ErrorKind::internal, .what = "the lab ended while it came up"}));
}

std::vector<std::string> living_labs() { return sweep_and_list(); }

Result<std::string> find_lab(std::optional<int> number) {
  auto labs = living_labs();
  if (number) {
    std::string wanted = fmt::format("/var/tmp/lifeboat-lab-{}", *number);
    if (std::ranges::find(labs, wanted) != labs.end()) return wanted;
    return fail(ErrorKind::not_found, fmt::format("no lab {} is running", *number));
  }
  if (labs.size() == 1) return labs[0];
  if (labs.empty()) return fail(ErrorKind::not_found, "no lab is running", "`lifeboat lab up --plan PLAN` starts one");
  return fail(ErrorKind::invalid_input, fmt::format("{} labs are running: {}", labs.size(), fmt::join(labs, ", ")),
              "name one by --lab NUMBER");
}

Result<Json> ask_lab(const std::string& folder, const Json& request, Duration within) {
  std::string path = folder + "/control.sock";
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) {
    return std::unexpected(os_error("cannot reach the lab at " + path));
  }
  JsonLines link(std::move(fd));
  TRY_VOID(link.send(request));
  auto answer = link.receive(deadline_in(within));
  if (!answer) return fail(ErrorKind::timed_out, "the lab does not answer", "it may still be coming up");
  if (!bool_or(*answer, "ok")) return std::unexpected(error_of(*answer));
  return std::move(*answer);
}

Result<void> end_lab(const std::string& folder) {
  auto asked = ask_lab(folder, JsonObject{{"do", "down"}});
  if (!asked && access(folder.c_str(), F_OK) != 0) return {};
  if (!asked) {
    // It is still coming up or hangs: its guard takes it down.
    auto guard = read_file(folder + "/guard.pid");
    if (!guard) return std::unexpected(std::move(asked).error());
    kill(static_cast<pid_t>(std::stol(*guard)), SIGTERM);
  }
  for (int64_t deadline = deadline_in(Duration{20'000}); boot_ns() < deadline; pause_for(Duration{20})) {
    if (access(folder.c_str(), F_OK) != 0) return {};
  }
  return fail(ErrorKind::timed_out, folder + " is still there");
}

Result<void> enter_outside(const std::string& folder) {
  TRY(std::string guard, read_file(folder + "/guard.pid"));
  std::string path = "/proc/" + guard + "/ns/net";
  std::error_code failed;
  if (std::filesystem::read_symlink(path, failed) == std::filesystem::read_symlink("/proc/self/ns/net", failed))
    return {};
  Fd outside(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!outside || setns(outside.get(), CLONE_NEWNET) != 0)
    return std::unexpected(os_error("cannot enter the lab's network"));
  return {};
}

}  // namespace lifeboat::lab
