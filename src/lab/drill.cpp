#include "lab/drill.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/base/similar.hpp"
#include "lab/attack.hpp"
#include "lab/controller_link.hpp"
#include "lab/drill_backups.hpp"
#include "lab/drill_data.hpp"
#include "lab/drill_report.hpp"
#include "lab/drill_trace.hpp"
#include "lab/evidence_look.hpp"
#include "lab/faults.hpp"
#include "lab/leader_loss.hpp"
#include "lab/leader_place.hpp"
#include "lab/notice.hpp"
#include "lab/outside.hpp"
#include "lab/protection.hpp"
#include "lab/servers.hpp"

namespace lifeboat::lab {

namespace {

constexpr Duration kCalm{3'000};
constexpr Duration kAfter{1'000};
constexpr Duration kStartOfRun{60'000};
// Where doing nothing may be right, nobody has begun anything after this long.
constexpr Duration kNothingDone{8'000};
// For how long there is no controller when the drill is not told.
constexpr Duration kWithoutControl{10'000};
// Damaged data are seen by users after this long.
constexpr Duration kUnnoticed{3'000};
// What a signal is to notice it has noticed by then.
constexpr Duration kNoticed{120'000};
// A server that came back is watched for so long: it could still take writes that it must not take.
constexpr Duration kReturned{3'000};
constexpr Duration kWholeAgain{60'000};
constexpr Duration kFirstBackup{120'000};
constexpr Duration kMoreBackups{120'000};
constexpr Duration kBackupsRead{120'000};

// "STEP before" and "STEP after" of every step, one a line.
std::string crash_points_of(const Scenario& scenario) {
  std::string lines;
  for (const auto& [phase, steps] : scenario.phases) {
    for (const Step& step : steps) lines += fmt::format("{0} before\n{0} after\n", step.id.text);
  }
  return lines;
}

// "STEP:before" as the controllers read it: "STEP before".
Result<std::string> crash_point_of(const Scenario& scenario, const std::string& at) {
  size_t colon = at.find(':');
  std::string step = at.substr(0, colon), when = colon == std::string::npos ? "after" : at.substr(colon + 1);
  bool known = crash_points_of(scenario).contains(fmt::format("{} {}\n", step, when));
  if (!known)
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no place in this scenario", at),
                "STEP:before or STEP:after, with a step of its phases");
  return fmt::format("{} {}\n", step, when);
}

class DrillRun {
 public:
  DrillRun(const DrillOptions& options, const Scenario& scenario, const RunningLab& lab, ControllerLink link,
           const LabProgress& progress)
      : options_(options), scenario_(scenario), lab_(lab), link_(std::move(link)), progress_(progress) {}

  Result<DrillTrace> run() {
    trace_.scenario = options_.scenario;
    trace_.profile = options_.profile;
    trace_.fault = options_.fault;
    if (options_.kill_controller || loses_leader()) trace_.crash_points = lab_.folder() + std::string(kCrashPointsFile);
    TRY_VOID(start_witnesses());
    trace_.calm_since_ns = boot_ns();
    say("witnesses are at work");
    TRY_VOID(put_leader_in_place());
    TRY_VOID(settle_what_came_before());
    if (find_fault(options_.fault)->of_the_data) TRY_VOID(wait_for_backups());
    if (find_fault(options_.fault)->of_the_backups) TRY_VOID(take_what_can_be_expired());
    pause_for(kCalm);
    TRY(JsonArray before, link_.events_after(0));
    uint64_t last = before.empty() ? 0 : static_cast<uint64_t>(int_or(before.back(), "seq"));
    for (int round = 1; round <= options_.in_a_row; ++round) {
      if (round > 1) TRY_VOID(begin_another_round());
      TRY_VOID(put_fault_in());
      TRY_VOID(watch_recovery());
      bool well = trace_.run_id.empty() || text_or(trace_.run, "state") == "done";
      if (!well) break;
      TRY_VOID(scenario_.failback && !trace_.run_id.empty() ? go_back() : heal_and_reprotect());
    }
    if (find_fault(options_.fault)->of_the_data) TRY_VOID(look_at_pages());
    if (find_fault(options_.fault)->of_the_backups) TRY_VOID(look_at_backups());
    pause_for(kAfter);
    TRY(trace_.events, link_.events_after(last));
    if (Json kept = evidence_in(trace_); !text_or(kept, "kept").empty())
      trace_.evidence = look_at_evidence(text_or(kept, "kept"), text_or(kept, "manifest"), text_or(kept, "sha256"));
    TRY(trace_.chain, link_.get("/api/journal/verify"));
    TRY_VOID(stop_witnesses());
    return std::move(trace_);
  }

 private:
  void say(const std::string& text) {
    double since = trace_.fault_ns == 0 ? 0 : static_cast<double>(boot_ns() - trace_.fault_ns) / 1e9;
    progress_(text, since);
  }

  // `place`: {"region": NAME}, its observer; or {"host": NAME}, in the network of that host.
  Result<void> start_witness(JsonObject place, const std::string& name, std::vector<std::string> words) {
    JsonArray argv{Json(lifeboat_program()), Json("witness")};
    for (std::string& word : words) argv.emplace_back(word);
    for (const auto& [key, value] : {std::pair<std::string, std::string>{"--plan", options_.plan_file},
                                     {"--inventory", lab_.folder() + "/inventory.json"},
                                     {"--secrets", lab_.folder() + "/secrets"}}) {
      argv.emplace_back(key);
      argv.emplace_back(value);
    }
    place["name"] = name;
    witnesses_.push_back(place);
    place["do"] = "run";
    place["argv"] = std::move(argv);
    TRY_VOID(ask_lab(lab_.folder(), place));
    return {};
  }

  Result<void> start_witnesses() {
    TRY(Layout layout, lay_out(options_.plan, lab_.number(), Mode::namespaces));
    std::string out = lab_.folder() + "/out/";
    trace_.samples = out + "users.jsonl";
    std::vector<std::string> words{"run", "--out", trace_.samples};
    for (const std::string& at : controller_addresses(with_addresses(options_.plan, layout)))
      words.insert(words.end(), {"--report-to", "http://" + at});
    JsonObject outside{{"region", layout.outside().name}};
    TRY_VOID(start_witness(outside, "users", std::move(words)));
    for (const auto& [service, kind] : options_.plan.services) {
      const auto* database = std::get_if<PostgresService>(&kind);
      if (database == nullptr) continue;
      for (const auto& [member_name, where] : database->members) {
        for (const char* writer : {"inside", "outside"}) {
          std::string name = fmt::format("{}.{}.{}", service, member_name, writer), file = out + name + ".jsonl";
          trace_.direct.push_back({service, member_name, writer, file});
          JsonObject place = std::string_view(writer) == "outside" ? outside : JsonObject{{"host", where.host.text}};
          TRY_VOID(start_witness(
              std::move(place), name,
              {"direct", "--service", service, "--member", member_name, "--writer", writer, "--out", file}));
        }
      }
    }
    return {};
  }

  Result<void> stop_witnesses() {
    for (JsonObject place : witnesses_) {
      place["do"] = "signal";
      place["signal"] = SIGTERM;
      TRY_VOID(ask_lab(lab_.folder(), place));
    }
    return {};
  }

  Result<std::set<std::string>> known_runs() {
    TRY(Json page, link_.get("/api/runs"));
    std::set<std::string> ids;
    if (!member(page, "runs").is_array()) return fail(ErrorKind::internal, "the controller sent no list of runs");
    for (const Json& run : member(page, "runs").get_array()) ids.insert(text_or(run, "id"));
    return ids;
  }

  // What the fault hits: what was asked for, else what the scenario is about.
  Result<std::string> target() const {
    if (!options_.target.empty()) return options_.target;
    return default_target(options_.plan, scenario_, options_.fault);
  }

  // A region that is lost takes the leading controller along, if it has one.
  Result<void> put_leader_in_place() {
    if (find_fault(options_.fault)->target != "region") return {};
    TRY(std::string region, target());
    bool can = loses_leader() || has_controller(options_.plan, region);
    if (!can || region_of_leader(options_.plan, link_) == region) return {};
    TRY_VOID(let_lead(options_.plan, lab_.folder(), link_, region));
    TRY_VOID(wait_until_whole());
    say("a controller of " + region + " leads");
    return {};
  }

  // On a busy machine the lab's coming up may have set something off. That is ended and looked at first, so that it counts towards no
  // limit.
  Result<void> settle_what_came_before() {
    TRY(std::set<std::string> runs, known_runs());
    if (runs.empty()) return {};
    TRY_VOID(wait_until_whole());
    JsonObject body{{"by", "drill"}, {"text", "it happened while the lab came up"}};
    TRY_VOID(link_.post("/api/acknowledge", body));
    say("what the lab's coming up set off is over and does not count");
    return {};
  }

  // What was damaged before the first backup had ended is in none.
  Result<void> wait_for_backups() {
    for (int64_t deadline = deadline_in(kFirstBackup); boot_ns() < deadline; pause_for(Duration{200})) {
      auto page = link_.get("/api/backups");
      if (!page || !member(*page, "services").is_object()) continue;
      bool all = std::ranges::all_of(member(*page, "services").get_object(), [](const auto& entry) {
        const Json& status = member(entry.value(), "status");
        return !text_or(status, "oldest_at").empty() && text_or(status, "busy").empty();
      });
      if (all) return {};
    }
    return fail(ErrorKind::timed_out, "no backup of each database is there yet");
  }

  // An attacker who finds one backup cannot have it expired.
  Result<void> take_what_can_be_expired() {
    TRY_VOID(have_two_backups(link_, kMoreBackups));
    TRY(sets_before_, backup_sets(link_));
    say("there is more than one backup of each database");
    return {};
  }

  Result<void> look_at_backups() {
    std::string service = text_or(trace_.detail, "service");
    BackupAttack attack{.before = sets_before_[service]};
    TRY(std::string log, read_file(lab_.folder() + kAttackersLog));
    attack.tries = tries_in(log);
    TRY(auto sets, backup_sets(link_));
    attack.after = sets[service];
    auto wrong = verify_backups(link_, service, kBackupsRead);
    attack.problem = wrong ? *wrong : wrong.error().text();
    attack.whole = attack.problem.empty();
    trace_.backups = std::move(attack);
    return {};
  }

  Result<void> put_fault_in() {
    TRY(before_, known_runs());
    TRY(Json status, link_.get("/api/status"));
    holders_before_ = holders_in(status);
    leader_before_ = text_or(status, "controller");
    if (const Host* host = options_.plan.hosts.find(leader_before_)) trace_.leader_at_fault = host->region.text;
    TRY_VOID(begin_loss_of_leader());
    TRY(std::string what, target());
    TRY(Json done, ask_lab(lab_.folder(), JsonObject{{"do", "fault"}, {"fault", options_.fault}, {"target", what}}));
    trace_.fault_ns = int_or(done, "at_ns");
    trace_.in_force_ns = int_or(done, "in_force_ns");
    trace_.target = text_or(done, "target");
    trace_.detail = member(done, "detail");
    say(fmt::format("{} {}", options_.fault, trace_.target));
    return {};
  }

  // The same fault once more, after all is well again.
  Result<void> begin_another_round() {
    TRY_VOID(wait_until_whole());
    trace_.earlier.push_back({trace_.target, trace_.fault_ns, trace_.until_ns()});
    trace_.run_ended_ns = trace_.healed_ns = trace_.reprotected_ns = 0;
    trace_.run_id.clear();
    trace_.run = nullptr;
    disturbed_ = false;
    pause_for(kCalm);
    return {};
  }

  bool becomes_whole() {
    for (int64_t deadline = deadline_in(kWholeAgain); boot_ns() < deadline; pause_for(Duration{100})) {
      auto status = link_.get("/api/status");
      if (status && protected_by(*status, Protection::whole)) return true;
    }
    return false;
  }

  Result<void> wait_until_whole() {
    if (becomes_whole()) return wait_for_other_runs();
    return fail(ErrorKind::timed_out, "not every member follows the primary, so no fault can come");
  }

  // Lifeboat starts the run; the drill waits for it.
  Result<void> watch_recovery() {
    if (find_fault(options_.fault)->silences_controllers) TRY_VOID(wait_without_control());
    if (find_fault(options_.fault)->of_the_data) TRY_VOID(ask_for_recovery());
    // One that is healed by the clock may be over before anything had to be done: then it is judged by what users had of it.
    bool passes_by_itself = find_fault(options_.fault)->may_pass;
    bool may_pass = passes_by_itself || options_.heal_after;
    Duration until_healed = passes_by_itself ? Duration{0} : options_.heal_after.value_or(Duration{0});
    int64_t deadline = deadline_in(may_pass ? until_healed + kNothingDone : kStartOfRun);
    while (trace_.run_id.empty()) {
      trace_.run_id = fresh_run(options_.scenario, before_).value_or("");
      look_at_standbys();
      TRY_VOID(heal_when_due());
      if (boot_ns() > deadline && may_pass && trace_.run_id.empty()) {
        trace_.run_ended_ns = boot_ns();
        say("no run was started, and none had to be");
        return {};
      }
      if (boot_ns() > deadline) {
        return fail(ErrorKind::timed_out, fmt::format("no run of {} started by itself", options_.scenario),
                    "see the controller's log in " + lab_.folder() + "/logs");
      }
      pause_for(Duration{50});
    }
    say(fmt::format("run {} of {} started", trace_.run_id, options_.scenario));
    TRY(trace_.run, wait_for_end(trace_.run_id));
    trace_.run_ended_ns = boot_ns();
    say(fmt::format("run {} is {}", trace_.run_id, text_or(trace_.run, "state")));
    TRY_VOID(end_loss_of_leader());
    return {};
  }

  // Users see it first, or a signal notices it, and somebody decides, while they go on writing.
  Result<void> ask_for_recovery() {
    std::string why = options_.fault;
    if (find_fault(options_.fault)->noticed) {
      TRY(why, wait_for_signal(link_, options_.plan, options_.scenario, kNoticed));
      say("noticed: " + why);
    } else {
      pause_for(kUnnoticed);
    }
    TRY_VOID(stop_other_runs());
    TRY(std::string id, open_run(options_.scenario, why));
    say(fmt::format("somebody asked for {}, run {}", options_.scenario, id));
    return {};
  }

  // What began by itself looks for a server to fail over to, and none is any better.
  Result<void> stop_other_runs() {
    TRY(Json page, link_.get("/api/runs"));
    if (!member(page, "runs").is_array()) return fail(ErrorKind::internal, "the controller sent no list of runs");
    for (const Json& run : member(page, "runs").get_array()) {
      std::string id = text_or(run, "id"), scenario = text_or(run, "scenario");
      if (is_over(text_or(run, "state"))) continue;
      JsonObject body{{"by", "drill"}, {"reason", "the data have to be restored"}};
      auto stopped = link_.post(fmt::format("/api/runs/{}/abort", id), body);
      // It may have ended by itself meanwhile.
      if (!stopped && !may_be_asked_again(stopped.error())) continue;
      TRY_VOID(stopped);
      say(fmt::format("somebody stopped run {} of {}", id, scenario));
    }
    return {};
  }

  // Reading them all shows what no server has noticed yet.
  Result<void> look_at_pages() {
    // A server may be started anew just then.
    for (int64_t deadline = deadline_in(kWholeAgain);; pause_for(Duration{500})) {
      auto answer = ask_lab(lab_.folder(), JsonObject{{"do", "pages"}}, kWholeAgain);
      if (!answer && boot_ns() < deadline) continue;
      TRY_VOID(answer);
      trace_.damaged_pages = member(*answer, "damaged");
      return {};
    }
  }

  // While no controller is there nothing can be asked; what servers did meanwhile their witnesses know.
  Result<void> wait_without_control() {
    Duration length = options_.heal_after.value_or(kWithoutControl);
    int64_t end = trace_.fault_ns + std::chrono::nanoseconds(length).count();
    while (boot_ns() < end) pause_for(Duration{100});
    trace_.control_asked_ns = boot_ns();
    TRY_VOID(heal_fault());
    for (int64_t deadline = deadline_in(kWholeAgain); boot_ns() < deadline; pause_for(Duration{50})) {
      auto status = link_.get("/api/status");
      if (!status || !protected_by(*status, Protection::some)) continue;
      trace_.control_back_ns = boot_ns();
      say("a controller leads and sees all databases");
      return {};
    }
    return fail(ErrorKind::timed_out, "no controller leads that sees each database with a standby",
                "see the controllers' logs in " + lab_.folder() + "/logs");
  }

  // A profile makes waits short; without one the plan's own are waited out.
  Duration patience() const { return options_.profile.empty() ? options_.plan.objectives.rto * 2 : Duration{300'000}; }

  Result<Json> wait_for_end(const std::string& id) {
    std::set<std::string> told;
    int64_t deadline = deadline_in(patience());
    Json page;
    while (boot_ns() < deadline) {
      if (auto fresh = link_.get("/api/runs/" + id)) {
        page = std::move(*fresh);
        std::string state = text_or(page, "state");
        if (is_over(state)) return page;
        // It stands still until a person helps, and nobody helps in a drill.
        if (state == "waiting" || state == "paused") {
          trace_.needs_a_hand =
              fmt::format("run {} of {} needs a hand: {}", id, text_or(page, "scenario"), why_it_waits(page));
          say(trace_.needs_a_hand);
          return page;
        }
        tell_steps(page, told);
        TRY_VOID(answer_questions(id, page));
      }
      look_at_standbys();
      TRY_VOID(heal_when_due());
      pause_for(Duration{100});
    }
    return fail(ErrorKind::timed_out, fmt::format("run {} did not end: {}", id, why_it_waits(page)));
  }

  static std::string why_it_waits(const Json& page) {
    std::string text = text_or(page, "state") + " " + text_or(page, "reason");
    if (!member(page, "steps").is_array()) return text;
    for (const Json& step : member(page, "steps").get_array()) {
      std::string error = text_or(step, "error");
      if (!error.empty() && text_or(step, "status") == "failed")
        text += fmt::format("; {}: {}", text_or(step, "id"), error);
    }
    return text;
  }

  void tell_steps(const Json& page, std::set<std::string>& told) {
    if (!member(page, "steps").is_array()) return;
    for (const Json& step : member(page, "steps").get_array()) {
      std::string line = fmt::format("{} {}", text_or(step, "id"), text_or(step, "status"));
      bool over = text_or(step, "status") == "done" || text_or(step, "status") == "failed";
      if (over && told.insert(line).second) say("  " + line);
    }
  }

  // A controller that is just being started anew has not heard it, or has and could not say so.
  static bool may_be_asked_again(const Error& error) {
    return error.kind != ErrorKind::refused && error.kind != ErrorKind::invalid_input &&
           error.kind != ErrorKind::not_found;
  }

  // As the plan's people would, one after the other.
  Result<void> answer_questions(const std::string& id, const Json& page) {
    if (!member(page, "asks").is_array()) return {};
    for (const Json& ask : member(page, "asks").get_array()) {
      std::set<std::string> given;
      for (const Json& person : member(ask, "given").as_array()) given.emplace(person.as_string());
      auto need = static_cast<size_t>(int_or(ask, "need", 1));
      for (const Json& person : member(ask, "people").as_array()) {
        std::string name(person.as_string());
        if (given.size() >= need || given.contains(name)) continue;
        std::string verb = bool_or(ask, "manual") ? "confirm" : "approve";
        JsonObject body{{"step", text_or(ask, "step")}, {"by", name}};
        auto posted = link_.post(fmt::format("/api/runs/{}/{}", id, verb), body);
        if (!posted && may_be_asked_again(posted.error())) return {};
        TRY_VOID(posted);
        given.insert(name);
        say(fmt::format("{} said yes to {}", name, text_or(ask, "step")));
      }
    }
    return {};
  }

  // Protection ends with the fault, which the controller does not know at once; so the first moment counts at which all
  // is well after something was not, or after another server became the holder.
  void look_at_standbys() {
    auto status = link_.get("/api/status");
    if (!status || trace_.reprotected_ns != 0) return;
    bool safe = protected_by(*status, Protection::some);
    disturbed_ = disturbed_ || !safe || holders_in(*status) != holders_before_;
    if (safe && disturbed_) trace_.reprotected_ns = boot_ns();
  }

  Result<void> heal_when_due() {
    if (!options_.heal_after || boot_ns() < trace_.fault_ns + options_.heal_after->count() * 1'000'000) return {};
    return heal_fault();
  }

  bool loses_leader() const { return !options_.lose_leader_at.empty(); }

  // The controller ends itself at that place; the rest of its region follows within a moment.
  Result<void> begin_loss_of_leader() {
    if (!loses_leader()) return {};
    const Host* host = options_.plan.hosts.find(leader_before_);
    if (host == nullptr) return fail(ErrorKind::internal, "the plan has no host '" + leader_before_ + "'");
    trace_.leader_region = host->region.text;
    leader_loss_.emplace(lab_.folder(), trace_.crash_points, trace_.leader_region);
    return {};
  }

  Result<void> end_loss_of_leader() {
    if (!leader_loss_) return {};
    TRY(std::optional<int64_t> died, leader_loss_->end());
    leader_loss_.reset();
    trace_.leader_lost_ns = died.value_or(0);
    if (!died) return fail(ErrorKind::timed_out, "no controller came to " + options_.lose_leader_at);
    double since = static_cast<double>(*died - trace_.fault_ns) / 1e9;
    progress_(fmt::format("the rest of {} died, with the controller that led, at {}", trace_.leader_region,
                          options_.lose_leader_at),
              since);
    return {};
  }

  Result<void> heal_fault() {
    if (trace_.healed_ns != 0) return {};
    TRY_VOID(ask_lab(lab_.folder(), JsonObject{{"do", "heal"}}, Duration{30'000}));
    trace_.healed_ns = boot_ns();
    say(options_.fault + " is healed");
    return {};
  }

  Result<void> go_back() {
    TRY_VOID(heal_fault());
    TRY_VOID(wait_for_agents());
    TRY_VOID(add_crash_points(scenario_.failback->text));
    TRY(trace_.failback_id, open_run(scenario_.failback->text, "the way back"));
    trace_.failback_ns = asked_ns_;
    say(fmt::format("run {} of {} started", trace_.failback_id, scenario_.failback->text));
    TRY(trace_.failback_run, wait_for_end(trace_.failback_id));
    trace_.failback_ended_ns = boot_ns();
    say(fmt::format("run {} is {}", trace_.failback_id, text_or(trace_.failback_run, "state")));
    return {};
  }

  // The failover's own stand in the file since the lab came up.
  Result<void> add_crash_points(const std::string& scenario) {
    if (!options_.kill_controller) return {};
    const Scenario* next = options_.plan.scenarios.find(scenario);
    if (next == nullptr) return {};
    return write_file(trace_.crash_points, crash_points_of(*next), 0644);
  }

  Result<void> wait_for_agents() {
    int64_t deadline = deadline_in(Duration{30'000});
    while (boot_ns() < deadline) {
      bool all = true;
      if (auto status = link_.get("/api/status"); status && member(*status, "databases").is_object()) {
        for (const auto& [name, view] : member(*status, "databases").get_object()) {
          for (const Json& one : member(view, "members").as_array()) all = all && bool_or(one, "connected");
        }
        if (all) return {};
      }
      look_at_standbys();
      pause_for(Duration{100});
    }
    return fail(ErrorKind::timed_out, "agents did not return after the fault was healed");
  }

  // Other signals of the same fault may have started runs of their own; nobody begins to go back before they are over.
  Result<void> wait_for_other_runs() {
    std::string busy;
    for (int64_t deadline = deadline_in(patience()); boot_ns() < deadline; pause_for(Duration{100})) {
      busy.clear();
      auto page = link_.get("/api/runs");
      if (!page || !member(*page, "runs").is_array()) continue;
      for (const Json& run : member(*page, "runs").get_array()) {
        if (is_over(text_or(run, "state"))) continue;
        busy = fmt::format("run {} of {}: {}", text_or(run, "id"), text_or(run, "scenario"), why_it_waits(run));
        TRY_VOID(answer_questions(text_or(run, "id"), run));
      }
      if (busy.empty()) return {};
      look_at_standbys();
    }
    return fail(ErrorKind::timed_out, "another run has not ended; " + busy);
  }

  // The id of a run of the scenario that was not there before; empty when there is none.
  Result<std::string> fresh_run(const std::string& scenario, const std::set<std::string>& before) const {
    TRY(Json page, link_.get("/api/runs"));
    if (!member(page, "runs").is_array()) return fail(ErrorKind::internal, "the controller sent no list of runs");
    for (const Json& run : member(page, "runs").get_array()) {
      if (!before.contains(text_or(run, "id")) && text_or(run, "scenario") == scenario) return text_or(run, "id");
    }
    return std::string();
  }

  // A run that is just being opened is in no list yet; it shows as a conflict. One whose opening was not answered may stand.
  Result<std::string> open_run(const std::string& scenario, const std::string& reason) {
    TRY(std::set<std::string> before, known_runs());
    for (int64_t deadline = deadline_in(kStartOfRun);; pause_for(Duration{200})) {
      auto there = fresh_run(scenario, before);
      if (!there && boot_ns() > deadline) return there;
      if (!there) continue;
      if (!there->empty()) return *there;
      TRY_VOID(wait_for_other_runs());
      asked_ns_ = boot_ns();
      auto opened = link_.post("/api/runs", JsonObject{{"scenario", scenario}, {"by", "drill"}, {"reason", reason}});
      if (opened) return text_or(*opened, "id");
      if (!may_be_asked_again(opened.error()) || boot_ns() > deadline)
        return std::unexpected(std::move(opened).error());
    }
  }

  static bool is_over(const std::string& state) {
    return state == "done" || state == "failed" || state == "aborted" || state == "rolled-back";
  }

  Result<void> heal_and_reprotect() {
    TRY_VOID(heal_fault());
    int64_t deadline = deadline_in(Duration{30'000});
    while (!trace_.run_id.empty() && trace_.reprotected_ns == 0 && boot_ns() < deadline) {
      look_at_standbys();
      pause_for(Duration{50});
    }
    TRY_VOID(wait_for_agents());
    // What the old primary alone had is read back before it follows the new one; the report is to tell of it.
    if (!becomes_whole()) say("not every member follows the primary yet");
    pause_for(kReturned);
    return {};
  }

  const DrillOptions& options_;
  const Scenario& scenario_;
  const RunningLab& lab_;
  ControllerLink link_;
  const LabProgress& progress_;
  DrillTrace trace_;
  std::set<std::string> before_;
  std::map<std::string, std::vector<std::string>> sets_before_;  // of backups, by service
  std::vector<JsonObject> witnesses_;                            // where each stands, and its name
  std::string holders_before_;
  std::string leader_before_;
  std::optional<LeaderLoss> leader_loss_;
  int64_t asked_ns_ = 0;  // when a run was asked for last
  bool disturbed_ = false;
};

Result<DrillOutcome> drill_in(const DrillOptions& options, const Scenario& scenario, const RunningLab& lab,
                              const LabProgress& progress) {
  TRY(Outside outside, Outside::enter(lab.folder()));
  TRY(Layout layout, lay_out(options.plan, lab.number(), Mode::namespaces));
  std::vector<std::string> controllers = controller_addresses(with_addresses(options.plan, layout));
  TRY(std::string token, read_file(lab.folder() + "/secrets/api-token"));
  if (controllers.empty()) return fail(ErrorKind::invalid_input, "the plan has no host with a controller");
  ControllerLink link(std::move(controllers), token);
  TRY(DrillTrace trace, DrillRun(options, scenario, lab, link, progress).run());
  progress("looking for every acknowledged write", 0);
  return report_of_drill(options, trace, lab.folder(), lab.number(), link);
}

}  // namespace

Result<std::string> default_target(const Plan& plan, const Scenario& scenario, const std::string& fault) {
  const FaultKind* kind = find_fault(fault);
  if (kind != nullptr && (kind->target == "all" || kind->target == "node" || kind->target == "pair" ||
                          kind->target == "server" || kind->of_the_data))
    return std::string();
  if (kind != nullptr && kind->target != "region")
    return fail(ErrorKind::invalid_input, fault + " needs a target", "name it by --target");
  for (const std::string& subject : scenario.applies_to) {
    if (plan.regions.contains(subject)) return subject;
  }
  const Json* from = scenario.vars.find("from");
  if (from != nullptr && from->is_string() && plan.regions.contains(std::string_view(from->get_string()))) {
    return std::string(from->get_string());
  }
  return fail(ErrorKind::invalid_input, "the scenario names no region that the fault could hit", "name it by --target");
}

Result<DrillOutcome> run_drill(const DrillOptions& given, const LabProgress& progress) {
  DrillOptions options = given;
  options.plan_file = std::filesystem::absolute(options.plan_file).string();
  const Scenario* scenario = options.plan.scenarios.find(options.scenario);
  if (scenario == nullptr) {
    return fail(ErrorKind::not_found, "no scenario is named '" + options.scenario + "'",
                did_you_mean(options.scenario, options.plan.scenarios.names()));
  }
  if (find_fault(options.fault) == nullptr) {
    return fail(ErrorKind::invalid_input, "no fault is named '" + options.fault + "'", "one of " + fault_names());
  }
  if (options.in_a_row > 1 && scenario->failback) {
    return fail(ErrorKind::invalid_input, options.scenario + " has a way back, so its fault comes only once",
                "leave --in-a-row out");
  }
  if (!options.plan.journey)
    return fail(ErrorKind::invalid_input, "the plan has no journey, so nothing can be measured");
  if (options.profile.empty() && options.plan.profiles.contains("compressed")) options.profile = "compressed";
  LabOptions lab{.plan_file = options.plan_file, .plan = options.plan, .profile = options.profile, .drill = true};
  lab.small_disks = find_fault(options.fault)->needs_small_disks;
  if (options.kill_controller) lab.crash_points = crash_points_of(*scenario);
  if (!options.lose_leader_at.empty()) {
    if (options.kill_controller)
      return fail(ErrorKind::invalid_input, "the leader is lost once, or killed at every step",
                  "leave one of them out");
    TRY(lab.crash_points, crash_point_of(*scenario, options.lose_leader_at));
  }
  TRY(RunningLab running, start_lab(std::move(lab), progress));
  auto outcome = drill_in(options, *scenario, running, progress);
  if (options.keep) running.detach();
  return outcome;
}

}  // namespace lifeboat::lab
