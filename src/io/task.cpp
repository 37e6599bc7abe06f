#include "io/task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include <barrier>
#include <memory>
#include <mutex>

#include "io/settle_pool.hpp"

namespace lifeboat {
namespace {

// Asio's timers run on steady_clock; boot time and steady time only part while the machine sleeps, so a wait is cut
// into pieces and the boot clock asked again after each.
constexpr Duration kLongestNap{60'000};

}  // namespace

Task<> sleep_until(MonoTime at) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (true) {
    auto left = at - boot_now();
    if (left <= std::chrono::nanoseconds{0}) co_return;
    timer.expires_after(std::min<std::chrono::nanoseconds>(left, kLongestNap));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

Task<> sleep_for(Duration span) { co_await sleep_until(boot_now() + span); }

namespace {
constexpr int kBlockingThreads = 4;
}  // namespace

asio::thread_pool& blocking_pool() {
  static asio::thread_pool pool(kBlockingThreads);
  return pool;
}

void settle_blocking_pool() {
  static std::mutex one_at_a_time;
  std::lock_guard hold(one_at_a_time);
  auto together = std::make_shared<std::barrier<>>(kBlockingThreads + 1);
  // Each keeps its thread until all have one.
  for (int thread = 0; thread < kBlockingThreads; ++thread)
    asio::post(blocking_pool(), [together] { together->arrive_and_wait(); });
  together->arrive_and_wait();
}

struct Scope::State {
  struct Entry {
    std::string name;
    asio::cancellation_signal signal;
  };
  asio::any_io_executor executor;
  OnFailure on_failure;
  uint64_t next = 0;
  std::map<uint64_t, std::shared_ptr<Entry>> running;
};

Scope::Scope(asio::any_io_executor executor, OnFailure on_failure) : state_(std::make_shared<State>()) {
  state_->executor = std::move(executor);
  state_->on_failure = std::move(on_failure);
}

Scope::~Scope() {
  // Emitting may end a task and erase it, so what is running is taken down first.
  auto all = state_->running;
  for (auto& [id, entry] : all) entry->signal.emit(asio::cancellation_type::terminal);
}

void Scope::spawn(std::string name, Task<> task) {
  uint64_t id = state_->next++;
  auto& entry = state_->running[id];
  entry = std::make_shared<State::Entry>();
  entry->name = std::move(name);
  auto done = [state = state_, id](std::exception_ptr problem) {
    auto found = state->running.find(id);
    std::string ended = found == state->running.end() ? "?" : found->second->name;
    // A cancellation that was asked for outside the loop is dispatched to it and refers to the signal until then.
    if (found != state->running.end()) asio::post(state->executor, [kept = found->second] {});
    state->running.erase(id);
    if (!problem) return;
    try {
      std::rethrow_exception(problem);
    } catch (const boost::system::system_error& error) {
      if (error.code() != asio::error::operation_aborted) state->on_failure(ended, error.what());
    } catch (const std::exception& error) {
      state->on_failure(ended, error.what());
    }
  };
  asio::co_spawn(state_->executor, std::move(task),
                 asio::bind_cancellation_slot(entry->signal.slot(), std::move(done)));
}

void Scope::cancel(const std::string& name) {
  // Emitting may end a task and erase it, so the signals are collected first.
  std::vector<uint64_t> chosen;
  for (auto& [id, entry] : state_->running) {
    if (entry->name == name) chosen.push_back(id);
  }
  for (uint64_t id : chosen) {
    auto found = state_->running.find(id);
    if (found != state_->running.end()) found->second->signal.emit(asio::cancellation_type::terminal);
  }
}

Task<> Scope::stop(Duration patience) {
  auto state = state_;
  Deadline deadline = Deadline::after(patience);
  std::vector<uint64_t> all;
  for (auto& [id, entry] : state->running) all.push_back(id);
  for (uint64_t id : all) {
    auto found = state->running.find(id);
    if (found != state->running.end()) found->second->signal.emit(asio::cancellation_type::terminal);
  }
  while (!state->running.empty() && !deadline.passed()) co_await sleep_for(Duration{5});
  for (auto& [id, entry] : state->running) state->on_failure(entry->name, "did not end when it was asked to");
}

size_t Scope::size() const { return state_->running.size(); }

Wakeup::Wakeup(asio::any_io_executor executor) : timer_(std::move(executor)) {}

void Wakeup::notify() {
  notified_ = true;
  timer_.cancel();
}

Task<> Wakeup::wait_until(MonoTime at) {
  if (!notified_) {
    auto left = std::max(std::chrono::nanoseconds{0}, at - boot_now());
    timer_.expires_after(std::min<std::chrono::nanoseconds>(left, kLongestNap));
    auto [problem] = co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    // A cancelled wait is either our own notify or the task being cancelled; the latter shows in the state.
    if (problem && !notified_) {
      auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
      if (cancelled != asio::cancellation_type::none) throw boost::system::system_error(asio::error::operation_aborted);
    }
  }
  notified_ = false;
}

}  // namespace lifeboat
