#include "sim/executor.hpp"

#include <fmt/format.h>

#include "core/base/mutants.hpp"
#include "core/ownership/transfer.hpp"
#include "sim/controller.hpp"

namespace lifeboat::sim {

namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

run::Input failed(const run::command::StartStep& what, ErrorKind kind, std::string why) {
  return run::input::Failed{what.step, what.attempt, ownership::transfer_error(kind, std::move(why))};
}

run::Input stopped(const run::command::StartStep& what) { return failed(what, ErrorKind::cancelled, "it was stopped"); }

}  // namespace

run::Now Executor::now() const { return {controller_.local(), controller_.time_of_day()}; }

// Each controller's clock is its own, as that of another machine.
std::string Executor::boot() const { return fmt::format("c{}", controller_.process()); }

Sleep Executor::some_time(int64_t least_ms, int64_t most_ms) {
  return {world_.kernel, controller_.process(), world_.kernel.now() + world_.random.between(least_ms, most_ms) * 1_ms};
}

// ---- the run

void Executor::take_up() {
  lead_ = controller_.lead_number();
  waiting_.clear();
  deciding_ = false;
  const std::vector<run::Event>& journal = world_.store.now.journal;
  if (journal.empty()) return;
  auto folded = run::fold("R-1", journal);
  if (!folded) return world_.violated("S17", "the journal does not fit: " + folded.error().text());
  go_on_with(std::move(*folded));
  if (!state_->finished()) hand_in(lead_, run::input::Recovered{boot()});
}

void Executor::go_on_with(run::RunState state) {
  opened_ = state.opened;
  graph_ = state.graph;
  state_ = std::move(state);
}

void Executor::look_at_the_time() {
  if (!state_ || state_->finished()) return;
  auto wake = run::next_wake(*state_);
  if (wake && *wake <= controller_.local()) hand_in(lead_, run::input::Tick{});
}

void Executor::open(run::RunOpened opened) {
  if (state_ || !world_.store.now.journal.empty() || !controller_.leads_since(lead_)) return;
  opened.boot = boot();
  auto begun = run::open("R-1", std::move(opened), now(), [this] { return world_.random.unit(); });
  if (!begun) return world_.violated("S17", "a run cannot be opened: " + begun.error().text());
  go_on_with(std::move(begun->state));
  deciding_ = true;
  scope_.spawn([](Executor& self, uint64_t lead, run::Decision decision) -> Task<> {
    auto writing = self.write_and_do(lead, std::move(decision.events), std::move(decision.commands));
    co_await std::move(writing);
    auto deciding = self.decide(lead);
    co_await std::move(deciding);
  }(*this, lead_, std::move(begun->decision)));
}

void Executor::hear(run::Input input) { hand_in(lead_, std::move(input)); }

void Executor::hand_in(uint64_t lead, run::Input input) {
  if (lead != lead_ || !state_ || state_->finished() || !controller_.leads_since(lead)) return;
  waiting_.push_back(std::move(input));
  if (!std::exchange(deciding_, true)) scope_.spawn(decide(lead));
}

Task<> Executor::decide(uint64_t lead) {
  while (lead == lead_ && state_ && !state_->finished() && !waiting_.empty()) {
    std::vector<run::Event> events;
    std::vector<run::Command> commands;
    for (const run::Input& input : std::exchange(waiting_, {})) {
      run::Decision decision = run::advance(*state_, input, now(), [this] { return world_.random.unit(); });
      std::ranges::move(decision.events, std::back_inserter(events));
      std::ranges::move(decision.commands, std::back_inserter(commands));
    }
    auto writing = write_and_do(lead, std::move(events), std::move(commands));
    co_await std::move(writing);
  }
  if (lead == lead_) deciding_ = false;
}

Task<> Executor::write_and_do(uint64_t lead, std::vector<run::Event> events, std::vector<run::Command> commands) {
  bool early = LIFEBOAT_BUG("acts-before-it-is-written");
  if (early) {
    for (const run::Command& command : commands) carry_out(lead, command);
  }
  if (!events.empty()) {
    auto writing = controller_.write_to_store(lead, [this, &events](bool late) {
      if (late) return false;
      for (const run::Event& event : events) {
        if (world_.kernel.tells()) world_.tell("run: " + run::in_words(event));
        world_.kernel.mix(run::kind_of(event));
        world_.store.now.journal.push_back(event);
      }
      world_.store.now.journal_grew = world_.kernel.now();
      if (auto wrong = world_.run_watch.journaled(events)) world_.violated(wrong->rule, wrong->text);
      return true;
    });
    if (co_await std::move(writing) != Controller::Written::done) co_return;
    controller_.effect("has written what it decided of the run");
  }
  if (early || !controller_.leads_since(lead)) co_return;
  for (const run::Command& command : commands) carry_out(lead, command);
}

void Executor::carry_out(uint64_t lead, const run::Command& command) {
  std::visit(Overloaded{
                 [&](const run::command::StartStep& what) { scope_.spawn(attempt(lead, what)); },
                 [&](const run::command::CancelStep& what) { stopped_.emplace(what.step, what.attempt); },
                 [&](const run::command::UndoStep& what) { scope_.spawn(undo(lead, what.step)); },
                 [&](const run::command::AskApproval& what) { world_.ask_people(what.question); },
                 [](const run::command::AskManual&) {},
                 [](const run::command::Finished&) {},
             },
             command);
}

// ---- its steps

const run::ResolvedStep& Executor::planned(const std::string& step) const {
  return opened_->steps[*graph_->find(step)];
}

Task<> Executor::attempt(uint64_t lead, run::command::StartStep what) {
  auto ending = outcome(lead, what);
  run::Input ended = co_await std::move(ending);
  stopped_.erase({what.step, what.attempt});
  hand_in(lead, std::move(ended));
}

// As the product's carry_out: look first where that is asked for, then apply.
Task<run::Input> Executor::outcome(uint64_t lead, run::command::StartStep what) {
  Nanos began = world_.kernel.now();
  co_await some_time(0, 20);
  if (what.observe != run::command::Observe::no) {
    bool must = what.observe == run::command::Observe::must && !LIFEBOAT_BUG("unseen-is-not-done");
    co_await some_time(1, 60);
    bool seen = !world_.random.chance(0.15);
    if (seen && holds(planned(what.step))) co_return run::input::Held{what.step, what.attempt, "it is so", {}};
    if (!seen && must) co_return failed(what, ErrorKind::unknown_outcome, "whether it was done could not be seen");
  }
  if (stopped_.contains({what.step, what.attempt})) co_return stopped(what);
  bool moves = planned(what.step).uses != "outside";
  auto applying = moves ? database(lead, what) : outside(what, began);
  co_return co_await std::move(applying);
}

bool Executor::holds(const run::ResolvedStep& step) const {
  if (step.uses == "outside") return world_.run_watch.is_so(step.id);
  bool moves = step.uses != "database.reprotect";
  return moves && controller_.is_written_in(text_or(step.with, "to"));
}

// A request to something that may answer late, not at all, or that it could not.
Task<run::Input> Executor::outside(run::command::StartStep what, Nanos began) {
  Nanos deadline = controller_.truth_of(what.deadline);
  if (world_.random.chance(0.04)) {
    scope_.spawn(late_effect(what, began, deadline + world_.random.between(1, 3'000) * 1_ms));
    // One in two does not even end when it is told to.
    Nanos ends = deadline + (world_.random.chance(0.5) ? 0 : 20_s);
    co_await Sleep(world_.kernel, controller_.process(), ends);
    co_return failed(what, ErrorKind::unknown_outcome, "there was no answer in its time");
  }
  co_await some_time(2, 500);
  if (stopped_.contains({what.step, what.attempt}) && world_.random.chance(0.5)) co_return stopped(what);
  if (world_.random.chance(0.1)) co_return failed(what, ErrorKind::unreachable, "it could not be done");
  if (auto wrong = world_.run_watch.does(what.step, what.attempt, began, world_.kernel.now()))
    world_.violated(wrong->rule, wrong->text);
  controller_.effect("has carried out a step");
  co_await some_time(2, 300);
  if (stopped_.contains({what.step, what.attempt})) co_return stopped(what);
  if (world_.random.chance(0.1)) co_return failed(what, ErrorKind::unknown_outcome, "there was no answer");
  co_return run::input::Succeeded{what.step, what.attempt, "done", {}};
}

Task<> Executor::late_effect(run::command::StartStep what, Nanos began, Nanos when) {
  co_await Sleep(world_.kernel, controller_.process(), when);
  if (auto wrong = world_.run_watch.does(what.step, what.attempt, began, world_.kernel.now()))
    world_.violated(wrong->rule, wrong->text);
}

Task<run::Input> Executor::database(uint64_t lead, run::command::StartStep what) {
  const run::ResolvedStep& step = planned(what.step);
  if (!controller_.leads_since(lead)) co_return stopped(what);
  ownership::Transfer wanted;
  wanted.kind = step.uses == "database.switchover" ? ownership::TransferKind::switchover
                : step.uses == "database.failover" ? ownership::TransferKind::failover
                                                   : ownership::TransferKind::reprotect;
  wanted.to = text_or(step.with, "to");
  wanted.accept_loss = bool_or(step.with, "accept_loss");
  world_.asked_for(wanted);
  auto ended = std::make_shared<std::optional<ownership::FinishTransfer>>();
  uint64_t transfer = controller_.ask(std::move(wanted), [ended](const auto& finished) { *ended = finished; });
  while (!*ended && controller_.leads_since(lead)) {
    bool over = controller_.local() >= what.deadline || stopped_.contains({what.step, what.attempt});
    if (over) {
      controller_.give_up(transfer);
      co_return failed(what, ErrorKind::unknown_outcome, "there was no answer in its time");
    }
    co_await some_time(5, 25);
  }
  if (!*ended) co_return stopped(what);
  if ((*ended)->error) co_return run::input::Failed{what.step, what.attempt, *(*ended)->error};
  co_return run::input::Succeeded{what.step, what.attempt, "done", {}};
}

Task<> Executor::undo(uint64_t lead, std::string step) {
  co_await some_time(2, 500);
  if (world_.random.chance(0.1)) {
    hand_in(lead,
            run::input::UndoFailed{step, ownership::transfer_error(ErrorKind::unreachable, "it cannot be undone")});
    co_return;
  }
  world_.run_watch.takes_back(step);
  controller_.effect("has taken a step back");
  co_await some_time(2, 100);
  hand_in(lead, run::input::Undone{step, "taken back"});
}

}  // namespace lifeboat::sim
