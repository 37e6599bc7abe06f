// What actions may reach. The controller fills it with the real things; tests fill it with what they need. Actions hold
// no state of their own and never look past this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/data/json.hpp"
#include "core/model/plan.hpp"
#include "core/ownership/report.hpp"
#include "core/recovery/forecast.hpp"
#include "io/task.hpp"

namespace lifeboat {

class Secrets;        // io/secrets.hpp
class HttpClient;     // io/http_client.hpp
struct KnownProfile;  // core/validation/known_profile.hpp

// One member of a database as the controller sees it now.
struct MemberView {
  std::string member;
  std::string region;
  bool connected = false;  // its agent is
  MemberReport report;     // the newest
  Duration age{};          // of the report
};

struct DatabaseView {
  std::string service;
  uint64_t term = 0;
  std::string holder;     // who may write; empty: nobody
  bool writable = false;  // the holder said that it takes writes, and its lease has not ended
  std::vector<MemberView> members;
  Lsn last_known_written;         // newest position that any primary reported
  std::string busy;               // what is under way: "failover to west-1"; empty: nothing
  int automatic_made = 0;         // failovers by itself that count against the limit
  std::string automatic_refused;  // why nothing is done by itself while nobody may write
};

// What a failover at this moment would set aside.
struct LossEstimate {
  std::string candidate;          // who would be promoted; empty: nobody can be
  std::string reason;             // why this one, or why nobody
  std::optional<uint64_t> bytes;  // WAL the candidate lacks of what is known to have been written
  std::optional<Duration> age;    // as time; nothing when unknown
};

using ProgressLine = std::function<void(std::string)>;

class Databases {
 public:
  virtual ~Databases() = default;
  virtual Result<DatabaseView> view(std::string service) = 0;
  // `to`: a region or a member.
  virtual Result<LossEstimate> loss_if_failed_over(std::string service, std::string to) = 0;
  // Fences by lease, promotes the best candidate in `to`, points the others at it. Replies {member, term, timeline,
  // lost_bytes, seconds}. `accept_loss`: a person agreed to lose more than the plan's bound.
  virtual Task<Result<Json>> failover(std::string service, std::string to, bool accept_loss, Deadline deadline,
                                      ProgressLine progress) = 0;
  // Planned, loses nothing. Replies {member, term, timeline, write_outage_s}.
  virtual Task<Result<Json>> switchover(std::string service, std::string to, Deadline deadline,
                                        ProgressLine progress) = 0;
  // Makes `member` (or, when empty, every member that is not one) a streaming standby of the holder. `pages`: files may be damaged, so
  // every page is read first, of those that stream already too, and data with a damaged one are copied anew.
  virtual Task<Result<Json>> reprotect(std::string service, std::string member, bool pages, Deadline deadline,
                                       ProgressLine progress) = 0;
  // Gives the right to write to `member` with the data of the restore of that name, which is finished on its host, whatever the others
  // have: a person wants it. Replies {member, from, term, timeline, restored, restored_to, seconds, write_outage_s}.
  virtual Task<Result<Json>> put_back(std::string service, std::string member, std::string restored, Deadline deadline,
                                      ProgressLine progress) = 0;
};

class Agents {
 public:
  virtual ~Agents() = default;
  virtual bool connected(std::string host) = 0;
  // One request (agent/protocol.hpp); `unreachable` when no agent of that host is connected, `unknown_outcome` when it
  // was lost before it answered.
  virtual Task<Result<Json>> call(std::string host, std::string method, Json params, Deadline deadline,
                                  ProgressLine progress) = 0;
  // Instances of an http service that are up on a host; -1 when not known.
  virtual int64_t units_up(std::string host, std::string service) = 0;
};

// What vantage points say of a region.
struct RegionView {
  struct Vantage {
    std::string from;  // "controller north", "agent db-west-1"
    std::string region;
    int targets = 0;
    int failing = 0;
    Duration failing_for{};  // how long all of them have been failing; 0 if not all
    std::string detail;
  };
  std::string region;
  std::vector<Vantage> vantages;
  int regions_agreeing = 0;  // regions other than this one from which every target fails
  int quorum = 0;            // how many are needed
  bool lost = false;
};

struct UserView {  // what a witness saw in the last few seconds
  double error_rate = 0;
  double p95_ms = 0;
  double requests_per_second = 0;
  Duration age{};
  std::optional<Duration> reach;  // before that, when the first of these journeys began
};

class Observers {
 public:
  virtual ~Observers() = default;
  virtual Result<RegionView> region(std::string name) = 0;
  virtual std::optional<UserView> users() = 0;
};

struct IncidentView {
  std::string id;
  std::string title;
  std::string severity;
  std::string state;  // open, updated, closed
};

class Incidents {
 public:
  virtual ~Incidents() = default;
  // The open incident of this run, if there is one.
  virtual std::optional<IncidentView> of_run(std::string run) = 0;
  virtual Task<Result<IncidentView>> open(std::string run, std::string title, std::string severity) = 0;
  virtual Task<Result<void>> update(std::string id, std::string text) = 0;
  virtual Task<Result<void>> close(std::string id, std::string text) = 0;
};

// Which generation of a secret counts (io/secrets.hpp), for all controllers.
class Credentials {
 public:
  virtual ~Credentials() = default;
  // The run that renewed it last; empty: none has.
  virtual std::string renewed_by(std::string secret) = 0;
  // From now on the next generation counts. Written to the journal first; then every agent is told what it needs of it.
  virtual Task<Result<void>> renewed(std::string secret, std::string run) = 0;
};

// What restores took, from the journal.
class RestoreTimes {
 public:
  virtual ~RestoreTimes() = default;
  // Oldest first.
  virtual std::vector<recovery::RestoreTiming> of(std::string service) = 0;
  virtual Task<Result<void>> measured(std::string service, recovery::RestoreTiming timing) = 0;
};

// What databases held on good days, from the journal.
class Profiles {
 public:
  virtual ~Profiles() = default;
  // The newest that is not younger than `data_until`; without that moment the newest of all. Null: none is known.
  virtual std::shared_ptr<const KnownProfile> last(std::string service, std::string database,
                                                   std::optional<WallTime> data_until) = 0;
  virtual Task<Result<void>> taken(std::string service, std::shared_ptr<const KnownProfile> profile) = 0;
};

struct World {
  const Plan& plan;  // with the inventory's addresses
  Secrets& secrets;
  HttpClient& http;
  Databases& databases;
  Agents& agents;
  Observers& observers;
  Incidents& incidents;
  Credentials& credentials;
  RestoreTimes& restore_times;
  Profiles& profiles;
  bool drill = false;  // every message says so
};

}  // namespace lifeboat
