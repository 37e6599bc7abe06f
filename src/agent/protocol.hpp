// What agents and controllers say to each other: JSON messages over one WebSocket that the agent opens.
//
// Handshake (nonces are at least 16 hex digits, proofs are lower-case hex, the parts of what is signed are joined by "\n"):
//   agent      {"type":"hello","agent":HOST,"nonce":A,"cut_off":BOOL}      cut_off: as in CutOff below
//   controller {"type":"challenge","nonce":C,"proof":HMAC-SHA256(token, "controller\nHOST\nA\nC")}
//   agent      {"type":"proof","proof":HMAC-SHA256(token, "agent\nHOST\nA\nC")}
//   controller {"type":"welcome"}
// The token itself never crosses the network, and each side knows that the other has it. A controller that does not lead
// answers the hello with {"type":"elsewhere","controller":"ADDRESS:PORT"} (empty: nobody leads) and ends the link; the agent goes there only
// if it was given that address itself.
//
// The controller that leads says {"type":"here"} whenever it has said nothing else for a while, so that its loss shows.
//
// After that, either side sends messages of the kinds below at any time. A message is an object with `type`; unknown
// types are ignored (newer peers), malformed ones end the connection. Those about the right to write are in
// core/ownership/messages.hpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"
#include "core/detection/data_change.hpp"
#include "core/ownership/messages.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat::wire {

// The share of a lease for which a renewal may be without an answer before the agent makes a new link.
constexpr double kSilentShare = 0.4;
constexpr std::string_view kElsewhere = "elsewhere";
constexpr std::string_view kHere = "here";
// How often the controller says that it is there, and how long an agent that has heard it say so waits for the next time.
constexpr Duration kHereEvery{400};
constexpr Duration kHereWithin{1'600};

// ---- agent → controller

// Everything an agent knows of its host, sent every `report_every` and at once when something important changes.
struct Report {
  static constexpr std::string_view kType = "report";
  int64_t boot_ns = 0;                        // agent's CLOCK_BOOTTIME when it was sent; grants refer to it
  OrderedMap<MemberReport> members;           // by service name: the member this agent runs
  OrderedMap<int64_t> units;                  // by http service: instances that are up
  OrderedMap<ArchiveReport> archives;         // by service whose member it runs
  OrderedMap<RepositoryReport> repositories;  // by service whose repository stands here
};
BOOST_DESCRIBE_STRUCT(Report, (), (boot_ns, members, units, archives, repositories))
constexpr auto field_docs(const Report*) {
  return std::to_array<FieldDoc>({{"boot_ns", Need::required, "agent's boot clock when it was sent"},
                                  {"members", Need::optional, "state of the databases it runs, by service"},
                                  {"units", Need::optional, "running instances, by service"},
                                  {"archives", Need::optional, "how archiving goes, by service"},
                                  {"repositories", Need::optional, "the repositories it keeps, by service"}});
}

// Writes that only this member had were saved before its history was given up. Sent again until OrphansNoted comes; until then
// nothing is rewound or copied over.
struct OrphansSaved {
  static constexpr std::string_view kType = "orphans-saved";
  std::string service;
  std::string member;
  std::string id;
  uint64_t timeline = 0;
  Lsn fork;                  // where the histories parted
  Lsn last;                  // where the last of them was committed; 0: not on that timeline alone
  int64_t transactions = 0;  // committed behind the fork
  int64_t changes = 0;       // rows and truncates that were decoded
  int64_t without_rows = 0;  // transactions that changed no table's rows: DDL, sequences, maintenance
  int64_t undecoded = 0;     // transactions that changed rows and could not be decoded
  bool complete = false;     // nothing is left that could not be decoded
  std::string first_commit;
  std::string last_commit;
  TextMap<int64_t> tables;  // changes by table
  std::string folder;       // where they lie on the member's host
  std::string kept;         // the old data directory, when it had to be kept aside
  std::vector<std::string> remarks;
  bool waits = false;  // not to be written down yet: another may have saved the very same, and completely
};
BOOST_DESCRIBE_STRUCT(OrphansSaved, (),
                      (service, member, id, timeline, fork, last, transactions, changes, without_rows, undecoded,
                       complete, first_commit, last_commit, tables, folder, kept, remarks, waits))
constexpr auto field_docs(const OrphansSaved*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"member", Need::required, "member that had them"},
                                  {"id", Need::required, "name of this saving"},
                                  {"timeline", Need::required, "timeline that was left"},
                                  {"fork", Need::required, "where the histories parted"},
                                  {"last", Need::optional, "where the last of them was committed"},
                                  {"transactions", Need::required, "transactions behind it"},
                                  {"changes", Need::optional, "changes that were decoded"},
                                  {"without_rows", Need::optional, "transactions that changed no rows"},
                                  {"undecoded", Need::optional, "transactions that could not be decoded"},
                                  {"complete", Need::optional, "nothing is left that could not be decoded"},
                                  {"first_commit", Need::optional, "when the first was committed"},
                                  {"last_commit", Need::optional, "when the last was committed"},
                                  {"tables", Need::optional, "changes by table"},
                                  {"folder", Need::required, "where they lie on its host"},
                                  {"kept", Need::optional, "old data directory that was kept aside"},
                                  {"remarks", Need::optional, "what a person should know"},
                                  {"waits", Need::optional, "asks whether another has saved the same"}});
}

// What one probe found.
struct ProbeResult {
  static constexpr std::string_view kType = "probe-result";
  std::string target;
  bool ok = false;
  std::string detail;
  int64_t took_ms = 0;
};
BOOST_DESCRIBE_STRUCT(ProbeResult, (), (target, ok, detail, took_ms))
constexpr auto field_docs(const ProbeResult*) {
  return std::to_array<FieldDoc>({{"target", Need::required, "id of the target"},
                                  {"ok", Need::required, "whether it answered as it should"},
                                  {"detail", Need::optional, "what came back"},
                                  {"took_ms", Need::optional, "how long it took"}});
}

// What the agent of a server that takes writes saw of its users' tables; sent where the plan has a signal that wants it.
struct DataLook {
  static constexpr std::string_view kType = "data-look";
  std::string service;
  detection::DataSeen seen;
};
BOOST_DESCRIBE_STRUCT(DataLook, (), (service, seen))
constexpr auto field_docs(const DataLook*) {
  return std::to_array<FieldDoc>(
      {{"service", Need::required, "service"}, {"seen", Need::required, "what was counted there"}});
}

// Whether this host is cut off from the network (network.isolate), sent when that changes. What an attacker must not learn is not sent to one
// that is.
struct CutOff {
  static constexpr std::string_view kType = "cut-off";
  bool stands = false;
};
BOOST_DESCRIBE_STRUCT(CutOff, (), (stands))
constexpr auto field_docs(const CutOff*) {
  return std::to_array<FieldDoc>({{"stands", Need::required, "whether the host is cut off"}});
}

struct Reply {
  static constexpr std::string_view kType = "reply";
  uint64_t id = 0;
  bool ok = false;
  Json result;
  std::string error_kind;  // to_string(ErrorKind)
  std::string error;
  std::string hint;
};
BOOST_DESCRIBE_STRUCT(Reply, (), (id, ok, result, error_kind, error, hint))
constexpr auto field_docs(const Reply*) {
  return std::to_array<FieldDoc>({{"id", Need::required, "id of the request"},
                                  {"ok", Need::required, "whether it was done"},
                                  {"result", Need::optional, "what came of it"},
                                  {"error_kind", Need::optional, "kind of error"},
                                  {"error", Need::optional, "error in words"},
                                  {"hint", Need::optional, "what to do next"}});
}

struct Progress {
  static constexpr std::string_view kType = "progress";
  uint64_t id = 0;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Progress, (), (id, text))
constexpr auto field_docs(const Progress*) {
  return std::to_array<FieldDoc>(
      {{"id", Need::required, "id of the request"}, {"text", Need::required, "how far it is, for people"}});
}

// ---- controller → agent

// OrphansSaved stands in the journal, or another saving does that holds all of it.
struct OrphansNoted {
  static constexpr std::string_view kType = "orphans-noted";
  std::string service;
  std::string id;
  std::string same_as;  // the other saving; empty: none
};
BOOST_DESCRIBE_STRUCT(OrphansNoted, (), (service, id, same_as))
constexpr auto field_docs(const OrphansNoted*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"id", Need::required, "which saving"},
                                  {"same_as", Need::optional, "another that holds all of it"}});
}

// A group of instances that the agent keeps running.
struct UnitConfig {
  std::vector<std::string> command;      // ${port} is replaced for each instance
  std::vector<std::string> environment;  // NAME=VALUE; ${port} is replaced here too
  std::string health;                    // path asked at http://listen:port
  std::string listen;
  int64_t port = 8080;
  int64_t count = 1;
  int64_t max = 1;
};
BOOST_DESCRIBE_STRUCT(UnitConfig, (), (command, environment, health, listen, port, count, max))
constexpr auto field_docs(const UnitConfig*) {
  return std::to_array<FieldDoc>({{"command", Need::required, "program and arguments"},
                                  {"environment", Need::optional, "environment"},
                                  {"health", Need::required, "path that answers 200 when well"},
                                  {"listen", Need::required, "address instances listen on"},
                                  {"port", Need::required, "port of the first"},
                                  {"count", Need::required, "how many run unless scaled"},
                                  {"max", Need::required, "how many may run"}});
}

// A thing the agent watches from where it stands. kind: tcp | http.
struct ProbeConfig {
  std::string id;
  std::string kind;
  std::string address;
  int64_t port = 0;
  std::string path;
  std::string host_header;
  int64_t every_ms = 1000;
  int64_t within_ms = 1000;
  std::string region;   // of the target; empty: it says nothing of one
  bool spared = false;  // asked less often while others of its region answer (core/detection/pace.hpp)
};
BOOST_DESCRIBE_STRUCT(ProbeConfig, (),
                      (id, kind, address, port, path, host_header, every_ms, within_ms, region, spared))
constexpr auto field_docs(const ProbeConfig*) {
  return std::to_array<FieldDoc>({{"id", Need::required, "id of the target"},
                                  {"kind", Need::required, "tcp or http"},
                                  {"address", Need::required, "address or name"},
                                  {"port", Need::required, "port"},
                                  {"path", Need::optional, "path for http"},
                                  {"host_header", Need::optional, "Host header for http"},
                                  {"every_ms", Need::required, "time between two probes"},
                                  {"within_ms", Need::required, "time a probe may take"},
                                  {"region", Need::optional, "region of the target"},
                                  {"spared", Need::optional, "asked less often while its region answers"}});
}

// How often the data of a database are looked at while it takes writes.
struct LookConfig {
  int64_t every_ms = 10'000;
};
BOOST_DESCRIBE_STRUCT(LookConfig, (), (every_ms))
constexpr auto field_docs(const LookConfig*) {
  return std::to_array<FieldDoc>({{"every_ms", Need::required, "time between two looks"}});
}

// All an agent has to do. Replaces what it was told before; the agent keeps a copy on disk (mode 0600) and goes on by
// it when no controller answers.
struct Configure {
  static constexpr std::string_view kType = "configure";
  OrderedMap<ServerConfig> servers;  // by service
  OrderedMap<UnitConfig> units;      // by service
  std::vector<ProbeConfig> probes;
  int64_t report_every_ms = 100;
  OrderedMap<RepositoryConfig> repositories;  // by service
  OrderedMap<LookConfig> looks;               // by service; none: its data are not looked at
};
BOOST_DESCRIBE_STRUCT(Configure, (), (servers, units, probes, report_every_ms, repositories, looks))
constexpr auto field_docs(const Configure*) {
  return std::to_array<FieldDoc>({{"servers", Need::optional, "databases it runs"},
                                  {"units", Need::optional, "instances it keeps running"},
                                  {"probes", Need::optional, "what it watches"},
                                  {"report_every_ms", Need::optional, "time between two reports"},
                                  {"repositories", Need::optional, "repositories of backups it keeps"},
                                  {"looks", Need::optional, "databases whose data it looks at"}});
}

// A request for one thing to be done; answered by Reply with the same id, perhaps after some Progress.
// `method` and `params` are one of the structs below.
struct Request {
  static constexpr std::string_view kType = "request";
  uint64_t id = 0;
  std::string method;
  Json params;
  int64_t within_ms = 0;  // the agent gives up after this
};
BOOST_DESCRIBE_STRUCT(Request, (), (id, method, params, within_ms))
constexpr auto field_docs(const Request*) {
  return std::to_array<FieldDoc>({{"id", Need::required, "id"},
                                  {"method", Need::required, "what to do"},
                                  {"params", Need::optional, "with what"},
                                  {"within_ms", Need::required, "time allowed"}});
}

// orphans.read: a piece of what was saved under `id`, from `offset`; cut at the end of a line where that is possible. `file` is
// changes.jsonl, replay.sql, log.txt or summary.json. Replies {text, next, end}.
struct ReadOrphans {
  static constexpr std::string_view kMethod = "orphans.read";
  std::string service;
  std::string id;
  std::string file;
  int64_t offset = 0;
};
BOOST_DESCRIBE_STRUCT(ReadOrphans, (), (service, id, file, offset))
constexpr auto field_docs(const ReadOrphans*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"id", Need::required, "which saving"},
                                  {"file", Need::required, "which file of it"},
                                  {"offset", Need::optional, "where to begin"}});
}

struct WantedRow {
  std::string database;
  std::string table;
  std::vector<std::string> columns;
  TextMap<Json> key;
};
BOOST_DESCRIBE_STRUCT(WantedRow, (), (database, table, columns, key))
constexpr auto field_docs(const WantedRow*) {
  return std::to_array<FieldDoc>({{"database", Need::required, "database"},
                                  {"table", Need::required, "table, quoted as in SQL"},
                                  {"columns", Need::required, "columns to read"},
                                  {"key", Need::required, "values that name the row"}});
}

// orphans.look-up: the rows as they are now, read only. Replies {rows: [{found, values: {column: text or null}, error}]} in the
// order of the question.
struct LookUpRows {
  static constexpr std::string_view kMethod = "orphans.look-up";
  std::string service;
  std::vector<WantedRow> rows;
};
BOOST_DESCRIBE_STRUCT(LookUpRows, (), (service, rows))
constexpr auto field_docs(const LookUpRows*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"}, {"rows", Need::required, "which rows"}});
}

// postgres.set-password: see agent/role_password.hpp. Replies {ended}.
struct SetPassword {
  static constexpr std::string_view kMethod = "postgres.set-password";
  std::string service;
  std::string role;
  std::string verifier;  // what the server keeps of it (io/crypto.hpp, scram_verifier)
};
BOOST_DESCRIBE_STRUCT(SetPassword, (), (service, role, verifier))
constexpr auto field_docs(const SetPassword*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"role", Need::required, "role of the database"},
                                  {"verifier", Need::required, "what the server keeps of the password"}});
}

// postgres.replication-password: see agent/role_password.hpp.
struct ReplicationPassword {
  static constexpr std::string_view kMethod = "postgres.replication-password";
  std::string service;
  std::string verifier;  // of the password that counts: whoever was told another one is not taken for renewed
  bool look = false;     // nothing is changed
};
BOOST_DESCRIBE_STRUCT(ReplicationPassword, (), (service, verifier, look))
constexpr auto field_docs(const ReplicationPassword*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"},
                                  {"verifier", Need::required, "of the password that counts"},
                                  {"look", Need::optional, "nothing is changed"}});
}

// units.scale: run `count` instances of a service. Replies {up} when that many are healthy (or stopped).
struct Scale {
  static constexpr std::string_view kMethod = "units.scale";
  std::string service;
  int64_t count = 0;
};
BOOST_DESCRIBE_STRUCT(Scale, (), (service, count))
constexpr auto field_docs(const Scale*) {
  return std::to_array<FieldDoc>({{"service", Need::required, "service"}, {"count", Need::required, "how many"}});
}

// network.isolate: nothing comes in and nothing goes out any more but what the agent and its controllers say to each other. Whom it keeps
// the agent knows from its own options: no message can name others. Replies {closed: true} when a controller was heard through
// it; when none is, the agent takes it back by itself.
struct Isolate {
  static constexpr std::string_view kMethod = "network.isolate";
  std::string why;
};
BOOST_DESCRIBE_STRUCT(Isolate, (), (why))
constexpr auto field_docs(const Isolate*) {
  return std::to_array<FieldDoc>({{"why", Need::required, "which run wants it, for people who look at the host"}});
}

// network.rejoin: ends it. Replies {closed: false}.
struct Rejoin {
  static constexpr std::string_view kMethod = "network.rejoin";
  std::string why;
};
BOOST_DESCRIBE_STRUCT(Rejoin, (), (why))
constexpr auto field_docs(const Rejoin*) {
  return std::to_array<FieldDoc>({{"why", Need::required, "which run wants it"}});
}

// Without parameters. Replies {isolated}, as the kernel has it.
constexpr std::string_view kNetworkState = "network.state";

}  // namespace lifeboat::wire
