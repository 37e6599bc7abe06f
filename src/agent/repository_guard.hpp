// Keeps the files of a repository from those who may write to it.
//
// pgBackRest's server on the repository's host does what a member's certificate lets it, and that is everything the server's own user
// may do there: delete, too. So what is finished is given to root, in folders where only the owner of a file may remove or rename it
// (the sticky bit): the user that pgBackRest runs as, and with it whoever broke into a database's host, can add to the
// repository and read it, and can neither change nor remove what is there. What has just been written is exposed until the next
// look, a second later. Needs root, a file system with owners, and a repository in a folder.
//
// The four index files (archive.info, backup.info and their copies) must stay writable. They change only by the agent's own orders, so
// copies are kept where only root reads, and what somebody else took out of them is put back.
//
// All of it blocks on the disk: call through `blocking`. protect() may be called by several threads.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat {

class RepositoryGuard {
 public:
  // `keep`: a folder of root's own for copies of the index files.
  RepositoryGuard(std::string repository, std::string stanza, std::string keep, std::string user);

  // Makes the repository's folder if there is none.
  Result<> prepare();
  // Guards what was finished since the last call; gives how many files that were. Nothing is followed but real folders, and
  // nothing is touched but what belongs to the repository's user.
  Result<int> protect();
  // Index files as they are now are the ones to put back later.
  Result<> remember();
  // Index files are the user's again, after root ran pgBackRest on them.
  Result<> give_back();
  // Puts back index files that are missing, or all that differ from what was remembered when `all`. Gives their names.
  Result<std::vector<std::string>> put_back(bool all);
  // Whether one is missing that could be put back. Cheap enough for every second.
  bool lacks_an_index() const;
  // Labels of the backups whose files are whole in the repository.
  std::set<std::string> whole_backups() const;

  // How deletion is prevented, for people.
  std::string in_words() const;
  bool effective() const { return root_; }

 private:
  struct Folder {
    int64_t changed_ns = 0;
    std::vector<std::string> folders;
  };
  std::string repository_;
  std::string stanza_;
  std::string keep_;
  std::string user_;
  bool root_ = false;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  std::mutex mutex_;
  std::map<std::string, Folder> seen_;  // folders in which everything is guarded

  std::vector<std::string> index_files() const;
  Result<> protect_folder(const std::string& path, int& count);
};

}  // namespace lifeboat
