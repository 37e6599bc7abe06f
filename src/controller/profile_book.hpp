// What databases held on good days. A fold of the journal's streams "profiles/SERVICE", so that every controller has it, also when the
// host of the one that counted is gone.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "actions/world.hpp"
#include "core/validation/known_profile.hpp"
#include "store/store.hpp"

namespace lifeboat {

class ProfileBook : public Profiles {
 public:
  explicit ProfileBook(Store& store) : store_(store) {}

  // Reads what the journal knows.
  Task<Result<>> start();

  std::shared_ptr<const KnownProfile> last(std::string service, std::string database,
                                           std::optional<WallTime> data_until) override;
  Task<Result<void>> taken(std::string service, std::shared_ptr<const KnownProfile> profile) override;

 private:
  Store& store_;
  std::map<std::pair<std::string, std::string>, KnownProfiles> by_database_;  // service and database

  void fold(const StoredEvent& event);
};

}  // namespace lifeboat
