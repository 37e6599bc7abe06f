// build/lifeboat-sim: plays histories, says what they broke, replays and shrinks what failed.
#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <mutex>
#include <string_view>
#include <thread>

#include "core/base/mutants.hpp"
#include "core/data/json.hpp"
#include "sim/mutants.hpp"
#include "sim/setup.hpp"
#include "sim/shrink.hpp"

namespace lifeboat::sim {
namespace {

constexpr std::string_view kUsage =
    "usage: lifeboat-sim --seeds N [--seed FIRST] [--profile safety|liveness|noise] [--mutant NAME] [--json] [--jobs "
    "N]\n"
    "       lifeboat-sim --seed S --story        one history, told in full\n"
    "       lifeboat-sim --seed S --shrink       the shortest history that still fails as S does\n"
    "       lifeboat-sim --list-mutants\n";

struct Options {
  uint64_t seeds = 1;
  uint64_t seed = 1;
  Profile profile = Profile::safety;
  std::string mutant;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  bool json = false;
  bool story = false;
  bool shrink = false;
  bool list = false;
  bool keep_going = false;
};

bool number(std::string_view text, uint64_t& out) {
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  return problem == std::errc{} && end == text.data() + text.size();
}

bool read(int argc, char** argv, Options& options) {
  for (int at = 1; at < argc; ++at) {
    std::string_view word = argv[at], value = at + 1 < argc ? argv[at + 1] : "";
    uint64_t jobs = 0;
    if (word == "--json")
      options.json = true;
    else if (word == "--story")
      options.story = true;
    else if (word == "--shrink")
      options.shrink = true;
    else if (word == "--keep-going")
      options.keep_going = true;
    else if (word == "--list-mutants")
      options.list = true;
    else if (word == "--seeds" && number(value, options.seeds))
      ++at;
    else if (word == "--seed" && number(value, options.seed))
      ++at;
    else if (word == "--jobs" && number(value, jobs) && jobs > 0)
      options.jobs = static_cast<unsigned>(jobs), ++at;
    else if (word == "--mutant" && is_mutant(value))
      options.mutant = value, ++at;
    else if (word == "--profile" && value == "safety")
      options.profile = Profile::safety, ++at;
    else if (word == "--profile" && value == "liveness")
      options.profile = Profile::liveness, ++at;
    else if (word == "--profile" && value == "noise")
      options.profile = Profile::noise, ++at;
    else {
      fmt::print(stderr, "lifeboat-sim: {} {} is not understood\n{}", word, value, kUsage);
      return false;
    }
  }
  return true;
}

struct Totals {
  std::mutex lock;
  std::atomic<uint64_t> next{0};
  std::atomic<bool> enough{false};
  uint64_t played = 0, with_failover = 0, violations = 0, events = 0, acknowledged = 0, lost = 0, after_thaw = 0;
  uint64_t trace = 0;  // of all histories, in whatever order they were played
  double simulated = 0;
  std::vector<Outcome> bad;
};

void work(const Options& options, Totals& totals) {
  uint64_t played = 0, with_failover = 0, events = 0, acknowledged = 0, lost = 0, after_thaw = 0, trace = 0;
  double simulated = 0;
  while (!totals.enough) {
    uint64_t index = totals.next++;
    if (index >= options.seeds) break;
    Outcome outcome = play(setup_from(options.seed + index, options.profile), false);
    ++played;
    with_failover += outcome.promotions > 0;
    events += outcome.events;
    trace += outcome.hash * (2 * outcome.seed + 1);
    acknowledged += outcome.acknowledged;
    lost += outcome.lost;
    after_thaw += outcome.after_thaw;
    simulated += static_cast<double>(outcome.simulated) / 1e9;
    if (outcome.violations.empty()) continue;
    std::lock_guard guard(totals.lock);
    ++totals.violations;
    totals.bad.push_back(std::move(outcome));
    if (!options.keep_going) totals.enough = true;
  }
  std::lock_guard guard(totals.lock);
  totals.played += played;
  totals.with_failover += with_failover;
  totals.events += events;
  totals.trace += trace;
  totals.acknowledged += acknowledged;
  totals.lost += lost;
  totals.after_thaw += after_thaw;
  totals.simulated += simulated;
}

int play_many(const Options& options) {
  auto begun = std::chrono::steady_clock::now();
  Totals totals;
  std::vector<std::jthread> workers;
  for (unsigned job = 0; job < options.jobs; ++job) workers.emplace_back([&] { work(options, totals); });
  workers.clear();
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::ranges::sort(totals.bad, {}, &Outcome::seed);
  if (options.json) {
    JsonObject out{{"seeds", totals.played},
                   {"histories_with_failover", totals.with_failover},
                   {"simulated_seconds", totals.simulated},
                   {"violations", totals.violations},
                   {"seconds", seconds},
                   {"events", totals.events},
                   {"acknowledged", totals.acknowledged},
                   {"set_aside", totals.lost},
                   {"after_thaw", totals.after_thaw},
                   {"trace", fmt::format("{:016x}", totals.trace)}};
    if (!totals.bad.empty()) {
      const Outcome& first = totals.bad.front();
      out["seed"] = first.seed;
      out["rule"] = first.violations.front().rule;
      out["text"] = first.violations.front().text;
      JsonArray all;
      for (const Outcome& bad : totals.bad) all.push_back(Json(bad.seed));
      out["bad_seeds"] = std::move(all);
    }
    fmt::print("{}\n", to_text(out));
  } else {
    for (const Outcome& bad : totals.bad)
      fmt::print("seed {}: {} {}\n", bad.seed, bad.violations.front().rule, bad.violations.front().text);
    fmt::print(
        "{} histories, {} with a failover, {:.0f} s simulated in {:.1f} s, {} events, {} acknowledged, {} set aside, "
        "{} violations\n",
        totals.played, totals.with_failover, totals.simulated, seconds, totals.events, totals.acknowledged, totals.lost,
        totals.violations);
    if (!totals.bad.empty())
      fmt::print("replay: lifeboat-sim --seed {} --story; shorter: lifeboat-sim --seed {} --shrink\n",
                 totals.bad.front().seed, totals.bad.front().seed);
  }
  return totals.violations == 0 ? 0 : 1;
}

int play_one(const Options& options) {
  Setup setup = setup_from(options.seed, options.profile);
  if (options.shrink) setup = shrink(setup);
  Outcome outcome = play(setup, true);
  fmt::print("{}", describe(setup));
  for (const std::string& line : outcome.story) fmt::print("{}\n", line);
  for (const Violation& violation : outcome.violations) fmt::print("{} {}\n", violation.rule, violation.text);
  fmt::print("trace {:016x}, {} events, {:.1f} s simulated\n", outcome.hash, outcome.events,
             static_cast<double>(outcome.simulated) / 1e9);
  return outcome.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace lifeboat::sim

int main(int argc, char** argv) {
  using namespace lifeboat::sim;
  Options options;
  if (!read(argc, argv, options)) return 2;
  if (options.list) {
    for (const Mutant& mutant : mutants()) fmt::print("{:32} {}\n", mutant.name, mutant.what);
    return 0;
  }
  lifeboat::mutants::active = options.mutant;
  return options.story || options.shrink ? play_one(options) : play_many(options);
}
