// Runs: steps through the executor and the journal, a plan of 10,000 steps, and the resume of a long journal.
#include <fmt/format.h>
#include <malloc.h>

#include <stdexcept>

#include "actions/test_world.hpp"
#include "bench.hpp"
#include "controller/executor.hpp"
#include "store/store.hpp"

namespace lifeboat::bench {
namespace {

class NoOp : public Action {
 public:
  Task<Result<Observation>> observe(ActionContext) override { co_return Observation{}; }
  Task<Result<Outcome>> apply(ActionContext) override { co_return Outcome{}; }
};

const ActionDescriptor* find_noop(std::string_view) {
  static const ActionDescriptor kNoOp{
      .name = "noop", .make = [](const Json&) -> Result<std::unique_ptr<Action>> { return std::make_unique<NoOp>(); }};
  return &kNoOp;
}

// A chain when `width` is 1; else phases of so many steps that run at once.
Scenario scenario_of(size_t steps, size_t width) {
  Scenario scenario;
  scenario.title = "bench";
  for (size_t phase = 0; phase * width < steps; ++phase) {
    std::vector<Step> list;
    for (size_t index = 0; index < width && phase * width + index < steps; ++index) {
      Step step;
      step.id = {fmt::format("s{}", phase * width + index)};
      step.uses = "noop";
      list.push_back(std::move(step));
    }
    scenario.phases.add(fmt::format("p{}", phase), std::move(list));
  }
  return scenario;
}

std::vector<run::ResolvedStep> resolved(size_t steps, size_t width) {
  auto traits = [](const Step&) -> Result<run::ActionTraits> { return run::ActionTraits{}; };
  auto people = [](std::span<const Identifier>) { return std::vector<std::string>{}; };
  auto out = run::resolve_steps(scenario_of(steps, width), traits, people);
  if (!out) throw std::runtime_error(out.error().text());
  return std::move(*out);
}

// All events of a run whose steps all succeed, and its last state.
struct History {
  run::RunState state;
  std::vector<run::Event> events;
};
History play(std::vector<run::ResolvedStep> steps, size_t leave_out) {
  run::RunOpened opened;
  opened.scenario = "bench";
  opened.by = "bench";
  opened.steps = std::move(steps);
  run::Now now{boot_now(), wall_now()};
  auto chance = [] { return 0.5; };
  auto begun = run::open("R-1", std::move(opened), now, chance);
  if (!begun) throw std::runtime_error(begun.error().text());
  History out{std::move(begun->state), std::move(begun->decision.events)};
  std::vector<run::Command> commands = std::move(begun->decision.commands);
  for (size_t next = 0; next < commands.size(); ++next) {
    const auto* start = std::get_if<run::command::StartStep>(&commands[next]);
    if (start == nullptr || out.state.finish_order.size() + leave_out >= out.state.steps.size()) continue;
    run::input::Succeeded done{start->step, start->attempt, "ok", {}};
    auto decision = run::advance(out.state, done, now, chance);
    std::ranges::move(decision.events, std::back_inserter(out.events));
    std::ranges::move(decision.commands, std::back_inserter(commands));
  }
  return out;
}

class Bed {
 public:
  explicit Bed(const std::string& file) {
    auto opened = open_sqlite_store(file);
    if (!opened) throw std::runtime_error(opened.error().text());
    store = std::move(*opened);
    restart();
  }
  ~Bed() {
    executor.reset();
    context.poll();
    store.reset();
  }
  void restart() {
    ExecutorOptions options;
    options.find = find_noop;
    executor = std::make_unique<RunExecutor>(context.get_executor(), *store, world.world, std::move(options));
  }
  template <class T>
  T wait(Task<Result<T>> task) {
    std::optional<Result<T>> out;
    asio::co_spawn(context, std::move(task),
                   [&](std::exception_ptr, Result<T> value) { out.emplace(std::move(value)); });
    turn([&] { return out.has_value(); });
    if (!*out) throw std::runtime_error(out->error().text());
    return std::move(**out);
  }
  void turn(const std::function<bool()>& reached) {
    while (!reached()) {
      context.restart();
      context.run_one();
    }
  }

  TestWorld world;
  asio::io_context context;
  std::unique_ptr<Store> store;
  std::unique_ptr<RunExecutor> executor;
};

}  // namespace

void journalled_steps(const std::string& folder, Figures& out) {
  double disk = fsync_rate(folder);
  out.push_back({"disk: synchronous 4 KiB writes", disk, "/s"});
  constexpr size_t kSteps = 1'000;
  for (size_t width : {size_t{1}, size_t{50}}) {
    Bed bed(fmt::format("{}/steps-{}.db", folder, width));
    bed.world.plan.scenarios.add("bench", scenario_of(kSteps, width));
    OpenRequest request{.scenario = "bench", .by = "bench"};
    double took = seconds_of([&] {
      std::string id = bed.wait(bed.executor->open_run(request));
      bed.turn([&] { return bed.executor->state(id)->finished(); });
    });
    std::string what = width == 1 ? "one after the other" : fmt::format("{} at once", width);
    out.push_back({fmt::format("journalled no-op steps, {}", what), kSteps / took, "steps/s"});
    out.push_back({fmt::format("  per synchronous write of the disk, {}", what), kSteps / took / disk, ""});
  }
}

void large_plan(Figures& out) {
  constexpr size_t kSteps = 10'000;
  auto steps = resolved(kSteps, 100);
  size_t before = mallinfo2().uordblks;
  std::optional<run::Graph> graph;
  double build = seconds_of([&] { graph.emplace(std::move(*run::build_graph(steps))); });
  out.push_back({"plan of 10,000 steps: build the graph", build * 1'000, "ms"});
  out.push_back({"plan of 10,000 steps: memory of the graph",
                 static_cast<double>(mallinfo2().uordblks - before) / 1'048'576, "MiB"});
  std::optional<History> history;
  double play_all = seconds_of([&] { history.emplace(play(steps, 0)); });
  out.push_back({"plan of 10,000 steps: decide all of it", play_all * 1'000, "ms"});
  before = mallinfo2().uordblks;
  std::optional<run::RunState> folded;
  double fold_all = seconds_of([&] { folded.emplace(std::move(*run::fold("R-1", history->events))); });
  out.push_back(
      {fmt::format("plan of 10,000 steps: fold its {} events", history->events.size()), fold_all * 1'000, "ms"});
  out.push_back({"plan of 10,000 steps: memory of its state",
                 static_cast<double>(mallinfo2().uordblks - before) / 1'048'576, "MiB"});
}

void resume_large_journal(const std::string& folder, Figures& out) {
  Bed bed(folder + "/resume.db");
  size_t events = 0;
  for (int number = 1; number <= 10; ++number) {
    // The last run is left unfinished.
    History history = play(resolved(5'000, 50), number == 10 ? 50 : 0);
    std::vector<NewEvent> rows;
    for (const run::Event& event : history.events) {
      rows.push_back({fmt::format("run/R-{}", number), std::string(run::kind_of(event)), run::encode_event(event)});
    }
    events += rows.size();
    bed.wait(bed.store->append(std::move(rows)));
  }
  double took = seconds_of([&] {
    Resumed resumed = bed.wait(bed.executor->resume_all());
    if (resumed.runs.size() != 1) throw std::runtime_error("the wrong runs were resumed");
  });
  out.push_back({fmt::format("resume a journal of {} events", events), took * 1'000, "ms"});
  double verified = seconds_of([&] {
    if (!bed.wait(bed.store->verify()).whole) throw std::runtime_error("the chain is broken");
  });
  out.push_back({"  verify its chain", verified * 1'000, "ms"});
}

}  // namespace lifeboat::bench
