// How a database is backed up, as a plan says it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

BOOST_DEFINE_ENUM_CLASS(ObjectStoreKind, s3, azure)

// Where a repository keeps its objects when that is no folder. Only the repository's host knows the keys. The expiry key is for
// removing what the retention does not keep and for nothing else, so that the other one needs no right to delete.
struct ObjectStore {
  ObjectStoreKind kind = ObjectStoreKind::s3;
  std::string bucket;
  std::string endpoint;
  std::string region;
  SecretRef key;
  std::optional<SecretRef> key_secret;
  std::optional<SecretRef> expire_key;
  std::optional<SecretRef> expire_key_secret;
  bool path_style = false;
};
BOOST_DESCRIBE_STRUCT(ObjectStore, (),
                      (kind, bucket, endpoint, region, key, key_secret, expire_key, expire_key_secret, path_style))
constexpr auto field_docs(const ObjectStore*) {
  return std::to_array<FieldDoc>({
      {"kind", Need::required, "s3 (and what is compatible with it) or azure"},
      {"bucket", Need::required, "the bucket; of azure, the container"},
      {"endpoint", Need::optional, "host of the store; must be given for s3"},
      {"region", Need::optional, "region of the bucket; must be given for s3"},
      {"key", Need::required, "secret with the access key's id; of azure, with the account's name"},
      {"key_secret", Need::optional,
       "secret with the access key itself; of azure, with the account's key or a SAS token"},
      {"expire_key", Need::optional,
       "secret with the id of a key that expires backups and does nothing else, so that `key` needs no right to "
       "delete; not for azure"},
      {"expire_key_secret", Need::optional,
       "secret with that key itself; of azure, with a SAS token that may delete, beside a key_secret that is one that "
       "may not"},
      {"path_style", Need::optional, "the bucket stands in the path, not in the host's name"},
  });
}

// One more repository, which backups and WAL go to as well.
struct SecondRepository {
  std::string path;
  std::optional<SecretRef> cipher_pass;
  std::optional<ObjectStore> store;
};
BOOST_DESCRIBE_STRUCT(SecondRepository, (), (path, cipher_pass, store))
constexpr auto field_docs(const SecondRepository*) {
  return std::to_array<FieldDoc>({
      {"path", Need::required, "its folder on the repository's host, or the path in its store"},
      {"cipher_pass", Need::optional, "secret that encrypts it (AES-256); it cannot be changed later"},
      {"store", Need::optional, "the object store it is in"},
  });
}

// How the bucket of an s3:// place of logical backups is reached.
struct DumpStore {
  std::string endpoint;
  std::string region;
  SecretRef key{"s3-access-key"};
  SecretRef key_secret{"s3-secret-key"};
  bool path_style = true;
  std::string ca_file;
};
BOOST_DESCRIBE_STRUCT(DumpStore, (), (endpoint, region, key, key_secret, path_style, ca_file))
constexpr auto field_docs(const DumpStore*) {
  return std::to_array<FieldDoc>({
      {"endpoint", Need::optional, "https://HOST:PORT of a store that is not Amazon's"},
      {"region", Need::optional, "region of the bucket (us-east-1)"},
      {"key", Need::optional, "secret with the access key's id (s3-access-key)"},
      {"key_secret", Need::optional, "secret with the access key itself (s3-secret-key)"},
      {"path_style", Need::optional, "the bucket stands in the path, not in the host's name (true)"},
      {"ca_file", Need::optional, "authority trusted for the store's certificate (full path on the controllers)"},
  });
}

// Logical backups by pg_dump, which the leading controller takes.
struct Dumps {
  std::string to;
  std::string every = "daily";
  int keep = 0;
  bool contents = false;
  std::optional<DumpStore> store;
};
BOOST_DESCRIBE_STRUCT(Dumps, (), (to, every, keep, contents, store))
constexpr auto field_docs(const Dumps*) {
  return std::to_array<FieldDoc>({
      {"to", Need::required, "where they go: s3://BUCKET/PREFIX/, or a folder that all controllers share"},
      {"every", Need::optional, "how often: hourly, daily, weekly, monthly, or a time such as 6h (daily)"},
      {"keep", Need::optional, "how many of the newest stay; 0: all (0)"},
      {"contents", Need::optional, "sum every row too, so that a restore is held against all contents (false)"},
      {"store", Need::optional, "how the bucket is reached"},
  });
}

struct Backups {
  std::string tool = "pgbackrest";
  std::string stanza;
  std::optional<Identifier> repository_host;
  std::string repository_path;
  std::optional<SecretRef> cipher_pass;
  std::optional<ObjectStore> store;
  std::optional<SecondRepository> second;
  std::vector<std::string> schedule;
  std::string retention;
  int port = 8432;
  bool stream = true;
  std::optional<Dumps> dumps;
};
BOOST_DESCRIBE_STRUCT(Backups, (),
                      (tool, stanza, repository_host, repository_path, cipher_pass, store, second, schedule, retention,
                       port, stream, dumps))
constexpr auto field_docs(const Backups*) {
  return std::to_array<FieldDoc>({
      {"tool", Need::optional, "pgbackrest (default) or pg_dump"},
      {"stanza", Need::optional, "name of the stanza; the service's when left out"},
      {"repository_host", Need::optional,
       "where the repository stands, or from where it is reached; not in the region that may burn. With pgbackrest an "
       "agent "
       "runs there, and it alone has the keys"},
      {"repository_path", Need::optional,
       "its folder (below the agent's own unless it begins with '/') or bucket address"},
      {"cipher_pass", Need::optional,
       "secret that encrypts the repository (AES-256). Without it all backups are worth nothing, and it cannot be "
       "changed "
       "later: keep a copy elsewhere"},
      {"store", Need::optional, "the object store the repository is in; a folder on its host when left out"},
      {"second", Need::optional, "one more repository, best at another provider"},
      {"schedule", Need::optional,
       "what is taken when: 'full', 'diff' or 'incr', and hourly, daily, weekly, monthly or 'every 6h'; and 'wal "
       "continuous'"},
      {"retention", Need::optional, "how long backups are kept: '4 full', '4 full 6 diff' or '30d' (4 full)"},
      {"port", Need::optional, "port of pgBackRest's own TLS server on each of the hosts (8432)"},
      {"stream", Need::optional, "WAL is streamed to the repository's host too, as it is written (true)"},
      {"dumps", Need::optional, "logical backups that are taken besides, by pg_dump"},
  });
}

}  // namespace lifeboat
