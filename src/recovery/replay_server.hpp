// The restored server: a process in a network namespace of its own, spoken to over its socket.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "io/postgres.hpp"
#include "recovery/folder.hpp"

namespace lifeboat::recovery {

struct ReplayLook {
  bool in_recovery = true;
  bool paused = false;
  bool waiting = false;  // for log that is not there
  Lsn replayed;
  std::optional<Moment> last_commit;
};

class ReplayServer {
 public:
  ReplayServer(RestoreFolder folder, std::string postgres, std::string superuser);
  // Kills it, unless it was let go.
  ~ReplayServer();
  ReplayServer(const ReplayServer&) = delete;
  ReplayServer& operator=(const ReplayServer&) = delete;

  Result<> start();
  // False when its process has ended.
  bool runs();
  // Nothing while it does not answer yet.
  Task<Result<std::optional<ReplayLook>>> look(Deadline deadline);
  Task<Result<PgRows>> ask(std::string sql, Deadline deadline);
  void reload();
  // Ends the pause at the target: it takes writes, on a timeline of its own.
  Task<Result<>> promote(Deadline deadline);
  // Asks it to pause where it waits for log.
  Task<Result<>> pause(Deadline deadline);
  // Lives on when this object is gone.
  void let_go();
  void kill_now();
  // The last lines of its log that tell what happened, for messages.
  std::string last_words() const;

 private:
  RestoreFolder folder_;
  std::string postgres_, superuser_;
  std::unique_ptr<PgConnection> connection_;
  pid_t process_ = -1;

  Task<> wake(Deadline deadline);
};

}  // namespace lifeboat::recovery
