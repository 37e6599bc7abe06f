// Watches: the controller's own probes and what agents' probes find, turned into signals by core/detection, and signals
// into what follows by core/decision. Each signal and each decision is journalled with the observations behind it, and what of
// them still stands is taken up again after a restart.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "actions/world.hpp"
#include "controller/configure.hpp"
#include "controller/databases.hpp"
#include "core/decision/standing.hpp"
#include "core/detection/data_change.hpp"
#include "core/detection/detection.hpp"
#include "core/detection/pace.hpp"
#include "io/http_client.hpp"
#include "store/store.hpp"

namespace lifeboat {

struct ActiveSignal {
  std::string signal;
  std::string subject;
  WallTime since{};
  std::string text;
};

class Watch : public Observers {
 public:
  struct Hooks {
    // Starts a run; gives its id. Errors are journalled with the decision.
    std::function<Task<Result<std::string>>(std::string scenario, decision::RaisedNow signal, std::string reason)>
        start_run;
    std::function<std::vector<decision::ActiveRun>()> active_runs;
    // Why the backups of a service would not do what the plan asks for; empty: they would.
    std::function<std::string(const std::string& service)> backup_trouble;
    // Ends a run that a larger cause supersedes.
    std::function<Task<Result<>>(std::string run, std::string reason)> end_run;
  };

  Watch(asio::any_io_executor executor, Store& store, const Plan& plan, HttpClient& http, DatabaseKeeper& databases,
        std::string host, Scope& scope, Hooks hooks);

  // Probes, signals and decisions from now on. Reads what stands since before: signals, past automatic starts for the rate
  // limit, and starts that were decided but cut off, which are carried out now. Runs must have been resumed.
  Task<Result<>> start();

  const std::vector<WatchTarget>& targets() const { return targets_; }
  void agent_connected(const std::string& host);
  void agent_lost(const std::string& host);
  void agent_said(const std::string& host, const std::string& type, const Json& message);
  // A failover that the ownership machine made by itself: the database's signal, at once.
  void database_moved_by_itself(const std::string& service, const std::string& text);
  // What was started by itself so far does not count any more. Written to the journal by the caller, as "automatic-acknowledged".
  // Where a data-change signal stands, the data as they are now are what is usual from now on.
  void acknowledge();

  // A signal raised by a person or a webhook. `refused` when the plan does not have it.
  Task<Result<Json>> raise(std::string signal, std::string subject, std::string by, std::string text);
  void witness_saw(UserView view);

  std::vector<ActiveSignal> active() const;

  Result<RegionView> region(std::string name) override;
  std::optional<UserView> users() override;

 private:
  asio::any_io_executor executor_;
  Store& store_;
  const Plan& plan_;
  HttpClient& http_;
  DatabaseKeeper& databases_;
  std::string host_;
  std::string vantage_;
  Scope& scope_;
  Hooks hooks_;
  std::vector<WatchTarget> targets_;
  detection::State state_;
  detection::Pace pace_;
  std::map<std::string, ActiveSignal> active_;           // by cause
  std::map<std::string, MonoTime> database_unwritable_;  // by service
  std::map<std::string, MonoTime> backups_bad_;          // by signal
  std::map<std::string, detection::DataWatch> data_;     // by signal
  std::set<std::string> served_;                         // databases and endpoints that were well at some time
  std::vector<MonoTime> automatic_starts_;
  std::optional<UserView> users_;
  MonoTime users_at_{};

  Task<> probe(WatchTarget target);
  Task<> look();
  void judge_regions(const std::string& name, const RegionLostSignal& signal);
  void judge_endpoint(const std::string& name, const EndpointSignal& signal);
  void judge_database(const std::string& name, const DatabaseSignal& signal);
  void judge_backups(const std::string& name, const BackupSignal& signal);
  void judge_data_change(const std::string& name, const DataChangeSignal& signal);
  void data_seen(const std::string& host, const Json& message);
  void keep_usual(const std::string& service, const detection::TextBaseline& columns);
  bool any_region_suspected() const;
  detection::Window window_of(Duration for_, Duration every, Duration within, int quorum) const;
  bool was_well(const std::string& endpoint, bool well_now);
  void hold(const decision::RaisedNow& signal, std::string text, Json observations);
  void clear(const std::string& cause);
  Task<Json> believe(decision::RaisedNow signal, std::string text, Json observations);
  Task<Result<std::string>> carry_out(decision::OwedStart owed);
  Task<> take_up(decision::OwedStart owed);
  Task<> write(std::string kind, JsonObject body);
};

}  // namespace lifeboat
