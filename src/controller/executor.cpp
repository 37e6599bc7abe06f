#include "controller/executor.hpp"

#include "controller/run_journal.hpp"
#include "core/run/parameters.hpp"
#include "core/run/timing.hpp"

#include <fmt/format.h>

#include <deque>
#include <map>
#include <random>

namespace lifeboat {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

constexpr Duration kJournalRetry{1'000};

run::Now now() { return {boot_now(), wall_now()}; }

// The answer to one call by a person.
struct Reply {
  explicit Reply(asio::any_io_executor executor) : ready(std::move(executor)) {}
  Wakeup ready;
  std::optional<Result<void>> value;

  void give(Result<void> result) {
    value = std::move(result);
    ready.notify();
  }
};

struct Waiting {
  run::Input input;
  std::shared_ptr<Reply> reply;  // null for results of attempts
};

struct Run {
  Run(asio::any_io_executor executor, const World& from) : world(from), wakeup(std::move(executor)) {}
  std::string id;
  run::RunState state;
  World world;
  std::deque<Waiting> waiting;
  Wakeup wakeup;
  std::unique_ptr<Scope> attempts;
  std::map<std::string, std::string, std::less<>> progress;  // by step
};
using RunPtr = std::shared_ptr<Run>;

uint64_t number_of(std::string_view run_id) {
  return std::strtoull(std::string(run_id.substr(std::min<size_t>(2, run_id.size()))).c_str(), nullptr, 10);
}

struct ByNumber {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const {
    uint64_t x = number_of(a);
    uint64_t y = number_of(b);
    return x != y ? x < y : a < b;
  }
};

}  // namespace

// Coroutines hold the Impl, so that it outlives them when the RunExecutor is destroyed; `stopping` keeps them from
// writing anything then.
struct RunExecutor::Impl : std::enable_shared_from_this<Impl> {
  asio::any_io_executor executor;
  Store& store;
  World& world;
  ExecutorOptions options;
  std::map<std::string, RunPtr, ByNumber> runs;
  std::vector<run::OtherRun> opening;
  std::unique_ptr<Scope> drivers;
  bool stopping = false;

  Impl(asio::any_io_executor on, Store& in, World& of, ExecutorOptions with)
      : executor(std::move(on)), store(in), world(of), options(std::move(with)) {
    if (!options.find) options.find = [](std::string_view name) { return find_action(name); };
    if (options.boot.empty()) options.boot = current_boot();
    if (!options.random) {
      auto source = std::make_shared<std::mt19937_64>(std::random_device{}());
      options.random = [source] { return std::uniform_real_distribution<double>(0, 1)(*source); };
    }
  }

  void log(const std::string& line) {
    if (options.log) options.log(line);
  }

  std::unique_ptr<Scope> new_scope() {
    return std::make_unique<Scope>(executor, [weak = weak_from_this()](std::string_view task, std::string_view what) {
      if (auto self = weak.lock()) self->log(fmt::format("{}: {}", task, what));
    });
  }

  void stop_now() {
    stopping = true;
    drivers.reset();
    for (auto& [id, one] : runs) one->attempts.reset();
  }

  RunPtr make_run(run::RunState state) {
    auto one = std::make_shared<Run>(executor, world);
    one->id = state.id;
    one->world.drill = state.opened->mode == run::RunMode::drill;
    one->state = std::move(state);
    one->attempts = new_scope();
    runs[one->id] = one;
    return one;
  }

  void start_driver(const RunPtr& one) { drivers->spawn("run " + one->id, drive(shared_from_this(), one)); }

  void hand_in(const RunPtr& one, run::Input input, std::shared_ptr<Reply> reply = nullptr) {
    one->waiting.push_back({std::move(input), std::move(reply)});
    one->wakeup.notify();
  }

  // --- what a run does

  // Everything that happened meanwhile is decided together and shares one append.
  static Task<> drive(std::shared_ptr<Impl> self, RunPtr one) {
    if (self->options.crash_point) co_await self->stand_at_crash_points(one);
    while (!one->state.finished()) {
      auto wake = run::next_wake(one->state);
      if (one->waiting.empty()) co_await one->wakeup.wait_until(wake.value_or(boot_now() + Duration{3'600'000}));
      if (self->stopping) co_return;
      std::deque<Waiting> batch;
      batch.swap(one->waiting);
      if (batch.empty()) batch.push_back({run::input::Tick{}, nullptr});
      co_await self->decide_and_do(one, std::move(batch));
      if (self->stopping) co_return;
    }
    for (Waiting& late : one->waiting) {
      if (late.reply) late.reply->give(fail(ErrorKind::refused, "the run has finished"));
    }
    one->waiting.clear();
  }

  Task<> decide_and_do(RunPtr one, std::deque<Waiting> batch) {
    std::vector<run::Event> events;
    std::vector<run::Command> commands;
    std::vector<std::pair<std::shared_ptr<Reply>, Result<void>>> replies;
    for (Waiting& next : batch) {
      run::Decision decision = run::advance(one->state, next.input, now(), options.random);
      if (next.reply) {
        Result<void> said;
        if (decision.refused) said = std::unexpected(*decision.refused);
        replies.emplace_back(next.reply, std::move(said));
      }
      std::ranges::move(decision.events, std::back_inserter(events));
      std::ranges::move(decision.commands, std::back_inserter(commands));
    }
    auto written = co_await make_durable(one, std::move(events), commands);
    if (!written) {
      for (auto& [reply, said] : replies) reply->give(std::unexpected(written.error()));
      co_await go_on_from_journal(one);
      co_return;
    }
    for (auto& [reply, said] : replies) reply->give(std::move(said));
    for (run::Command& command : commands) do_command(one, std::move(command));
  }

  Task<Result<void>> make_durable(RunPtr one, std::vector<run::Event> events, std::vector<run::Command>& commands) {
    if (events.empty()) co_return Result<void>{};
    for (run::Event& event : events) {
      if (auto* question = std::get_if<run::ApprovalAsked>(&event.body)) say_loss(*one, *question, commands);
    }
    auto stored = co_await store.append(to_store(one->id, events));
    if (!stored) co_return std::unexpected(std::move(stored).error());
    // Destroyed meanwhile: nobody hears of it any more; the next one reads it from the journal.
    if (stopping) co_return Result<void>{};
    if (options.on_event) {
      for (const run::Event& event : events) options.on_event(one->id, event);
    }
    if (!options.crash_point) co_return Result<void>{};
    for (auto& [step, when] : crash_points_of(*one, events)) co_await options.crash_point(step, when);
    co_return Result<void>{};
  }

  // Of steps that no action carries out (waits and questions): "before" is when the start or the question is durable and nobody
  // has heard of it, "after" when the end is durable and nothing that waits for it has begun.
  static std::vector<std::pair<std::string, std::string>> crash_points_of(const Run& one,
                                                                          const std::vector<run::Event>& events) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const run::Event& event : events) {
      std::string step(run::step_of(event));
      if (step.empty() || run::is_carried_out(one.state.graph->steps[*one.state.graph->find(step)].kind)) continue;
      bool ends = std::holds_alternative<run::StepFinished>(event.body);
      bool begins = std::holds_alternative<run::StepStarted>(event.body) ||
                    std::holds_alternative<run::ApprovalAsked>(event.body) ||
                    std::holds_alternative<run::ManualAsked>(event.body);
      if (begins || ends) out.emplace_back(step, ends ? "after" : "before");
    }
    return out;
  }

  // The controller died at another point just when such an event had become durable: nothing followed from it yet, and it
  // never comes again, so that its own point is passed now.
  Task<> stand_at_crash_points(RunPtr one) {
    for (size_t index = 0; index < one->state.steps.size(); ++index) {
      const run::ResolvedStep& step = one->state.opened->steps[index];
      run::StepStatus status = one->state.steps[index].status;
      if (run::is_carried_out(step.kind) || status == run::StepStatus::waiting) continue;
      bool ended = run::is_settled(one->state, index);
      co_await options.crash_point(step.id, ended ? "after" : "before");
      if (stopping) co_return;
    }
  }

  void say_loss(Run& one, run::ApprovalAsked& question, std::vector<run::Command>& commands) {
    size_t index = *one.state.graph->find(question.step);
    if (!options.loss) return;
    question.loss = options.loss(one.state.opened->steps[index]);
    if (auto& kept = one.state.steps[index].question; kept) kept->loss = question.loss;
    for (run::Command& command : commands) {
      auto* ask = std::get_if<run::command::AskApproval>(&command);
      if (ask != nullptr && ask->question.step == question.step) ask->question.loss = question.loss;
    }
  }

  void do_command(const RunPtr& one, run::Command command) {
    if (stopping) return;
    std::visit(
        Overloaded{
            [&](run::command::StartStep& what) { start_attempt(one, std::move(what)); },
            [&](run::command::UndoStep& what) { start_undo(one, std::move(what)); },
            [&](run::command::CancelStep& what) { one->attempts->cancel(attempt_name(what.step, what.attempt)); },
            [&](run::command::AskApproval& what) {
              if (options.on_approval_asked) options.on_approval_asked(one->id, what.question, what.again);
            },
            [&](run::command::AskManual& what) {
              if (options.on_manual_asked) options.on_manual_asked(one->id, what.question, what.again);
            },
            [&](run::command::Finished& what) {
              if (options.on_finished) options.on_finished(one->id, what.end, what.reason);
            },
        },
        command);
  }

  // --- attempts

  static std::string attempt_name(const std::string& step, int attempt) { return fmt::format("{}#{}", step, attempt); }

  ActionContext context_of(const RunPtr& one, const std::string& step, MonoTime deadline) {
    auto progress = [weak = weak_from_this(), weak_run = std::weak_ptr(one), step](const std::string& line) {
      auto self = weak.lock();
      auto mine = weak_run.lock();
      if (!self || !mine || self->stopping) return;
      mine->progress[step] = line;
      if (self->options.on_progress) self->options.on_progress(mine->id, step, line);
    };
    return {one->world,         one->id,  one->state.opened->incident, step, fmt::format("{}/{}", one->id, step),
            Deadline{deadline}, progress, one->state.opened_wall};
  }

  void start_attempt(const RunPtr& one, run::command::StartStep what) {
    std::string name = attempt_name(what.step, what.attempt);
    one->attempts->spawn(std::move(name), run_attempt(shared_from_this(), one, std::move(what)));
  }

  static Task<> run_attempt(std::shared_ptr<Impl> self, RunPtr one, run::command::StartStep what) {
    const run::ResolvedStep& step = one->state.opened->steps[*one->state.graph->find(what.step)];
    const ActionDescriptor* descriptor = self->options.find(step.uses);
    if (self->options.crash_point) co_await self->options.crash_point(what.step, "before");
    auto with = run::parameters_of(one->state, step, one->world.plan);
    auto doing = carry_out(descriptor, self->context_of(one, what.step, what.deadline), std::move(with), what);
    run::Input result = co_await std::move(doing);
    // One that was told to stop says how it ended all the same.
    co_await asio::this_coro::throw_if_cancelled(false);
    if (self->options.crash_point && !self->stopping) co_await self->options.crash_point(what.step, "after");
    if (!self->stopping) self->hand_in(one, std::move(result));
  }

  void start_undo(const RunPtr& one, run::command::UndoStep what) {
    std::string name = what.step + " undo";
    one->attempts->spawn(std::move(name), run_undo(shared_from_this(), one, std::move(what)));
  }

  static Task<> run_undo(std::shared_ptr<Impl> self, RunPtr one, run::command::UndoStep what) {
    const run::ResolvedStep& step = one->state.opened->steps[*one->state.graph->find(what.step)];
    const ActionDescriptor* descriptor = self->options.find(step.uses);
    auto with = run::parameters_of(one->state, step, one->world.plan);
    auto doing = take_back(descriptor, self->context_of(one, what.step, what.deadline), std::move(with), what);
    run::Input result = co_await std::move(doing);
    if (!self->stopping) self->hand_in(one, std::move(result));
  }

  // --- the journal

  // The state in memory is ahead of a journal that would not take it: all attempts are stopped and the journal decides.
  Task<> go_on_from_journal(RunPtr one) {
    log(fmt::format("run {} stands still: its events could not be written", one->id));
    auto attempts = std::move(one->attempts);
    one->attempts = new_scope();
    co_await attempts->stop(Duration{10'000});
    while (!stopping) {
      auto events = co_await read_run(store, one->id);
      if (stopping) co_return;
      auto folded = events ? fold_stored(one->id, *events) : Result<run::RunState>(std::unexpected(events.error()));
      if (folded) {
        one->state = std::move(*folded);
        // Results of attempts of the state that was dropped mean nothing any more.
        std::erase_if(one->waiting, [](const Waiting& waiting) { return !waiting.reply; });
        one->waiting.push_front({run::input::Recovered{options.boot}, nullptr});
        log(fmt::format("run {} goes on from the journal", one->id));
        co_await sleep_for(kJournalRetry);
        co_return;
      }
      log(fmt::format("run {}: {}", one->id, folded.error().text()));
      co_await sleep_for(kJournalRetry);
    }
  }

  // --- opening

  Result<void> nothing_in_the_way(const OpenRequest& request, std::span<const std::string> services) {
    std::vector<run::OtherRun> active = opening;
    for (const auto& [id, one] : runs) {
      if (one->state.finished()) continue;
      if (!request.cause.empty() && one->state.opened->cause == request.cause)
        return fail(ErrorKind::conflict, fmt::format("run {} is already under way for {}", id, request.cause));
      active.push_back({id, one->state.opened->scenario, run::touched_services(one->state.opened->steps)});
    }
    auto clash = run::clash_with(services, active);
    if (!clash) return {};
    return fail(ErrorKind::conflict,
                fmt::format("run {} ({}) is under way and changes {} too", clash->run, clash->scenario, clash->service),
                "wait for its end, or abort it");
  }

  Task<Result<std::string>> open_reserved(OpenRequest request, std::vector<run::ResolvedStep> steps, Vars vars) {
    auto number = co_await store.next_number("run");
    if (!number) co_return std::unexpected(std::move(number).error());
    run::RunOpened opened;
    opened.scenario = request.scenario;
    opened.title = world.plan.scenarios.find(request.scenario)->title;
    opened.plan = world.plan.plan.text;
    opened.plan_hash = options.plan_hash;
    opened.profile = request.profile;
    opened.mode = request.mode;
    opened.vars = std::move(vars);
    opened.by = request.by;
    opened.reason = request.reason;
    opened.cause = request.cause;
    opened.incident = request.incident;
    opened.boot = options.boot;
    opened.message_grace = options.message_grace;
    opened.steps = std::move(steps);
    auto begun = run::open(fmt::format("R-{}", *number), std::move(opened), now(), options.random);
    if (!begun) co_return std::unexpected(std::move(begun).error());
    RunPtr one = make_run(std::move(begun->state));
    std::string id = one->id;
    auto written = co_await make_durable(one, std::move(begun->decision.events), begun->decision.commands);
    if (!written || stopping) {
      one->attempts.reset();
      runs.erase(id);
      if (!written) co_return std::unexpected(std::move(written).error().with("open the run"));
      co_return fail(ErrorKind::cancelled, "the controller is being stopped");
    }
    for (run::Command& command : begun->decision.commands) do_command(one, std::move(command));
    start_driver(one);
    co_return id;
  }

  // Holds the Impl: the caller may still wait when the RunExecutor is gone.
  static Task<Result<void>> tell(std::shared_ptr<Impl> self, std::string id, run::Input input) {
    auto found = self->runs.find(id);
    if (found == self->runs.end()) co_return fail(ErrorKind::not_found, fmt::format("there is no run '{}'", id));
    if (found->second->state.finished()) co_return fail(ErrorKind::refused, fmt::format("run {} has finished", id));
    auto reply = std::make_shared<Reply>(self->executor);
    self->hand_in(found->second, std::move(input), reply);
    Deadline deadline = Deadline::after(self->options.patience);
    while (!reply->value && !deadline.passed() && !self->stopping) co_await reply->ready.wait_until(deadline.at);
    if (reply->value) co_return std::move(*reply->value);
    co_return fail(ErrorKind::unknown_outcome, "the journal did not take it in time; it may still do so",
                   "look at the run before saying it again");
  }
};

RunExecutor::RunExecutor(asio::any_io_executor executor, Store& store, World& world, ExecutorOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), store, world, std::move(options))) {
  impl_->drivers = impl_->new_scope();
}

RunExecutor::~RunExecutor() { impl_->stop_now(); }

Result<std::vector<run::ResolvedStep>> RunExecutor::resolve(OpenRequest request) const {
  if (request.profile.empty()) request.profile = impl_->options.profile;
  Vars vars = merge_vars(impl_->world.plan, request.scenario, request.profile, request.vars);
  return resolve_scenario(impl_->world.plan, request, vars, impl_->options.find);
}

Task<Result<std::string>> RunExecutor::open_run(OpenRequest request) {
  auto impl = impl_;
  if (request.profile.empty()) request.profile = impl->options.profile;
  if (impl->options.drill) request.mode = run::RunMode::drill;
  Vars vars = merge_vars(impl->world.plan, request.scenario, request.profile, request.vars);
  auto steps = resolve_scenario(impl->world.plan, request, vars, impl->options.find);
  if (!steps) co_return std::unexpected(std::move(steps).error());
  auto services = run::touched_services(*steps);
  CO_TRY_VOID(impl->nothing_in_the_way(request, services));
  // Until the run is listed, another one must not slip in.
  std::string ticket = fmt::format("(opening {})", request.scenario);
  impl->opening.push_back({ticket, request.scenario, services});
  auto opening = impl->open_reserved(std::move(request), std::move(*steps), std::move(vars));
  auto id = co_await std::move(opening);
  auto mine = std::ranges::find(impl->opening, ticket, &run::OtherRun::id);
  if (mine != impl->opening.end()) impl->opening.erase(mine);
  co_return id;
}

Task<Result<Resumed>> RunExecutor::resume_all() {
  auto impl = impl_;
  EventFilter filter;
  filter.stream_prefix = "run/";
  auto all = co_await read_all(impl->store, std::move(filter));
  if (!all) co_return std::unexpected(std::move(all).error());
  std::map<std::string, std::vector<StoredEvent>, ByNumber> by_run;
  for (StoredEvent& event : *all) by_run[event.stream.substr(4)].push_back(std::move(event));
  Resumed out;
  for (const auto& [id, events] : by_run) {
    auto state = fold_stored(id, events);
    if (!state) {
      out.problems.push_back(state.error().text());
      impl->log(state.error().text());
      continue;
    }
    RunPtr one = impl->make_run(std::move(*state));
    if (one->state.finished()) continue;
    out.runs.push_back(id);
    impl->hand_in(one, run::input::Recovered{impl->options.boot});
    impl->start_driver(one);
  }
  co_return out;
}

Task<Result<void>> RunExecutor::approve(std::string run, std::string step, std::string by) {
  return Impl::tell(impl_, std::move(run), run::input::Approve{std::move(step), std::move(by)});
}
Task<Result<void>> RunExecutor::decline(std::string run, std::string step, std::string by, std::string reason) {
  return Impl::tell(impl_, std::move(run), run::input::Decline{std::move(step), std::move(by), std::move(reason)});
}
Task<Result<void>> RunExecutor::confirm(std::string run, std::string step, std::string by, std::string note) {
  return Impl::tell(impl_, std::move(run), run::input::Confirm{std::move(step), std::move(by), std::move(note)});
}
Task<Result<void>> RunExecutor::pause(std::string run, std::string by, std::string reason) {
  return Impl::tell(impl_, std::move(run), run::input::Pause{std::move(by), std::move(reason)});
}
Task<Result<void>> RunExecutor::resume(std::string run, std::string by) {
  return Impl::tell(impl_, std::move(run), run::input::Resume{std::move(by)});
}
Task<Result<void>> RunExecutor::abort(std::string run, std::string by, std::string reason, bool rollback) {
  return Impl::tell(impl_, std::move(run), run::input::Abort{std::move(by), std::move(reason), rollback});
}
Task<Result<void>> RunExecutor::skip(std::string run, std::string step, std::string by, std::string reason) {
  return Impl::tell(impl_, std::move(run), run::input::Skip{std::move(step), std::move(by), std::move(reason)});
}
Task<Result<void>> RunExecutor::retry(std::string run, std::string step, std::string by) {
  return Impl::tell(impl_, std::move(run), run::input::Retry{std::move(step), std::move(by)});
}
Task<Result<void>> RunExecutor::cancel_step(std::string run, std::string step, std::string by, std::string reason) {
  return Impl::tell(impl_, std::move(run), run::input::CancelStep{std::move(step), std::move(by), std::move(reason)});
}

std::vector<std::string> RunExecutor::list() const {
  std::vector<std::string> out;
  for (const auto& [id, one] : impl_->runs) out.push_back(id);
  return out;
}

const run::RunState* RunExecutor::state(std::string_view run) const {
  auto found = impl_->runs.find(run);
  return found == impl_->runs.end() ? nullptr : &found->second->state;
}

std::string RunExecutor::progress(std::string_view run, std::string_view step) const {
  auto found = impl_->runs.find(run);
  if (found == impl_->runs.end()) return {};
  auto line = found->second->progress.find(step);
  return line == found->second->progress.end() ? std::string() : line->second;
}

Task<> RunExecutor::stop(Duration patience) {
  auto impl = impl_;
  impl->stopping = true;
  Deadline deadline = Deadline::after(patience);
  if (impl->drivers) co_await impl->drivers->stop(deadline.left());
  for (auto& [id, one] : impl->runs) {
    if (one->attempts) co_await one->attempts->stop(deadline.left());
  }
}

}  // namespace lifeboat
