// The run machine in a made-up world: random graphs, random results, people who do anything, restarts that lose replies.
// Two phases: first anything goes wrong, then everything works and people answer; every run must end.
// LIFEBOAT_SIM_SEEDS sets how many; LIFEBOAT_SIM_SEED replays one with its trace.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "core/run/test_runs.hpp"

namespace lifeboat::run {
namespace {

using Random = std::mt19937_64;

bool chance(Random& random, double share) { return std::uniform_real_distribution<double>(0, 1)(random) < share; }
size_t below(Random& random, size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random); }

std::vector<ResolvedStep> random_steps(Random& random) {
  std::vector<ResolvedStep> steps;
  size_t phases = 1 + below(random, 4);
  std::string barrier;
  for (size_t phase = 0; phase < phases; ++phase) {
    std::string name = fmt::format("phase-{}", phase);
    bool counted = false;
    for (size_t count = 1 + below(random, 4); count > 0; --count) {
      ResolvedStep step = test::a_step(fmt::format("s{}", steps.size()), {}, name);
      step.kind = chance(random, 0.6) ? StepKind::doing : static_cast<StepKind>(below(random, 5));
      step.timeout = Duration{1 + static_cast<int64_t>(below(random, 5'000))};
      if (step.kind == StepKind::wait) step.wait = Duration{below(random, 8'000)};
      if (step.kind == StepKind::manual) step.timeout = Duration{30'000};
      step.can_undo = step.kind == StepKind::doing && chance(random, 0.4);
      step.retries = {.attempts = 1 + static_cast<int>(below(random, 3)), .backoff = Duration{100}};
      step.on_failure = static_cast<OnFailure>(below(random, 20) < 14 ? 0 : 1 + below(random, 2));
      if (step.kind == StepKind::approval || chance(random, 0.1)) {
        step.approval =
            Approval{.of = {{"lead"}}, .need = 1 + static_cast<int>(below(random, 2)), .expires = Duration{9'000}};
        step.people = {"ann", "bob", "cid"};
      }
      if (chance(random, 0.5) || barrier.empty()) {
        for (const ResolvedStep& other : steps) {
          if (chance(random, 0.25)) step.needs.push_back(other.id);
        }
      } else {
        step.after_phase = barrier;
      }
      if (!steps.empty() && chance(random, 0.1)) step.if_ = fmt::format("steps.s0.status == 'done'");
      if (chance(random, 0.05)) step.halt_if = "vars.halt == true";
      counted = counted || step.kind != StepKind::message;
      steps.push_back(std::move(step));
    }
    if (counted) barrier = name;
  }
  return steps;
}

struct Pending {
  MonoTime at{};
  Input input;
};

class World {
 public:
  explicit World(uint64_t seed, bool trace) : random_(seed), trace_(trace) {}

  // The text that two runs of the same seed must share.
  std::string run() {
    RunOpened opened = test::opened_with(random_steps(random_));
    opened.vars.add("halt", Json(chance(random_, 0.5)));
    auto begun = open("R-1", std::move(opened), now(), chance_source());
    EXPECT_TRUE(begun) << begun.error().text();
    if (!begun) return {};
    state_ = std::move(begun->state);
    take(std::move(begun->decision));
    for (int turn = 0; turn < 3'000 && !state_.finished() && !::testing::Test::HasFatalFailure(); ++turn) one_turn();
    EXPECT_TRUE(state_.finished()) << "a run never ended";
    return text_;
  }

  const std::vector<Event>& journal() const { return journal_; }

 private:
  Random random_;
  bool trace_;
  RunState state_;
  std::vector<Event> journal_;
  std::multimap<MonoTime, Input> pending_;
  std::map<std::string, bool> truth_;  // whether a step's goal holds
  MonoTime mono_{std::chrono::seconds(100)};
  std::optional<MonoTime> wake_;
  std::string text_;
  int boots_ = 1;

  static constexpr Duration kStorm{60'000};

  bool stormy() const { return mono_ < MonoTime(std::chrono::seconds(100)) + kStorm; }
  Now now() const { return {mono_, WallTime(std::chrono::duration_cast<Duration>(mono_.time_since_epoch()))}; }
  RandomSource chance_source() {
    return [this] { return std::uniform_real_distribution<double>(0, 1)(random_); };
  }

  void one_turn() {
    MonoTime next = mono_ + Duration{1 + below(random_, 700)};
    if (wake_) next = std::min(next, std::max(*wake_, mono_));
    if (!pending_.empty()) next = std::min(next, std::max(pending_.begin()->first, mono_));
    mono_ = next;
    if (!pending_.empty() && pending_.begin()->first <= mono_) {
      Input input = std::move(pending_.begin()->second);
      pending_.erase(pending_.begin());
      return give(std::move(input));
    }
    if (wake_ && *wake_ <= mono_) return give(input::Tick{});
    if (stormy() && chance(random_, 0.05)) return crash();
    people_act();
  }

  void people_act() {
    static const std::vector<std::string> kPeople{"ann", "bob", "cid", "eve", ""};
    const std::string& by = kPeople[below(random_, kPeople.size())];
    std::string step = state_.opened->steps[below(random_, state_.steps.size())].id;
    if (!stormy()) return people_help();
    switch (below(random_, 14)) {
      case 0: return give(input::Approve{step, by});
      case 1: return give(input::Approve{step, "ann"});
      case 2: return give(input::Confirm{step, by, "note"});
      case 3: return chance(random_, 0.2) ? give(input::Decline{step, by, "no"}) : void();
      case 4: return chance(random_, 0.3) ? give(input::Pause{"ann", ""}) : void();
      case 5: return give(input::Resume{"ann"});
      case 6: return give(input::Skip{step, "ann", chance(random_, 0.5) ? "why" : ""});
      case 7: return give(input::Retry{step, "ann"});
      case 8: return chance(random_, 0.3) ? give(input::CancelStep{step, "ann", ""}) : void();
      case 9: return chance(random_, 0.05) ? give(input::Abort{"ann", "", chance(random_, 0.5)}) : void();
      default: return;
    }
  }

  void people_help() {
    if (state_.paused) return give(input::Resume{"ann"});
    if (!state_.blocking.empty()) {
      const std::string& id = state_.opened->steps[*state_.blocking.begin()].id;
      return chance(random_, 0.5) ? give(input::Retry{id, "ann"}) : give(input::Skip{id, "ann", "enough"});
    }
    for (size_t index : state_.active) {
      if (state_.steps[index].status != StepStatus::asking) continue;
      const std::string& id = state_.opened->steps[index].id;
      if (asks_confirmation(state_, index)) return give(input::Confirm{id, "ann", ""});
      for (std::string person : {"ann", "bob", "cid"}) {
        if (!state_.steps[index].approvals.contains(person)) return give(input::Approve{id, person});
      }
    }
  }

  // Everything in memory is gone; attempts under way may still have had their effect.
  void crash() {
    for (auto& [at, input] : pending_) {
      const auto* done = std::get_if<input::Succeeded>(&input);
      if (done != nullptr && chance(random_, 0.5)) truth_[done->step] = true;
    }
    pending_.clear();
    auto folded = fold("R-1", journal_);
    ASSERT_TRUE(folded) << folded.error().text();
    state_ = std::move(*folded);
    if (chance(random_, 0.3)) ++boots_;
    text_ += "crash\n";
    give(input::Recovered{fmt::format("boot-{}", boots_)});
  }

  void give(Input input) { take(advance(state_, input, now(), chance_source())); }

  void take(Decision decision) {
    bool before_opened = journal_.empty();
    for (Event& event : decision.events) {
      check_before(event, before_opened);
      if (::testing::Test::HasFatalFailure()) return;
      text_ += fmt::format("{} {}\n", mono_.time_since_epoch().count(), in_words(event));
      if (trace_) fmt::print("{} {}\n", mono_.time_since_epoch().count() / 1'000'000, in_words(event));
      // Through JSON, as the journal keeps it.
      auto back = decode_event(kind_of(event), encode_event(event));
      ASSERT_TRUE(back) << back.error().text();
      journal_.push_back(std::move(*back));
    }
    wake_ = decision.wake;
    auto folded = fold("R-1", journal_);
    ASSERT_TRUE(folded) << folded.error().text();
    ASSERT_EQ(fingerprint(*folded), fingerprint(state_));
    // The process may die after the append and before any of the commands.
    if (stormy() && !state_.finished() && chance(random_, 0.03)) return crash();
    for (Command& command : decision.commands) obey(command);
  }

  // What must hold in the journal just before this event.
  void check_before(const Event& event, bool opening) {
    if (opening) return;
    auto before = fold("R-1", journal_);
    ASSERT_TRUE(before) << before.error().text();
    ASSERT_FALSE(before->finished()) << "an event after the end";
    const auto* started = std::get_if<StepStarted>(&event.body);
    if (started == nullptr) return;
    size_t index = *before->graph->find(started->step);
    const StepState& step = before->steps[index];
    for (size_t need : before->graph->steps[index].needs) ASSERT_TRUE(is_settled(*before, need)) << started->step;
    if (auto phase = before->graph->steps[index].after_phase) ASSERT_EQ(before->phase_left[*phase], 0u);
    ASSERT_FALSE(is_settled(*before, index)) << started->step << " started again";
    if (before->opened->steps[index].approval) ASSERT_TRUE(step.approved) << started->step;
    if (started->cut_off) return;
    ASSERT_FALSE(before->paused) << started->step;
    ASSERT_FALSE(before->aborting || before->rolling_back) << started->step;
    bool is_message = before->graph->steps[index].kind == StepKind::message;
    ASSERT_TRUE(before->blocking.empty() || is_message) << started->step;
    if (step.unknown) ASSERT_TRUE(started->observe) << started->step;
  }

  void obey(Command& command) {
    if (auto* start = std::get_if<command::StartStep>(&command)) return attempt(*start);
    if (auto* stop = std::get_if<command::CancelStep>(&command)) return stop_attempt(*stop);
    if (auto* undo = std::get_if<command::UndoStep>(&command)) {
      ASSERT_TRUE(truth_[undo->step]) << "took back what was never done: " << undo->step;
      Error error;
      error.what = "stuck";
      bool works = !stormy() || chance(random_, 0.8);
      pending_.emplace(mono_ + Duration{50},
                       works ? Input(input::Undone{undo->step, "back"}) : Input(input::UndoFailed{undo->step, error}));
    }
  }

  void attempt(const command::StartStep& start) {
    const StepState* step = state_.step(start.step);
    ASSERT_EQ(step->attempt, start.attempt) << "ordered before it was durable";
    for (const auto& [at, input] : pending_) {
      const auto* other = std::get_if<input::Succeeded>(&input);
      ASSERT_FALSE(other != nullptr && other->step == start.step) << "two attempts at once";
    }
    MonoTime at = mono_ + Duration{1 + below(random_, 3'000)};
    if (start.observe != command::Observe::no && truth_[start.step]) {
      pending_.emplace(at, input::Held{start.step, start.attempt, "so already", JsonObject{{"n", 1}}});
      return;
    }
    double luck = stormy() ? std::uniform_real_distribution<double>(0, 1)(random_) : 0;
    Error error;
    error.what = "no luck";
    if (luck < 0.6) {
      truth_[start.step] = true;
      pending_.emplace(at, input::Succeeded{start.step, start.attempt, "ok", JsonObject{{"n", 1}}});
    } else if (luck < 0.75) {
      error.kind = static_cast<ErrorKind>(below(random_, 10));
      if (error.kind == ErrorKind::unknown_outcome) truth_[start.step] = chance(random_, 0.5);
      pending_.emplace(at, input::Failed{start.step, start.attempt, error});
    } else if (luck < 0.95) {
      error.kind = ErrorKind::unknown_outcome;
      truth_[start.step] = chance(random_, 0.5);
      pending_.emplace(start.deadline, input::Failed{start.step, start.attempt, error});
    }  // else it never ends, not even when told to
  }

  void stop_attempt(const command::CancelStep& stop) {
    for (auto one = pending_.begin(); one != pending_.end(); ++one) {
      const auto* done = std::get_if<input::Succeeded>(&one->second);
      if (done == nullptr || done->step != stop.step || done->attempt != stop.attempt) continue;
      Error error;
      error.kind = ErrorKind::cancelled;
      error.what = "stopped";
      one->second = input::Failed{stop.step, stop.attempt, error};
      return;
    }
  }
};

size_t seeds() {
  const char* wanted = std::getenv("LIFEBOAT_SIM_SEEDS");
  return wanted == nullptr ? 150 : std::strtoull(wanted, nullptr, 10);
}

// Case 36, pg_auto_failover#1025: no way led from one state to the next, and everything stood still.
TEST(RunSimulation, EveryRunEndsAndKeepsItsRulesWhateverHappens) {
  if (const char* one = std::getenv("LIFEBOAT_SIM_SEED")) {
    World(std::strtoull(one, nullptr, 10), true).run();
    return;
  }
  std::map<std::string, int> ends;
  for (uint64_t seed = 1; seed <= seeds(); ++seed) {
    World world(seed, false);
    world.run();
    ASSERT_FALSE(HasFailure()) << "replay with LIFEBOAT_SIM_SEED=" << seed
                               << " test_core --gtest_filter=RunSimulation.EveryRun*";
    const auto* end = std::get_if<RunFinished>(&world.journal().back().body);
    ASSERT_NE(end, nullptr);
    ++ends[enum_name(end->state)];
  }
  // The simulation must reach every way in which a run can end, or it proves little.
  if (seeds() >= 150) EXPECT_EQ(ends.size(), 4u);
}

TEST(RunSimulation, TheSameSeedGivesTheSameHistory) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(World(seed, false).run(), World(seed, false).run()) << seed;
}

// Case 37, pg_auto_failover#774: a state that could be reached had no way out.
// The journal may be cut after any event, also between those of one decision, and the run still goes on to an end.
TEST(RunSimulation, ARunCanBeTakenUpFromEveryEventOfItsJournal) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    World world(seed, false);
    world.run();
    const auto& journal = world.journal();
    for (size_t cut = 1; cut < journal.size(); ++cut) {
      auto state = fold("R-1", std::span(journal).first(cut));
      ASSERT_TRUE(state) << state.error().text();
      MonoTime at = journal[cut - 1].at;
      Input next = input::Recovered{state->boot};
      for (int turn = 0; turn < 500 && !state->finished(); ++turn) {
        at += Duration{1'000};
        Now now{at, WallTime(std::chrono::duration_cast<Duration>(at.time_since_epoch()))};
        std::set<std::string> settled;
        for (size_t index = 0; index < state->steps.size(); ++index) {
          if (is_settled(*state, index)) settled.insert(state->opened->steps[index].id);
        }
        Decision decision = advance(*state, next, now, [] { return 0.5; });
        next = input::Tick{};
        for (const Command& command : decision.commands) {
          if (const auto* start = std::get_if<command::StartStep>(&command)) {
            ASSERT_FALSE(settled.contains(start->step)) << "seed " << seed << ", cut at " << cut;
            next = input::Succeeded{start->step, start->attempt, "ok", {}};
          }
        }
        if (!std::holds_alternative<input::Tick>(next)) continue;
        for (size_t index : state->active) {
          const std::string& id = state->opened->steps[index].id;
          if (state->steps[index].status == StepStatus::undoing) next = input::Undone{id, "back"};
          if (state->steps[index].status == StepStatus::running)
            next = input::Succeeded{id, state->steps[index].attempt, "ok", {}};
          if (state->steps[index].status != StepStatus::asking) continue;
          std::string who = state->steps[index].approvals.contains("ann") ? "bob" : "ann";
          next =
              asks_confirmation(*state, index) ? Input(input::Confirm{id, "ann", ""}) : Input(input::Approve{id, who});
        }
        if (state->paused) next = input::Resume{"ann"};
        bool ending = state->aborting || state->rolling_back;
        if (!state->blocking.empty() && !ending)
          next = input::Skip{state->opened->steps[*state->blocking.begin()].id, "ann", "enough"};
      }
      ASSERT_TRUE(state->finished()) << "seed " << seed << ", cut at " << cut << "\n"
                                     << to_pretty_text(describe_state(*state, at));
    }
  }
}

}  // namespace
}  // namespace lifeboat::run
