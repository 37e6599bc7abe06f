#include "agent/kept_program.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <optional>

namespace lifeboat {
namespace {

constexpr Duration kPause{200};
constexpr Duration kPauseMost{5'000};
constexpr Duration kLong{10'000};

bool same(const ProcessSpec& left, const ProcessSpec& right) {
  return left.argv == right.argv && left.environment == right.environment && left.user == right.user;
}

}  // namespace

struct KeptProgram::State {
  std::string name;
  Log log;
  std::optional<ProcessSpec> spec;
  pid_t pid = -1;
  bool kept = false;  // somebody is in keep()
  std::string said;
};

KeptProgram::KeptProgram(Scope& scope, std::string name, Log log) : state_(std::make_shared<State>()), scope_(scope) {
  state_->name = std::move(name);
  state_->log = std::move(log);
}

KeptProgram::~KeptProgram() {
  state_->spec.reset();
  if (state_->pid > 0) kill_tree(state_->pid, SIGKILL);
}

bool KeptProgram::running() const { return state_->pid > 0; }

void KeptProgram::run(ProcessSpec spec) {
  if (state_->spec && same(*state_->spec, spec)) return;
  state_->spec = std::move(spec);
  if (state_->pid > 0) kill_tree(state_->pid, SIGTERM);
  if (std::exchange(state_->kept, true)) return;
  scope_.spawn(state_->name, keep(state_));
}

Task<> KeptProgram::keep(std::shared_ptr<State> state) {
  Duration pause = kPause;
  while (state->spec) {
    MonoTime begun = boot_now();
    auto started = start_process(*state->spec);
    std::string why;
    if (!started) {
      why = started.error().text();
    } else {
      state->pid = *started;
      while (true) {
        auto waiting = wait_for_exit(*started, Deadline::after(Duration{60'000}));
        auto ended = co_await std::move(waiting);
        if (!ended && ended.error().kind == ErrorKind::timed_out) continue;
        why = ended && WIFEXITED(*ended) ? fmt::format("ended with {}", WEXITSTATUS(*ended)) : "was killed";
        break;
      }
      state->pid = -1;
    }
    if (!state->spec) break;
    if (why != state->said) state->log(fmt::format("{}: {}", state->name, why));
    state->said = why;
    pause = boot_now() - begun > kLong ? kPause : std::min(pause * 2, kPauseMost);
    co_await sleep_for(pause);
  }
  state->kept = false;
}

Task<> KeptProgram::stop(Deadline deadline) {
  state_->spec.reset();
  auto state = state_;
  if (state->pid > 0) kill_tree(state->pid, SIGTERM);
  while (state->pid > 0 && !deadline.passed()) co_await sleep_for(Duration{10});
  if (state->pid > 0) kill_tree(state->pid, SIGKILL);
}

}  // namespace lifeboat
