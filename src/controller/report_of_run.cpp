#include "controller/report_of_run.hpp"

#include <fmt/format.h>

#include <set>

#include "controller/orphan_book.hpp"
#include "controller/orphan_runs.hpp"
#include "core/data/decode.hpp"

namespace lifeboat {
namespace {

double after(const run::RunState& state, MonoTime at) { return to_seconds(at - state.opened_at); }

// What a step that validates leaves in its data.
Checks checks_of(const Json& data) {
  const Json& checks = data.is_object() ? member(data, "checks") : data;
  auto read = decode<Checks>(checks.is_array() ? checks : Json(JsonArray{}));
  return read ? *std::move(read) : Checks{};
}

std::vector<ReportStep> steps_of(const run::RunState& state) {
  std::vector<ReportStep> out;
  for (size_t index = 0; index < state.steps.size(); ++index) {
    const run::StepState& step = state.steps[index];
    const run::ResolvedStep& spec = state.opened->steps[index];
    bool began = step.first_started_at != MonoTime{};
    MonoTime until = step.ended_at != MonoTime{} ? step.ended_at : state.last_at;
    out.push_back({spec.id, spec.phase, enum_name(step.status), step.attempt,
                   began ? after(state, step.first_started_at) : -1,
                   began ? to_seconds(until - step.first_started_at) : 0, spec.title, spec.uses, step.summary,
                   step.error, spec.kind == run::StepKind::message, checks_of(step.data)});
  }
  return out;
}

// Whether a message went out, or could not.
bool tells_people(const run::RunState& state, const run::Event& event) {
  if (!std::holds_alternative<run::StepFinished>(event.body) && !std::holds_alternative<run::StepFailed>(event.body))
    return false;
  auto index = state.graph->find(std::string(run::step_of(event)));
  return index && state.graph->steps[*index].kind == run::StepKind::message;
}

// What stands in the journal between the signal that led to the run and its end.
void add_events(RunReport& report, const run::RunState& state, const std::vector<StoredEvent>& events,
                const std::string& cause, const std::set<uint64_t>& losses) {
  Json observations = nullptr;
  for (const StoredEvent& event : events) {
    bool of_run = event.stream == "run/" + state.id;
    ReportLine line{to_seconds(event.at - state.opened_wall), format_wall(event.at), event.kind, {}};
    if (of_run) {
      auto decoded = run::decode_event(event.kind, event.body);
      line.text = decoded ? run::in_words(*decoded) : event.kind;
      if (decoded && tells_people(state, *decoded)) report.messages.push_back(line);
      if (event.kind == "approval-given" || event.kind == "approval-declined" || event.kind == "manual-confirmed")
        report.approvals.push_back(line);
    } else if (event.stream == "signals") {
      if (event.kind == "signal-raised") observations = member(event.body, "observations");
      std::string signal_cause = text_or(event.body, "signal") +
                                 (text_or(event.body, "subject").empty() ? "" : "/" + text_or(event.body, "subject"));
      if (event.kind == "decided" && (cause.empty() || signal_cause == cause)) {
        report.decisions.push_back({text_or(event.body, "signal"), text_or(event.body, "subject"),
                                    text_or(event.body, "verdict"), text_or(event.body, "reason"), observations});
      }
      line.text = text_or(event.body, "text", text_or(event.body, "reason"));
      if (line.text.empty()) continue;
    } else {
      line.text = text_or(event.body, "text", text_or(event.body, "title", text_or(event.body, "reason")));
      if (line.text.empty()) continue;
    }
    if (losses.contains(event.seq)) report.losses.push_back(line);
    report.timeline.push_back(std::move(line));
  }
}

}  // namespace

Task<Result<RunReport>> report_of_run(ReportSource source) {
  const run::RunState& state = source.state;
  RunReport report;
  report.scenario = state.opened->scenario;
  report.title = state.opened->title;
  report.profile = state.opened->profile;
  report.mode = enum_name(state.opened->mode);
  report.plan = source.plan.plan.text;
  report.plan_hash = state.opened->plan_hash;
  report.run = state.id;
  report.state = enum_name(run::status_of(state));
  report.by = state.opened->by;
  report.started = format_wall(state.opened_wall);
  report.objectives.rto_s = to_seconds(source.plan.objectives.rto);
  report.objectives.rpo_s = to_seconds(source.plan.objectives.rpo);
  report.milestones.decided = 0;
  report.steps = steps_of(state);
  std::string cause = state.opened->cause;
  WallTime from = state.opened_wall - std::chrono::seconds(60);
  std::optional<WallTime> until = state.ended_wall;

  std::vector<StoredEvent> chosen;
  uint64_t last = 0;
  OrphanRuns orphans;
  std::set<uint64_t> losses;  // savings of writes that were lost in this run, whenever they came
  while (true) {
    EventFilter filter{.after = last};
    CO_TRY(std::vector<StoredEvent> events, co_await source.store.read(filter));
    if (events.empty()) break;
    last = events.back().seq;
    for (StoredEvent& event : events) {
      bool in_time = event.at >= from && (!until || event.at <= *until + std::chrono::seconds(1));
      bool other_run = event.stream.starts_with("run/") && event.stream != "run/" + source.state.id;
      orphans.see(event);
      bool came_back = event.kind == OrphanBook::kKind && orphans.run_of(event) == state.id;
      if (came_back) losses.insert(event.seq);
      if ((in_time && !other_run) || came_back) chosen.push_back(std::move(event));
    }
  }
  add_events(report, source.state, chosen, cause, losses);
  for (const ReportLine& line : report.timeline) {
    if (line.kind == "signal-raised" && report.milestones.detected < 0)
      report.milestones.detected = std::max(0.0, line.after_s);
  }
  CO_TRY(ChainReport chain, co_await source.store.verify());
  report.chain = {chain.whole, static_cast<int64_t>(chain.events), chain.head};
  co_return report;
}

Task<Result<RenderedReport>> render_run_report(ReportSource source, std::string format) {
  auto reporting = report_of_run(source);
  CO_TRY(RunReport report, co_await std::move(reporting));
  if (format == "json") co_return RenderedReport{report_json(report), "application/json"};
  if (format == "html") co_return RenderedReport{report_html(report), "text/html; charset=utf-8"};
  if (format == "markdown") co_return RenderedReport{report_markdown(report), "text/markdown; charset=utf-8"};
  co_return fail(ErrorKind::invalid_input,
                 fmt::format("a report is markdown, html or json, not '{}'", format.substr(0, 20)));
}

}  // namespace lifeboat
