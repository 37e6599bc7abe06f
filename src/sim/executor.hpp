// A controller's run of a plan: what the machine of core/run decides is written to the store and then carried out, as
// controller/executor does it. What its steps change stands in World::run_watch, which also judges what is written.
#pragma once

#include <deque>
#include <set>

#include "core/run/machine.hpp"
#include "sim/world.hpp"

namespace lifeboat::sim {

class Controller;

class Executor {
 public:
  // `scope`: the controller's. What runs there is not ended when the controller steps aside: a step that is at work goes on outside.
  Executor(World& world, Controller& controller, Scope& scope)
      : world_(world), controller_(controller), scope_(scope) {}

  // The controller begins to lead: the run of the journal goes on.
  void take_up();
  void step_aside() { state_.reset(); }
  void look_at_the_time();
  // Opens a run, unless there was one.
  void open(run::RunOpened opened);
  // What a person says of the run.
  void hear(run::Input input);

 private:
  World& world_;
  Controller& controller_;
  Scope& scope_;
  std::optional<run::RunState> state_;
  // The run that there is, also while another controller leads it.
  std::shared_ptr<const run::RunOpened> opened_;
  std::shared_ptr<const run::Graph> graph_;
  uint64_t lead_ = 0;  // of the election under which `state_` was read
  std::deque<run::Input> waiting_;
  bool deciding_ = false;
  std::set<std::pair<std::string, int>> stopped_;  // attempts that are to end

  run::Now now() const;
  std::string boot() const;
  void go_on_with(run::RunState state);
  void hand_in(uint64_t lead, run::Input input);
  Task<> decide(uint64_t lead);
  Task<> write_and_do(uint64_t lead, std::vector<run::Event> events, std::vector<run::Command> commands);
  void carry_out(uint64_t lead, const run::Command& command);
  Task<> attempt(uint64_t lead, run::command::StartStep what);
  Task<run::Input> outcome(uint64_t lead, run::command::StartStep what);
  Task<run::Input> outside(run::command::StartStep what, Nanos began);
  Task<> late_effect(run::command::StartStep what, Nanos began, Nanos when);
  Task<run::Input> database(uint64_t lead, run::command::StartStep what);
  Task<> undo(uint64_t lead, std::string step);
  bool holds(const run::ResolvedStep& step) const;
  const run::ResolvedStep& planned(const std::string& step) const;
  Sleep some_time(int64_t least_ms, int64_t most_ms);
};

}  // namespace lifeboat::sim
