#include "agent/unit_group.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/data/encode.hpp"
#include "io/file.hpp"
#include "io/process.hpp"

namespace lifeboat {
namespace {

constexpr Duration kJudgeEvery{200};
constexpr Duration kHealthWithin{600};
// What ignores SIGTERM for this long is killed.
constexpr Duration kEndsWithin{5'000};
constexpr Duration kStartsWithin{10'000};
constexpr Duration kRestartPause{200};
constexpr Duration kRestartPauseMost{5'000};

void replace_port(std::string& text, int64_t port) {
  constexpr std::string_view kPort = "${port}";
  for (size_t at = text.find(kPort); at != std::string::npos; at = text.find(kPort, at))
    text.replace(at, kPort.size(), std::to_string(port));
}

}  // namespace

UnitGroup::UnitGroup(Scope& scope, HttpClient& http, std::string service, wire::UnitConfig config, std::string folder,
                     std::vector<std::string> program_folders, std::string run_as, Hooks hooks)
    : scope_(scope),
      http_(http),
      service_(std::move(service)),
      config_(std::move(config)),
      folder_(std::move(folder)),
      program_folders_(std::move(program_folders)),
      run_as_(std::move(run_as)),
      hooks_(std::move(hooks)) {}

UnitGroup::~UnitGroup() {
  for (auto& [number, instance] : instances_) {
    if (instance.pid <= 0) continue;
    kill_tree(instance.pid, SIGKILL);
    waitpid(instance.pid, nullptr, 0);
  }
}

void UnitGroup::begin() {
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  wanted_ = config_.count;
  if (auto text = read_file(state_file())) {
    int64_t kept = -1;
    std::from_chars(text->data(), text->data() + text->size(), kept);
    if (kept >= 0 && kept <= config_.max) wanted_ = kept;
  }
  add_missing();
  scope_.spawn("health " + service_, judge());
}

void UnitGroup::add_missing() {
  for (int64_t number = 0; number < wanted_; ++number) {
    if (instances_.contains(number)) continue;
    instances_[number] = {};
    scope_.spawn(fmt::format("{}-{}", service_, number), keep(number));
  }
}

Result<pid_t> UnitGroup::start_one(int64_t number) {
  int64_t port = config_.port + number;
  ProcessSpec spec;
  spec.argv = config_.command;
  for (std::string& argument : spec.argv) replace_port(argument, port);
  std::string program = find_program(spec.argv.front(), program_folders_);
  if (program.empty())
    return fail(ErrorKind::unsupported, fmt::format("the program '{}' is not on this host", spec.argv.front()));
  spec.argv.front() = program;
  for (std::string entry : config_.environment) {
    replace_port(entry, port);
    size_t equals = std::min(entry.find('='), entry.size());
    spec.environment[entry.substr(0, equals)] = entry.substr(std::min(equals + 1, entry.size()));
  }
  spec.output_file = fmt::format("{}/{}.log", folder_, number);
  spec.ends_with_us = true;
  return start_process(spec);
}

// One instance for as long as it is wanted.
Task<> UnitGroup::keep(int64_t number) {
  Duration pause = kRestartPause;
  while (!ended_ && number < wanted_) {
    MonoTime begun = boot_now();
    auto started = start_one(number);
    if (!started) {
      hooks_.log(fmt::format("{} {}: {}", service_, number, started.error().text()));
    } else {
      instances_[number].pid = *started;
      while (true) {
        auto waiting = wait_for_exit(*started, Deadline::after(Duration{60'000}));
        auto ended = co_await std::move(waiting);
        if (ended || ended.error().kind != ErrorKind::timed_out) break;
      }
      instances_[number] = {};
      hooks_.changed();
      // What ran well for a while is started again at once; what keeps falling is given time.
      pause = boot_now() - begun > std::chrono::seconds(10) ? kRestartPause : std::min(pause * 2, kRestartPauseMost);
    }
    if (ended_ || number >= wanted_) break;
    co_await sleep_for(pause);
  }
  instances_.erase(number);
  hooks_.changed();
}

Task<> UnitGroup::judge() {
  while (!ended_) {
    std::vector<int64_t> numbers;
    for (const auto& [number, instance] : instances_) numbers.push_back(number);
    for (int64_t number : numbers) {
      auto late = instances_.find(number);
      if (late != instances_.end() && late->second.pid > 0 && boot_now() >= late->second.kill_at)
        kill_tree(late->second.pid, SIGKILL);
      HttpRequest request;
      request.url = fmt::format("http://{}:{}{}", config_.listen, config_.port + number, config_.health);
      auto asking = http_.send(std::move(request), Deadline::after(kHealthWithin));
      auto answer = co_await std::move(asking);
      bool healthy = answer && answer->status == 200;
      auto found = instances_.find(number);
      if (found == instances_.end()) continue;
      healthy = healthy && found->second.pid > 0;
      if (found->second.healthy != healthy) hooks_.changed();
      found->second.healthy = healthy;
    }
    co_await sleep_for(kJudgeEvery);
  }
}

int64_t UnitGroup::up() const {
  return std::ranges::count_if(instances_, [](const auto& entry) { return entry.second.healthy; });
}

void UnitGroup::ask_to_end(Instance& instance) {
  if (instance.pid <= 0) return;
  kill(instance.pid, SIGTERM);
  instance.kill_at = std::min(instance.kill_at, boot_now() + kEndsWithin);
}

void UnitGroup::reconfigure(const wire::UnitConfig& config) {
  if (encode(config) == encode(config_)) return;
  config_ = config;
  wanted_ = std::min(wanted_, config_.max);
  scope_.spawn("start anew " + service_, start_anew(++generation_));
}

Task<> UnitGroup::start_anew(uint64_t generation) {
  for (int64_t number = 0; number < wanted_ && generation == generation_ && !ended_; ++number) {
    auto found = instances_.find(number);
    if (found == instances_.end()) continue;
    pid_t before = found->second.pid;
    ask_to_end(found->second);
    // The next one waits until this one serves again, or has had its time.
    for (Deadline patience = Deadline::after(kStartsWithin); !patience.passed(); co_await sleep_for(kJudgeEvery)) {
      found = instances_.find(number);
      if (found == instances_.end() || (found->second.pid != before && found->second.healthy)) break;
    }
  }
}

Task<Result<Json>> UnitGroup::scale(int64_t count, Deadline deadline, std::function<void(std::string)> progress) {
  if (count < 0 || count > config_.max)
    co_return fail(ErrorKind::refused,
                   fmt::format("{} can run 0 to {} instances here, not {}", service_, config_.max, count));
  CO_TRY_VOID(write_file_atomic(state_file(), std::to_string(count)));
  wanted_ = count;
  for (auto& [number, instance] : instances_) {
    if (number >= wanted_) ask_to_end(instance);
  }
  add_missing();
  int64_t said = -1;
  while (true) {
    bool enough = up() >= count && static_cast<int64_t>(instances_.size()) <= count;
    if (enough) co_return Json(JsonObject{{"up", up()}, {"wanted", count}});
    if (deadline.passed())
      co_return fail(ErrorKind::timed_out, fmt::format("{} of {} instances of {} are well", up(), count, service_));
    if (up() != said) progress(fmt::format("{} of {} ready", said = up(), count));
    co_await sleep_for(Duration{50});
  }
}

Task<> UnitGroup::shut_down(Deadline deadline) {
  ended_ = true;
  for (auto& [number, instance] : instances_) ask_to_end(instance);
  while (!deadline.passed() && std::ranges::any_of(instances_, [](const auto& entry) { return entry.second.pid > 0; }))
    co_await sleep_for(Duration{20});
}

}  // namespace lifeboat
