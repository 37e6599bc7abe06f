// What the two sides of the right to write say to each other: the member that holds it or is ordered to take it, and the
// controller that grants it. Encoded as agent/protocol.hpp says.
#pragma once

#include <string>

#include "core/backup/messages.hpp"
#include "core/data/describe.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat::wire {

// ---- member → controller

// Asks to keep the right to write. The agent counts its lease from `sent_ns`, its own clock when this was sent.
struct Renew {
  static constexpr std::string_view kType = "renew";
  std::string service;
  std::string member;
  uint64_t term = 0;
  int64_t sent_ns = 0;
};
BOOST_DESCRIBE_STRUCT(Renew, (), (service, member, term, sent_ns))
constexpr auto field_docs(const Renew*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"term", Need::required, "term it holds"},
                                  {"sent_ns", Need::required, "agent's boot clock when it was sent"}});
}

// Gives the right to write back: nothing of the server can write any more and it will not be started again under this term.
struct Release {
  static constexpr std::string_view kType = "release";
  std::string service;
  std::string member;
  uint64_t term = 0;
  std::string reason;
  bool server_failed = false;  // the server died or hung; not: it was fenced or told to stop
};
BOOST_DESCRIBE_STRUCT(Release, (), (service, member, term, reason, server_failed))
constexpr auto field_docs(const Release*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"term", Need::required, "term it held"},
                                  {"reason", Need::required, "why, for people"},
                                  {"server_failed", Need::optional, "the server died or hung"}});
}

// ---- member → member

// Said by the member that takes writes, every second: "I hold this term", and by one that has just started. Whoever knows of a newer
// one says so; whoever did not know of this one does from now on, whatever controller it hears.
// When no controller answers it asks besides: "do not take my place for so long". When all others promise that, it goes on
// without anybody's grant: nobody can be promoted.
struct Keep {
  static constexpr std::string_view kType = "keep";
  std::string service;
  std::string member;
  uint64_t term = 0;
  int64_t length_ms = 0;  // 0: nothing is asked yet but whether an answer comes
  int64_t sent_ns = 0;
  int64_t left_ms = 0;  // of its right to write
};
BOOST_DESCRIBE_STRUCT(Keep, (), (service, member, term, length_ms, sent_ns, left_ms))
constexpr auto field_docs(const Keep*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "who asks"},
                                  {"term", Need::required, "term it holds"},
                                  {"length_ms", Need::required, "how long, counted from when this is heard"},
                                  {"sent_ns", Need::required, "asker's boot clock when it was sent"},
                                  {"left_ms", Need::optional, "what is left of its right to write"}});
}

// Answer to Keep.
struct Kept {
  static constexpr std::string_view kType = "kept";
  std::string service;
  std::string member;
  uint64_t term = 0;
  int64_t length_ms = 0;
  int64_t sent_ns = 0;
  bool promised = false;
  uint64_t floor = 0;   // the highest term it has seen
  uint64_t holds = 0;   // the term it holds itself
  int64_t left_ms = 0;  // of that
};
BOOST_DESCRIBE_STRUCT(Kept, (), (service, member, term, length_ms, sent_ns, promised, floor, holds, left_ms))
constexpr auto field_docs(const Kept*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "who answers"},
                                  {"term", Need::required, "as asked"},
                                  {"length_ms", Need::required, "as asked"},
                                  {"sent_ns", Need::required, "as asked"},
                                  {"promised", Need::required, "whether it will not take over"},
                                  {"floor", Need::optional, "the highest term it has seen"},
                                  {"holds", Need::optional, "the term it holds itself"},
                                  {"left_ms", Need::optional, "what is left of that"}});
}

// ---- controller → member

// Answer to Renew. `granted` false: the term is over, stop writing now.
struct Renewed {
  static constexpr std::string_view kType = "renewed";
  std::string service;
  uint64_t term = 0;
  int64_t sent_ns = 0;
  bool granted = false;
};
BOOST_DESCRIBE_STRUCT(Renewed, (), (service, term, sent_ns, granted))
constexpr auto field_docs(const Renewed*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"term", Need::required, "term"},
                                  {"sent_ns", Need::required, "as in the renewal"},
                                  {"granted", Need::required, "whether it holds on"}});
}

// Whom commits are to wait for from now on, while this member takes writes under `term`. Not answered: a report says what is in
// force.
struct SyncWith {
  static constexpr std::string_view kType = "sync-with";
  std::string service;
  std::string member;
  uint64_t term = 0;
  SyncSet set;
};
BOOST_DESCRIBE_STRUCT(SyncWith, (), (service, member, term, set))
constexpr auto field_docs(const SyncWith*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"term", Need::required, "term it holds"},
                                  {"set", Need::required, "whom commits wait for"}});
}

// Asks a member to look at its server again, and to say with `mark` what it saw then.
struct LookAgain {
  static constexpr std::string_view kType = "look-again";
  std::string service;
  std::string member;
  uint64_t mark = 0;
};
BOOST_DESCRIBE_STRUCT(LookAgain, (), (service, member, mark))
constexpr auto field_docs(const LookAgain*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"mark", Need::required, "what the report is to carry"}});
}

struct Peer {
  std::string address;
  int64_t port = 5432;
};
BOOST_DESCRIBE_STRUCT(Peer, (), (address, port))
constexpr auto field_docs(const Peer*) {
  return std::to_array<FieldDoc>({{"address", Need::required, "address"}, {"port", Need::required, "port"}});
}

// One PostgreSQL server that the agent runs.
struct ServerConfig {
  std::string member;
  int64_t port = 5432;
  std::string listen;    // address it listens on
  std::string data_dir;  // empty: below the agent's own folder
  std::string database;
  std::string replication_user;
  std::string replication_password;
  OrderedMap<Peer> members;  // all members, this one too
  int64_t lease_ms = 0;
  SyncSet sync;                // whom commits wait for as long as no order says otherwise; no copies: for nobody
  bool first_primary = false;  // may create the cluster when no data directory exists anywhere
  Archive archive;
};
BOOST_DESCRIBE_STRUCT(ServerConfig, (),
                      (member, port, listen, data_dir, database, replication_user, replication_password, members,
                       lease_ms, sync, first_primary, archive))
constexpr auto field_docs(const ServerConfig*) {
  return std::to_array<FieldDoc>({{"member", Need::required, "its name"},
                                  {"port", Need::required, "port"},
                                  {"listen", Need::required, "address it listens on"},
                                  {"data_dir", Need::optional, "data directory"},
                                  {"database", Need::required, "database with the users' data"},
                                  {"replication_user", Need::required, "role of standbys"},
                                  {"replication_password", Need::optional, "its password"},
                                  {"members", Need::required, "all members"},
                                  {"lease_ms", Need::required, "length of the lease"},
                                  {"sync", Need::optional, "whom commits wait for"},
                                  {"first_primary", Need::optional, "may create the cluster"},
                                  {"archive", Need::optional, "how it archives its WAL"}});
}

// postgres.lead: become (or go on as) the writable primary under `term`. The lease counts from `as_of_ns`, the agent's
// clock in its newest report that the controller had seen. Replies {timeline, lsn, seconds} when a write is possible.
// After an error reply the agent holds no term and its server takes no writes.
// Unless it goes on, the timeline that it begins is numbered by the term (or higher): no two histories share a number, and of
// two the higher is the later.
struct Lead {
  static constexpr std::string_view kMethod = "postgres.lead";
  std::string service;
  std::string member;
  uint64_t term = 0;
  int64_t as_of_ns = 0;
  Lsn at_least;  // for a switchover: a standby must have received this before it is promoted; 0/0: does not matter
  SyncSet sync;  // whom its commits wait for; no copies: for nobody
  bool goes_on = false;  // nobody else was granted anything since it held the right: its own timeline goes on
  uint64_t after = 0;    // the term before, whose end was seen; who holds a newer one is not known to who orders this
};
BOOST_DESCRIBE_STRUCT(Lead, (), (service, member, term, as_of_ns, at_least, sync, goes_on, after))
constexpr auto field_docs(const Lead*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"term", Need::required, "term granted"},
                                  {"as_of_ns", Need::required, "start of the lease on the agent's clock"},
                                  {"at_least", Need::optional, "position to have received before promoting"},
                                  {"sync", Need::optional, "whom its commits wait for"},
                                  {"goes_on", Need::optional, "its own timeline goes on"},
                                  {"after", Need::optional, "the term before"}});
}

// postgres.follow: be a standby of `upstream` (a member). Rewinds, or takes a fresh copy, when the histories have parted.
// Replies {how: already|reconfigured|started|rewound|copied, seconds} when it streams.
struct Follow {
  static constexpr std::string_view kMethod = "postgres.follow";
  std::string service;
  std::string member;
  std::string upstream;
  uint64_t term = 0;       // term of the upstream; the agent refuses an older one than it has seen
  bool keep_data = false;  // what it has may be the only copy of something: nothing of it is given up
  uint64_t timeline =
      0;  // the upstream's; who has not come to it and receives nothing more has parted from it; 0: not known
  bool given_up = false;  // somebody asked for its reprotection: nothing of what it has need be kept
  // At or before which the upstream's timeline parted from this one; 0: not known.
  uint64_t parted_from = 0;
  Lsn parted_at;
  bool pages =
      false;  // its files may be damaged: every page is read first, and data with a damaged one are copied anew, not rewound
};
BOOST_DESCRIBE_STRUCT(Follow, (),
                      (service, member, upstream, term, keep_data, timeline, given_up, parted_from, parted_at, pages))
constexpr auto field_docs(const Follow*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"upstream", Need::required, "member to follow"},
                                  {"term", Need::required, "term of the upstream"},
                                  {"keep_data", Need::optional, "neither rewind nor replace"},
                                  {"timeline", Need::optional, "timeline of the upstream"},
                                  {"given_up", Need::optional, "its data were given up by a reprotect"},
                                  {"parted_from", Need::optional, "timeline that the upstream's parted from"},
                                  {"parted_at", Need::optional, "position at or before which it did"},
                                  {"pages", Need::optional, "read every page of its data first"}});
}

// restore.adopt: take the data that were restored on this host under `name` in place of its own. The server is stopped, what it has
// is kept aside as evidence, read-only and never deleted, and the restored data are started as a standby that follows nobody and has
// nothing behind the point that was restored to. Refused while the member may write. Done again it only says how things are. Replies
// {lsn, timeline, kept, seconds}; after an error reply its data are either what they were or, with a report of `restored`, these.
struct Adopt {
  static constexpr std::string_view kMethod = "restore.adopt";
  std::string service;
  std::string member;
  std::string name;
  uint64_t term = 0;  // the newest that was granted; the agent refuses an older one than it has seen
};
BOOST_DESCRIBE_STRUCT(Adopt, (), (service, member, name, term))
constexpr auto field_docs(const Adopt*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"name", Need::required, "name of the restore"},
                                  {"term", Need::required, "newest term that was granted"}});
}

// postgres.step-down: for a planned switchover. A checkpoint first, then a clean (fast) stop, so that connected standbys get
// every record. Replies {lsn: shutdown checkpoint, timeline, seconds}; the term is released with the stop.
struct StepDown {
  static constexpr std::string_view kMethod = "postgres.step-down";
  std::string service;
  std::string member;
  uint64_t term = 0;
};
BOOST_DESCRIBE_STRUCT(StepDown, (), (service, member, term))
constexpr auto field_docs(const StepDown*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member"},
                                  {"term", Need::required, "term it gives up"}});
}

}  // namespace lifeboat::wire
