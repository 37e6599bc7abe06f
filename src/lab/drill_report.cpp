#include "lab/drill_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "lab/drill_measure.hpp"
#include "lab/wire.hpp"

namespace lifeboat::lab {

namespace {

// Rounded to milliseconds: more digits than that say nothing.
double seconds(int64_t ns) { return static_cast<double>((ns + 500'000) / 1'000'000) / 1000.0; }
Json seconds_after(int64_t at_ns, int64_t from_ns) { return at_ns == 0 ? Json(nullptr) : Json(seconds(at_ns - from_ns)); }

// Asks, where users stand, for every write that was acknowledged. Gives the keys of those that are not there.
Result<std::vector<std::string>> missing_writes(const DrillOptions& options, const DrillTrace& trace,
                                                const std::string& folder) {
  std::string out = folder + "/out/verified.json";
  TRY_VOID(run_program({lifeboat_program(), "witness", "verify", "--plan", options.plan_file, "--inventory",
                        folder + "/inventory.json", "--secrets", folder + "/secrets", "--samples", trace.samples, "--out", out},
                       {}, Duration{120'000}));
  TRY(std::string text, read_file(out));
  TRY(Json verified, parse_json(text));
  const Json& keys = member(verified, "lost_keys");
  if (!keys.is_array()) return fail(ErrorKind::internal, "the witness did not say which writes are missing");
  std::vector<std::string> missing;
  for (const Json& key : keys.get_array()) missing.emplace_back(key.as_string());
  return missing;
}

// Every server of a database, its witness's samples.
Result<std::vector<std::vector<Samples>>> read_direct(const DrillTrace& trace) {
  std::map<std::string, std::vector<Samples>> by_service;
  for (const auto& [name, file] : trace.direct) {
    TRY(std::string text, read_file(file));
    by_service[name.substr(0, name.find('/'))].push_back(read_samples(text));
  }
  std::vector<std::vector<Samples>> all;
  for (auto& [service, members] : by_service) all.push_back(std::move(members));
  return all;
}

struct Outage {
  Gap gap;
  bool ended = false;
};

// The worse of reads and writes.
std::optional<Outage> outage_of(const Samples& users, int64_t from_ns, int64_t to_ns) {
  std::optional<Outage> worst;
  for (bool writes : {false, true}) {
    auto gap = longest_gap(users, writes, from_ns, to_ns);
    if (!gap) continue;
    bool ended = gap->to_ns != 0;
    bool longer = !worst || (worst->ended && (!ended || gap->to_ns - gap->from_ns > worst->gap.to_ns - worst->gap.from_ns));
    if (longer) worst = Outage{*gap, ended};
  }
  return worst;
}

JsonArray steps_of(const Json& run, double offset_s) {
  JsonArray steps;
  if (!member(run, "steps").is_array()) return steps;
  for (const Json& step : member(run, "steps").get_array()) {
    JsonObject line{{"id", text_or(step, "id")}, {"phase", text_or(step, "phase")}, {"status", text_or(step, "status")},
                    {"attempts", int_or(step, "attempts")}};
    bool began = member(step, "started_after_s").is_number();
    line["started_after_s"] = began ? Json(number_or(step, "started_after_s") + offset_s) : Json(nullptr);
    line["seconds"] = member(step, "seconds").is_number() ? Json(number_or(step, "seconds")) : Json(nullptr);
    steps.push_back(std::move(line));
  }
  return steps;
}

struct Figures {
  std::optional<Outage> outage;
  Decided decided;
  int64_t writable_ns = 0;
  int64_t all_served_ns = 0;
  int64_t acknowledged = 0;
  Lost lost;
  double oldest_lost_age_s = 0;
  int64_t double_ns = 0;
  std::optional<Gap> switch_gap;  // of writes, during the failback
  Lost failback_lost;
};

Figures compute(const DrillTrace& trace, const Samples& users, const std::vector<std::vector<Samples>>& databases,
                const std::vector<std::string>& missing) {
  Figures out;
  constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
  int64_t failback = trace.failback_ns == 0 ? kForever : trace.failback_ns;
  int64_t until = trace.healed_ns == 0 ? trace.run_ended_ns : trace.healed_ns;
  out.outage = outage_of(users, trace.fault_ns, until);
  out.decided = decided_in(trace.events, trace.fault_ns, trace.run_id);
  for (const auto& members : databases) {
    out.writable_ns = std::max(out.writable_ns, writable_again_ns(members, trace.fault_ns));
    out.double_ns += double_acknowledged_ns(members);
  }
  out.all_served_ns = all_served_ns(users, trace.fault_ns, until);
  out.acknowledged = std::ranges::count_if(users, [](const Sample& one) { return one.ok && one.write; });
  out.lost = lost_between(users, missing, 0, failback);
  if (out.lost.lost > 0) {
    int64_t last_good = out.outage ? std::max(out.outage->gap.from_ns, trace.fault_ns) : trace.fault_ns;
    out.oldest_lost_age_s = seconds(std::max<int64_t>(0, last_good - out.lost.oldest_ns));
  }
  if (trace.failback_ns != 0) {
    out.switch_gap = longest_gap(users, true, trace.failback_ns, trace.failback_ended_ns);
    out.failback_lost = lost_between(users, missing, failback, kForever);
  }
  return out;
}

Json to_report(const DrillOptions& options, const DrillTrace& trace, const Figures& figures, bool* passed) {
  int64_t fault = trace.fault_ns;
  bool served = figures.outage && figures.outage->ended;
  double rta = served ? seconds(figures.outage->gap.to_ns - figures.outage->gap.from_ns) : 0;
  double rto = to_seconds(options.plan.objectives.rto), rpo = to_seconds(options.plan.objectives.rpo);
  bool met = served && rta <= rto && figures.oldest_lost_age_s <= rpo && text_or(trace.run, "state") == "done";
  JsonObject milestones{{"detected", seconds_after(figures.decided.detected_ns, fault)},
                        {"decided", seconds_after(figures.decided.decided_ns, fault)},
                        {"writable", seconds_after(figures.writable_ns, fault)},
                        {"first_served", served ? Json(std::max(0.0, seconds(figures.outage->gap.to_ns - fault))) : Json(nullptr)},
                        {"all_served", seconds_after(figures.all_served_ns, fault)},
                        {"reprotected", seconds_after(trace.reprotected_ns, fault)}};
  JsonObject failback{{"write_outage_s", nullptr}, {"lost", figures.failback_lost.lost}};
  bool back = trace.failback_ns == 0;
  if (figures.switch_gap && figures.switch_gap->to_ns != 0) {
    failback["write_outage_s"] = seconds(figures.switch_gap->to_ns - figures.switch_gap->from_ns);
    back = text_or(trace.failback_run, "state") == "done";
  }
  *passed = met && back && figures.failback_lost.lost == 0 && figures.double_ns == 0;
  double offset = figures.decided.opened_ns == 0 ? 0 : seconds(figures.decided.opened_ns - fault);
  return JsonObject{{"scenario", trace.scenario}, {"fault", trace.fault}, {"profile", trace.profile},
                    {"milestones", std::move(milestones)}, {"rta_s", served ? Json(rta) : Json(nullptr)},
                    {"rpa", JsonObject{{"acknowledged", figures.acknowledged}, {"lost", figures.lost.lost},
                                       {"oldest_lost_age_s", figures.oldest_lost_age_s}}},
                    {"double_acknowledged_s", seconds(figures.double_ns)},
                    {"objectives", JsonObject{{"rto_s", rto}, {"rpo_s", rpo}, {"met", met}}},
                    {"failback", std::move(failback)}, {"steps", steps_of(trace.run, offset)}};
}

// The run's own pages, as the controller renders them, beside the JSON.
Result<void> write_pages(const DrillTrace& trace, const std::string& file, const ControllerLink& link) {
  std::filesystem::path path(file);
  for (auto [format, extension] : {std::pair{"markdown", ".md"}, {"html", ".html"}}) {
    TRY(std::string page, link.text(fmt::format("/api/runs/{}/report?format={}", trace.run_id, format)));
    TRY_VOID(write_file(path.replace_extension(extension).string(), page, 0644));
  }
  return {};
}

}  // namespace

Result<DrillOutcome> report_of_drill(const DrillOptions& options, const DrillTrace& trace, const std::string& folder,
                                     const ControllerLink& link) {
  TRY(std::string text, read_file(trace.samples));
  Samples users = read_samples(text);
  TRY(auto databases, read_direct(trace));
  TRY(std::vector<std::string> missing, missing_writes(options, trace, folder));
  DrillOutcome outcome;
  outcome.report = to_report(options, trace, compute(trace, users, databases, missing), &outcome.passed);
  if (options.report.empty()) return outcome;
  TRY_VOID(write_file(options.report, to_pretty_text(outcome.report) + "\n", 0644));
  TRY_VOID(write_pages(trace, options.report, link));
  return outcome;
}

}  // namespace lifeboat::lab
