// Who may write to one database: the state of the ownership machine.
//
// Invariants (checked by the simulation and by assertions in machine.cpp):
//   - a grant is made only when the right of the holder before has ended: its lease ran out here, or its agent said that
//     nothing of the server can write any more;
//   - terms only grow, and the term is durable before its holder hears of it;
//   - a renewal is never answered "granted" once a grant to somebody else has been handed to the store;
//   - nothing is promoted that is paused, in the middle of a copy, of another system or not a candidate.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/data/json.hpp"
#include "core/model/services.hpp"
#include "core/ownership/past.hpp"
#include "core/ownership/report.hpp"

namespace lifeboat::ownership {

struct MemberConfig {
  std::string name;
  std::string region;
  bool candidate = true;
};

struct Config {
  std::string service;
  std::vector<MemberConfig> members;
  std::string first_primary;
  Duration lease{10'000};
  AutomaticFailover automatic = AutomaticFailover::none;
  int automatic_at_most = 2;
  Duration automatic_within{86'400'000};
  Duration loss_without_approval{900'000};
  int sync_copies = 0;      // how many other members have a commit before it is acknowledged; 0: none need to
  std::string sync_region;  // where these are, as far as there are any; empty: anywhere
};

// Why nobody holds the right to write.
enum class Vacancy {
  none,           // somebody holds it
  never_granted,  // a new database
  server_died,    // the holder's agent says that its server failed and is gone
  lease_ended,    // the holder was not heard from, or fenced itself because it heard nothing
  stepped_down,   // a planned switchover
};

struct Member {
  MemberConfig config;
  bool connected = false;
  MonoTime away_since{};  // when it is not connected; since the controller began if it never was
  bool reported = false;  // at least once since it connected
  MonoTime last_report{};
  int64_t agent_clock_ns = 0;          // of the newest report
  std::optional<MonoTime> full_since;  // its disk, as it has said ever since
  MemberReport report;
  bool command_running = false;  // Lead, Follow or StepDown was sent and is not answered
  int64_t command_clock_ns = 0;  // of the agent's newest report when that was sent
  MonoTime could_not{};          // when it last could not take over; without an answer, when its lease had ended
  MonoTime follow_not_before{};  // back-off after one that failed or that does not stream, under this holder
  int follow_failures = 0;
  std::string follow_error;
  // The term under which somebody asked for its reprotection and it was not attached yet; 0: nobody did.
  uint64_t reprotect_under = 0;
  bool reprotect_pages = false;  // and its files may be damaged: its pages are yet to be read
  bool attached = false;         // as is_attached() said last
  MonoTime attached_changed{};
};

enum class TransferKind {
  failover,
  switchover,
  reprotect,
  reflex,
  restore,  // to a member whose data are put back from a backup, whatever the others have: a person's wish
};

// One movement of ownership, at most one at a time; or the making of standbys, which becomes a Reprotection.
struct Transfer {
  uint64_t id = 0;
  TransferKind kind = TransferKind::failover;
  bool unasked = false;  // the machine began it by itself
  std::string to;        // region or member; empty: any
  bool accept_loss = false;
  std::string restored;  // restore: the name of what is put in place of the member's data
  bool pages = false;    // reprotect: files may be damaged, so every page is read first
  MonoTime asked{};
  bool given_up = false;            // nobody waits for its end any more
  uint64_t look = 0;                // who is there already is to be looked at after this question
  MonoTime writes_stopped{};        // switchover
  Lsn at_least;                     // switchover: the shutdown checkpoint
  std::string from;                 // holder before
  std::string target;               // chosen candidate
  std::vector<std::string> failed;  // candidates that were tried and could not
  MonoTime last_failure{};
  bool adopted = false;  // restore: the member's data are those that were put back
  MonoTime adopted_when{};
  Lsn adopted_at;
  std::string kept;                  // where what it had is
  bool undone = false;               // restore: the old primary is to go on
  std::vector<SyncSet> sync_before;  // restore: as it was before the grant, should that be undone
  enum class Stage {
    waiting_for_vacancy,
    adopting,  // the member puts restored data in place of its own
    stepping_down,
    succeeding,  // the old primary has stopped
    granting,
    leading
  } stage = Stage::waiting_for_vacancy;
};

// Somebody waits until these members are standbys.
struct Reprotection {
  uint64_t id = 0;
  std::string to;      // a member, a region, or everybody when empty
  bool pages = false;  // files may be damaged
};

struct PositionAt {
  MonoTime at{};
  uint64_t timeline = 0;
  Lsn written;
};

struct State {
  Config config;
  std::vector<Member> members;
  uint64_t term = 0;
  std::string holder;  // as recorded durably
  // The highest term that any agent has seen. Above `term` only when the store was restored from an older copy; then the
  // recorded holder means nothing, and the next term is above this.
  uint64_t floor = 0;
  // Left out when the store was restored: terms up to here may have been granted since the copy was made, and nobody heard so far
  // needs to know. The next term is above this too.
  uint64_t above = 0;
  bool restored = false;  // and since then neither has the holder been heard to take writes nor was anything granted
  Vacancy vacancy = Vacancy::none;
  std::string vacancy_reason;
  MonoTime vacant_since{};
  bool released = false;             // the holder said itself that it is over
  bool led = false;                  // the holder has taken writes under its grants since another one had the right
  MonoTime lease_until{};            // the holder's right ends here at the latest
  MonoTime started{};                // when this controller began to watch
  bool grant_in_flight = false;      // handed to the store, not answered
  bool confirmed = false;            // the holder has reported the present term
  MonoTime recovers_since{};         // the holder was given all the time that its server needs; 0: it was not
  bool ever_written = true;          // somebody took writes once, so there is something to be kept
  std::optional<Transfer> transfer;  // of the right to write
  std::vector<Reprotection> reprotections;  // that somebody waits for
  std::deque<MonoTime> automatic_failovers;
  std::deque<PositionAt> positions;  // of the primary, for turning bytes into time
  PositionAt begun;       // at or before which the holder's timeline parted from the one before; 0: not known
  MonoTime last_input{};  // a controller that stood still has not heard what waits for it
  MonoTime stood_still_until{};
  std::string automatic_refused;  // why nothing was done by itself in this vacancy
  // Whom commits waited for, oldest first, as far as it matters to who has what was acknowledged; the last one is to be in force.
  std::vector<SyncSet> sync_sets;
  std::vector<SyncSet> sync_granting;   // of the grant that is in flight
  bool sync_in_flight = false;          // handed to the store, not answered
  std::optional<MonoTime> sync_since;   // the last one is in force, as the holder said then, by the clock of its host
  std::optional<PositionAt> sync_from;  // all that comes after this waits for it
  MonoTime sync_told{};
  uint64_t mark = 0;          // the newest question to look again
  MonoTime asked_to_look{};   // when it was last put
  uint64_t renewed_mark = 0;  // put when a lease that had ended was renewed again
  MonoTime last_regrant{};    // when the holder was last started again
  MonoTime left_full_disk{};  // when it was last tried to move away from one

  Member* find(std::string_view name);
  const Member* find(std::string_view name) const;
};

// The state of a controller that has just started: what is durable, and the caution that the holder may have renewed
// its lease with another controller a moment ago.
State initial_state(Config config, uint64_t term, std::string holder, MonoTime now, Past past = {});

// True when agents have seen newer terms than the store holds.
bool store_is_behind(const State& state);
// True when somebody else than the recorded holder may have written last: the store was restored from an older copy. Then only
// who still takes writes goes on by itself.
bool last_writer_is_unknown(const State& state);
// Whether this member, asking to renew this term, goes on under a newer one: it holds the newest term that anybody has seen, and
// its right needs nobody else's end. A majority has been heard, so that a newer term would be known. It takes writes: one that was
// only told to may lack what it was to have before it did, and who told it is forgotten.
bool may_be_adopted(const State& state, const std::string& name, uint64_t term);
// True while the holder said that it takes writes and its right has not ended.
bool is_writable(const State& state, MonoTime now);
// Whether what this member said last may be older than the end of the holder's lease: messages that a cut held up arrive late. Until
// it has said something since, it may have begun to promise, or to take writes; and so may a renewal that ended the vacancy, whose
// holder may have fenced itself since.
bool may_be_old_news(const State& state, const Member& member);
// A report older than a second says nothing about now. Agents report ten times a second, and a lease is longer: whoever was cut off
// together with the holder has not reported by the time the lease ends.
bool is_fresh(const Member& member, MonoTime now);
// Whether members are to be asked how they are now.
bool news_are_wanted(const State& state);
// True when nobody has the right to write any more and it may be granted; in a store that was restored from an older copy not before
// a lease has passed, whatever the recorded holder says.
bool is_vacant(const State& state, MonoTime now);
// True for a standby that receives from the holder on the holder's timeline. One whose history has parted is connected for
// moments too, and never comes to that timeline.
bool is_attached(const State& state, const Member& member);
// Where the primary was, and when: close enough together to tell ages well, and far enough back to know what is too old.
void remember_position(State& state, const MemberReport& report, MonoTime now);

}  // namespace lifeboat::ownership
