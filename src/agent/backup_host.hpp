// Everything about backups on one host: pgBackRest's TLS server, the files it needs, how the members here archive, and the
// repositories that are kept here. Certificates and keys are secrets of the host (backup-ca, backup-cert-HOST, backup-key-HOST);
// they and what encrypts a repository never come over a link.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/archive_spool.hpp"
#include "agent/repository.hpp"
#include "io/postgres.hpp"
#include "io/secrets.hpp"

namespace lifeboat {

class BackupHost {
 public:
  struct Hooks {
    std::function<void(const std::string& text)> log;
    // One question to the server of a member here.
    std::function<Task<Result<PgRows>>(std::string service, std::string sql, Deadline deadline)> ask;
  };

  BackupHost(Scope& scope, Secrets& secrets, std::string host, std::string agent_folder, std::string run_as,
             Hooks hooks);

  // Takes over what an agent is to do; before its servers are started, since they archive from their first moment on.
  void configure(const wire::Configure& configuration);
  void add_to(wire::Report& report) const;
  Task<> stop(Deadline deadline);

  static bool knows(const std::string& method) { return method.starts_with("backup."); }
  Task<Result<Json>> carry_out(std::string method, Json params, Deadline deadline,
                               std::function<void(std::string)> progress);

 private:
  // Where the primary was at some moment.
  struct Sample {
    MonoTime at;
    uint64_t written = 0;
  };
  struct Member {
    wire::ServerConfig config;
    wire::ArchiveReport report;
    ArchiveSpool spool;
    std::deque<Sample> samples;  // that the stream has not reached yet
    MonoTime since{};            // begun to look
  };
  Scope& scope_;
  Secrets& secrets_;
  std::string host_;
  std::string agent_folder_;
  BackupPaths paths_;
  std::string run_as_;
  Hooks hooks_;
  KeptProgram server_;
  std::map<std::string, Member> members_;
  std::map<std::string, std::unique_ptr<Repository>> repositories_;
  std::string arranged_;  // what the files were written for
  bool begun_ = false;

  Result<> make_folders() const;
  Result<> write_owned(const std::string& path, const std::string& text, bool users_own) const;
  Result<> write_certificates();
  void place(std::string& path, const std::optional<ObjectStore>& store) const;
  Result<> arrange(const wire::Configure& configuration);
  Task<> look_after();
  Task<> look_at(std::string service);
};

}  // namespace lifeboat
