#include "controller/controller.hpp"

#include <fmt/format.h>
#include <linux/close_range.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <boost/asio/signal_set.hpp>

#include <csignal>

#include "actions/action.hpp"
#include "controller/action_catalogue.hpp"
#include "controller/agent_hub.hpp"
#include "controller/api.hpp"
#include "controller/backups.hpp"
#include "controller/configure.hpp"
#include "controller/crash_points.hpp"
#include "controller/databases.hpp"
#include "controller/drill_book.hpp"
#include "controller/dumps.hpp"
#include "controller/election.hpp"
#include "controller/executor.hpp"
#include "controller/incidents.hpp"
#include "controller/open_store.hpp"
#include "controller/orphan_book.hpp"
#include "controller/profile_book.hpp"
#include "controller/restore_book.hpp"
#include "controller/restores.hpp"
#include "controller/secret_book.hpp"
#include "controller/watch.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"
#include "io/http_server.hpp"
#include "io/priority.hpp"
#include "io/secrets.hpp"
#include "plan/load.hpp"
#include "store/store.hpp"

namespace lifeboat {
namespace {

// Who opened a run that no person opened.
constexpr std::string_view kByItself = "decision matrix";

// How long a controller waits at its start for each one that the plan names before it.
constexpr Duration kGiveWay{1'500};
// How long one that gave up the lead leaves it to others.
constexpr Duration kBeginsAgain{3'000};

// Whether what kept it from its work may pass: the store did not answer; or a newer controller wrote what this one does not
// understand, between its look and its election. Begun anew it looks again, and then stands aside.
bool may_start_later(ErrorKind kind) {
  return kind == ErrorKind::unsupported || kind == ErrorKind::unreachable || kind == ErrorKind::timed_out ||
         kind == ErrorKind::unknown_outcome;
}

// Everything a controller is made of, in the order in which it is made; taken apart the other way round.
class Controller {
 public:
  Controller(asio::io_context& context, const ControllerOptions& options, LoadedPlan loaded,
             std::unique_ptr<Store> store)
      : context_(context),
        options_(options),
        loaded_(std::move(loaded)),
        store_(std::move(store)),
        plan_hash_(sha256_hex(loaded_.bytes)),
        secrets_(options.secrets_dir),
        crash_points_(options.crash_points),
        over_(context.get_executor()),
        scope_(context.get_executor(), [this](std::string_view task, std::string_view what) { broken(task, what); }),
        hub_(context.get_executor(), secrets_, agent_hosts(), hub_callbacks()),
        databases_(context.get_executor(), *store_, loaded_.plan, hub_, scope_,
                   [this](const std::string& service, const ownership::Note& note) { on_note(service, note); }),
        orphans_(*store_, loaded_.plan, hub_, databases_, scope_),
        backups_(*store_, loaded_.plan, hub_, databases_, scope_),
        incidents_(*store_),
        credentials_(*store_, secrets_, [this] { tell_agents(); }),
        restore_book_(*store_),
        profile_book_(*store_),
        watch_(context.get_executor(), *store_, loaded_.plan, http_, databases_, options.host, scope_, watch_hooks()),
        world_{loaded_.plan, secrets_,     http_,         databases_,    hub_,         watch_,
               incidents_,   credentials_, restore_book_, profile_book_, options.drill},
        restores_(*store_, world_, scope_),
        dumps_(*store_, world_, scope_),
        runs_(context.get_executor(), *store_, world_, executor_options()),
        drills_(*store_, world_, scope_, drill_hooks()) {}

  Task<> run(asio::signal_set& signals) {
    scope_.spawn("signals", wait_for_signal(signals));
    scope_.spawn("lead", lead());
    while (!ends_) co_await over_.wait_until(boot_now() + std::chrono::hours(1));
    if (server_) co_await server_->stop(Duration{1'000});
    co_await runs_.stop(Duration{2'000});
    co_await scope_.stop(Duration{2'000});
    auto resigning = store_->resign();
    co_await std::move(resigning);
    context_.stop();
  }

  // It led and does no more: what it knows may be wrong, so it begins from nothing, as a new process.
  bool begins_anew() const { return anew_; }
  int exit_code() const { return exit_code_; }

 private:
  asio::io_context& context_;
  ControllerOptions options_;
  LoadedPlan loaded_;
  std::unique_ptr<Store> store_;
  std::string plan_hash_;
  Secrets secrets_;
  HttpClient http_;
  CrashPoints crash_points_;
  Wakeup over_;
  Scope scope_;
  AgentHub hub_;
  DatabaseKeeper databases_;
  OrphanBook orphans_;
  BackupKeeper backups_;
  IncidentBook incidents_;
  SecretBook credentials_;
  RestoreBook restore_book_;
  ProfileBook profile_book_;
  Watch watch_;
  World world_;
  RestoreKeeper restores_;
  DumpKeeper dumps_;
  RunExecutor runs_;
  DrillBook drills_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<HttpServer> server_;
  int exit_code_ = 0;
  bool ends_ = false;
  bool anew_ = false;
  bool gives_up_ = false;  // it gave the lead back because it could not begin its work

  void end() {
    ends_ = true;
    over_.notify();
  }

  Task<> wait_for_signal(asio::signal_set& signals) {
    co_await signals.async_wait(asio::use_awaitable);
    say("stops");
    end();
  }

  // Waits until it is elected, then works until it leads no more.
  Task<> lead() {
    Election election(context_.get_executor(), *store_, http_, candidacy());
    auto electing = election.win();
    auto elected = co_await std::move(electing);
    if (!elected) {
      say("cannot start: " + elected.error().text());
      exit_code_ = 2;
      co_return end();
    }
    scope_.spawn("keep leading", keep_leading());
    auto begun = start();
    auto started = co_await std::move(begun);
    if (!started && store_->leads()) {
      say("cannot start: " + started.error().text());
      if (may_start_later(started.error().kind)) {
        gives_up_ = true;
        auto resigning = store_->resign();
        co_await std::move(resigning);
      }
      // A store of one process is led for ever.
      if (!store_->leads()) co_return;
      exit_code_ = 2;
      co_return end();
    }
    if (!started) co_return;
    say(fmt::format("plan {} {}, listening on {}", loaded_.plan.plan.text, plan_hash_.substr(0, 8), options_.listen));
  }

  Task<> keep_leading() {
    auto leading = store_->keep_leading();
    Error why = co_await std::move(leading);
    say(why.text() + "; everything it did is stopped");
    // Another one is elected meanwhile, if there is one.
    if (gives_up_) co_await sleep_for(kBeginsAgain);
    anew_ = true;
    end();
  }

  Candidacy candidacy() {
    Candidacy out;
    out.listen = options_.listen;
    out.say = [this](const std::string& line) { say(line); };
    std::string address = address_of(loaded_.plan, options_.host);
    size_t colon = options_.listen.rfind(':');
    out.me = {options_.host, address + (colon == std::string::npos ? "" : options_.listen.substr(colon))};
    auto hosts = controller_hosts(loaded_.plan);
    auto place = std::ranges::find(hosts, options_.host);
    if (place != hosts.end()) out.give_way = kGiveWay * (place - hosts.begin());
    return out;
  }

  void say(const std::string& text) { spdlog::info("{}", secrets_.redact(text)); }

  // A background task ended by an exception: state may be wrong, so the controller ends, and its restart folds the
  // journal again.
  void broken(std::string_view task, std::string_view what) {
    spdlog::error("{} failed: {}", task, secrets_.redact(std::string(what)));
    exit_code_ = 70;
    context_.stop();
  }

  std::vector<std::string> agent_hosts() const {
    std::vector<std::string> hosts;
    for (const auto& [name, host] : loaded_.plan.hosts) {
      if (host.agent) hosts.push_back(name);
    }
    return hosts;
  }

  AgentHub::Callbacks hub_callbacks() {
    AgentHub::Callbacks callbacks;
    callbacks.connected = [this](const std::string& host) { agent_connected(host); };
    callbacks.lost = [this](const std::string& host) {
      say(fmt::format("agent {} is gone", host));
      databases_.agent_lost(host);
      backups_.agent_lost(host);
      watch_.agent_lost(host);
    };
    callbacks.said = [this](const std::string& host, const std::string& type, const Json& message) {
      databases_.agent_said(host, type, message);
      orphans_.agent_said(host, type, message);
      backups_.agent_said(host, type, message);
      watch_.agent_said(host, type, message);
      if (type == wire::CutOff::kType) tell_agent(host);
    };
    callbacks.log = [this](const std::string& text) { say(text); };
    return callbacks;
  }

  void agent_connected(const std::string& host) {
    say(fmt::format("agent {} is here", host));
    tell_agent(host);
    databases_.agent_connected(host);
    watch_.agent_connected(host);
  }

  void tell_agents() {
    for (const auto& [host, settings] : loaded_.plan.hosts) {
      if (settings.agent && hub_.connected(host)) tell_agent(host);
    }
  }

  // What it has to do. Told again when something of it changed. While its host is cut off it goes on by what it has: an attacker who
  // is still there must not learn what was renewed because of him.
  void tell_agent(const std::string& host) {
    if (hub_.cut_off(host)) return say(fmt::format("agent {} is told nothing new while its host is cut off", host));
    auto configuration = configuration_for(loaded_.plan, host, secrets_, watch_.targets());
    if (!configuration) {
      say(fmt::format("agent {} cannot be told what to do: {}", host, configuration.error().text()));
    } else {
      Json message = encode(*configuration);
      message.as_object()["type"] = wire::Configure::kType;
      hub_.send(host, std::move(message));
    }
  }

  void on_note(const std::string& service, const ownership::Note& note) {
    say(fmt::format("{}: {}", service, note.text));
    if (note.kind == "automatic-failover") watch_.database_moved_by_itself(service, note.text);
  }

  Watch::Hooks watch_hooks() {
    Watch::Hooks hooks;
    hooks.backup_trouble = [this](const std::string& service) {
      std::string trouble = backups_.trouble(service);
      return trouble.empty() ? dumps_.trouble(service) : trouble;
    };
    hooks.start_run = [this](std::string scenario, decision::RaisedNow signal, std::string reason) {
      return start_run(std::move(scenario), std::move(signal), std::move(reason));
    };
    hooks.active_runs = [this] {
      std::vector<decision::ActiveRun> active;
      for (const std::string& id : runs_.list()) {
        const run::RunState* state = runs_.state(id);
        if (state->finished()) continue;
        bool by_itself = state->opened->by == kByItself, only_looks = rehearsal::only_looks(state->opened->steps);
        active.push_back({id, state->opened->scenario, state->opened->cause, by_itself, only_looks});
      }
      return active;
    };
    hooks.end_run = [this](std::string id, std::string reason) {
      return runs_.abort(std::move(id), std::string(kByItself), std::move(reason), false);
    };
    return hooks;
  }

  Task<Result<std::string>> start_run(std::string scenario, decision::RaisedNow signal, std::string reason) {
    OpenRequest wanted{.scenario = std::move(scenario),
                       .mode = options_.drill ? run::RunMode::drill : run::RunMode::real,
                       .by = std::string(kByItself),
                       .cause = decision::cause_of(signal)};
    say(reason);
    co_return co_await runs_.open_run(std::move(wanted));
  }

  DrillHooks drill_hooks() {
    DrillHooks hooks;
    hooks.runs = [this] {
      std::vector<const run::RunState*> all;
      for (const std::string& id : runs_.list()) all.push_back(runs_.state(id));
      return all;
    };
    hooks.around = [this] {
      rehearsal::Around around;
      for (const std::string& id : runs_.list()) around.runs += runs_.state(id)->finished() ? 0 : 1;
      for (const IncidentView& incident : incidents_.all()) around.incidents += incident.state == "closed" ? 0 : 1;
      around.signals = watch_.active().size();
      for (const std::string& service : databases_.services()) {
        auto view = databases_.view(service);
        around.writable = around.writable && view && view->writable;
      }
      return around;
    };
    hooks.open_run = [this](OpenRequest request) { return runs_.open_run(std::move(request)); };
    hooks.log = [this](const std::string& line) { say(line); };
    return hooks;
  }

  ExecutorOptions executor_options() {
    ExecutorOptions out;
    out.profile = options_.profile;
    out.plan_hash = plan_hash_;
    out.drill = options_.drill;
    out.log = [this](const std::string& line) { say(line); };
    out.loss = [this](const run::ResolvedStep& step) { return loss_of(step); };
    out.on_event = [this](const std::string& id, const run::Event& event) { say(id + " " + run::in_words(event)); };
    out.crash_point = [this](std::string step, std::string when) {
      return crash_points_.pass(std::move(step), std::move(when));
    };
    return out;
  }

  // What starting this step now would set aside, for the question to people.
  std::string loss_of(const run::ResolvedStep& step) {
    if (step.uses != "postgres.failover") return {};
    auto loss = databases_.loss_if_failed_over(text_or(step.with, "service"), text_or(step.with, "to"));
    if (!loss || loss->candidate.empty()) return {};
    return fmt::format("promoting {} now sets aside {} bytes{}", loss->candidate, loss->bytes.value_or(0),
                       loss->age ? ", " + format_span(*loss->age) : "");
  }

  Task<Result<>> start() {
    hub_.begin();
    crash_points_.begin();
    CO_TRY(std::string token, secrets_.get("api-token"));
    CO_TRY_VOID(co_await credentials_.start());
    CO_TRY_VOID(co_await restore_book_.start());
    CO_TRY_VOID(co_await profile_book_.start());
    CO_TRY_VOID(co_await incidents_.start());
    CO_TRY_VOID(co_await databases_.start());
    // Runs first: a signal that is still there must find the run that answers it.
    CO_TRY(Resumed resumed, co_await runs_.resume_all());
    for (const std::string& id : resumed.runs) say(id + " goes on");
    for (const std::string& problem : resumed.problems) say("CANNOT GO ON: " + problem);
    CO_TRY_VOID(co_await watch_.start());
    CO_TRY_VOID(co_await backups_.start());
    dumps_.start();
    CO_TRY_VOID(co_await drills_.start());
    ApiParts parts{loaded_.plan, plan_hash_, options_.profile, token,  options_.drill, *store_, world_,
                   databases_,   orphans_,   backups_,         dumps_, restores_,      watch_,  incidents_,
                   runs_,        drills_,    options_.host};
    api_ = std::make_unique<Api>(std::move(parts));
    server_ = std::make_unique<HttpServer>(
        context_.get_executor(), [this](HttpIncoming request) { return api_->answer(std::move(request)); },
        [this](std::string_view what) { say(std::string(what)); });
    server_->on_websocket("/agent", [this](WebSocket socket, HttpIncoming) { return hub_.serve(std::move(socket)); });
    CO_TRY(auto at, split_listen(options_.listen));
    co_return server_->listen(at.first, at.second);
  }
};

// The same program with the same arguments, and nothing else of before.
[[noreturn]] void begin_anew() {
  auto text = read_file("/proc/self/cmdline", 1u << 20);
  std::vector<char*> argv;
  if (text) {
    for (size_t at = 0; at < text->size(); at += strlen(text->data() + at) + 1) argv.push_back(text->data() + at);
  }
  argv.push_back(nullptr);
  close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (argv.size() > 1) execv("/proc/self/exe", argv.data());
  spdlog::error("cannot begin anew: {}", strerror(errno));
  _exit(70);
}

void print_findings(const LoadFailure& failure) {
  for (const Finding& finding : failure.findings) fmt::print(stderr, "{}\n", one_line(finding));
}

}  // namespace

int run_controller(const ControllerOptions& options) {
  go_first();
  spdlog::set_default_logger(spdlog::stderr_logger_mt("controller"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
  spdlog::flush_on(spdlog::level::info);
  LoadOptions load{.inventory = options.inventory, .profile = options.profile};
  auto loaded = load_plan(options.plan_file, built_in_actions(), load);
  if (!loaded) {
    print_findings(loaded.error());
    return 2;
  }
  asio::io_context context(1);
  Secrets secrets(options.secrets_dir);
  auto store =
      open_store(context.get_executor(), options.store, loaded->plan, secrets, region_of(loaded->plan, options.host));
  if (!store) {
    fmt::print(stderr, "lifeboat: {}\n", store.error().text());
    return 2;
  }
  asio::signal_set signals(context, SIGTERM, SIGINT);
  std::signal(SIGPIPE, SIG_IGN);
  auto controller = std::make_unique<Controller>(context, options, std::move(*loaded), std::move(*store));
  Scope main_scope(context.get_executor(), [](std::string_view, std::string_view what) { spdlog::error("{}", what); });
  main_scope.spawn("controller", controller->run(signals));
  context.run();
  if (controller->begins_anew()) begin_anew();
  return controller->exit_code();
}

}  // namespace lifeboat
