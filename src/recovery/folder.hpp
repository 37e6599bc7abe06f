// The folder of a restore: what lies where, whose it is, and how far it got.
#pragma once

#include <string>

#include "core/base/error.hpp"
#include "core/data/describe.hpp"
#include "core/recovery/catalogue.hpp"

namespace lifeboat::recovery {

BOOST_DEFINE_ENUM_CLASS(FolderState,
                        copying,    // files are not whole
                        replaying,  // files are whole, and worth nothing before replay has ended
                        done)       // paused at the target, or promoted

struct FolderJournal {
  int64_t format = 1;
  FolderState state = FolderState::copying;
  std::string stanza;
  std::string system_id;
  std::string set;
  std::string target;  // in words
  bool promoted = false;
};
BOOST_DESCRIBE_STRUCT(FolderJournal, (), (format, state, stanza, system_id, set, target, promoted))
constexpr auto field_docs(const FolderJournal*) {
  return std::to_array<FieldDoc>({{"format", Need::required, "1"},
                                  {"state", Need::required, "how far it got"},
                                  {"stanza", Need::required, "of the repository"},
                                  {"system_id", Need::required, "which cluster it is of"},
                                  {"set", Need::required, "which backup"},
                                  {"target", Need::optional, "what it was to reach"},
                                  {"promoted", Need::optional, "it takes writes and goes its own way"}});
}

struct RestoreFolder {
  std::string path;
  std::string user;  // owns what the server reads and writes, when this process is root

  std::string data() const { return path + "/data"; }
  std::string log_folder() const { return path + "/data/pg_wal"; }
  std::string socket() const { return path + "/socket"; }
  std::string scratch() const { return path + "/scratch"; }
  std::string control() const { return path + "/scratch/control"; }
  std::string tablespaces() const { return path + "/tablespaces"; }
  std::string journal() const { return path + "/lifeboat-restore.json"; }
  std::string settings() const { return path + "/server.conf"; }
  std::string access() const { return path + "/access.conf"; }
  std::string server_log() const { return path + "/server.log"; }
  std::string copy_log() const { return path + "/copy.log"; }
};

// Takes the folder for a restore: makes it and what is in it, or finds that it was marked by an earlier one. Gives whether files of
// an earlier try are there to be taken up. Nothing is changed when it refuses: a folder that holds something else, a server that
// runs there, a finished restore unless `again`.
struct Claim {
  bool take_up = false;
};
Result<Claim> claim_folder(const RestoreFolder& folder, const std::string& postgres, const std::string& system_id,
                           bool again);
Result<> write_journal(const RestoreFolder& folder, const FolderJournal& journal);
// Writes a file that the server's user owns.
Result<> write_for_server(const RestoreFolder& folder, const std::string& path, const std::string& text);
// Bytes that can still be written there.
Result<uint64_t> free_bytes(const std::string& path);
// Bytes that the files below take on their disk; 0 where there is nothing. Follows no links.
uint64_t used_bytes(const std::string& path);
// fsyncs every file and folder below; blocks for as long as that takes.
Result<> sync_all(const std::string& path);

}  // namespace lifeboat::recovery
