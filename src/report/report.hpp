// The report of one run: what was promised, what was measured, what was done and by whom. One struct, three faces: JSON
// (keys are stable), Markdown, and one HTML page that needs nothing beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/validation/judge.hpp"

namespace lifeboat {

// Seconds after the fault (or after the run was opened, when nobody knows the fault); -1: not reached.
struct Milestones {
  double detected = -1;
  double decided = -1;
  double approved = -1;
  double writable = -1;
  double first_served = -1;
  double tenth_served = -1;
  double all_served = -1;
  double reprotected = -1;
};
BOOST_DESCRIBE_STRUCT(Milestones, (),
                      (detected, decided, approved, writable, first_served, tenth_served, all_served, reprotected))
constexpr auto field_docs(const Milestones*) {
  return std::to_array<FieldDoc>({{"detected", Need::optional, "a signal was believed"},
                                  {"decided", Need::optional, "the run was opened"},
                                  {"approved", Need::optional, "the last approval was given"},
                                  {"writable", Need::optional, "a database acknowledged a write again"},
                                  {"first_served", Need::optional, "the first user was served again"},
                                  {"tenth_served", Need::optional, "a tenth of users was served again"},
                                  {"all_served", Need::optional, "all users were served again"},
                                  {"reprotected", Need::optional, "a standby streamed again"}});
}

struct RecoveryPoint {
  int64_t acknowledged = 0;
  int64_t lost = 0;
  double oldest_lost_age_s = 0;
};
BOOST_DESCRIBE_STRUCT(RecoveryPoint, (), (acknowledged, lost, oldest_lost_age_s))
constexpr auto field_docs(const RecoveryPoint*) {
  return std::to_array<FieldDoc>({{"acknowledged", Need::optional, "writes that users were told are safe"},
                                  {"lost", Need::optional, "of those, missing afterwards"},
                                  {"oldest_lost_age_s", Need::optional, "age of the oldest lost one at the fault"}});
}

struct ObjectivesMet {
  double rto_s = 0;
  double rpo_s = 0;
  bool met = false;
};
BOOST_DESCRIBE_STRUCT(ObjectivesMet, (), (rto_s, rpo_s, met))
constexpr auto field_docs(const ObjectivesMet*) {
  return std::to_array<FieldDoc>({{"rto_s", Need::optional, "recovery time objective"},
                                  {"rpo_s", Need::optional, "recovery point objective"},
                                  {"met", Need::optional, "whether both were met"}});
}

struct FailbackResult {
  double write_outage_s = 0;
  int64_t lost = 0;
};
BOOST_DESCRIBE_STRUCT(FailbackResult, (), (write_outage_s, lost))
constexpr auto field_docs(const FailbackResult*) {
  return std::to_array<FieldDoc>({{"write_outage_s", Need::optional, "longest time without an acknowledged write"},
                                  {"lost", Need::optional, "acknowledged writes missing afterwards"}});
}

struct ReportStep {
  std::string id;
  std::string phase;
  std::string status;
  int64_t attempts = 0;
  double started_after_s = -1;
  double seconds = 0;
  std::string title;
  std::string uses;
  std::string summary;
  std::string error;
  bool message = false;
  Checks checks;
};
BOOST_DESCRIBE_STRUCT(ReportStep, (),
                      (id, phase, status, attempts, started_after_s, seconds, title, uses, summary, error, message,
                       checks))
constexpr auto field_docs(const ReportStep*) {
  return std::to_array<FieldDoc>({{"id", Need::required, "step"},
                                  {"phase", Need::required, "phase"},
                                  {"status", Need::required, "how it ended"},
                                  {"attempts", Need::optional, "how often it was tried"},
                                  {"started_after_s", Need::optional, "when it began; -1: never"},
                                  {"seconds", Need::optional, "how long it took"},
                                  {"title", Need::optional, "what it does"},
                                  {"uses", Need::optional, "its action"},
                                  {"summary", Need::optional, "what was done"},
                                  {"error", Need::optional, "what went wrong"},
                                  {"message", Need::optional, "it only told people something"},
                                  {"checks", Need::optional, "what a step that validates looked at"}});
}

struct ReportLine {
  double after_s = 0;
  std::string at;
  std::string kind;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(ReportLine, (), (after_s, at, kind, text))
constexpr auto field_docs(const ReportLine*) {
  return std::to_array<FieldDoc>({{"after_s", Need::optional, "seconds after the fault"},
                                  {"at", Need::required, "when, UTC"},
                                  {"kind", Need::required, "kind of event"},
                                  {"text", Need::required, "what happened"}});
}

struct ReportDecision {
  std::string signal;
  std::string subject;
  std::string verdict;
  std::string reason;
  Json observations;
};
BOOST_DESCRIBE_STRUCT(ReportDecision, (), (signal, subject, verdict, reason, observations))
constexpr auto field_docs(const ReportDecision*) {
  return std::to_array<FieldDoc>({{"signal", Need::required, "signal"},
                                  {"subject", Need::optional, "what it was about"},
                                  {"verdict", Need::required, "start, propose or nothing"},
                                  {"reason", Need::required, "why"},
                                  {"observations", Need::optional, "what was seen"}});
}

struct ChainState {
  bool whole = false;
  int64_t events = 0;
  std::string head;
};
BOOST_DESCRIBE_STRUCT(ChainState, (), (whole, events, head))
constexpr auto field_docs(const ChainState*) {
  return std::to_array<FieldDoc>({{"whole", Need::optional, "the journal's hash chain holds"},
                                  {"events", Need::optional, "events in it"},
                                  {"head", Need::optional, "hash of the last"}});
}

// What the witness saw of all journeys from the fault until all was served again or the end.
struct UsersView {
  int64_t journeys = 0;
  double error_rate = 0;
  double p50_ms = 0;
  double p95_ms = 0;
  double p99_ms = 0;
};
BOOST_DESCRIBE_STRUCT(UsersView, (), (journeys, error_rate, p50_ms, p95_ms, p99_ms))
constexpr auto field_docs(const UsersView*) {
  return std::to_array<FieldDoc>({{"journeys", Need::optional, "journeys of users"},
                                  {"error_rate", Need::optional, "share of them that failed, 0 to 1"},
                                  {"p50_ms", Need::optional, "half of the good answers took at most this"},
                                  {"p95_ms", Need::optional, "95 of 100 good answers took at most this"},
                                  {"p99_ms", Need::optional, "99 of 100 good answers took at most this"}});
}

struct RunReport {
  std::string scenario;
  std::string fault;
  std::string profile;
  std::string mode = "real";
  std::string plan;
  std::string plan_hash;
  std::string title;
  std::string run;
  std::string state;
  std::string by;
  std::string started;
  std::string incident;
  Milestones milestones;
  double rta_s = -1;
  RecoveryPoint rpa;
  double double_acknowledged_s = 0;
  ObjectivesMet objectives;
  std::optional<FailbackResult> failback;
  std::vector<ReportStep> steps;
  std::vector<ReportDecision> decisions;
  std::vector<ReportLine> approvals;
  std::vector<ReportLine> losses;
  std::vector<ReportLine> messages;
  std::vector<ReportLine> timeline;
  ChainState chain;
  bool measured = false;
  std::optional<UsersView> users;
};
BOOST_DESCRIBE_STRUCT(RunReport, (),
                      (scenario, fault, profile, mode, plan, plan_hash, title, run, state, by, started, incident,
                       milestones, rta_s, rpa, double_acknowledged_s, objectives, failback, steps, decisions, approvals,
                       losses, messages, timeline, chain, measured, users))
constexpr auto field_docs(const RunReport*) {
  return std::to_array<FieldDoc>(
      {{"scenario", Need::required, "scenario"},
       {"fault", Need::optional, "fault that was put in"},
       {"profile", Need::optional, "profile whose values replaced the plan's"},
       {"mode", Need::optional, "drill or real"},
       {"plan", Need::optional, "name of the plan"},
       {"plan_hash", Need::optional, "hash of the plan file"},
       {"title", Need::optional, "what happened"},
       {"run", Need::optional, "id of the run"},
       {"state", Need::optional, "how the run ended"},
       {"by", Need::optional, "who opened it"},
       {"started", Need::optional, "when, UTC"},
       {"incident", Need::optional, "its incident"},
       {"milestones", Need::optional, "seconds after the fault"},
       {"rta_s", Need::optional, "recovery time actual, as users saw it; -1: not recovered or not measured"},
       {"rpa", Need::optional, "recovery point actual"},
       {"double_acknowledged_s", Need::optional, "time in which two servers acknowledged writes"},
       {"objectives", Need::optional, "objectives"},
       {"failback", Need::optional, "the way back"},
       {"steps", Need::optional, "steps"},
       {"decisions", Need::optional, "what was decided on what grounds"},
       {"approvals", Need::optional, "who agreed to what"},
       {"losses", Need::optional, "what was given up, and what is kept of it"},
       {"messages", Need::optional, "who was told what"},
       {"timeline", Need::optional, "what happened when"},
       {"chain", Need::optional, "state of the journal"},
       {"measured", Need::optional, "a witness measured it"},
       {"users", Need::optional, "what users saw"}});
}

// Indented; lists and `failback` are there also when they are empty. decode<RunReport> reads it.
std::string report_json(const RunReport& report);
std::string report_markdown(const RunReport& report);
// A whole page: everything from outside is escaped, and nothing is loaded from anywhere.
std::string report_html(const RunReport& report);

// "Users were served again after 7.42 s. 3 of 1,204 acknowledged writes are lost, the oldest 80 ms old."
std::string report_headline(const RunReport& report);

}  // namespace lifeboat
