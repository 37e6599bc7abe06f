// What people ask of restored copies outside of a run: make one, put it in place of the database, look into the log, find the last
// clean moment. Orders go on in the background, those that core/recovery/orders.hpp lets beside each other; what they did stands in the
// journal under restores/SERVICE. Every one of them can be ended, until a copy takes the database's place.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actions/world.hpp"
#include "core/data/describe.hpp"
#include "core/recovery/choose_place.hpp"
#include "core/recovery/messages.hpp"
#include "core/recovery/orders.hpp"
#include "store/store.hpp"

namespace lifeboat {

// What is asked for. `into`: isolated (wherever it stands best), replace (the database itself), or a member or host (isolated there).
struct RestoreBody {
  std::string by;
  bool yes = false;  // replace, adopt: what was written behind the point is given up
  std::string into;
  std::string on;  // replace: the member that takes the data; chosen when empty
  std::string name;
  Json target;
  std::string set;
  uint64_t timeline = 0;
  bool accept_gap = false;
  bool again = false;      // a finished copy of that name is given up
  bool remove = false;     // stop: the files go too
  bool unchecked = false;  // replace, adopt: the copy's data are not looked at before
  int64_t repository = 0;  // 0: the first that has a backup
  int64_t within_ms = 0;   // the work is given up then; 0: after a day
  std::string from, to;
  int64_t usual_ms = 3'600'000;
  int64_t most = 20;
  std::vector<wire::CleanCheck> checks;
  bool indexes = false, pages = false, encrypted = false;
};
BOOST_DESCRIBE_STRUCT(RestoreBody, (),
                      (by, yes, into, on, name, target, set, timeline, accept_gap, again, remove, unchecked, repository,
                       within_ms, from, to, usual_ms, most, checks, indexes, pages, encrypted))
constexpr auto field_docs(const RestoreBody*) {
  return std::to_array<FieldDoc>({{"by", Need::required, "who asks"},
                                  {"yes", Need::optional, "what was written behind the point is given up"},
                                  {"into", Need::optional, "isolated, replace, or a member or host"},
                                  {"on", Need::optional, "the member that takes the data"},
                                  {"name", Need::optional, "name of the copy"},
                                  {"target", Need::optional, "the point to reach"},
                                  {"set", Need::optional, "label of a backup"},
                                  {"timeline", Need::optional, "history to follow"},
                                  {"accept_gap", Need::optional, "stop where log is missing"},
                                  {"again", Need::optional, "a finished copy of that name is given up"},
                                  {"remove", Need::optional, "the files go too"},
                                  {"unchecked", Need::optional, "the copy's data are not looked at before"},
                                  {"repository", Need::optional, "number of the repository"},
                                  {"within_ms", Need::optional, "the work is given up after so long"},
                                  {"from", Need::optional, "a moment before the damage"},
                                  {"to", Need::optional, "a moment behind it"},
                                  {"usual_ms", Need::optional, "how long the time before is"},
                                  {"most", Need::optional, "findings"},
                                  {"checks", Need::optional, "what holds on good data"},
                                  {"indexes", Need::optional, "also check indexes"},
                                  {"pages", Need::optional, "also check the checksums of pages"},
                                  {"encrypted", Need::optional, "also look for texts that look encrypted"}});
}

class RestoreKeeper {
 public:
  RestoreKeeper(Store& store, World& world, Scope& scope) : store_(store), world_(world), scope_(scope) {}

  // The copies on every host that can be asked, and what is kept as evidence there: {hosts: {NAME: answer of restore.list}}.
  Task<Result<Json>> list(std::string service);
  // `what`: restore, adopt, stop, forensics, clean-point. Gives {service, number}; job() tells how it goes.
  Result<Json> begin(const std::string& service, const std::string& what, RestoreBody body);
  // {number, what, by, state: running|done|failed, progress, result, error_kind, error, hint}; null: there was no such order. `number`: 0
  // is the last one.
  Json job(const std::string& service, uint64_t number = 0) const;

 private:
  struct Job {
    uint64_t number = 0;
    std::string what, by, state, progress, error_kind, error, hint;
    Json result;
    std::string name;        // of the copy
    std::string order;       // of this one and no other; agents know it by that
    std::string host;        // whose agent is at it; empty: none was told yet
    bool swaps = false;      // a copy is taking the database's place
    bool ends = false;       // how it ended is known, and is being written down
    std::string stopped_by;  // somebody had it ended
    std::string task() const { return what + " " + order; }
  };
  using JobPtr = std::shared_ptr<Job>;
  Store& store_;
  World& world_;
  Scope& scope_;
  std::map<std::string, std::vector<JobPtr>> jobs_;  // those under way and the last ones, by service

  std::vector<JobPtr> under_way(const std::string& service) const;
  Result<> may_begin(const std::string& service, const std::string& what, RestoreBody& body) const;
  Task<> work(std::string service, std::string what, RestoreBody body, JobPtr job);
  Task<Result<Json>> noted(std::string service, std::string what, RestoreBody body, JobPtr job);
  Task<Result<Json>> carry_out(std::string service, std::string what, RestoreBody body, JobPtr job);
  Task<Result<Json>> look(std::string service, std::string what, RestoreBody body, JobPtr job);
  Task<Result<Json>> restore(std::string service, RestoreBody body, JobPtr job);
  Task<Result<Json>> adopt(std::string service, RestoreBody body, JobPtr job);
  Task<Result<Json>> put_in_place(std::string service, recovery::RestorePlace place, RestoreBody body, Json restored,
                                  JobPtr job);
  Task<Result<Json>> check(std::string service, RestoreBody body, Json restored, JobPtr job);
  Task<Result<Json>> replace(std::string service, recovery::RestorePlace place, Json restored, JobPtr job);
  Task<Result<Json>> stop(std::string service, RestoreBody body);
  Task<Result<Json>> end_job(std::string service, RestoreBody body, JobPtr job);
  Task<Result<std::string>> find_order(std::string service, std::string host, std::string order);
  Task<Result<Json>> end_looks(std::string service, std::string what, std::string on);
  Task<Result<Json>> stop_copy(std::string service, RestoreBody body, std::string host);
  Task<> note(std::string service, std::string kind, std::string text, Json data);
};

}  // namespace lifeboat
