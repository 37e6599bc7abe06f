// The one memory of Lifeboat: a hash-chained journal, and who owns which database. Implemented by SQLite (one
// controller, one machine) and, behind the same contract, by etcd (several controllers). No policy lives here.
//
// Leadership: of several controllers one works, and the store takes only its writes: a write and the question whether the
//   writer still leads are one transaction. Whoever was deposed is refused (`refused`), whatever it believes.
// Journal: append() is durable when it returns, all events of one call or none. Events are numbered without gaps.
//   hash(n) = SHA-256(hash(n-1) ‖ canonical JSON of {seq, at, stream, kind, body}); hash(0) is 64 zeros.
// Ownership: terms only grow and a term is granted once, ever.
// Cancellation: an append that was handed over is carried out; the caller that stops waiting does not know its outcome.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/json.hpp"
#include "io/task.hpp"

namespace lifeboat {

struct NewEvent {
  std::string stream;  // "run/R-3", "incident/INC-2", "database/main", "signals"
  std::string kind;    // "step-started"
  Json body;
};

struct StoredEvent {
  uint64_t seq = 0;
  WallTime at{};
  std::string stream;
  std::string kind;
  Json body;
  std::string hash;  // lower-case hex
};

// Who may write to a database. `holder` is empty while nobody may.
struct OwnershipRecord {
  uint64_t term = 0;
  std::string holder;
};

struct EventFilter {
  std::string stream;         // exactly this one; empty: all
  std::string stream_prefix;  // "run/": those that begin so
  uint64_t after = 0;         // only those with a greater number
  size_t limit = 10'000;
};

struct ChainReport {
  bool whole = false;
  uint64_t events = 0;
  uint64_t broken_at = 0;  // the first event that does not fit; 0 when whole
  std::string head;        // hash of the last event
  std::string reason;      // in words, when not whole
};

// A controller that leads.
struct Leader {
  std::string name;     // its host in the plan
  std::string address;  // "10.1.0.2:7400", where agents and people reach it
};

// Everything in a store at one moment, for copies of it.
struct StoreContents {
  std::vector<StoredEvent> events;
  std::map<std::string, uint64_t> counters;
  std::map<std::string, OwnershipRecord> owners;
};

class Store {
 public:
  virtual ~Store() = default;

  // A store of one process is led by it from the start and for ever: that is what these do unless overridden.

  // Whether this program can read all that is there. `unsupported`: a newer one wrote some of it, so this one must not lead.
  virtual Task<Result<void>> understands();
  // Becomes the leader, if nobody is; false: somebody is.
  virtual Task<Result<bool>> campaign(Leader me);
  // Goes on being the leader. Ends, with the reason, when it no longer is one; what it began must stop at once.
  virtual Task<Error> keep_leading();
  // Whether nobody else can be the leader yet, by this process's clock. What acts on the world from memory, without a write,
  // asks this right before it acts.
  virtual bool leads() const { return true; }
  // Asks the store itself: without an error this process led it at some moment after the call. What lets a member of a database write,
  // from memory and without a write here, asks this first, because a lead may have been ended before its time: leases were revoked
  // early, and renewals answered that meant nothing (etcd-io/etcd#15247). `refused`: it does not lead any more, and leads() is false
  // from then on; any other error: not known, ask again.
  virtual Task<Result<void>> still_leads(Deadline deadline);
  // Gives it up, so that another one need not wait.
  virtual Task<> resign();
  // Who leads now, not who led a moment ago; nothing: nobody, or the store has no need of one.
  virtual Task<Result<std::optional<Leader>>> leader();
  // Returns when the leader may have changed, or at the deadline. A hint to look, never an answer.
  virtual Task<> leader_may_change(Deadline deadline);

  virtual Task<Result<std::vector<StoredEvent>>> append(std::vector<NewEvent> events) = 0;
  virtual Task<Result<std::vector<StoredEvent>>> read(EventFilter filter) = 0;
  virtual Task<Result<ChainReport>> verify() = 0;
  // The next number of a named counter ("run", "incident"), never given twice.
  virtual Task<Result<uint64_t>> next_number(std::string counter) = 0;

  virtual Task<Result<OwnershipRecord>> ownership(std::string service) = 0;
  // Grants the next term to `holder`, if the recorded term still is `expected_term` (else: conflict). Also used with an
  // empty holder to take the right away. Durable when it returns; the journal event is written in the same transaction.
  virtual Task<Result<OwnershipRecord>> grant(std::string service, uint64_t expected_term, std::string holder,
                                              NewEvent journal) = 0;
  // The same with a term above `floor`: agents have seen that one, though the store, restored from an older copy, has not.
  virtual Task<Result<OwnershipRecord>> grant_above(std::string service, uint64_t expected_term, uint64_t floor,
                                                    std::string holder, NewEvent journal);

  virtual Task<Result<StoreContents>> copy();
  // Fills a store that is empty and that nobody leads (else: conflict). What was restored may be older than what agents have
  // seen; they remember, and terms go on above theirs.
  virtual Task<Result<void>> restore(StoreContents contents);
};

// Opens or creates the store in one file (WAL, synchronous=FULL). Refuses with `conflict` when another process has it
// open, and with `invalid_input` when the file is of a newer version.
Result<std::unique_ptr<Store>> open_sqlite_store(std::string path);
// What is in such a file, also while a controller has it open.
Result<StoreContents> read_sqlite_store(std::string path);

struct EtcdOptions {
  std::vector<std::string> endpoints;  // "http://10.1.0.2:2379", the nearest first
  std::string prefix;                  // "/lifeboat/NAME/": all keys of this store begin so
  std::string user;                    // empty: no authentication
  std::string password;
  std::string ca_file;
  Duration lease{3'000};  // of the leader; etcd may make it longer
  // What one voter has by itself, also without a majority. It may lack what the others have; good for copies only.
  bool one_voter = false;
};

// The store in etcd 3.4 or newer, by its HTTP gateway. Nothing is sent before the first call. `executor` runs on one thread
// and outlives the store.
Result<std::unique_ptr<Store>> open_etcd_store(asio::any_io_executor executor, EtcdOptions options);

}  // namespace lifeboat
