#include "cli/lab.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>

#include "cli/check.hpp"
#include "cli/exit_codes.hpp"
#include "lab/faults.hpp"
#include "lab/lab.hpp"
#include "lab/sink.hpp"
#include "plan/load.hpp"

namespace lifeboat::cli {

namespace {

// A terminal sees how it goes; a pipe only what came of it.
lab::LabProgress progress_line() {
  if (isatty(1) == 0) return [](const std::string&, double) {};
  return [](const std::string& text, double seconds) {
    fmt::print("  {:5.1f} s  {}\n", seconds, text);
    std::fflush(stdout);
  };
}

int wait_in_foreground(lab::RunningLab& running) {
  sigset_t watched;
  sigemptyset(&watched);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&watched, number);
  sigprocmask(SIG_BLOCK, &watched, nullptr);
  lab::Fd signals(signalfd(-1, &watched, SFD_CLOEXEC));
  pollfd waits[] = {{signals.get(), POLLIN, 0}, {running.guard_fd(), POLLIN, 0}};
  while (poll(waits, 2, -1) < 0) {
  }
  running.stop();
  return 0;
}

}  // namespace

int run_lab_up(const LabUpOptions& options) {
  auto loaded = load_plan(options.plan, built_in_actions(), {.profile = options.profile});
  if (!loaded) {
    for (const Finding& finding : loaded.error().findings) fmt::print(stderr, "{}\n", one_line(finding));
    return loaded.error().unreadable ? 2 : 1;
  }
  lab::LabOptions lab{.plan_file = options.plan,
                      .plan = std::move(loaded->plan),
                      .profile = options.profile,
                      .drill = options.drill,
                      .daemons = !options.servers_only,
                      .small_disks = options.small_disks};
  if (options.loopback || geteuid() != 0) {
    lab.mode = lab::Mode::loopback;
    for (const lab::FaultKind& kind : lab::fault_kinds()) {
      if (kind.needs_namespaces) fmt::print(stderr, "lifeboat: without network namespaces there is no {}\n", kind.name);
    }
  }
  // Signals wait until the lab can be taken down in order.
  auto running = lab::start_lab(std::move(lab), progress_line());
  if (!running) return complain(running.error());
  fmt::print("lab {} is up in {}\n", running->number(), running->folder());
  std::fflush(stdout);
  if (!options.detach) return wait_in_foreground(*running);
  running->detach();
  return 0;
}

int run_lab_down(const LabOptions& options) {
  auto folder = lab::find_lab(options.lab);
  if (!folder) return complain(folder.error());
  auto done = lab::end_lab(*folder);
  return done ? 0 : complain(done.error());
}

int run_lab_status(const LabOptions& options) {
  auto folder = lab::find_lab(options.lab);
  if (!folder) return complain(folder.error());
  auto status = lab::ask_lab(*folder, JsonObject{{"do", "status"}});
  if (!status) return complain(status.error());
  if (options.format == "json") {
    fmt::print("{}\n", to_pretty_text(*status));
    return 0;
  }
  fmt::print("lab {} ({}) of {}\n", int_or(*status, "number"), text_or(*status, "mode"), text_or(*status, "plan"));
  for (const Json& region : member(*status, "regions").as_array()) {
    fmt::print("{}\n", text_or(region, "name"));
    for (const Json& host : member(region, "hosts").as_array()) {
      std::string programs;
      for (const Json& program : member(host, "programs").as_array()) {
        std::string state = text_or(program, "state");
        programs += " " + text_or(program, "name") + (state == "running" ? "" : " (" + state + ")");
      }
      fmt::print("  {:<14} {:<16} {}{}\n", text_or(host, "name"), text_or(host, "address"),
                 bool_or(host, "up") ? "up  " : "down", programs);
    }
  }
  for (const Json& fault : member(*status, "faults").as_array()) {
    fmt::print("fault: {} {}\n", text_or(fault, "fault"), text_or(fault, "target"));
  }
  return 0;
}

int run_lab_fault(const LabOptions& options, const std::string& fault, const std::string& target) {
  auto folder = lab::find_lab(options.lab);
  if (!folder) return complain(folder.error());
  auto done = lab::ask_lab(*folder, JsonObject{{"do", "fault"}, {"fault", fault}, {"target", target}});
  if (!done) return complain(done.error());
  fmt::print("{} {}\n", fault, text_or(*done, "target"));
  return 0;
}

int run_lab_heal(const LabOptions& options, const std::string& fault, const std::string& target) {
  auto folder = lab::find_lab(options.lab);
  if (!folder) return complain(folder.error());
  auto done = lab::ask_lab(*folder, JsonObject{{"do", "heal"}, {"fault", fault}, {"target", target}});
  if (!done) return complain(done.error());
  fmt::print("healed {}\n", int_or(*done, "healed"));
  return 0;
}

int run_lab_exec(const LabOptions& options, const std::vector<std::string>& argv) {
  auto folder = lab::find_lab(options.lab);
  if (!folder) return complain(folder.error());
  if (auto inside = lab::enter_outside(*folder); !inside) return complain(inside.error());
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  if (!argv.empty()) execvp(words[0], words.data());
  return complain(lab::os_error(argv.empty() ? "no program is named" : "cannot start " + argv[0]));
}

int run_lab_exec_beside(const LabOptions& options, const std::string& host, const std::vector<std::string>& argv) {
  auto folder = lab::find_lab(options.lab);
  if (!folder) return complain(folder.error());
  JsonArray words;
  for (const std::string& word : argv) words.push_back(Json(word));
  std::string name = fmt::format("exec-{}", getpid());
  auto done = lab::ask_lab(*folder, JsonObject{{"do", "run"}, {"host", host}, {"name", name}, {"argv", words}});
  if (!done) return complain(done.error());
  fmt::print("{}/logs/observer.{}.log\n", *folder, name);
  return 0;
}

int run_lab_sink(const std::string& http, const std::string& smtp, const std::string& out) {
  auto done = lab::run_sink({.http = http, .smtp = smtp, .out = out});
  return done ? 0 : complain(done.error());
}

}  // namespace lifeboat::cli
