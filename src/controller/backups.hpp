// The backups of each service whose plan has Lifeboat keep them: knows what its repository's host says, orders what the schedule
// asks for (core/backup decides), and answers people. A controller can order backups to be taken, read and verified. It cannot delete:
// which ones are expired is the repository's host's own business; what it hands on is that a person has looked at one that is held.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "controller/agent_hub.hpp"
#include "core/backup/archiving.hpp"
#include "core/backup/duty.hpp"
#include "store/store.hpp"

namespace lifeboat {

class BackupKeeper {
 public:
  BackupKeeper(Store& store, const Plan& plan, AgentHub& hub, Databases& databases, Scope& scope);

  // Orders are given from now on.
  Task<Result<>> start();
  void agent_said(const std::string& host, const std::string& type, const Json& message);
  void agent_lost(const std::string& host);

  std::vector<std::string> services() const;
  // {repository, backups, newest, oldest_at, stream, loss_ms, …} of a service; null when it has none that are kept.
  Json status(const std::string& service) const;
  // Why they would not do what the plan asks for; empty: they would.
  std::string trouble(const std::string& service) const;

  // Everything that is there: {sets, archive, status}.
  Task<Result<Json>> list(std::string service);
  // Begins an order in the background and gives its number; job() tells how it goes. `what`: take, verify or expire.
  // `looked_at`, with expire: the newest backup that a person has looked at and found right (wire::BackupExpire).
  Result<Json> begin(const std::string& service, const std::string& what, recovery::BackupType type,
                     const std::string& by, const std::string& looked_at);
  // {number, what, state: running|done|failed, progress, result, error, hint} of the last order; null: there was none.
  Json job(const std::string& service) const;

 private:
  struct Job {
    uint64_t number = 0;
    std::string what, by, state, progress, error, hint;
    Json result;
  };
  struct Kept {
    const PostgresService* plan = nullptr;
    const Backups* backups = nullptr;
    backup::Schedule schedule;
    backup::Situation situation;
    backup::Archiving archiving;  // of whoever is the primary
    MonoTime last_order{};
    MonoTime reported{};
    std::map<std::string, std::pair<wire::ArchiveReport, MonoTime>> archives;  // by host
    std::string listed_as;                                                     // newest backup when `taken` was read
    std::string noticed, held;                                                 // as they stand in the journal
    Job job;
  };
  Store& store_;
  const Plan& plan_;
  AgentHub& hub_;
  Databases& databases_;
  Scope& scope_;
  std::map<std::string, Kept> kept_;

  Result<Kept*> find(const std::string& service);
  const wire::ArchiveReport* archive_of(const Kept& kept, const std::string& member) const;
  backup::Situation situation_of(const std::string& service) const;
  backup::Loss loss_of(const std::string& service) const;
  // The primary and, if one streams, a standby of it.
  Result<std::pair<std::vector<wire::BackupSource>, bool>> sources_of(const std::string& service);
  Task<> tick();
  Task<> prepare(std::string service);
  Task<> read_list(std::string service);
  Task<> work(std::string service, std::string method, Json params);
  Result<> start_work(const std::string& service, const std::string& what, recovery::BackupType type,
                      const std::string& by, const std::string& looked_at);
  Task<> note(std::string service, std::string kind, std::string text, Json data);
};

}  // namespace lifeboat
