// What restores took, by service. A fold of the journal's streams "restore-times/SERVICE".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "actions/world.hpp"
#include "store/store.hpp"

namespace lifeboat {

class RestoreBook : public RestoreTimes {
 public:
  explicit RestoreBook(Store& store) : store_(store) {}

  // Reads what the journal knows.
  Task<Result<>> start();

  std::vector<recovery::RestoreTiming> of(std::string service) override;
  Task<Result<void>> measured(std::string service, recovery::RestoreTiming timing) override;

 private:
  Store& store_;
  std::map<std::string, std::vector<recovery::RestoreTiming>> by_service_;

  void fold(const StoredEvent& event);
};

// {service, text, samples, expected_ms, longest_ms, per_month_ms, fits}: whether even a slow restore fits into the RTO; null where
// nothing was measured.
Json forecast_in_json(const std::string& service, const std::optional<recovery::Forecast>& forecast, Duration rto);

}  // namespace lifeboat
