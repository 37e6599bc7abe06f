// The texts of pgBackRest's own files. Pure.
//
// Only the repository's host knows where a repository is and how it is encrypted; members know whom to ask, over TLS with a
// certificate of their own. pgBackRest takes the certificate's name for what the other side may do: on a member only the
// repository's host may ask, on the repository's host only the members, and only for their stanza.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/protocol.hpp"
#include "core/backup/schedule.hpp"

namespace lifeboat {

// Below the agent's folder; no service can have this name.
inline constexpr std::string_view kBackupFolder = "pgbackrest.d";
// How the stream of WAL calls itself to the primary.
inline constexpr std::string_view kStreamName = "lifeboat_repository";

struct BackupPaths {
  std::string folder;  // mode 0700, the servers' user owns it
  std::string config() const { return folder + "/pgbackrest.conf"; }
  std::string order_config(const std::string& service) const { return folder + "/order-" + service + ".conf"; }
  std::string ca() const { return folder + "/ca.crt"; }
  std::string certificate() const { return folder + "/host.crt"; }
  std::string key() const { return folder + "/host.key"; }
};

// The values of secrets that a repository's plan names, by name.
using SecretTexts = std::map<std::string, std::string>;

// What TLS servers on this host need, with all its stanzas and who may ask for them.
struct BackupServer {
  std::string listen;
  int64_t port = 0;
  std::map<std::string, std::vector<std::string>> allowed;  // by name in the certificate: stanzas
};

// [global] of every configuration on this host.
std::string backup_global(const BackupPaths& paths, const BackupServer& server);
// The section of a stanza whose member runs here.
std::string member_section(const BackupPaths& paths, const wire::Archive& archive, const std::string& data,
                           const std::string& socket, int64_t port);
// The section of a stanza whose repository is kept here. Expiry keys stand in none of it: see backup::with_expiry_keys.
std::string repository_section(const wire::RepositoryConfig& config, const backup::Retention& retention,
                               const SecretTexts& secrets);
// What is added to that for an order that reaches members.
std::string sources_lines(const BackupPaths& paths, int64_t port, const std::vector<wire::BackupSource>& sources);
// The same configuration with one of its repositories: what concerns one of them does not wait for the other or fail with it.
std::string with_repository_only(int number, const std::string& text);
// The same configuration by which an expiry removes what the index does not know and nothing else.
std::string without_retention(const std::string& text);
// Secrets that must be known on the repository's host.
std::vector<std::string> secrets_of(const Backups& backups);

// Settings of a server that archives, in a file beside its data: a copy of the data that is started elsewhere does not find it,
// and archives nothing. `on` false: nothing more is archived, and nobody waits for what was not.
std::string archive_settings(const wire::Archive& archive, const std::string& program, const BackupPaths& paths,
                             bool on);

}  // namespace lifeboat
