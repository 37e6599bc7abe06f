// A repository of backups on this host: takes, lists, verifies and expires them by pgBackRest, receives the stream of WAL, and guards
// what is there. It decides alone what is expired: by the plan's retention, and not while a backup looks wrong that nobody has looked at.
//
// A second repository gets the same after the first (repository_second.cpp). Whatever is wrong with it is told, and neither
// undoes nor delays what concerns the first.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/backup_files.hpp"
#include "agent/repository_guard.hpp"
#include "agent/wal_stream.hpp"
#include "core/backup/failing.hpp"
#include "core/recovery/window.hpp"
#include "io/pgbackrest.hpp"

namespace lifeboat {

class Repository {
 public:
  using Log = std::function<void(const std::string& text)>;
  using Progress = std::function<void(std::string)>;

  // `root`: the folder of everything about backups on this host; `text`: [global] and the section of the stanza, for orders.
  Repository(Scope& scope, std::string service, BackupPaths paths, std::string run_as, Log log);

  // Takes over a configuration. `text` is what pgBackRest needs for orders here, secrets and all; `expiry_text` the same for
  // expiry, with the keys that may delete where the plan names some.
  Result<> configure(wire::RepositoryConfig config, std::string text, std::string expiry_text);
  // Why it cannot work; empty: it can.
  void broken(std::string why) { report_.problem = std::move(why); }
  void begin();
  Task<> stop(Deadline deadline);

  wire::RepositoryReport report() const { return report_; }

  Task<Result<Json>> make_stanza(wire::BackupStanza order, Deadline deadline);
  Task<Result<Json>> take(wire::BackupTake order, Deadline deadline, Progress progress);
  Task<Result<Json>> info(Deadline deadline);
  Task<Result<Json>> verify(Deadline deadline, Progress progress);
  Task<Result<Json>> expire(wire::BackupExpire order, Deadline deadline);
  Task<Result<Json>> close_log(Deadline deadline);

 private:
  Scope& scope_;
  std::string service_;
  BackupPaths paths_;
  std::string run_as_;
  Log log_;
  wire::RepositoryConfig config_;
  std::string text_;
  std::string expiry_text_;
  std::shared_ptr<RepositoryGuard> guard_;  // of a repository in a folder
  WalStream stream_;
  wire::RepositoryReport report_;
  std::optional<recovery::Catalogue> catalogue_;  // as it was read last
  std::optional<recovery::Catalogue> second_;     // the second repository's
  std::string second_failed_;                     // what the last order could not do there
  std::vector<std::string> owed_;       // files of the stream that the first has from here, and the second not yet
  std::optional<Moment> looked_until_;  // a person has looked at the backups up to here
  std::string said_;
  backup::Failing reads_, fills_;
  bool begun_ = false;

  struct Busy;
  bool two() const { return config_.backups.second.has_value(); }
  PgBackRest reader(int number) const;
  std::string scratch() const { return paths_.folder + "/read-" + service_; }
  Task<Result<std::string>> run(std::vector<std::string> arguments, std::string config, bool as_root,
                                Deadline deadline);
  // Names one of the repositories only.
  std::string config_of(int number) const;
  Result<> write_config(std::string path, std::string text) const;
  Result<> order_files(int number, const std::vector<wire::BackupSource>& sources) const;
  Task<Result<>> back_up(int number, wire::BackupTake order, Deadline deadline, Progress progress);
  Task<Result<>> back_up_once(int number, wire::BackupTake order, Deadline deadline, Progress progress);
  Task<> look_after();
  Task<Result<>> look(Deadline deadline);
  Task<Result<>> fill_gaps(Deadline deadline);
  // Finished files of the stream that the archive lacks are put there; their names.
  Task<Result<std::vector<std::string>>> archive_stream(Duration older_than, Deadline deadline);
  Task<Result<>> archive_file(int number, std::string path, Deadline deadline);
  // Where the log ends in an unfinished segment, kept for as long as it is the newest.
  Task<Result<Json>> end_of_unfinished(std::string path, std::string name, Deadline deadline);
  std::string unfinished_file() const { return stream_.folder() + ".unfinished.json"; }
  Task<> check_index(bool readable);
  // Removals (repository_expire.cpp). `keep_all`: what the index does not know goes and nothing else.
  bool has_expiry_key(int number) const;
  std::string expiry_file(int number) const;
  void remove_expiry_files() const;
  Task<Result<>> run_expiry(int number, bool keep_all, Deadline deadline);
  Task<Result<>> refuse_strays(int number, Deadline deadline);
  Result<> none_lost(int number, const std::vector<std::string>& whole) const;
  Task<Result<std::vector<std::string>>> tidy(int number, Deadline deadline);
  // Labels of what was expired; none while report_.held says why not.
  Task<Result<JsonArray>> expire_first(Deadline deadline);
  bool stands_in_archive(const std::string& name) const;
  void tell();

  std::string looked_file() const { return paths_.folder + ".keep/" + service_ + ".looked-at.json"; }
  Result<> was_looked_at(const std::string& label, const std::string& by);
  std::string unusual_in(const std::optional<recovery::Catalogue>& catalogue) const;
  void judge();

  // Of the second one.
  void make_second_folder();
  Task<> look_after_second();
  Task<Result<>> look_second(Deadline deadline);
  Task<Result<Json>> take_second(wire::BackupTake order, Deadline deadline, Progress progress);
  Task<Result<JsonArray>> expire_second(Deadline deadline);
  Task<Result<Json>> verify_second(Deadline deadline);
  Task<> archive_owed(Deadline deadline);
  void tell_second(const std::string& unread);
  Result<std::string> busy_with(const std::string& what);
};

}  // namespace lifeboat
