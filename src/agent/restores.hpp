// Restored copies on this host: orders of core/recovery/messages.hpp carried out by the engine of recovery/, and found again after
// the agent was started anew.
//
// Beside the folder of each copy stands NAME.json, which says what it is and how far it got; it is written before anything is done, and
// when it has ended. A copy is only ever read from here: its server has no way out, and questions to it run read-only. Which copy a name
// stands for, core/recovery/copies.hpp says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/looks.hpp"
#include "agent/protocol.hpp"
#include "core/recovery/copies.hpp"
#include "core/recovery/messages.hpp"
#include "io/task.hpp"
#include "recovery/folder.hpp"
#include "recovery/restore.hpp"

namespace lifeboat {

class Restores {
 public:
  using Log = std::function<void(const std::string& text)>;
  using Progress = std::function<void(std::string)>;

  Restores(Scope& scope, std::string host, std::string agent_folder, std::string run_as, Log log);

  // Takes over what an agent is to do, and finds what an agent before this one left.
  void configure(const wire::Configure& configuration);

  static bool knows(const std::string& method) {
    return method.starts_with("restore.") && method != wire::Adopt::kMethod;
  }
  Task<Result<Json>> carry_out(std::string method, Json params, Deadline deadline, Progress progress);

 private:
  // Where a service's copies are made here, and from which repository.
  struct Place {
    std::string stanza;
    std::string folder;    // of all copies
    std::string data;      // of the member here; empty: none
    std::string database;  // the service's
    std::string socket;    // of the member's server
    int64_t port = 0;
  };
  struct Copy {
    std::string service;
    std::string name;  // of its folder
    Json wish;         // the order
    std::string state;
    std::string progress;
    std::string error_kind, error, hint;
    Json restored;
    std::string began_at, ended_at;
  };
  Scope& scope_;
  std::string host_;
  std::string agent_folder_;
  std::string run_as_;
  Log log_;
  std::map<std::string, Place> places_;                  // by service
  std::map<std::string, std::shared_ptr<Copy>> copies_;  // by folder
  std::map<std::string, std::string> unhashed_;          // what was said of evidence that cannot be listed
  Looks looks_;
  bool begun_ = false;

  std::string config() const;
  Result<Place> place_of(const std::string& service) const;
  std::vector<recovery::KnownCopy> known(const Place& place, const std::string& service);
  Result<std::shared_ptr<Copy>> find(const std::string& service, const std::string& name);
  recovery::RestoreFolder folder_of(const Place& place, const std::string& name) const;
  void find_again(const Place& place);
  Result<> keep(const Place& place, const Copy& copy) const;
  Json in_json(const Place& place, const Copy& copy) const;
  bool runs(const Place& place, const std::string& name) const;
  Task<> look_after();
  Task<> sweep();
  Task<Result<>> give_up(Place place, std::string name, bool whole);
  Task<Result<>> clear(Place place, std::string name, bool gives_up);
  struct Wanted {
    recovery::RestoreRequest request;
    bool gives_up = false;       // a finished copy of another order is in the way
    Duration within{};           // the work is given up then
    std::string log_not_closed;  // goes with what comes of it
  };
  Task<> work(Place place, std::shared_ptr<Copy> copy, Wanted wanted);
  Task<Result<Json>> begin(wire::RestoreBegin order, Deadline deadline, Progress progress);
  Task<Result<Json>> list(wire::RestoreList order);
  Task<Result<Json>> stop(wire::RestoreStop order);
  Task<Result<Json>> query(wire::RestoreQuery order, Deadline deadline);
  Task<Result<>> make_run(Place place, std::string name, Deadline deadline);
  Task<Result<Json>> forensics(wire::RestoreForensics order, Deadline deadline);
  Task<Result<Json>> clean_point(wire::RestoreCleanPoint order, std::string folder, Deadline deadline,
                                 Progress progress);
  Task<Result<Json>> look_at_log(wire::RestoreForensics order, Deadline deadline);
  Task<Result<Json>> look_at_copies(wire::RestoreCleanPoint order, Deadline deadline, Progress progress);
};

}  // namespace lifeboat
