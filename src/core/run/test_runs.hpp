// Small runs for tests: scenarios in a line each, a clock that is moved by hand, and a journal in memory.
#pragma once

#include <string>
#include <vector>

#include "core/run/machine.hpp"

namespace lifeboat::run::test {

inline ResolvedStep a_step(std::string id, std::vector<std::string> needs = {}, std::string phase = "one") {
  ResolvedStep step;
  step.id = std::move(id);
  step.phase = std::move(phase);
  step.uses = "test.do";
  step.needs = std::move(needs);
  step.timeout = Duration{60'000};
  return step;
}

inline RunOpened opened_with(std::vector<ResolvedStep> steps) {
  RunOpened opened;
  opened.scenario = "test";
  opened.by = "tester";
  opened.boot = "boot-1";
  opened.steps = std::move(steps);
  return opened;
}

// Keeps what the rim would keep, and answers questions about it.
class Bench {
 public:
  explicit Bench(RunOpened opened) {
    auto begun = open("R-1", std::move(opened), now(), [] { return 0.5; });
    if (!begun) throw std::runtime_error(begun.error().text());
    state = std::move(begun->state);
    take(std::move(begun->decision));
  }
  explicit Bench(std::vector<ResolvedStep> steps) : Bench(opened_with(std::move(steps))) {}

  Decision& give(Input input) {
    take(advance(state, input, now(), [] { return 0.5; }));
    return last;
  }
  Decision& after(Duration span) {
    at += span;
    return give(input::Tick{});
  }
  void succeed(const std::string& step, Json data = {}) {
    give(input::Succeeded{step, state.step(step)->attempt, "ok", std::move(data)});
  }
  void fail_with(const std::string& step, ErrorKind kind, std::string what = "it broke") {
    Error error;
    error.kind = kind;
    error.what = std::move(what);
    give(input::Failed{step, state.step(step)->attempt, std::move(error)});
  }
  StepStatus status(const std::string& step) const { return state.step(step)->status; }
  Now now() const { return {MonoTime(at), WallTime(std::chrono::milliseconds(1'700'000'000'000)) + at}; }

  // Ids of steps that the newest decision starts.
  std::vector<std::string> started() const {
    std::vector<std::string> out;
    for (const Command& command : last.commands) {
      if (const auto* start = std::get_if<command::StartStep>(&command)) out.push_back(start->step);
    }
    return out;
  }
  template <class T>
  const T* commanded() const {
    for (const Command& command : last.commands) {
      if (const auto* found = std::get_if<T>(&command)) return found;
    }
    return nullptr;
  }

  RunState state;
  std::vector<Event> journal;
  Decision last;
  Duration at{1'000};

 private:
  void take(Decision decision) {
    last = std::move(decision);
    journal.insert(journal.end(), last.events.begin(), last.events.end());
  }
};

}  // namespace lifeboat::run::test
