#include "lab/keeper.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/data/encode.hpp"
#include "lab/faults.hpp"
#include "lab/file_faults.hpp"
#include "lab/ready.hpp"

namespace lifeboat::lab {

namespace {

constexpr int64_t kRestartPauseNs = 100'000'000;

std::string_view word_for(DaemonState state) {
  switch (state) {
    case DaemonState::running: return "running";
    case DaemonState::exited: return "ended";
    case DaemonState::idle: break;
  }
  return "not started";
}

Result<Fd> listen_unix(const std::string& path) {
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  if (path.size() >= sizeof at.sun_path) return fail(ErrorKind::invalid_input, path + " is too long for a socket");
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  mode_t before = umask(0177);
  bool bound = fd && bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 && listen(fd.get(), 16) == 0;
  umask(before);
  if (!bound) return std::unexpected(os_error("cannot listen on " + path));
  return fd;
}

class Keeper {
 public:
  explicit Keeper(KeeperJob job) : job_(std::move(job)) {}

  int run() {
    auto up = bring_up();
    if (!up) {
      if (auto told = job_.progress.send(error_answer(up.error())); !told) return 2;
      return 1;
    }
    // Whoever waited may be gone already; the lab stands all the same.
    static_cast<void>(job_.progress.send(JsonObject{{"ready", true}, {"seconds", seconds_since_start()}}));
    job_.progress.close();
    serve();
    return 0;
  }

 private:
  double seconds_since_start() const { return static_cast<double>(boot_ns() - started_ns_) / 1e9; }

  Result<void> bring_up() {
    TRY(world_.layout, lay_out(job_.plan, job_.number, job_.mode));
    world_.plan = with_addresses(job_.plan, world_.layout);
    world_.options = ServerOptions{.folder = job_.folder,
                                   .plan_file = job_.plan_file,
                                   .profile = job_.profile,
                                   .drill = job_.drill,
                                   .daemons = job_.daemons,
                                   .crash_points = job_.crash_points};
    TRY(control_, listen_unix(job_.folder + "/control.sock"));
    TRY_VOID(start_world(world_));
    auto say = [this](const std::string& text) {
      // Progress is a courtesy: nobody listening is no reason to stop.
      static_cast<void>(job_.progress.send(JsonObject{{"progress", text}, {"seconds", seconds_since_start()}}));
    };
    size_t hosts = 0;
    for (const LabRegion& region : world_.layout.regions) hosts += region.hosts.size();
    say(fmt::format("{} hosts in {} regions are up", hosts, world_.layout.regions.size()));
    return make_ready(world_, say, job_.ready_within);
  }

  void serve() {
    sigset_t watched;
    sigemptyset(&watched);
    for (int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&watched, number);
    sigprocmask(SIG_BLOCK, &watched, nullptr);
    Fd signals(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
    while (!ending_) {
      std::vector<pollfd> waits{
          {control_.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}, {job_.guardian.get(), POLLIN, 0}};
      for (auto& [name, machine] : world_.machines) {
        if (machine->up()) waits.push_back({machine->fd(), POLLIN, 0});
      }
      bool soon = !to_restart_.empty() || changes_by_itself(world_);
      if (poll(waits.data(), waits.size(), soon ? 20 : 1000) < 0 && errno != EINTR) return;
      if (waits[1].revents != 0 || waits[2].revents != 0) return;
      note_exits();
      restart_kept();
      if (auto changed = change_due_faults(world_); !changed) dprintf(2, "%s\n", changed.error().text().c_str());
      if (waits[0].revents == 0) continue;
      answer_one();
      note_exits();
    }
  }

  void note_exits() {
    for (auto& [name, machine] : world_.machines) {
      for (const auto& [daemon, how] : machine->poll_exits()) {
        dprintf(2, "%s on %s ended with %s\n", daemon.c_str(), name.c_str(), how.c_str());
        const std::string& ended = daemon;
        auto kept = std::ranges::find_if(world_.daemons, [&](const HostDaemon& entry) {
          return entry.host == name && entry.daemon.name == ended && entry.daemon.kept;
        });
        if (kept != world_.daemons.end()) to_restart_.push_back({&*kept, boot_ns() + kRestartPauseNs});
      }
    }
  }

  // What ends for good is tried again for as long as the lab stands; the log says so each time.
  void restart_kept() {
    auto due = [this](const Restart& restart) {
      if (boot_ns() < restart.at_ns) return false;
      Machine& machine = *world_.machines.at(restart.what->host);
      if (!machine.up() || machine.state(restart.what->daemon.name) == DaemonState::running) return true;
      auto started = machine.start(restart.what->daemon);
      dprintf(2, "%s on %s: %s\n", restart.what->daemon.name.c_str(), restart.what->host.c_str(),
              started ? "started anew" : started.error().text().c_str());
      return true;
    };
    std::erase_if(to_restart_, due);
  }

  void answer_one() {
    JsonLines peer(Fd(accept4(control_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    if (peer.fd() < 0) return;
    auto request = peer.receive(deadline_in(Duration{2000}));
    if (!request) return;
    auto answer = obey(*request);
    Json text = answer ? std::move(*answer) : error_answer(answer.error());
    if (auto told = peer.send(text); !told) dprintf(2, "control: %s\n", told.error().text().c_str());
  }

  Result<Json> obey(const Json& request) {
    std::string what = text_or(request, "do");
    if (what == "status") return status();
    if (what == "down") {
      ending_ = true;
      return Json(JsonObject{{"ok", true}});
    }
    if (what == "fault") {
      TRY(FaultDone done, inject(world_, text_or(request, "fault"), text_or(request, "target")));
      return Json(JsonObject{{"ok", true},
                             {"at_ns", done.at_ns},
                             {"in_force_ns", boot_ns()},
                             {"target", done.target},
                             {"detail", done.detail}});
    }
    if (what == "heal") {
      TRY(int count, heal(world_, text_or(request, "fault"), text_or(request, "target")));
      return Json(JsonObject{{"ok", true}, {"healed", count}});
    }
    if (what == "pages") {
      TRY(Json damaged, damaged_pages(world_));
      return Json(JsonObject{{"ok", true}, {"damaged", std::move(damaged)}});
    }
    if (what == "run" || what == "signal") return observe(request, what == "run");
    return fail(ErrorKind::invalid_input, "the lab does not know '" + what + "'");
  }

  // Programs beside the plan's own: at a region's observer, or in the network of a database's host.
  Result<Json> observe(const Json& request, bool start) {
    std::string host = text_or(request, "host"), region = text_or(request, "region");
    Machine* machine = world_.machine(host.empty() ? observer_of(region) : beside_of(host));
    if (machine == nullptr) {
      return fail(ErrorKind::not_found, host.empty() ? fmt::format("no region '{}'", region)
                                                     : fmt::format("no host of a database is named '{}'", host));
    }
    std::string name = text_or(request, "name");
    if (start) {
      Daemon daemon{.name = name};
      for (const Json& word : member(request, "argv").as_array()) daemon.argv.emplace_back(word.as_string());
      daemon.log = fmt::format("{}/logs/observer.{}.log", job_.folder, name);
      TRY_VOID(machine->start(daemon));
    } else {
      TRY_VOID(machine->signal(name, static_cast<int>(int_or(request, "signal", SIGTERM))));
      int64_t deadline = deadline_in(Duration{int_or(request, "wait_ms", 5000)});
      while (machine->state(name) == DaemonState::running && boot_ns() < deadline) {
        pause_for(Duration{5});
        note_exits();
      }
    }
    return Json(JsonObject{{"ok", true}, {"state", word_for(machine->state(name))}});
  }

  Json status() {
    JsonArray regions;
    for (const LabRegion& region : world_.layout.regions) {
      JsonArray hosts;
      for (const LabHost& host : region.hosts) hosts.push_back(host_status(host));
      regions.push_back(JsonObject{{"name", region.name}, {"outside", region.outside}, {"hosts", std::move(hosts)}});
    }
    JsonArray faults;
    for (const ActiveFault& fault : world_.faults) {
      faults.push_back(JsonObject{{"fault", fault.name}, {"target", fault.target}});
    }
    JsonArray controllers;
    for (std::string& at : controller_addresses(world_.plan)) controllers.emplace_back(std::move(at));
    Json first = controllers.empty() ? Json("") : controllers.front();
    return JsonObject{{"ok", true},
                      {"number", job_.number},
                      {"folder", job_.folder},
                      {"plan", job_.plan_file},
                      {"mode", job_.mode == Mode::namespaces ? "namespaces" : "loopback"},
                      {"controller", std::move(first)},
                      {"controllers", std::move(controllers)},
                      {"regions", std::move(regions)},
                      {"faults", std::move(faults)}};
  }

  Json host_status(const LabHost& host) {
    const Machine& machine = *world_.machines.at(host.name);
    JsonArray daemons;
    for (const HostDaemon& entry : world_.daemons) {
      if (entry.host != host.name) continue;
      daemons.push_back(JsonObject{{"name", entry.daemon.name}, {"state", word_for(machine.state(entry.daemon.name))}});
    }
    return JsonObject{
        {"name", host.name}, {"address", host.address}, {"up", machine.up()}, {"programs", std::move(daemons)}};
  }

  struct Restart {
    const HostDaemon* what;
    int64_t at_ns;
  };

  KeeperJob job_;
  LabWorld world_;
  std::vector<Restart> to_restart_;
  Fd control_;
  bool ending_ = false;
  int64_t started_ns_ = boot_ns();
};

}  // namespace

int keep_lab(KeeperJob job) { return Keeper(std::move(job)).run(); }

Json error_answer(const Error& error) {
  return JsonObject{{"ok", false}, {"kind", to_string(error.kind)}, {"error", error.text()}};
}

Error error_of(const Json& answer) {
  std::string kind = text_or(answer, "kind");
  Error error{.kind = ErrorKind::refused, .what = text_or(answer, "error", "the lab gave no answer")};
  for (ErrorKind each : {ErrorKind::invalid_input, ErrorKind::not_found, ErrorKind::unreachable, ErrorKind::timed_out,
                         ErrorKind::conflict, ErrorKind::unsupported, ErrorKind::internal}) {
    if (to_string(each) == kind) error.kind = each;
  }
  return error;
}

}  // namespace lifeboat::lab
