#include "cli/daemons.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <csignal>

#include "agent/agent.hpp"
#include "agent/guard.hpp"
#include "cli/drill.hpp"
#include "cli/exit_codes.hpp"
#include "cli/lab.hpp"
#include "cli/store.hpp"
#include "controller/action_catalogue.hpp"
#include "controller/controller.hpp"
#include "lab/faults.hpp"
#include "plan/load.hpp"
#include "statuspage/server.hpp"
#include "witness/witness.hpp"

namespace lifeboat::cli {
namespace {

// The plan for a daemon that only reads it; findings go to stderr.
std::optional<Plan> plan_from(const std::string& file, const std::string& inventory) {
  LoadOptions options{.inventory = inventory};
  auto loaded = load_plan(file, built_in_actions(), options);
  if (loaded) return std::move(loaded->plan);
  for (const Finding& finding : loaded.error().findings) fmt::print(stderr, "{}\n", one_line(finding));
  return std::nullopt;
}

void add_controller(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("controller", "run a controller")->group("Daemons");
  auto options = std::make_shared<ControllerOptions>();
  command->add_option("--plan", options->plan_file, "the plan file")->required();
  command->add_option("--inventory", options->inventory, "addresses of hosts");
  command->add_option("--profile", options->profile, "profile of runs that name none");
  command->add_option("--store", options->store, "file of the journal, or etcd: the one whose voters the plan names")
      ->required();
  command->add_option("--secrets", options->secrets_dir, "folder of secrets")->required();
  command->add_option("--host", options->host, "the plan's host it runs on")->required();
  command->add_option("--listen", options->listen, "ADDRESS:PORT")->required();
  command->add_flag("--drill", options->drill, "everything is a drill, and every message says so");
  command
      ->add_option("--crash-points", options->crash_points,
                   "for tests: file of points at which the process kills itself")
      ->group("");
  command->callback([options, &exit_code] { exit_code = run_controller(*options); });
}

void add_agent(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("agent", "run the agent of this host")->group("Daemons");
  auto options = std::make_shared<AgentOptions>();
  command->add_option("--host", options->host, "its name in the plan")->required();
  command->add_option("--controller", options->controllers, "ADDRESS:PORT of a controller; several are tried in turn")
      ->required();
  command->add_option("--data", options->data_dir, "folder for all it keeps")->required();
  command->add_option("--secrets", options->secrets_dir, "folder with its token, agent-HOST")->required();
  command->add_option("--unit-path", options->unit_path, "folder in which programs of instances are looked for first");
  command->add_option("--run-as", options->run_as, "user of database servers (postgres)");
  command->callback([options, &exit_code] { exit_code = run_agent(*options); });

  auto* guard =
      app.add_subcommand("guard", "the process between an agent and a database server; started by agents")->group("");
  auto ends = std::make_shared<std::pair<int, int>>();
  guard->add_option("control", ends->first)->required();
  guard->add_option("page", ends->second)->required();
  guard->callback([ends, &exit_code] { exit_code = run_guard(ends->first, ends->second); });
}

struct WitnessArguments {
  std::string samples;
  std::string plan, inventory, secrets, out, service, member, writer = "direct";
  std::vector<std::string> report_to;
};

void add_witness_options(CLI::App* command, WitnessArguments& arguments) {
  command->add_option("--plan", arguments.plan, "the plan file")->required();
  command->add_option("--inventory", arguments.inventory, "addresses of hosts");
  command->add_option("--secrets", arguments.secrets, "folder of secrets")->required();
  command->add_option("--out", arguments.out, "file of samples, JSON lines")->required();
}

void add_witness(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("witness", "stand where users stand and measure")->group("Daemons");
  command->require_subcommand(1);
  auto arguments = std::make_shared<WitnessArguments>();
  auto* run = command->add_subcommand("run", "make the plan's journey at a fixed rate until told to end");
  add_witness_options(run, *arguments);
  run->add_option("--report-to", arguments->report_to,
                  "controller that is told what users see; several are tried in turn");
  run->callback([arguments, &exit_code] {
    auto plan = plan_from(arguments->plan, arguments->inventory);
    if (!plan) {
      exit_code = kBadInput;
      return;
    }
    exit_code = run_witness({std::move(*plan), arguments->secrets, arguments->out, arguments->report_to});
  });
  auto* direct = command->add_subcommand("direct", "ask one database server for writes until told to end");
  add_witness_options(direct, *arguments);
  direct->add_option("--service", arguments->service, "the postgres service")->required();
  direct->add_option("--member", arguments->member, "the member")->required();
  direct->add_option("--writer", arguments->writer, "tells its rows from those of others who ask the same server");
  direct->callback([arguments, &exit_code] {
    auto plan = plan_from(arguments->plan, arguments->inventory);
    if (!plan) {
      exit_code = kBadInput;
      return;
    }
    DirectOptions options{.plan = std::move(*plan),
                          .secrets_dir = arguments->secrets,
                          .service = arguments->service,
                          .member = arguments->member,
                          .out = arguments->out,
                          .writer = arguments->writer};
    exit_code = run_direct_witness(options);
  });
  auto* verify = command->add_subcommand("verify", "look for every write that `witness run` saw acknowledged");
  verify->add_option("--plan", arguments->plan, "the plan file")->required();
  verify->add_option("--inventory", arguments->inventory, "addresses of hosts");
  verify->add_option("--secrets", arguments->secrets, "folder of secrets")->required();
  verify->add_option("--samples", arguments->samples, "the file that `witness run` wrote")->required();
  verify->add_option("--out", arguments->out, "file for the answer; standard output when left out");
  verify->callback([arguments, &exit_code] {
    auto plan = plan_from(arguments->plan, arguments->inventory);
    if (!plan) {
      exit_code = kBadInput;
      return;
    }
    VerifyCommand wanted{.plan = std::move(*plan),
                         .secrets_dir = arguments->secrets,
                         .samples = arguments->samples,
                         .out = arguments->out};
    exit_code = run_verify(wanted);
  });
}

void add_statuspage(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("statuspage", "serve the public status page")->group("Daemons");
  struct Arguments {
    std::string listen;
    StatuspageOptions options;
  };
  auto arguments = std::make_shared<Arguments>();
  command->add_option("--listen", arguments->listen, "ADDRESS:PORT")->required();
  command->add_option("--data", arguments->options.data_file, "file of updates")->required();
  command->add_option("--secrets", arguments->options.secrets_folder, "folder of secrets");
  command->add_option("--key", arguments->options.key, "secret that signs updates");
  command->add_option("--title", arguments->options.title, "title of the page");
  command->callback([arguments, &exit_code] {
    size_t colon = arguments->listen.rfind(':');
    if (colon == std::string::npos) {
      fmt::print(stderr, "lifeboat: --listen wants ADDRESS:PORT\n");
      exit_code = kBadInput;
      return;
    }
    StatuspageOptions options = arguments->options;
    options.listen = arguments->listen.substr(0, colon);
    options.port = std::atoi(arguments->listen.c_str() + colon + 1);
    std::signal(SIGPIPE, SIG_IGN);
    asio::io_context context(1);
    auto serve = [](StatuspageOptions what, int& code) -> Task<> { code = co_await run_statuspage(std::move(what)); };
    Scope scope(context.get_executor(),
                [](std::string_view task, std::string_view what) { spdlog::error("{}: {}", task, what); });
    scope.spawn("status page", serve(std::move(options), exit_code));
    context.run();
  });
}

void add_lab(CLI::App& app, int& exit_code) {
  auto* lab =
      app.add_subcommand("lab", "a plan's servers, real, on this machine, with faults to put in")->group("Rehearsal");
  lab->require_subcommand(1);
  auto* up = lab->add_subcommand("up", "bring it up; Ctrl-C ends it");
  auto wanted = std::make_shared<LabUpOptions>();
  up->add_option("--plan", wanted->plan, "the plan file")->required();
  up->add_option("--profile", wanted->profile, "profile of the controller");
  up->add_flag("--detach", wanted->detach, "return when users are served; `lab down` ends it");
  up->add_flag("--drill", wanted->drill, "every message says that it is a drill");
  up->add_flag("--loopback", wanted->loopback, "loopback addresses instead of namespaces, as without root");
  up->add_flag("--small-disks", wanted->small_disks, "each database's host has a small disk, for the fault full-disk");
  up->add_flag("--servers-only", wanted->servers_only, "no controller, agents and status page");
  up->callback([wanted, &exit_code] { exit_code = run_lab_up(*wanted); });

  auto which = std::make_shared<LabOptions>();
  auto choose = [which](CLI::App* command) {
    command->add_option("--lab", which->lab, "number of the lab; the only one when left out");
  };
  auto* down = lab->add_subcommand("down", "end it; nothing is left behind");
  choose(down);
  down->callback([which, &exit_code] { exit_code = run_lab_down(*which); });
  auto* status = lab->add_subcommand("status", "what runs where, and which faults are in");
  choose(status);
  status->add_option("--format", which->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  status->callback([which, &exit_code] { exit_code = run_lab_status(*which); });
  struct Fault {
    std::string name, target;
  };
  auto fault = std::make_shared<Fault>();
  for (bool heals : {false, true}) {
    auto* command = lab->add_subcommand(heals ? "heal" : "fault", heals ? "take a fault out again" : "put a fault in");
    command->add_option("fault", fault->name, "one of " + lab::fault_names())->required();
    command->add_option("target", fault->target,
                        "region, host or member; hosts of databases and members: who may write when left out");
    choose(command);
    command->callback([which, fault, heals, &exit_code] {
      exit_code =
          heals ? run_lab_heal(*which, fault->name, fault->target) : run_lab_fault(*which, fault->name, fault->target);
    });
  }
  auto* exec = lab->add_subcommand("exec", "run a program where the lab's users stand");
  auto words = std::make_shared<std::vector<std::string>>();
  choose(exec);
  auto host = std::make_shared<std::string>();
  exec->add_option("--beside", *host,
                   "in the network of this host of a database, in the background, until the lab ends");
  exec->add_option("program", *words, "program and arguments, after --")->required();
  exec->callback([which, words, host, &exit_code] {
    exit_code = host->empty() ? run_lab_exec(*which, *words) : run_lab_exec_beside(*which, *host, *words);
  });
  auto* sink = lab->add_subcommand("sink", "")->group("");
  struct Sink {
    std::string http, smtp, out;
  };
  auto ends = std::make_shared<Sink>();
  sink->add_option("--http", ends->http);
  sink->add_option("--smtp", ends->smtp);
  sink->add_option("--out", ends->out)->required();
  sink->callback([ends, &exit_code] { exit_code = run_lab_sink(ends->http, ends->smtp, ends->out); });
}

void add_drill(CLI::App& app, int& exit_code) {
  auto* command =
      app.add_subcommand("drill", "bring up a lab, break it, let Lifeboat recover, and judge")->group("Rehearsal");
  auto options = std::make_shared<DrillCommand>();
  command->add_option("scenario", options->scenario, "the scenario")->required();
  command->add_option("--plan", options->plan, "the plan file")->required();
  command->add_option("--fault", options->fault, "one of " + lab::fault_names())->required();
  command->add_option("--target", options->target,
                      "region, host or member; what the scenario is about, or who may write, when left out");
  command->add_option("--profile", options->profile, "profile of the run");
  command->add_option("--report", options->report, "JSON file; Markdown and HTML stand beside it");
  command->add_option("--format", options->format, "text or json: the report's keys")
      ->check(CLI::IsMember({"text", "json"}));
  command->add_flag("--keep", options->keep, "leave the lab running");
  command->add_option("--repeat", options->repeat, "how often; then REPORT has least, median and most of all figures")
      ->check(CLI::Range(1, 1000));
  command->add_option(
      "--heal-after", options->heal_after,
      "seconds after the fault at which it is healed, in the middle of the recovery if that is not over");
  command->add_option("--in-a-row", options->in_a_row, "the fault comes so often, each time when all is well again")
      ->check(CLI::Range(1, 20));
  command->add_flag("--kill-controller", options->kill_controller,
                    "kill the controller before and after the effect of every step; it is started anew each time");
  command->add_option(
      "--lose-leader-at", options->lose_leader_at,
      "STEP:before or STEP:after: the region of the leading controller dies there, whatever is left of it");
  command->callback([options, &exit_code] { exit_code = run_drill_command(*options); });
}

void add_store(CLI::App& app, int& exit_code) {
  auto* store =
      app.add_subcommand("store", "the memory of the controllers: its state, copies of it, and back")->group("Daemons");
  store->require_subcommand(1);
  auto options = std::make_shared<StoreOptions>();
  auto format = std::make_shared<std::string>("text");
  auto common = [&](const char* name, const char* about) {
    auto* command = store->add_subcommand(name, about);
    command->add_option("--plan", options->plan, "the plan file")->required();
    command->add_option("--inventory", options->inventory, "addresses of hosts");
    command->add_option("--secrets", options->secrets, "folder of secrets, for the password of etcd");
    command->add_option("--store", options->store, "file of the journal, or etcd; what the plan says when left out");
    return command;
  };
  auto* status = common("status", "whether its voters answer, who leads, and whether the journal is whole");
  status->add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  status->callback([options, format, &exit_code] {
    options->json = *format == "json";
    exit_code = run_store_status(*options);
  });
  auto* backup = common("backup", "write a copy of everything");
  backup->add_option("file", options->file, "file to write")->required();
  backup->callback([options, &exit_code] { exit_code = run_store_backup(*options); });
  auto* restore = common("restore", "fill an empty store from a copy; no controller runs meanwhile");
  restore->add_option("file", options->file, "file that backup wrote")->required();
  restore->callback([options, &exit_code] { exit_code = run_store_restore(*options); });
  auto alone = std::make_shared<TakeOverOptions>();
  auto* take_over = common("take-over", "let one region go on alone when a majority of regions is lost for good");
  take_over->add_option("--region", alone->region, "the region that is left")->required();
  take_over->add_option("--by", alone->by, "who decides; once for each")->required();
  take_over->add_option("--reason", alone->reason, "why")->required();
  take_over->add_option("--from", alone->copy, "a copy to begin from, when the region's own voter is lost too");
  take_over->add_option("file", options->file, "file of the journal to be made")->required();
  take_over->callback([options, alone, &exit_code] {
    alone->store = *options;
    exit_code = run_store_take_over(*alone);
  });
}

}  // namespace

void add_daemons(CLI::App& app, int& exit_code) {
  add_drill(app, exit_code);
  add_lab(app, exit_code);
  add_controller(app, exit_code);
  add_store(app, exit_code);
  add_agent(app, exit_code);
  add_witness(app, exit_code);
  add_statuspage(app, exit_code);
}

}  // namespace lifeboat::cli
