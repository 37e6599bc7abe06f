// The one binary: subcommands for people and for daemons. Only arguments are parsed here; each command is a function.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cstdlib>

#include "cli/backups.hpp"
#include "cli/check.hpp"
#include "cli/clean_point.hpp"
#include "cli/completion.hpp"
#include "cli/daemons.hpp"
#include "cli/drills.hpp"
#include "cli/exit_codes.hpp"
#include "cli/explain.hpp"
#include "cli/forensics.hpp"
#include "cli/logical.hpp"
#include "cli/orphans.hpp"
#include "cli/restore.hpp"
#include "cli/runs.hpp"
#include "cli/schema.hpp"
#include "core/base/similar.hpp"

namespace lifeboat::cli {
namespace {

struct Common {
  ClientOptions client;
  std::string format = "text";
};

std::string from_environment(const char* name, std::string otherwise = {}) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::string(value);
}

std::string who_am_i() { return from_environment("LIFEBOAT_USER", from_environment("USER")); }

void add_client_options(CLI::App* command, Common& common) {
  command->add_option("--controller", common.client.controller, "address of a controller (LIFEBOAT_CONTROLLER)");
  command->add_option("--token-file", common.client.token_file, "file that holds the API token (LIFEBOAT_TOKEN_FILE)");
  command->add_option("--format", common.format, "text or json")->check(CLI::IsMember({"text", "json"}));
}

void add_check(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("check", "find what is wrong with a plan before the day")->group("Plans");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("plan", options->plan, "the plan file")->required();
  command->add_option("--format", options->format, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->add_option("--inventory", options->inventory, "addresses of hosts");
  command->add_option("--profile", options->profile, "profile that must exist");
  command->callback([options, &exit_code] { exit_code = run_check(*options); });
}

void add_plan_commands(CLI::App& app, Common& common, int& exit_code) {
  add_check(app, exit_code);
  auto* preview_command =
      app.add_subcommand("preview", "what each step of a scenario would do now; changes nothing")->group("Plans");
  auto look = std::make_shared<PreviewOptions>();
  preview_command->add_option("plan", look->plan_file, "the plan file")->required();
  preview_command->add_option("scenario", look->scenario, "the scenario")->required();
  preview_command->add_option("--set", look->vars, "NAME=VALUE of a variable");
  add_client_options(preview_command, common);
  preview_command->callback([look, &common, &exit_code] {
    Client client(common.client);
    exit_code = preview(client, *look, detect_output(common.format));
  });
  app.add_subcommand("schema", "the plan format as JSON Schema, for editors")->group("Plans")->callback([&exit_code] {
    exit_code = run_schema();
  });
  auto* explain_command =
      app.add_subcommand("explain", "what an action does and takes; without a name, all of them")->group("Plans");
  auto explained = std::make_shared<ExplainOptions>();
  explain_command->add_option("action", explained->action, "name of the action");
  explain_command->add_flag("--markdown", explained->markdown, "the whole reference as Markdown");
  explain_command->callback([explained, &exit_code] { exit_code = run_explain(*explained); });
}

void add_run_commands(CLI::App& app, Common& common, int& exit_code) {
  auto* run_command = app.add_subcommand("run", "start a scenario and follow it")->group("Incidents");
  auto wanted = std::make_shared<RunOptions>();
  wanted->by = who_am_i();
  auto quiet = std::make_shared<bool>(false);
  run_command->add_option("scenario", wanted->scenario, "scenario of the controller's plan")->required();
  run_command->add_option("--by", wanted->by, "who starts it (LIFEBOAT_USER)");
  run_command->add_option("--set", wanted->vars, "NAME=VALUE of a variable");
  run_command->add_option("--reason", wanted->reason, "why");
  run_command->add_flag("--no-watch", *quiet, "print the run's id and leave");
  add_client_options(run_command, common);
  run_command->callback([wanted, quiet, &common, &exit_code] {
    wanted->watch = !*quiet;
    Client client(common.client);
    exit_code = start_run(client, *wanted, detect_output(common.format));
  });

  auto* status_command = app.add_subcommand("status", "what is, now")->group("Incidents");
  add_client_options(status_command, common);
  status_command->callback([&common, &exit_code] {
    Client client(common.client);
    exit_code = show_status(client, detect_output(common.format));
  });

  auto* watch_command = app.add_subcommand("watch", "follow a run; leaving does not stop it")->group("Incidents");
  auto watched = std::make_shared<std::string>();
  watch_command->add_option("run", *watched, "id of the run; the newest when left out");
  add_client_options(watch_command, common);
  watch_command->callback([watched, &common, &exit_code] {
    Client client(common.client);
    exit_code = watch_run(client, *watched, detect_output(common.format));
  });

  struct Verb {
    const char* name;
    const char* text;
    bool step;
  };
  static constexpr Verb kVerbs[] = {{"approve", "agree to a step that asks", true},
                                    {"decline", "refuse a step that asks", true},
                                    {"confirm", "say that a manual step is done", true},
                                    {"pause", "start no further steps", false},
                                    {"resume", "go on after a pause", false},
                                    {"abort", "stop a run where it is", false},
                                    {"rollback", "stop a run and take back what it did", false},
                                    {"skip", "leave a step out, with a reason", true},
                                    {"retry", "try a failed step again", true}};
  for (const Verb& verb : kVerbs) {
    auto* command = app.add_subcommand(verb.name, verb.text)->group("Incidents");
    auto said = std::make_shared<SayOptions>();
    said->by = who_am_i();
    command->add_option("run", said->run, "id of the run")->required();
    if (verb.step) command->add_option("step", said->step, "id of the step")->required();
    command->add_option("--by", said->by, "who says so (LIFEBOAT_USER)");
    command->add_option("--reason", said->reason, "why");
    add_client_options(command, common);
    command->callback([said, name = std::string(verb.name), &common, &exit_code] {
      Client client(common.client);
      exit_code = say(client, name, *said, detect_output(common.format));
    });
  }

  struct Looked {
    std::string by = who_am_i(), text;
  };
  auto looked = std::make_shared<Looked>();
  auto* acknowledge_command =
      app.add_subcommand("acknowledge", "say that people have looked at what happened by itself; it may happen again")
          ->group("Incidents");
  acknowledge_command->add_option("--by", looked->by, "who has looked (LIFEBOAT_USER)");
  acknowledge_command->add_option("--text", looked->text, "what was found");
  add_client_options(acknowledge_command, common);
  acknowledge_command->callback([looked, &common, &exit_code] {
    Client client(common.client);
    exit_code = acknowledge(client, looked->by, looked->text, detect_output(common.format));
  });

  auto* signal_command = app.add_subcommand("signal", "raise a signal that a person saw")->group("Incidents");
  auto raised = std::make_shared<SignalOptions>();
  raised->by = who_am_i();
  signal_command->add_option("signal", raised->signal, "signal of the plan")->required();
  signal_command->add_option("--subject", raised->subject, "the region or service it is about");
  signal_command->add_option("--by", raised->by, "who saw it (LIFEBOAT_USER)");
  signal_command->add_option("--text", raised->text, "what was seen");
  add_client_options(signal_command, common);
  signal_command->callback([raised, &common, &exit_code] {
    Client client(common.client);
    exit_code = raise_signal(client, *raised, detect_output(common.format));
  });
}

void add_evidence_commands(CLI::App& app, Common& common, int& exit_code) {
  auto* report_command = app.add_subcommand("report", "the report of a run")->group("Evidence");
  struct Wanted {
    std::string run, format = "markdown", file;
  };
  auto wanted = std::make_shared<Wanted>();
  report_command->add_option("run", wanted->run, "id of the run")->required();
  report_command->add_option("--as", wanted->format, "markdown, html or json")
      ->check(CLI::IsMember({"markdown", "html", "json"}));
  report_command->add_option("--output", wanted->file, "file to write; standard output when left out");
  add_client_options(report_command, common);
  report_command->callback([wanted, &common, &exit_code] {
    Client client(common.client);
    exit_code = show_report(client, wanted->run, wanted->format, wanted->file);
  });
  auto* verify_command = app.add_subcommand("verify", "whether the journal's hash chain holds")->group("Evidence");
  add_client_options(verify_command, common);
  verify_command->callback([&common, &exit_code] {
    Client client(common.client);
    exit_code = verify_journal(client, detect_output(common.format));
  });
}

void add_orphan_commands(CLI::App& app, Common& common, int& exit_code) {
  auto* orphans = app.add_subcommand("orphans", "writes that only an old primary had, and how to give them back");
  orphans->group("Evidence")->require_subcommand(1);
  struct Wanted {
    std::string id, as = "sql", file;
    bool dry_run = false;
  };
  auto wanted = std::make_shared<Wanted>();
  auto* show = orphans->add_subcommand("show", "all that stand in the journal; with an id, its changes one by one");
  show->add_option("id", wanted->id, "which saving");
  add_client_options(show, common);
  show->callback([wanted, &common, &exit_code] {
    Client client(common.client);
    exit_code = show_orphans(client, wanted->id, detect_output(common.format));
  });
  auto* exporting = orphans->add_subcommand("export", "its changes as SQL or JSON, or the list of its transactions");
  exporting->add_option("id", wanted->id, "which saving")->required();
  exporting->add_option("--as", wanted->as, "sql, json or log")->check(CLI::IsMember({"sql", "json", "log"}));
  exporting->add_option("--output", wanted->file, "file to write; standard output when left out");
  add_client_options(exporting, common);
  exporting->callback([wanted, &common, &exit_code] {
    Client client(common.client);
    exit_code = export_orphans(client, wanted->id, wanted->as, wanted->file);
  });
  auto* replay = orphans->add_subcommand("replay", "what each change would meet if it were made again now");
  replay->add_option("id", wanted->id, "which saving")->required();
  replay->add_flag("--dry-run", wanted->dry_run, "change nothing; a person runs the exported SQL after looking at it")
      ->required();
  add_client_options(replay, common);
  replay->callback([wanted, &common, &exit_code] {
    Client client(common.client);
    exit_code = replay_orphans(client, wanted->id, detect_output(common.format));
  });
}

void add_backup_commands(CLI::App& app, Common& common, int& exit_code) {
  auto* backups = app.add_subcommand("backups", "backups of databases: what is there, and take, verify or expire some");
  backups->group("Evidence")->require_subcommand(1);
  auto wanted = std::make_shared<BackupOptions>();
  wanted->by = who_am_i();
  auto* list =
      backups->add_subcommand("list", "every backup that can be restored, newest last, and how far back they go");
  list->add_option("service", wanted->service, "the database; the only one when left out");
  add_client_options(list, common);
  list->callback([wanted, &common, &exit_code] {
    Client client(common.client);
    exit_code = list_backups(client, *wanted, detect_output(common.format));
  });
  static constexpr std::pair<const char*, const char*> kVerbs[] = {
      {"take", "take a backup now and wait for it"},
      {"verify", "read every file of the repository and compare it with its checksum"},
      {"expire", "remove what the plan's retention does not keep, if the backups look as they always did"}};
  for (const auto& [name, text] : kVerbs) {
    auto* command = backups->add_subcommand(name, text);
    command->add_option("service", wanted->service, "the database; the only one when left out");
    if (std::string_view(name) == "take")
      command->add_option("--type", wanted->type, "full, diff or incr")->check(CLI::IsMember({"full", "diff", "incr"}));
    if (std::string_view(name) == "expire")
      command->add_option(
          "--looked-at", wanted->looked_at,
          "label of a backup: it and all before it were looked at, and the database is as it should be");
    command->add_option("--by", wanted->by, "who orders it (LIFEBOAT_USER)");
    add_client_options(command, common);
    command->callback([wanted, verb = std::string(name), &common, &exit_code] {
      Client client(common.client);
      exit_code = order_backups(client, verb, *wanted, detect_output(common.format));
    });
  }
}

void add_restore(CLI::App& app, Common& common, int& exit_code) {
  auto* command =
      app.add_subcommand(
             "restore", "bring a database back to an exact point: a service of the plan, or straight from a repository")
          ->group("Incidents");
  auto wanted = std::make_shared<RestoreOptions>();
  wanted->by = who_am_i();
  command->add_option("service", wanted->service, "the service; with --repository what it is called");
  command->add_option("--repository", wanted->repository,
                      "pgBackRest's configuration file: restore here, without a controller");
  command->add_option("--stanza", wanted->stanza, "stanza of the repository");
  command->add_option("--repository-number", wanted->repository_number,
                      "1 or 2, the second one of the plan; the first that has a backup when left out");
  command->add_option("--to", wanted->target.to, "a moment with its zone: \"2024-01-01 14:30:00+00\"");
  command->add_option("--to-lsn", wanted->target.to_lsn, "a position of the log");
  command->add_option("--to-xid", wanted->target.to_xid, "before:N or after:N, a transaction's commit");
  command->add_option("--to-name", wanted->target.to_name, "a restore point");
  command->add_flag("--latest", wanted->target.latest, "the end of the archive");
  // For the help: with it all of the command line is of restore-dump (means_logical_backup).
  command->add_option(
      "--backup-date",
      "2024-01-01_020000, UTC: a logical backup instead, with the place and the options of restore-dump");
  command
      ->add_option("--into", wanted->into,
                   "isolated, replace (it becomes the database), or a member or host; with --repository a folder that "
                   "is empty or "
                   "of an earlier restore")
      ->required();
  command->add_option("--on", wanted->on, "with --into replace: the member that takes the data; chosen when left out");
  command->add_option("--name", wanted->name, "of the copy; made up from the time when left out");
  command->add_option("--by", wanted->by, "who asks for it (LIFEBOAT_USER)");
  command->add_flag("--yes", wanted->yes, "with --into replace: everything written behind the point is given up");
  command->add_flag("--unchecked", wanted->unchecked, "with --into replace: do not look at the copy's data before");
  command->add_option("--set", wanted->set, "label of a backup; chosen by the target when left out");
  command->add_option("--timeline", wanted->timeline, "history to follow; the newest when left out");
  command->add_flag("--promote", wanted->promote, "let it take writes; it is left paused and read-only otherwise");
  command->add_flag("--accept-gap", wanted->accept_gap,
                    "with --latest: stop where log is missing or damaged, or not archived yet");
  command->add_flag("--again", wanted->again, "give up a finished restore in the folder, or of that name");
  command->add_option("--processes", wanted->processes, "that copy")->check(CLI::Range(1, 64));
  command->add_option("--run-as", wanted->user, "user that reads the repository and runs the server");
  command->add_option("--superuser", wanted->superuser, "of the database");
  command->add_option("--within", wanted->within, "give up after so long");
  add_client_options(command, common);
  command->callback([wanted, &common, &exit_code] {
    Output output = detect_output(common.format);
    if (!wanted->repository.empty() || wanted->service.empty()) {
      exit_code = run_restore(*wanted, output);
      return;
    }
    Client client(common.client);
    exit_code = order_restore(client, *wanted, output);
  });
}

void add_restores(CLI::App& app, Common& common, int& exit_code) {
  auto* restores =
      app.add_subcommand("restores", "restored copies on the hosts of a plan: what is there, end, remove or adopt one");
  restores->group("Incidents")->require_subcommand(1);
  auto wanted = std::make_shared<RestoreOptions>();
  wanted->by = who_am_i();
  auto* list = restores->add_subcommand("list", "every copy, and what was kept as evidence");
  list->add_option("service", wanted->service, "the database")->required();
  add_client_options(list, common);
  list->callback([wanted, &common, &exit_code] {
    Client client(common.client);
    exit_code = list_restores(client, wanted->service, detect_output(common.format));
  });
  static constexpr std::pair<const char*, const char*> kVerbs[] = {
      {"stop", "end the server of a copy, or an order that is under way"}, {"remove", "end it and delete its files"}};
  for (const auto& [name, text] : kVerbs) {
    auto* command = restores->add_subcommand(name, text);
    command->add_option("service", wanted->service, "the database")->required();
    auto* which = command->add_option("name", wanted->name, "name of the copy");
    if (std::string_view(name) == "remove") {
      which->required();
    } else {
      which->description("name of the copy; forensics, clean-point; every order that is under way when left out");
    }
    command->add_option("--on", wanted->on, "the host; found when left out");
    command->add_option("--by", wanted->by, "who says so (LIFEBOAT_USER)");
    add_client_options(command, common);
    command->callback([wanted, remove = std::string_view(name) == "remove", &common, &exit_code] {
      Client client(common.client);
      exit_code = stop_restore(client, *wanted, remove, detect_output(common.format));
    });
  }
  auto* adopt = restores->add_subcommand("adopt", "a finished copy becomes the database; what was there is kept");
  adopt->add_option("service", wanted->service, "the database")->required();
  adopt->add_option("name", wanted->name, "name of the copy")->required();
  adopt->add_option("--on", wanted->on, "the member on whose host it is; found when left out");
  adopt->add_option("--by", wanted->by, "who says so (LIFEBOAT_USER)");
  adopt->add_flag("--yes", wanted->yes, "everything written behind the copy's point is given up");
  adopt->add_flag("--unchecked", wanted->unchecked, "do not look at its data before");
  adopt->add_flag("--accept-gap", wanted->accept_gap, "also when its log has a gap, or its end was not archived");
  adopt->add_option("--within", wanted->within, "give the look at its data up after so long");
  add_client_options(adopt, common);
  adopt->callback([wanted, &common, &exit_code] {
    Client client(common.client);
    exit_code = adopt_restore(client, *wanted, detect_output(common.format));
  });
}

void add_completion(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("completion", "a completion script for bash, zsh or fish")->group("Setup");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([shell, &app, &exit_code] {
    fmt::print("{}", completion_script(app, *shell));
    exit_code = kOk;
  });
}

// What CLI11 says of a wrong command, and the command that was meant.
int refuse(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (error.get_exit_code() == 0) return app.exit(error);
  fmt::print(stderr, "lifeboat: {}\n", error.what());
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  std::string hint = argc > 1 ? did_you_mean(argv[1], known) : std::string();
  if (!hint.empty() && !app.got_subcommand(argv[1])) fmt::print(stderr, "          {}\n", hint);
  fmt::print(stderr, "          `lifeboat --help` lists the commands\n");
  return kBadInput;
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app("Lifeboat: disaster recovery that is checked, executed, rehearsed and proven.", "lifeboat");
  app.set_version_flag("--version", LIFEBOAT_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(32);
  Common common;
  common.client.controller = from_environment("LIFEBOAT_CONTROLLER", common.client.controller);
  common.client.token_file = from_environment("LIFEBOAT_TOKEN_FILE");
  int exit_code = kOk;
  add_plan_commands(app, common, exit_code);
  add_run_commands(app, common, exit_code);
  add_restore(app, common, exit_code);
  add_restores(app, common, exit_code);
  add_evidence_commands(app, common, exit_code);
  add_orphan_commands(app, common, exit_code);
  add_backup_commands(app, common, exit_code);
  add_drills(app, common.client, who_am_i(), exit_code);
  add_forensics(app, common.client, who_am_i(), exit_code);
  add_clean_point(app, common.client, who_am_i(), exit_code);
  add_logical_commands(app, exit_code);
  add_daemons(app, exit_code);
  add_completion(app, exit_code);
  std::string restore_dump = "restore-dump";
  std::vector<char*> words(argv, argv + argc);
  if (means_logical_backup(words)) words[1] = restore_dump.data();
  try {
    app.parse(argc, words.data());
  } catch (const CLI::ParseError& error) {
    return refuse(app, error, argc, argv);
  }
  return exit_code;
}

}  // namespace lifeboat::cli

int main(int argc, char** argv) {
  try {
    return lifeboat::cli::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "lifeboat: a defect: {}\n", error.what());
    return lifeboat::cli::kDefect;
  }
}
