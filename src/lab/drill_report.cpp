#include "lab/drill_report.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "core/base/split.hpp"
#include "core/data/decode.hpp"
#include "lab/drill_data.hpp"
#include "lab/drill_measure.hpp"
#include "lab/faults.hpp"
#include "report/report.hpp"
#include "witness/witness.hpp"

namespace lifeboat::lab {

namespace {

// What the witnesses at the servers wrote down.
struct Direct {
  std::map<std::string, std::map<std::string, std::vector<measure::Ack>>>
      acks;                                                    // by service and member, of all writers
  std::map<std::string, std::vector<measure::Sample>> writes;  // by writer, of all members
};

MonoTime moment(int64_t ns) { return MonoTime(std::chrono::nanoseconds(ns)); }

// Whole milliseconds: more digits than that say nothing.
double rounded(double seconds) { return std::round(seconds * 1000) / 1000; }
double in_seconds(Duration span) { return static_cast<double>(span.count()) / 1000.0; }

std::optional<Duration> after(MonoTime at, MonoTime fault) {
  if (at == MonoTime{}) return std::nullopt;
  return to_duration(at - fault);
}

Json or_null(const std::optional<Duration>& span) { return span ? Json(in_seconds(*span)) : Json(nullptr); }
double or_never(const std::optional<Duration>& span) { return span ? in_seconds(*span) : -1; }

// Writes that users sent and that nobody acknowledged: each may be there or not.
struct InDoubt {
  int64_t writes = 0;
  int64_t there = 0;
};

// Which of the acknowledged writes are gone.
struct Looked {
  std::vector<std::string> missing;
  int64_t unknown = 0;  // no clear answer: neither there nor not there
  std::string why_unknown;
  InDoubt in_doubt;
};

// The keys of a service's acknowledged writes at its servers that the server does not have which takes writes now.
Result<std::vector<std::string>> missing_rows(const VerifyOptions& wanted, const std::string& service,
                                              const std::map<std::string, std::vector<measure::Ack>>& acks_of) {
  TRY(std::set<std::string> there,
      direct_rows({.plan = wanted.plan, .secrets_dir = wanted.secrets_dir, .service = service}));
  std::vector<std::string> missing;
  for (const auto& [name, acks] : acks_of) {
    for (const measure::Ack& ack : acks) {
      if (!there.contains(ack.key)) missing.push_back(ack.key);
    }
  }
  return missing;
}

// Runs where it may start threads: see below.
JsonObject look_for_all(const VerifyOptions& wanted, const Direct& direct, std::vector<std::string> doubtful) {
  auto verified = verify_writes(wanted);
  if (!verified) return {{"error", verified.error().text()}};
  JsonArray missing(verified->missing.begin(), verified->missing.end());
  size_t unknown = verified->unknown.size();
  std::string why_unknown;
  for (const auto& [service, acks_of] : direct.acks) {
    auto rows = missing_rows(wanted, service, acks_of);
    if (rows) {
      for (const std::string& key : *rows) missing.emplace_back(key);
      continue;
    }
    // A database that nobody answers for is what the report is about; it is no reason to have none.
    why_unknown = rows.error().text();
    for (const auto& [name, acks] : acks_of) unknown += acks.size();
  }
  VerifyOptions open = wanted;
  open.keys = std::move(doubtful);
  auto looked = verify_writes(open);
  if (!looked) return {{"error", looked.error().text()}};
  return {{"unknown", unknown},
          {"why_unknown", why_unknown},
          {"missing", std::move(missing)},
          {"in_doubt", open.keys.size()},
          {"in_doubt_there", open.keys.size() - looked->missing.size() - looked->unknown.size()}};
}

// Asks for every write that was acknowledged: users' where users stand, the others' at the server that takes writes. In a
// process of its own: its threads stay in the lab's network, and the next drill's must start in another.
Result<Looked> missing_writes(const DrillOptions& options, const std::vector<measure::Sample>& users,
                              const Direct& direct, const std::string& folder, int number) {
  Mode mode = geteuid() == 0 ? Mode::namespaces : Mode::loopback;
  TRY(Layout layout, lay_out(options.plan, number, mode));
  VerifyOptions wanted{.plan = with_addresses(options.plan, layout), .secrets_dir = folder + "/secrets"};
  std::vector<std::string> doubtful;
  for (const measure::Sample& sample : users) {
    if (sample.write && !sample.key.empty()) (sample.ok ? wanted.keys : doubtful).push_back(sample.key);
  }
  TRY(SocketPair pair, socket_pair());
  pid_t pid = fork();
  if (pid < 0) return std::unexpected(os_error("cannot look for writes"));
  if (pid == 0) {
    JsonObject answer = look_for_all(wanted, direct, std::move(doubtful));
    JsonLines link(std::move(pair.there));
    _exit(link.send(answer) ? 0 : 1);
  }
  pair.there.reset();
  JsonLines link(std::move(pair.here));
  auto answer = link.receive(deadline_in(wanted.patience + Duration{60'000}));
  if (!answer) kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  if (!answer) return fail(ErrorKind::timed_out, "the acknowledged writes were not looked for in time");
  if (std::string problem = text_or(*answer, "error"); !problem.empty())
    return fail(ErrorKind::unknown_outcome, problem);
  Looked looked{.unknown = int_or(*answer, "unknown"),
                .why_unknown = text_or(*answer, "why_unknown"),
                .in_doubt = {int_or(*answer, "in_doubt"), int_or(*answer, "in_doubt_there")}};
  for (const Json& key : member(*answer, "missing").as_array()) looked.missing.emplace_back(key.as_string());
  return looked;
}

Result<Direct> read_direct(const DrillTrace& trace) {
  Direct all;
  for (const DirectFile& from : trace.direct) {
    TRY(std::string text, read_file(from.file));
    auto acks = measure::read_acks(text);
    if (!acks) return std::unexpected(std::move(acks.error()).with(from.file));
    auto& of_member = all.acks[from.service][from.member];
    auto& of_writer = all.writes[from.writer];
    for (const measure::Ack& ack : *acks) {
      of_member.push_back(ack);
      of_writer.push_back({.sent = ack.sent, .done = ack.done, .write = true, .key = ack.key, .ok = true});
    }
  }
  return all;
}

struct Written {
  size_t acknowledged = 0;
  size_t lost = 0;
};

struct Figures {
  Decided decided;
  MonoTime writable{};            // all databases
  MonoTime acknowledged_until{};  // by a server that took writes when the fault came, of any database
  measure::Recovery recovery;
  std::vector<measure::Recovery> earlier;  // of the faults before the last one
  std::map<std::string, Written> writers;  // users, inside, outside: over the whole drill
  measure::Loss loss;                      // of all writers
  size_t lost_before_fault = 0;            // of these
  Duration double_acknowledged{};
  std::optional<Duration> switch_gap;
  Duration alone_gap{};  // the longest time without an acknowledged write, while no controller was there
  measure::Loss failback_loss;
  UsersView users;  // from the fault until it was healed
  InDoubt in_doubt;
  int64_t unknown = 0;  // acknowledged writes of which nobody could say whether they are there
};

// Of the databases, the one that was without an acknowledged write for longest.
Duration longest_gap_of(const Direct& direct, MonoTime from, MonoTime to) {
  Duration longest{};
  for (const auto& [service, members] : direct.acks) {
    std::vector<measure::Sample> writes;
    for (const auto& [name, acks] : members) {
      for (const measure::Ack& ack : acks)
        writes.push_back({.sent = ack.sent, .done = ack.done, .write = true, .key = ack.key, .ok = true});
    }
    longest = std::max(longest, measure::longest_write_gap(writes, from, to));
  }
  return longest;
}

// What became of the databases while nobody could grant anything.
Json control_in(const DrillTrace& trace, const Figures& figures) {
  if (trace.control_asked_ns == 0) return nullptr;
  auto granted =
      std::ranges::count_if(trace.events, [](const Json& event) { return text_or(event, "kind") == "granted"; });
  return JsonObject{{"away_s", in_seconds(to_duration(moment(trace.control_asked_ns) - moment(trace.fault_ns)))},
                    {"back_s", in_seconds(to_duration(moment(trace.control_back_ns) - moment(trace.control_asked_ns)))},
                    {"writes_paused_s", in_seconds(figures.alone_gap)},
                    {"grants", granted}};
}

// Users were answered all the time, on damaged data: they are served when the restored ones are in their place.
void count_until_put_back(const DrillTrace& trace, Figures& figures) {
  auto put_back = put_back_after(trace.run);
  auto opened = after(figures.decided.opened, moment(trace.fault_ns));
  figures.recovery.recovered = figures.recovery.recovered && put_back && opened;
  if (figures.recovery.recovered) figures.recovery.rta = std::max(figures.recovery.rta, *opened + *put_back);
}

Figures compute(const DrillTrace& trace, const std::vector<measure::Sample>& users, const Direct& direct,
                const std::vector<std::string>& missing) {
  Figures out;
  MonoTime fault = moment(trace.fault_ns);
  MonoTime first_fault = trace.earlier.empty() ? fault : moment(trace.earlier.front().fault_ns);
  MonoTime until = moment(trace.until_ns());
  MonoTime back = trace.failback_ns != 0 ? moment(trace.failback_ns) : MonoTime::max();
  out.decided = decided_in(trace.events, fault, trace.run_id);
  bool all_writable = true;
  for (const auto& [service, members] : direct.acks) {
    std::vector<std::vector<measure::Ack>> lists;
    for (const auto& [name, acks] : members) lists.push_back(acks);
    MonoTime writable = writable_again(lists, fault);
    out.acknowledged_until = std::max(out.acknowledged_until, acknowledged_until(lists, fault));
    all_writable = all_writable && writable != MonoTime{};
    out.writable = std::max(out.writable, writable);
    out.double_acknowledged += measure::double_acknowledged(members).time;
  }
  if (!all_writable) out.writable = {};
  out.recovery = measure::measure_recovery(users, fault, until);
  measure::Latency latency = measure::latency_of(users, fault, until);
  out.users = {.journeys = static_cast<int64_t>(out.recovery.journeys),
               .error_rate = out.recovery.error_rate,
               .p50_ms = latency.p50_ms,
               .p95_ms = latency.p95_ms,
               .p99_ms = latency.p99_ms};
  for (const EarlierRound& round : trace.earlier)
    out.earlier.push_back(measure::measure_recovery(users, moment(round.fault_ns), moment(round.until_ns)));
  std::vector<measure::Sample> history = users;
  auto count = [&](const std::string& writer, const std::vector<measure::Sample>& writes) {
    auto loss = measure::measure_loss(writes, missing, MonoTime{}, MonoTime::max(), first_fault);
    out.writers[writer] = {loss.acknowledged, loss.lost};
  };
  count("users", users);
  for (const auto& [writer, writes] : direct.writes) {
    count(writer, writes);
    history.insert(history.end(), writes.begin(), writes.end());
  }
  out.loss = measure::measure_loss(history, missing, MonoTime{}, back, first_fault);
  out.lost_before_fault = measure::measure_loss(history, missing, MonoTime{}, first_fault, first_fault).lost;
  if (find_fault(trace.fault)->of_the_data) count_until_put_back(trace, out);
  if (trace.failback_ns != 0) {
    out.switch_gap = measure::longest_write_gap(users, back, moment(trace.failback_ended_ns));
    out.failback_loss = measure::measure_loss(history, missing, back, MonoTime::max(), back);
  }
  if (trace.control_asked_ns != 0) out.alone_gap = longest_gap_of(direct, fault, until);
  return out;
}

JsonArray steps_of(const Json& run, double offset_s) {
  JsonArray steps;
  if (!member(run, "steps").is_array()) return steps;
  for (const Json& step : member(run, "steps").get_array()) {
    JsonObject line{{"id", text_or(step, "id")},
                    {"phase", text_or(step, "phase")},
                    {"status", text_or(step, "status")},
                    {"attempts", int_or(step, "attempts")}};
    bool began = member(step, "started_after_s").is_number();
    line["started_after_s"] = began ? Json(rounded(number_or(step, "started_after_s") + offset_s)) : Json(nullptr);
    line["seconds"] = member(step, "seconds").is_number() ? Json(rounded(number_or(step, "seconds"))) : Json(nullptr);
    steps.push_back(std::move(line));
  }
  return steps;
}

// With several faults in a row, the one that users waited for longest.
const measure::Recovery& slowest(const Figures& figures) {
  const measure::Recovery* out = &figures.recovery;
  for (const measure::Recovery& earlier : figures.earlier) {
    if (!earlier.recovered || (out->recovered && earlier.rta > out->rta)) out = &earlier;
  }
  return *out;
}

// Where Lifeboat may rightly have done nothing, there is no run.
bool run_is_well(const DrillTrace& trace) { return trace.run_id.empty() || text_or(trace.run, "state") == "done"; }

struct Verdict {
  bool met = false;     // objectives
  bool passed = false;  // and the data whole, and the way back done
};

Verdict judge(const DrillOptions& options, const DrillTrace& trace, const Figures& figures) {
  const Objectives& objectives = options.plan.objectives;
  Verdict out;
  out.met = slowest(figures).recovered && slowest(figures).rta <= objectives.rto &&
            figures.loss.oldest_age.value_or(Duration{0}) <= objectives.rpo && run_is_well(trace);
  bool back = trace.failback_ns == 0 || text_or(trace.failback_run, "state") == "done";
  out.passed = out.met && back && damaged_pages_left(trace) == 0 && bool_or(trace.chain, "whole") &&
               figures.failback_loss.lost == 0 && figures.double_acknowledged == Duration{0} &&
               why_data_fail(trace).empty();
  return out;
}

// None when there is no such file.
std::vector<std::string> lines_in(const std::string& file) {
  auto text = read_file(file);
  return text ? lines_of(*text) : std::vector<std::string>{};
}

// Whether the runs went on as if nothing had been: each step of them finished once, and none was opened twice.
Json kills_in(const DrillTrace& trace) {
  if (trace.crash_points.empty() || !trace.leader_region.empty()) return nullptr;
  JsonArray passed, repeated, missed;
  for (const std::string& line : lines_in(trace.crash_points + ".passed")) {
    size_t first = line.find(' '), second = line.find(' ', first + 1);
    double at = static_cast<double>(std::atoll(line.c_str()) - trace.fault_ns) / 1e9;
    passed.push_back(JsonObject{{"step", line.substr(first + 1, second - first - 1)},
                                {"when", line.substr(second + 1)},
                                {"at_s", rounded(at)}});
  }
  for (const std::string& line : lines_in(trace.crash_points)) missed.push_back(Json(line));
  std::map<std::string, int> ended;
  int runs = 0, resumed = 0;
  for (const Json& event : trace.events) {
    std::string kind = text_or(event, "kind"), stream = text_or(event, "stream");
    if (kind == "run-opened") ++runs;
    if (kind == "run-recovered") ++resumed;
    if (kind == "step-finished") ++ended[stream + " " + text_or(member(event, "body"), "step")];
  }
  for (const auto& [step, times] : ended) {
    if (times > 1) repeated.push_back(Json(step));
  }
  return JsonObject{{"passed", std::move(passed)},
                    {"missed", std::move(missed)},
                    {"runs", runs},
                    {"resumed", resumed},
                    {"finished_again", std::move(repeated)}};
}

JsonArray rounds_of(const DrillTrace& trace, const Figures& figures) {
  JsonArray rounds;
  auto add = [&](const std::string& target, const measure::Recovery& recovery) {
    rounds.push_back(
        JsonObject{{"target", target}, {"rta_s", recovery.recovered ? Json(in_seconds(recovery.rta)) : Json(nullptr)}});
  };
  for (size_t at = 0; at < trace.earlier.size(); ++at) add(trace.earlier[at].target, figures.earlier[at]);
  add(trace.target, figures.recovery);
  return rounds;
}

// Transactions that only an old primary had, as they stand in the journal; what was said of one last holds.
JsonArray orphans_in(const DrillTrace& trace) {
  JsonArray out;
  for (const Json& event : trace.events) {
    if (text_or(event, "kind") != "orphans-saved") continue;
    const Json& saved = member(member(event, "body"), "data");
    JsonObject line;
    for (const char* key : {"id", "member", "transactions", "changes", "undecoded", "complete"})
      line[key] = member(saved, key);
    auto before = std::ranges::find_if(out, [&](const Json& one) { return member(one, "id") == line["id"]; });
    if (before != out.end()) out.erase(before);
    out.push_back(std::move(line));
  }
  return out;
}

// How many of the writes that were lost are among the orphans that were read back.
Result<int64_t> given_back(const JsonArray& orphans, const Figures& figures, const ControllerLink& link) {
  std::string rows;
  for (const Json& saved : orphans) {
    for (int64_t offset = 0;;) {
      TRY(Json piece,
          link.get(fmt::format("/api/orphans/{}?file=changes.jsonl&offset={}", text_or(saved, "id"), offset)));
      rows += text_or(piece, "text");
      int64_t next = int_or(piece, "next");
      if (bool_or(piece, "end") || next <= offset) break;
      offset = next;
    }
  }
  return std::ranges::count_if(figures.loss.keys,
                               [&](const std::string& key) { return rows.contains("\"" + key + "\""); });
}

Json to_report(const DrillOptions& options, const DrillTrace& trace, const Figures& figures, bool met,
               int64_t given_back) {
  MonoTime fault = moment(trace.fault_ns);
  JsonObject milestones{{"detected", or_null(after(figures.decided.detected, fault))},
                        {"decided", or_null(after(figures.decided.decided, fault))},
                        {"writable", or_null(after(figures.writable, fault))},
                        {"first_served", or_null(figures.recovery.first_served)},
                        {"all_served", or_null(figures.recovery.all_served)},
                        {"reprotected", or_null(after(moment(trace.reprotected_ns), fault))}};
  JsonObject rpa{{"acknowledged", figures.loss.acknowledged + figures.failback_loss.acknowledged},
                 {"lost", figures.loss.lost},
                 {"unknown", figures.unknown},
                 {"given_back", given_back},
                 {"in_doubt", JsonObject{{"writes", figures.in_doubt.writes}, {"there", figures.in_doubt.there}}},
                 {"oldest_lost_age_s", in_seconds(figures.loss.oldest_age.value_or(Duration{0}))}};
  JsonObject objectives{{"rto_s", in_seconds(options.plan.objectives.rto)},
                        {"rpo_s", in_seconds(options.plan.objectives.rpo)},
                        {"met", met}};
  JsonObject writers;
  for (const auto& [writer, written] : figures.writers)
    writers[writer] = JsonObject{{"acknowledged", written.acknowledged}, {"lost", written.lost}};
  double offset = or_never(after(figures.decided.opened, fault));
  JsonObject out{
      {"scenario", trace.scenario},
      {"fault", trace.fault},
      {"target", trace.target},
      {"profile", trace.profile},
      {"leader_region", trace.leader_at_fault.empty() ? Json(nullptr) : Json(trace.leader_at_fault)},
      {"run", trace.run_id.empty() ? Json(nullptr) : Json(trace.run_id)},
      {"milestones", std::move(milestones)},
      {"rta_s", slowest(figures).recovered ? Json(in_seconds(slowest(figures).rta)) : Json(nullptr)},
      {"rpa", std::move(rpa)},
      {"writers", std::move(writers)},
      {"fault_took_s", in_seconds(to_duration(moment(trace.in_force_ns) - fault))},
      {"last_acknowledged_s", or_null(after(figures.acknowledged_until, fault))},
      {"double_acknowledged_s", in_seconds(figures.double_acknowledged)},
      {"objectives", std::move(objectives)},
      {"failback", JsonObject{{"write_outage_s", or_null(figures.switch_gap)}, {"lost", figures.failback_loss.lost}}},
      {"orphans", orphans_in(trace)},
      {"steps", steps_of(trace.run, std::max(0.0, offset))},
      {"journal", trace.chain}};
  size_t collateral = figures.loss.lost - figures.lost_before_fault;
  if (Json restore = restore_in(trace, figures.lost_before_fault, collateral); !restore.is_null())
    out["restore"] = std::move(restore);
  if (Json clean_point = clean_point_in(trace); !clean_point.is_null()) out["clean_point"] = std::move(clean_point);
  if (trace.backups) out["backups_attacked"] = to_json(*trace.backups);
  if (!trace.earlier.empty()) out["rounds"] = rounds_of(trace, figures);
  if (Json control = control_in(trace, figures); !control.is_null()) out["control"] = std::move(control);
  if (!trace.leader_region.empty()) {
    MonoTime lost = moment(trace.leader_lost_ns);
    out["leader_lost"] = JsonObject{{"region", trace.leader_region},
                                    {"at", options.lose_leader_at},
                                    {"after_s", or_null(after(lost, fault))},
                                    {"taken_over_s", or_null(after(first_event_after(trace.events, lost), lost))}};
  }
  if (Json kills = kills_in(trace); !kills.is_null()) out["controller_kills"] = std::move(kills);
  return out;
}

// Each write that is missing, up to a number that a person still reads.
std::vector<ReportLine> losses_of(const Figures& figures) {
  constexpr size_t kMost = 50;
  std::vector<ReportLine> out;
  for (const auto* loss : {&figures.loss, &figures.failback_loss}) {
    for (const std::string& key : loss->keys) {
      if (out.size() == kMost) return out;
      out.push_back({.kind = "write", .text = key + " was acknowledged and is not there"});
    }
  }
  return out;
}

// What the controller's journal tells of the run; next to nothing when there was none.
Result<RunReport> page_of_run(const DrillOptions& options, const DrillTrace& trace, const ControllerLink& link) {
  if (trace.run_id.empty()) {
    const Scenario* scenario = options.plan.scenarios.find(trace.scenario);
    return RunReport{.scenario = trace.scenario,
                     .plan = options.plan.plan.text,
                     .title = scenario == nullptr ? std::string() : scenario->title,
                     .state = "no run was started, and none had to be",
                     .chain = {.whole = bool_or(trace.chain, "whole"), .events = int_or(trace.chain, "events")}};
  }
  TRY(Json journal, link.get(fmt::format("/api/runs/{}/report?format=json", trace.run_id)));
  auto decoded = decode<RunReport>(journal);
  if (!decoded) return std::unexpected(to_error(decoded.error(), "the controller's report of " + trace.run_id));
  return std::move(*decoded);
}

// The run's pages: what the controller's journal tells, with what the witnesses measured.
Result<void> write_pages(const DrillOptions& options, const DrillTrace& trace, const Figures& figures, bool met,
                         const ControllerLink& link) {
  TRY(RunReport page, page_of_run(options, trace, link));
  MonoTime fault = moment(trace.fault_ns);
  page.fault = trace.fault + " " + trace.target;
  page.profile = trace.profile;
  page.mode = "drill";
  page.measured = true;
  page.milestones.detected = or_never(after(figures.decided.detected, fault));
  page.milestones.decided = or_never(after(figures.decided.decided, fault));
  page.milestones.writable = or_never(after(figures.writable, fault));
  page.milestones.first_served = or_never(figures.recovery.first_served);
  page.milestones.tenth_served = or_never(figures.recovery.tenth_served);
  page.milestones.all_served = or_never(figures.recovery.all_served);
  page.milestones.reprotected = or_never(after(moment(trace.reprotected_ns), fault));
  page.rta_s = slowest(figures).recovered ? in_seconds(slowest(figures).rta) : -1;
  page.rpa = {.acknowledged = static_cast<int64_t>(figures.loss.acknowledged + figures.failback_loss.acknowledged),
              .lost = static_cast<int64_t>(figures.loss.lost),
              .oldest_lost_age_s = in_seconds(figures.loss.oldest_age.value_or(Duration{0}))};
  page.double_acknowledged_s = in_seconds(figures.double_acknowledged);
  page.objectives = {
      .rto_s = in_seconds(options.plan.objectives.rto), .rpo_s = in_seconds(options.plan.objectives.rpo), .met = met};
  page.users = figures.users;
  std::vector<ReportLine> missing = losses_of(figures);
  page.losses.insert(page.losses.begin(), missing.begin(), missing.end());
  if (figures.switch_gap) {
    page.failback = FailbackResult{.write_outage_s = in_seconds(*figures.switch_gap),
                                   .lost = static_cast<int64_t>(figures.failback_loss.lost)};
  }
  std::filesystem::path path(options.report);
  TRY_VOID(write_file(path.replace_extension(".md").string(), report_markdown(page), 0644));
  return write_file(path.replace_extension(".html").string(), report_html(page), 0644);
}

}  // namespace

Result<DrillOutcome> report_of_drill(const DrillOptions& options, const DrillTrace& trace, const std::string& folder,
                                     int number, const ControllerLink& link) {
  TRY(std::string text, read_file(trace.samples));
  TRY(std::vector<measure::Sample> users, measure::read_samples(text));
  TRY(Direct direct, read_direct(trace));
  TRY(Looked looked, missing_writes(options, users, direct, folder, number));
  Figures figures = compute(trace, users, direct, looked.missing);
  figures.in_doubt = looked.in_doubt;
  figures.unknown = looked.unknown;
  Verdict verdict = judge(options, trace, figures);
  verdict.met = verdict.met && looked.unknown == 0;
  TRY(int64_t back, given_back(orphans_in(trace), figures, link));
  DrillOutcome outcome{.report = to_report(options, trace, figures, verdict.met, back),
                       .passed = verdict.passed,
                       .note = trace.needs_a_hand};
  if (std::string why = why_data_fail(trace); !why.empty()) outcome.note += (outcome.note.empty() ? "" : "; ") + why;
  if (looked.unknown > 0) {
    outcome.passed = false;
    if (!outcome.note.empty()) outcome.note += "; ";
    outcome.note += fmt::format("of {} acknowledged writes nobody could say whether they are there", looked.unknown);
    if (!looked.why_unknown.empty()) outcome.note += ": " + looked.why_unknown;
  }
  if (options.report.empty()) return outcome;
  TRY_VOID(write_file(options.report, to_pretty_text(outcome.report) + "\n", 0644));
  TRY_VOID(write_pages(options, trace, figures, verdict.met, link));
  return outcome;
}

}  // namespace lifeboat::lab
