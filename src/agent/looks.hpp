// Looks of people and of runs into the log and at copies on this host: each has a task of its own, so that it can be ended while somebody
// waits for it. Its processes, its copies and its folder go with it; what an agent that was killed left is removed by the next one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/data/json.hpp"
#include "core/recovery/messages.hpp"
#include "io/task.hpp"

namespace lifeboat {

class Looks {
 public:
  explicit Looks(Scope& scope) : scope_(scope) {}

  struct Look {
    uint64_t number = 0;
    std::string service;
    std::string what;    // forensics, clean-point
    std::string order;   // of a person; empty: a step of a run looks
    std::string folder;  // of its copies; empty: it makes none
    std::string began_at;
    std::optional<Result<Json>> ended;
    std::shared_ptr<Wakeup> at_end;
  };

  // Waits for its end. One that is ended meanwhile is an error of kind `cancelled`.
  Task<Result<Json>> carry_out(Look look, Task<Result<Json>> doing);
  // Waits until they are gone. Replies as restore.end-look says.
  Task<Result<Json>> end(wire::EndLook order);
  JsonArray list(const std::string& service) const;
  // A folder below `folder` that no look uses, and no copy can have: names of copies have no dot.
  std::string free_folder(const std::string& folder) const;
  // The folders below that an earlier agent left.
  std::vector<std::string> left_behind(const std::string& folder) const;

 private:
  Scope& scope_;
  uint64_t next_ = 1;
  std::vector<std::shared_ptr<Look>> running_;

  static Task<> run(std::shared_ptr<Look> look, Task<Result<Json>> doing);
};

}  // namespace lifeboat
