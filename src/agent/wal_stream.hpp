// WAL as it is written, received on the repository's host by pg_receivewal from whichever member is the primary, and put into the
// archive where the primary did not get to it: what the old primary had not archived when it was lost, a new one
// does not archive either, since it takes what it was sent for archived.
//
// The folder holds finished segments until they stand in the archive (the newest always, so that the stream goes on where it
// ended) and the unfinished one as NAME.partial: a restore may use that too.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/backup_files.hpp"
#include "agent/kept_program.hpp"

namespace lifeboat {

class WalStream {
 public:
  WalStream(Scope& scope, std::string folder, std::string run_as, KeptProgram::Log log);

  // Receives from the primary among the members. Errors: `unsupported` when pg_receivewal is not here.
  Result<> receive(const wire::RepositoryConfig& config);
  Task<> stop(Deadline deadline);

  // Finished files in the folder that should be in the archive by now, oldest first.
  std::vector<std::string> finished(Duration older_than) const;
  // It stands in the archive: it is removed, unless it is the newest.
  void archived(const std::string& name);
  // The segment it is at, "NAME" or "NAME.partial"; empty: nothing was received yet.
  std::string at() const;
  // A copy of the unfinished segment NAME.partial under the name of a finished one, in a folder beside; the caller removes it.
  Result<std::string> copy_of_unfinished(const std::string& name) const;
  const std::string& folder() const { return folder_; }
  bool running() const { return program_.running(); }

 private:
  std::string folder_;
  std::string run_as_;
  KeptProgram program_;
  std::set<std::string> archived_;
};

}  // namespace lifeboat
