// The run of a plan in the made-up world: what is in the plan, what its steps do outside, and what is checked of its journal.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/run/machine.hpp"
#include "sim/kernel.hpp"
#include "sim/setup.hpp"

namespace lifeboat::sim {

// Two people agree, the database is moved to a member or region, users are pointed there, the standbys are put right.
struct PlanOfRun {
  std::string to;
  bool failover = false;     // else a switchover
  bool accept_loss = false;  // of a failover
};
run::RunOpened plan_to_run(const PlanOfRun& plan);
inline constexpr std::array<const char*, 3> kPeople{"ann", "bob", "cid"};

class RunWatch {
 public:
  // What the journal now has more. Nothing, or what rule that breaks.
  std::optional<Violation> journaled(const std::vector<run::Event>& events);
  // The journal was put back from a copy.
  void restored(const std::vector<run::Event>& journal);

  // Whether what this step is for is so already, outside.
  bool is_so(const std::string& step) const { return done_.contains(step); }
  // It is done, by an attempt that began then.
  std::optional<Violation> does(const std::string& step, int attempt, Nanos began, Nanos now);
  void takes_back(const std::string& step) { done_.erase(step); }

  // The run that has not ended, or null.
  const run::RunState* open() const { return state_ && !state_->finished() ? &*state_ : nullptr; }

 private:
  std::optional<run::RunState> state_;  // folded from the journal
  bool waits_for_a_person_ = false;     // paused, halted or put back, and not resumed since
  std::map<std::string, Nanos> done_;

  std::optional<Violation> may_follow(const run::Event& event) const;
};

}  // namespace lifeboat::sim
