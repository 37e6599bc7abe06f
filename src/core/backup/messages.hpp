// What agents and controllers say to each other about backups: how a member archives, what the repository's host keeps, and the
// orders it is given. Encoded as agent/protocol.hpp says. There is no order to delete: what is expired is decided by the agent on
// the repository's host, by the plan's retention and by what it sees itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/ordered_map.hpp"
#include "core/model/backups.hpp"
#include "core/ownership/report.hpp"
#include "core/recovery/catalogue.hpp"

namespace lifeboat::wire {

// ---- controller → member's agent

// How a database's members archive their WAL. Without a stanza they do not.
struct Archive {
  std::string stanza;
  std::string repository;       // address of the repository's host
  std::string repository_name;  // its name in the plan, and in its certificate
  int64_t port = 0;             // of pgBackRest's TLS servers
  std::string slot;             // of the stream to the repository's host; empty: there is none
  bool second = false;          // that host keeps two repositories, and WAL goes to both
  bool operator==(const Archive&) const = default;
};
BOOST_DESCRIBE_STRUCT(Archive, (), (stanza, repository, repository_name, port, slot, second))
constexpr auto field_docs(const Archive*) {
  return std::to_array<FieldDoc>({{"stanza", Need::optional, "stanza; empty: nothing is archived"},
                                  {"repository", Need::optional, "address of the repository's host"},
                                  {"repository_name", Need::optional, "its name"},
                                  {"port", Need::optional, "port of pgBackRest's servers"},
                                  {"slot", Need::optional, "replication slot of the stream of WAL"},
                                  {"second", Need::optional, "WAL goes to a second repository of that host too"}});
}

// ---- controller → agent of the repository's host

struct RepositoryMember {
  std::string host;  // its name in the plan, and in its certificate
  std::string address;
  int64_t port = 5432;  // of PostgreSQL
};
BOOST_DESCRIBE_STRUCT(RepositoryMember, (), (host, address, port))
constexpr auto field_docs(const RepositoryMember*) {
  return std::to_array<FieldDoc>({{"host", Need::required, "host it runs on"},
                                  {"address", Need::required, "its address"},
                                  {"port", Need::required, "port of its server"}});
}

// The repository of one service. Secrets are named, and read on the host itself.
struct RepositoryConfig {
  std::string stanza;
  std::string listen;
  Backups backups;
  OrderedMap<RepositoryMember> members;
  std::string replication_user;
  std::string replication_password;
  std::string slot;  // of the stream; empty: there is none
};
BOOST_DESCRIBE_STRUCT(RepositoryConfig, (),
                      (stanza, listen, backups, members, replication_user, replication_password, slot))
constexpr auto field_docs(const RepositoryConfig*) {
  return std::to_array<FieldDoc>({{"stanza", Need::required, "stanza"},
                                  {"listen", Need::required, "address pgBackRest's server listens on"},
                                  {"backups", Need::required, "the plan's part about backups"},
                                  {"members", Need::required, "the database's members"},
                                  {"replication_user", Need::optional, "role that WAL is streamed with"},
                                  {"replication_password", Need::optional, "its password"},
                                  {"slot", Need::optional, "replication slot of the stream"}});
}

// ---- agent → controller, in every report

// What a member says of its archiving.
struct ArchiveReport {
  std::string problem;        // why nothing can be archived; empty: nothing is known to be wrong
  std::string data;           // the data directory
  std::string socket;         // folder of its server's socket
  int64_t waiting = 0;        // finished segments that are not in the repository yet
  int64_t waiting_ms = 0;     // for how long the oldest of them has been waiting
  std::string failed;         // what archiving ran into when it was last tried; empty: nothing, or nothing waits
  int64_t stream_bytes = -1;  // primary: what the repository's host has not received yet; -1: it receives nothing
  int64_t stream_ms = -1;     // primary: how long ago it last had everything; -1: not since this agent looks
};
BOOST_DESCRIBE_STRUCT(ArchiveReport, (), (problem, data, socket, waiting, waiting_ms, failed, stream_bytes, stream_ms))
constexpr auto field_docs(const ArchiveReport*) {
  return std::to_array<FieldDoc>({{"problem", Need::optional, "why nothing can be archived"},
                                  {"data", Need::optional, "data directory"},
                                  {"socket", Need::optional, "folder of the socket"},
                                  {"waiting", Need::optional, "segments that wait to be archived"},
                                  {"waiting_ms", Need::optional, "for how long the oldest has been waiting"},
                                  {"failed", Need::optional, "what archiving ran into last"},
                                  {"stream_bytes", Need::optional, "what the stream has not delivered; -1: no stream"},
                                  {"stream_ms", Need::optional, "how long ago the stream had delivered everything"}});
}

// What the repository's host says of a repository.
struct RepositoryReport {
  std::string problem;        // why no backup can be taken; empty: nothing is known to be wrong
  bool ready = false;         // the stanza is there
  std::string busy;           // "takes a full backup"
  std::string streams_from;   // timeline and segment that the stream is at; empty: nothing comes
  std::string held;           // why nothing is expired at the moment; empty: it is
  std::string guarded;        // how deletion is prevented, in words
  std::string noticed;        // what somebody tried to take away, in words; empty: nothing
  std::string newest_wal;     // last segment in the archive
  int64_t backups = 0;        // whole ones that are there
  std::string newest;         // label of the newest
  std::string newest_at;      // when it ended, as format_wall writes it
  std::string oldest_at;      // earliest moment that can be restored
  std::string restorable_to;  // latest moment that can be restored from what is archived
  std::string gap;            // a gap in the archived WAL, in words; empty: none is known
  std::string second;         // what is wrong with the second repository; empty: nothing is known, or there is none
  std::string unread;         // why it could not be read last; empty: it could
  int64_t unread_ms = 0;      // from the first time that it could not to the last, without a success in between
  std::string unfilled;       // why WAL that only the stream has could not be archived last; empty: it could
  int64_t unfilled_ms = 0;    // likewise
};
BOOST_DESCRIBE_STRUCT(RepositoryReport, (),
                      (problem, ready, busy, streams_from, held, guarded, noticed, newest_wal, backups, newest,
                       newest_at, oldest_at, restorable_to, gap, second, unread, unread_ms, unfilled, unfilled_ms))
constexpr auto field_docs(const RepositoryReport*) {
  return std::to_array<FieldDoc>({{"problem", Need::optional, "why no backup can be taken"},
                                  {"ready", Need::optional, "the stanza is there"},
                                  {"busy", Need::optional, "what is under way"},
                                  {"streams_from", Need::optional, "where the stream of WAL is"},
                                  {"held", Need::optional, "why nothing is expired"},
                                  {"guarded", Need::optional, "how deletion is prevented"},
                                  {"noticed", Need::optional, "what somebody tried to take away"},
                                  {"newest_wal", Need::optional, "last archived segment"},
                                  {"backups", Need::optional, "how many backups are there"},
                                  {"newest", Need::optional, "label of the newest backup"},
                                  {"newest_at", Need::optional, "when it ended"},
                                  {"oldest_at", Need::optional, "earliest moment that can be restored"},
                                  {"restorable_to", Need::optional, "latest moment that can be restored"},
                                  {"gap", Need::optional, "a gap in the archived WAL"},
                                  {"second", Need::optional, "what is wrong with the second repository"},
                                  {"unread", Need::optional, "why it could not be read last"},
                                  {"unread_ms", Need::optional, "for how long it could not"},
                                  {"unfilled", Need::optional, "why WAL of the stream could not be archived last"},
                                  {"unfilled_ms", Need::optional, "for how long it could not"}});
}

// ---- orders to the agent of the repository's host

// A member that pgBackRest is to reach: where its files are, as its own agent said.
struct BackupSource {
  std::string host;
  std::string address;
  int64_t port = 5432;
  std::string data;
  std::string socket;
};
BOOST_DESCRIBE_STRUCT(BackupSource, (), (host, address, port, data, socket))
constexpr auto field_docs(const BackupSource*) {
  return std::to_array<FieldDoc>({{"host", Need::required, "host it runs on"},
                                  {"address", Need::required, "its address"},
                                  {"port", Need::required, "port of its server"},
                                  {"data", Need::required, "data directory"},
                                  {"socket", Need::required, "folder of the socket"}});
}

// backup.stanza: prepare the repository for the cluster of these members, the primary among them. Done again without harm.
// Replies {stanza}.
struct BackupStanza {
  static constexpr std::string_view kMethod = "backup.stanza";
  std::string service;
  std::vector<BackupSource> sources;
};
BOOST_DESCRIBE_STRUCT(BackupStanza, (), (service, sources))
constexpr auto field_docs(const BackupStanza*) {
  return std::to_array<FieldDoc>(
      {{"service", Need::required, "service"}, {"sources", Need::required, "members to reach"}});
}

// backup.take: a backup from the first of `sources` that is a standby, from the primary when there is none. The primary must be
// among them. Replies {sets: those that are new, seconds}.
struct BackupTake {
  static constexpr std::string_view kMethod = "backup.take";
  std::string service;
  recovery::BackupType type = recovery::BackupType::full;
  bool from_standby = false;
  int64_t repository = 1;
  std::vector<BackupSource> sources;
};
BOOST_DESCRIBE_STRUCT(BackupTake, (), (service, type, from_standby, repository, sources))
constexpr auto field_docs(const BackupTake*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"type", Need::required, "full, diff or incr"},
                                  {"from_standby", Need::optional, "a standby is among the sources"},
                                  {"repository", Need::optional, "number of the repository"},
                                  {"sources", Need::required, "members to reach"}});
}

// backup.info: everything that is there. Replies {sets, archive: {oldest, newest, gaps}, second, report}; `second` has sets and archive
// of the second repository, and is null when there is none.
struct BackupInfo {
  static constexpr std::string_view kMethod = "backup.info";
  std::string service;
};
BOOST_DESCRIBE_STRUCT(BackupInfo, (), (service))
constexpr auto field_docs(const BackupInfo*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"}});
}

// backup.verify: reads every file of the repository and compares it with its checksum. Replies {whole, problems, text, seconds}.
struct BackupVerify {
  static constexpr std::string_view kMethod = "backup.verify";
  std::string service;
};
BOOST_DESCRIBE_STRUCT(BackupVerify, (), (service))
constexpr auto field_docs(const BackupVerify*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"}});
}

// backup.expire: what the plan's retention does not keep is removed, unless a backup looks unlike those before it and nobody has
// looked at it. `looked_at`: the label of a backup that a person has looked at, with all before it, and found to be what the
// database should be. Replies {expired: labels, held: why not}.
struct BackupExpire {
  static constexpr std::string_view kMethod = "backup.expire";
  std::string service;
  std::string looked_at;
  std::string by;
};
BOOST_DESCRIBE_STRUCT(BackupExpire, (), (service, looked_at, by))
constexpr auto field_docs(const BackupExpire*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"looked_at", Need::optional, "newest backup that a person has looked at"},
                                  {"by", Need::optional, "who has"}});
}

// backup.close-log: when nobody writes any more, what the stream received and the archive lacks is put there, the unfinished segment
// too. Replies {archived: names, unfinished: {segment, last_record}}; unfinished is null when the log ends with a whole segment.
struct BackupCloseLog {
  static constexpr std::string_view kMethod = "backup.close-log";
  std::string service;
};
BOOST_DESCRIBE_STRUCT(BackupCloseLog, (), (service))
constexpr auto field_docs(const BackupCloseLog*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"}});
}

// ---- orders to the agent of a member that writes

// log.close: ends the segment of the log that is being written, and waits until it stands in the archive, so that everything
// committed before can be restored. Replies {segment, seconds}.
struct LogClose {
  static constexpr std::string_view kMethod = "log.close";
  std::string service;
};
BOOST_DESCRIBE_STRUCT(LogClose, (), (service))
constexpr auto field_docs(const LogClose*) { return std::to_array<FieldDoc>({{"service", Need::required, "service"}}); }

}  // namespace lifeboat::wire
