// What an agent says of the database server it runs. Claims, not commands: the ownership machine weighs them.
#pragma once

#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

// A position in the write-ahead log: 64 bits, printed as "HI/LO" in hex. Only comparable on one timeline's history.
struct Lsn {
  uint64_t value = 0;
  auto operator<=>(const Lsn&) const = default;
};
template <>
struct ScalarText<Lsn> {
  static constexpr std::string_view kName = "WAL position";
  static constexpr std::string_view kPattern = "^[0-9A-F]{1,8}/[0-9A-F]{1,8}$";
  static std::expected<Lsn, std::string> parse(std::string_view text);
  static std::string format(const Lsn& value);
};

// Members of whom `copies` must have a commit on disk before it is acknowledged, while `holder` takes writes.
struct SyncSet {
  std::string holder;
  std::vector<std::string> members;
  int64_t copies = 0;
  uint64_t number = 0;  // of the sets under one term; a later one has a higher number
  bool operator==(const SyncSet&) const = default;
};
BOOST_DESCRIBE_STRUCT(SyncSet, (), (holder, members, copies, number))
constexpr auto field_docs(const SyncSet*) {
  return std::to_array<FieldDoc>(
      {{"holder", Need::optional, "who takes writes"},
       {"members", Need::optional, "those whose copy counts"},
       {"copies", Need::optional, "how many of them have a commit before it is acknowledged"},
       {"number", Need::optional, "an order to wait for a set is void when one of a higher number was heard"}});
}
// As PostgreSQL's synchronous_standby_names says it; empty when nobody is waited for.
std::string sync_setting(const SyncSet& set);

BOOST_DEFINE_ENUM_CLASS(ServerState,
                        absent,    // no data directory
                        stopped,   // no process; may be started
                        starting,  // process is up, does not answer yet
                        standby,   // answers, in recovery
                        primary,   // answers, takes writes
                        hung,      // process is up, does not answer within the bound
                        changing,  // rewinding, copying or promoting
                        parked)    // cannot go on by itself; `reason` says why

// Commits whose wait for a standby was cut short: each is on the primary's disk and visible, and may be nowhere else. For people: no
// decision reads it.
struct CancelledWaits {
  int64_t count = 0;        // since its server started
  int64_t alone = 0;        // the last so many of them are not known to be on as many others as commits wait for
  std::string last_at;      // when the last one was seen, UTC; empty: none was
  std::string not_counted;  // why its log does not tell; empty: it does
  bool operator==(const CancelledWaits&) const = default;
};
BOOST_DESCRIBE_STRUCT(CancelledWaits, (), (count, alone, last_at, not_counted))
constexpr auto field_docs(const CancelledWaits*) {
  return std::to_array<FieldDoc>(
      {{"count", Need::optional, "commits whose wait for a standby was cancelled since its server started"},
       {"alone", Need::optional, "how many of them may be on no other member"},
       {"last_at", Need::optional, "when the last one was seen"},
       {"not_counted", Need::optional, "why they cannot be counted"}});
}

struct MemberReport {
  std::string member;
  ServerState state = ServerState::stopped;
  std::string reason;
  uint64_t term = 0;          // term under which it may write; 0: none
  uint64_t floor = 0;         // highest term it has ever seen
  int64_t lease_left_ms = 0;  // on the agent's clock
  uint64_t system_id = 0;
  uint64_t timeline = 0;
  Lsn written;             // primary: flushed; standby: received and flushed
  Lsn replayed;            // standby
  bool streaming = false;  // standby: receiver connected and heard from within 5 s
  std::string upstream;    // standby: member it follows
  bool replay_paused = false;
  int64_t replay_still_ms = 0;   // standby: for how long replay has stood still with log to go on with
  std::string replay_delay;      // standby: recovery_min_apply_delay; empty: none
  int64_t lag_ms = -1;           // standby: age of what it has not replayed; -1 unknown
  int64_t current_ms = -1;       // standby: how long ago it last had all that its upstream had; -1 unknown
  std::string current_with;      // that upstream; empty: an older agent does not say
  bool busy = false;             // carries out an order
  bool disk_full = false;        // no room is left for its server's files
  int64_t promised_ms = 0;       // for how long it has promised a primary not to take over
  int64_t promise_over_ms = -1;  // how long ago the last such promise ended; -1: none did
  bool primary_data = false;  // stopped: it can take writes again without a promotion, and then has all it ever wrote
  std::string sync;           // primary: whom its commits wait for, as the server says
  uint64_t sync_number = 0;   // primary: of the set that it was told of last
  uint64_t heard = 0;         // the newest question to look again that came before this was said
  uint64_t mark = 0;          // the newest one that the server was looked at after
  std::string restored;       // the restore whose data it took over and has not given up since; empty: none
  bool put_back = false;      // and so it may lack what it once had
  OrderedMap<Lsn> standbys;   // primary: flushed position of each connected standby, by member
  std::vector<std::string> handicaps;  // what would hinder a rewind or a failover on the day, in words
  CancelledWaits cancelled;            // of its server, also when that has ended
};
BOOST_DESCRIBE_STRUCT(MemberReport, (),
                      (member, state, reason, term, floor, lease_left_ms, system_id, timeline, written, replayed,
                       streaming, upstream, replay_paused, replay_still_ms, replay_delay, lag_ms, current_ms,
                       current_with, busy, disk_full, promised_ms, promise_over_ms, primary_data, sync, sync_number,
                       heard, mark, restored, put_back, standbys, handicaps, cancelled))
constexpr auto field_docs(const MemberReport*) {
  return std::to_array<FieldDoc>({{"member", Need::required, "name of the member"},
                                  {"state", Need::required, "state of the server"},
                                  {"reason", Need::optional, "why, when parked or stopped"},
                                  {"term", Need::optional, "term under which it may write"},
                                  {"floor", Need::optional, "highest term ever seen"},
                                  {"lease_left_ms", Need::optional, "what is left of its lease"},
                                  {"system_id", Need::optional, "PostgreSQL's system identifier"},
                                  {"timeline", Need::optional, "timeline"},
                                  {"written", Need::optional, "durable position"},
                                  {"replayed", Need::optional, "replayed position"},
                                  {"streaming", Need::optional, "whether it receives from its upstream"},
                                  {"upstream", Need::optional, "member it follows"},
                                  {"replay_paused", Need::optional, "whether replay is paused"},
                                  {"replay_still_ms", Need::optional, "how long replay has stood still"},
                                  {"replay_delay", Need::optional, "by how much replay is held back on purpose"},
                                  {"lag_ms", Need::optional, "age of what is not replayed"},
                                  {"current_ms", Need::optional, "how long ago it last had all its upstream had"},
                                  {"current_with", Need::optional, "which upstream that was"},
                                  {"busy", Need::optional, "whether it carries out an order"},
                                  {"disk_full", Need::optional, "no room is left for its server's files"},
                                  {"promised_ms", Need::optional, "how long it has promised not to take over"},
                                  {"promise_over_ms", Need::optional, "how long ago its last promise ended"},
                                  {"primary_data", Need::optional, "stopped: it can take writes without a promotion"},
                                  {"sync", Need::optional, "whom commits wait for"},
                                  {"sync_number", Need::optional, "which set it was told of last"},
                                  {"heard", Need::optional, "the newest question that was heard"},
                                  {"mark", Need::optional, "the question that this answers"},
                                  {"restored", Need::optional, "the restore that its data come from"},
                                  {"put_back", Need::optional, "it may lack what it once had"},
                                  {"standbys", Need::optional, "positions of its standbys"},
                                  {"handicaps", Need::optional, "what would hinder a rewind or a failover"},
                                  {"cancelled", Need::optional, "waits for a standby that were cut short"}});
}

}  // namespace lifeboat
