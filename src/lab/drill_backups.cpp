#include "lab/drill_backups.hpp"

#include <fmt/format.h>

#include "core/data/list_of.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

namespace {

constexpr size_t kWanted = 2;

std::string path_of(const std::string& service) { return "/api/backups/" + service; }

// What the order found. One at a time is done for a service, so it may have to wait its turn.
Result<Json> order(const ControllerLink& link, const std::string& service, const std::string& what, int64_t deadline) {
  JsonObject body{{"by", "drill"}, {"type", "full"}};
  Result<Json> begun = fail(ErrorKind::timed_out, "");
  for (bool first = true; first || boot_ns() < deadline; pause_for(Duration{200}), first = false) {
    begun = link.post(fmt::format("{}/{}", path_of(service), what), body);
    if (begun || begun.error().kind != ErrorKind::conflict) break;
  }
  TRY_VOID(begun);
  int64_t number = int_or(*begun, "number");
  for (; boot_ns() < deadline; pause_for(Duration{200})) {
    auto job = link.get(path_of(service) + "/job");
    if (!job || int_or(*job, "number") != number || text_or(*job, "state") == "running") continue;
    if (text_or(*job, "state") == "done") return member(*job, "result");
    return fail(ErrorKind::refused, fmt::format("backups of {}: {} failed: {}", service, what, text_or(*job, "error")),
                text_or(*job, "hint"));
  }
  return fail(ErrorKind::timed_out, fmt::format("backups of {}: {} was not done in time", service, what));
}

}  // namespace

Result<std::map<std::string, std::vector<std::string>>> backup_sets(const ControllerLink& link) {
  TRY(Json page, link.get("/api/backups"));
  std::map<std::string, std::vector<std::string>> out;
  if (!member(page, "services").is_object())
    return fail(ErrorKind::internal, "the controller sent no list of services with backups");
  for (const auto& entry : member(page, "services").get_object()) {
    std::string service(entry.key());
    // One that has logical backups alone has no sets.
    if (!member(entry.value(), "status").is_object()) continue;
    TRY(Json listed, link.get(path_of(service)));
    for (const Json& set : list_of(listed, "sets")) out[service].push_back(text_or(set, "label"));
  }
  return out;
}

Result<void> have_two_backups(const ControllerLink& link, Duration within) {
  int64_t deadline = deadline_in(within);
  TRY(auto sets, backup_sets(link));
  for (const auto& [service, labels] : sets) {
    for (size_t more = labels.size(); more < kWanted; ++more) TRY_VOID(order(link, service, "take", deadline));
  }
  TRY(sets, backup_sets(link));
  for (const auto& [service, labels] : sets) {
    if (labels.size() < kWanted)
      return fail(ErrorKind::refused, fmt::format("{} has {} backups though two were taken", service, labels.size()));
  }
  return {};
}

Result<std::string> verify_backups(const ControllerLink& link, const std::string& service, Duration within) {
  TRY(Json found, order(link, service, "verify", deadline_in(within)));
  if (bool_or(found, "whole")) return std::string();
  std::string problems;
  for (const Json& line : list_of(found, "problems")) {
    if (!line.is_string()) continue;
    if (!problems.empty()) problems += "; ";
    problems += line.get_string();
  }
  return problems.empty() ? text_or(found, "text", "pgBackRest does not say what") : problems;
}

}  // namespace lifeboat::lab
