#include "controller/incidents.hpp"

#include <fmt/format.h>

namespace lifeboat {

Task<Result<>> IncidentBook::start() {
  uint64_t after = 0;
  while (true) {
    EventFilter filter{.stream_prefix = "incident/", .after = after};
    CO_TRY(std::vector<StoredEvent> events, co_await store_.read(filter));
    for (const StoredEvent& event : events) fold(event);
    if (events.empty()) co_return Result<>{};
    after = events.back().seq;
  }
}

void IncidentBook::fold(const StoredEvent& event) {
  std::string id = event.stream.substr(std::string_view("incident/").size());
  IncidentView& incident = incidents_[id];
  if (event.kind == "incident-opened") {
    incident = {id, text_or(event.body, "title"), text_or(event.body, "severity"), "open"};
    of_run_[text_or(event.body, "run")] = id;
  } else if (event.kind == "incident-closed") {
    incident.state = "closed";
  }
}

std::optional<IncidentView> IncidentBook::of_run(std::string run) {
  auto found = of_run_.find(run);
  if (found == of_run_.end()) return std::nullopt;
  return incidents_.at(found->second);
}

Task<Result<IncidentView>> IncidentBook::open(std::string run, std::string title, std::string severity) {
  if (auto already = of_run(run)) co_return *already;
  CO_TRY(uint64_t number, co_await store_.next_number("incident"));
  std::string id = fmt::format("INC-{}", number);
  CO_TRY_VOID(co_await record(id, "incident-opened", {{"run", run}, {"title", title}, {"severity", severity}}));
  co_return incidents_.at(id);
}

Task<Result<void>> IncidentBook::update(std::string id, std::string text) {
  if (!incidents_.contains(id)) co_return fail(ErrorKind::not_found, fmt::format("there is no incident {}", id));
  co_return co_await record(id, "incident-updated", {{"text", text}});
}

Task<Result<void>> IncidentBook::close(std::string id, std::string text) {
  if (!incidents_.contains(id)) co_return fail(ErrorKind::not_found, fmt::format("there is no incident {}", id));
  co_return co_await record(id, "incident-closed", {{"text", text}});
}

Task<Result<void>> IncidentBook::record(std::string id, std::string kind, JsonObject body) {
  body["boot_ns"] = boot_now().time_since_epoch().count();
  NewEvent event{"incident/" + id, std::move(kind), std::move(body)};
  std::vector<NewEvent> events{std::move(event)};
  CO_TRY(std::vector<StoredEvent> stored, co_await store_.append(std::move(events)));
  for (const StoredEvent& one : stored) fold(one);
  co_return Result<void>{};
}

std::vector<IncidentView> IncidentBook::all() const {
  std::vector<IncidentView> out;
  for (const auto& [id, incident] : incidents_) out.push_back(incident);
  return out;
}

}  // namespace lifeboat
