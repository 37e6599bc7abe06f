// Orders to an agent about copies of a database that are restored on its host. Encoded as agent/protocol.hpp says.
//
// A restored copy stands alone: a server in a network namespace of its own, read-only and paused at its target, that is asked over its
// socket by the agent only. What becomes of it is decided by later orders: it takes the place of a member's data
// (restore.adopt, core/ownership/messages.hpp), or it is removed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat::wire {

// restore.begin: bring the service's data back to a point, into a copy named `name`. Waits for its end; said again while it is under
// way it waits for the same, and when it is done it replies the same, so that nothing is done twice. "The same" is the same `order`: a
// finished copy of another one is given up with `again`, and is a conflict without. An earlier try under this name that did not end well
// is taken up. Replies the `restore` object (recovery/restore.hpp) with `host`, `began_at`, `folder`, `run_as`, `log_not_closed` if
// so, and `name`, which is another than the one that was asked for when the data of an earlier copy lead (core/recovery/copies.hpp).
// Errors: `conflict` when the name is that of a copy of another order.
struct RestoreBegin {
  static constexpr std::string_view kMethod = "restore.begin";
  std::string service;
  std::string name;
  Json target;  // as core/recovery/target.hpp writes it
  std::string set;
  uint64_t timeline = 0;
  bool accept_gap = false;
  std::string order;  // who orders it and when, never used for another order
  bool again = false;
  // As core/recovery/log_end.hpp has it; empty: the archive ends with a whole segment.
  std::string unfinished;
  Lsn last_record;
  // Left out unless it is wanted, so that an agent of before knows the order, too.
  std::optional<int64_t> repository;          // its number; the first that has a backup when left out
  std::optional<int64_t> within_ms;           // the work is given up then, whoever waits; a day when left out
  std::optional<std::string> log_not_closed;  // why the newest log may be in no archive; is replied
};
BOOST_DESCRIBE_STRUCT(RestoreBegin, (),
                      (service, name, target, set, timeline, accept_gap, order, again, unfinished, last_record,
                       repository, within_ms, log_not_closed))
constexpr auto field_docs(const RestoreBegin*) {
  return std::to_array<FieldDoc>(
      {{"service", Need::required, "service"},
       {"name", Need::required, "name of the copy"},
       {"target", Need::required, "the point to reach"},
       {"set", Need::optional, "label of a backup"},
       {"timeline", Need::optional, "history to follow; 0: the newest"},
       {"accept_gap", Need::optional, "with the end of the archive: stop where log is missing"},
       {"order", Need::optional, "who orders it and when"},
       {"again", Need::optional, "a finished copy of another order is given up"},
       {"unfinished", Need::optional, "the last segment, if the log was not ended in good order"},
       {"last_record", Need::optional, "where its last record begins"},
       {"repository", Need::optional, "number of the repository"},
       {"within_ms", Need::optional, "the work is given up after so long"},
       {"log_not_closed", Need::optional, "why the newest part of the log may be in no archive"}});
}

// restore.list: the copies of a service that are here or were. Replies {restores: [{name, service, state: running|done|failed|adopted,
// target, progress, error, hint, runs, restored, began_at, ended_at, folder}], evidence: [{kept, manifest, sha256, files, bytes, done}],
// looks: [{what, order, began_at}]}.
struct RestoreList {
  static constexpr std::string_view kMethod = "restore.list";
  std::string service;
};
BOOST_DESCRIBE_STRUCT(RestoreList, (), (service))
constexpr auto field_docs(const RestoreList*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"}});
}

// restore.stop: end a copy, also one that is still being restored; with `remove` its files go too. Replies {name, removed}.
struct RestoreStop {
  static constexpr std::string_view kMethod = "restore.stop";
  std::string service;
  std::string name;
  bool remove = false;
};
BOOST_DESCRIBE_STRUCT(RestoreStop, (), (service, name, remove))
constexpr auto field_docs(const RestoreStop*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"name", Need::required, "name of the copy"},
                                  {"remove", Need::optional, "its files go too"}});
}

// restore.end-look: end looks into the log or at copies that people ordered, and remove what they made for it. `order`: that one; empty:
// all of that kind. What a step of a run looks for has no order, and goes on. Replies {ended}.
struct EndLook {
  static constexpr std::string_view kMethod = "restore.end-look";
  std::string service;
  std::string what;  // forensics, clean-point
  std::string order;
};
BOOST_DESCRIBE_STRUCT(EndLook, (), (service, what, order))
constexpr auto field_docs(const EndLook*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"what", Need::required, "forensics or clean-point"},
                                  {"order", Need::optional, "which; all of that kind when empty"}});
}

// restore.query: one SELECT, read only, answered by a copy. At most `rows` rows, `timeout_ms` long. `as`: the role that asks; empty:
// one that may read every table and nothing else. `skip`: rows that were sent already; an answer ends also where a message would get too
// long, and `more` says so. `system_names`: a name without a schema is the system's and nothing else, whatever the copy's own settings say.
// Replies {columns, rows: [[text or null]], more}.
struct RestoreQuery {
  static constexpr std::string_view kMethod = "restore.query";
  std::string service;
  std::string name;
  std::string database;
  std::string sql;
  std::string as;
  int64_t rows = 1000;
  int64_t skip = 0;
  int64_t timeout_ms = 60'000;
  std::optional<bool> system_names;
};
BOOST_DESCRIBE_STRUCT(RestoreQuery, (), (service, name, database, sql, as, rows, skip, timeout_ms, system_names))
constexpr auto field_docs(const RestoreQuery*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"name", Need::required, "name of the copy"},
                                  {"database", Need::optional, "database; the service's when empty"},
                                  {"sql", Need::required, "a SELECT"},
                                  {"as", Need::optional, "role that asks"},
                                  {"rows", Need::optional, "at most so many rows"},
                                  {"skip", Need::optional, "so many rows were sent already"},
                                  {"timeout_ms", Need::optional, "for so long at most"},
                                  {"system_names", Need::optional, "names without a schema are the system's"}});
}

// restore.forensics: which transactions of a span of time stand out in the log, by the names that the member here knows. Replies the
// report of core/forensics/report.hpp.
struct RestoreForensics {
  static constexpr std::string_view kMethod = "restore.forensics";
  std::string service;
  std::string from;  // moments
  std::string to;
  int64_t usual_ms = 3'600'000;
  int64_t most = 20;
  std::optional<std::string> order;  // of a person, who may end it (restore.end-look)
};
BOOST_DESCRIBE_STRUCT(RestoreForensics, (), (service, from, to, usual_ms, most, order))
constexpr auto field_docs(const RestoreForensics*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"from", Need::required, "a moment before the damage"},
                                  {"to", Need::required, "a moment behind it"},
                                  {"usual_ms", Need::optional, "how long the time before is that tells what is usual"},
                                  {"most", Need::optional, "findings"},
                                  {"order", Need::optional, "of a person"}});
}

struct CleanCheck {
  std::string name;
  std::string database;
  std::string sql;
};
BOOST_DESCRIBE_STRUCT(CleanCheck, (), (name, database, sql))
constexpr auto field_docs(const CleanCheck*) {
  return std::to_array<FieldDoc>({{"name", Need::required, "what it says of the data"},
                                  {"database", Need::required, "where it is asked; the service's when empty"},
                                  {"sql", Need::required, "returns no row, or one with true, on good data"}});
}

// restore.clean-point: the last moment at which all checks hold, found by copies that are removed again. Replies the `clean_point`
// object (recovery/clean_point.hpp).
struct RestoreCleanPoint {
  static constexpr std::string_view kMethod = "restore.clean-point";
  std::string service;
  std::string from;
  std::string to;
  int64_t usual_ms = 3'600'000;
  std::vector<CleanCheck> checks;
  bool indexes = false;
  bool pages = false;
  bool encrypted = false;
  std::optional<std::string> order;  // of a person, who may end it (restore.end-look)
};
BOOST_DESCRIBE_STRUCT(RestoreCleanPoint, (), (service, from, to, usual_ms, checks, indexes, pages, encrypted, order))
constexpr auto field_docs(const RestoreCleanPoint*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"from", Need::required, "a moment before the damage"},
                                  {"to", Need::required, "a moment behind it"},
                                  {"usual_ms", Need::optional, "how long the time before is that tells what is usual"},
                                  {"checks", Need::optional, "what holds on good data"},
                                  {"indexes", Need::optional, "also check indexes"},
                                  {"pages", Need::optional, "also check the checksums of pages"},
                                  {"encrypted", Need::optional, "also look for texts that look encrypted"},
                                  {"order", Need::optional, "of a person"}});
}

}  // namespace lifeboat::wire
