// How each voter of etcd is, asked of itself, for people.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace lifeboat::etcd {

struct VoterStatus {
  std::string endpoint;
  std::string version;
  bool leads = false;
  bool sees_leader = false;
  int64_t bytes = 0;
  std::vector<std::string> alarms;  // "NOSPACE: …what to do"
  std::optional<Error> problem;     // it did not answer
};

// All of them, each within `each`.
Task<std::vector<VoterStatus>> ask_voters(EtcdOptions options, Duration each);

}  // namespace lifeboat::etcd
