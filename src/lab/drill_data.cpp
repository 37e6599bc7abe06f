#include "lab/drill_data.hpp"

#include <cmath>
#include <cstdlib>
#include <string>

namespace lifeboat::lab {

namespace {

const JsonArray& steps_of(const Json& run) {
  static const JsonArray none;
  const Json& steps = member(run, "steps");
  return steps.is_array() ? steps.get_array() : none;
}

// What the last step of the run that used this action found; null when none was done.
Json data_of(const DrillTrace& trace, std::string_view action) {
  Json found;
  for (const Json& step : steps_of(trace.run)) {
    if (text_or(step, "uses") != action) continue;
    for (const Json& event : trace.events) {
      const Json& body = member(event, "body");
      bool of_it = text_or(event, "kind") == "step-finished" && text_or(event, "stream").ends_with(trace.run_id) &&
                   text_or(body, "step") == text_or(step, "id");
      if (of_it) found = member(body, "data");
    }
  }
  return found;
}

}  // namespace

std::optional<Duration> put_back_after(const Json& run) {
  for (const Json& step : steps_of(run)) {
    bool there = text_or(step, "uses") == "postgres.adopt" && text_or(step, "status") == "done";
    if (!there) continue;
    double seconds = number_or(step, "started_after_s") + number_or(step, "seconds");
    return Duration{std::llround(seconds * 1000)};
  }
  return std::nullopt;
}

Json evidence_in(const DrillTrace& trace) {
  Json adopted = data_of(trace, "postgres.adopt");
  return member(adopted, "evidence");
}

std::string why_data_fail(const DrillTrace& trace) {
  std::string evidence = text_or(trace.evidence, "problem");
  if (!evidence.empty()) return "what was kept as evidence is not as it should be: " + evidence;
  return trace.backups ? why_attack_fails(*trace.backups) : std::string();
}

int64_t damaged_pages_left(const DrillTrace& trace) {
  int64_t damaged = 0;
  if (!trace.damaged_pages.is_object()) return damaged;
  for (const auto& service : trace.damaged_pages.get_object()) {
    for (const auto& one : service.value().as_object()) damaged += int_or(one.value(), "damaged_pages");
  }
  return damaged;
}

Json restore_in(const DrillTrace& trace, size_t lost, size_t collateral) {
  Json restored = data_of(trace, "postgres.restore");
  if (!restored.is_object()) return nullptr;
  JsonObject out;
  for (const char* key : {"target", "reached", "seconds", "copy_seconds", "replay_seconds", "bytes", "host"})
    out[key] = member(restored, key);
  out["lost_transactions"] = lost;
  out["collateral_transactions"] = collateral;
  out["evidence"] = evidence_in(trace);
  out["evidence_checked"] = trace.evidence;
  out["damaged_pages"] = damaged_pages_left(trace);
  return out;
}

Json clean_point_in(const DrillTrace& trace) {
  Json found = data_of(trace, "postgres.clean-point");
  if (!found.is_object()) return nullptr;
  const Json& to = member(found, "restore_to");
  bool to_the_end = bool_or(found, "good_to_the_end");
  int64_t true_xid = int_or(trace.detail, "xid");
  // Text: a transaction's number may be larger than JSON's integers.
  std::string before = text_or(to, "xid");
  size_t colon = before.find(':');
  int64_t found_xid = std::atoll(before.c_str() + (colon == std::string::npos ? 0 : colon + 1));
  Json error = nullptr;
  if (to_the_end && true_xid == 0) error = 0;
  if (!to_the_end && true_xid != 0 && found_xid != 0) error = std::abs(found_xid - true_xid);
  return JsonObject{{"found", to_the_end ? Json("latest") : member(to, "time")},
                    {"true_moment", member(trace.detail, "at")},
                    {"found_xid", to_the_end || found_xid == 0 ? Json(nullptr) : Json(found_xid)},
                    {"true_xid", true_xid == 0 ? Json(nullptr) : Json(true_xid)},
                    {"error_transactions", error},
                    {"restores_used", member(found, "restores_used")}};
}

}  // namespace lifeboat::lab
