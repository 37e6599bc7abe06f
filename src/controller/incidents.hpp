// Incidents: what people talk about while runs do the work. A fold of the journal's "incident/…" streams.
#pragma once

#include <map>
#include <string>

#include "actions/world.hpp"
#include "store/store.hpp"

namespace lifeboat {

class IncidentBook : public Incidents {
 public:
  explicit IncidentBook(Store& store) : store_(store) {}

  // Reads what the journal knows.
  Task<Result<>> start();

  std::optional<IncidentView> of_run(std::string run) override;
  Task<Result<IncidentView>> open(std::string run, std::string title, std::string severity) override;
  Task<Result<void>> update(std::string id, std::string text) override;
  Task<Result<void>> close(std::string id, std::string text) override;

  std::vector<IncidentView> all() const;

 private:
  Store& store_;
  std::map<std::string, IncidentView> incidents_;
  std::map<std::string, std::string> of_run_;

  void fold(const StoredEvent& event);
  Task<Result<void>> record(std::string id, std::string kind, JsonObject body);
};

}  // namespace lifeboat
