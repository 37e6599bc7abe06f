// What is to be done next about a repository, and what a loss of the primary's region would cost now. Pure.
#pragma once

#include <optional>
#include <string>

#include "core/backup/messages.hpp"
#include "core/backup/schedule.hpp"

namespace lifeboat::backup {

struct Duty {
  enum class What { nothing, prepare, list, take } what = What::nothing;
  Due due;  // for take
};

// What a controller knows of one service's backups.
struct Situation {
  bool connected = false;      // the agent of the repository's host is
  bool primary_known = false;  // a member takes writes, and its agent has said where its files are
  bool prepared = false;       // this controller has ordered the stanza, and it was made
  bool listed = false;         // `taken` is what is there
  bool ordered = false;        // an order of this controller is under way
  wire::RepositoryReport report;
  std::vector<Taken> taken;
  int failures = 0;                          // of orders in a row
  Duration since_last{};                     // since the last of them
  Duty::What failing = Duty::What::nothing;  // which of the duties failed last and has not succeeded since
  std::string failed;                        // what it came to
  std::string archiving;  // why the primary's archiving stands still, as Archiving tells; empty: it does not
};

// An order has ended; `error`: what it came to, empty when it succeeded. `what`: nothing, when it was none of the duties.
void order_ended(Situation& situation, Duty::What what, const std::string& error);

Duty next_duty(const Schedule& schedule, const Situation& situation, WallTime now);

// How much of what was committed would be gone with the primary's region.
struct Loss {
  std::optional<Duration> time;  // nothing committed longer ago than this; empty: not known
  std::string reason;
};
// `archive`: what the primary's agent said last; null when it said nothing for a while. `streams`: the plan wants WAL streamed.
Loss loss_now(const wire::ArchiveReport* archive, bool streams);

// Why the backups would not do what the plan asks for; empty: they would.
std::string trouble(const Schedule& schedule, const Situation& situation, const Loss& loss, Duration rpo, WallTime now);

}  // namespace lifeboat::backup
