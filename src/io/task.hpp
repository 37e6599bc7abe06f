// Coroutines as Lifeboat uses them: a Task, an absolute deadline on every await, and a scope that owns background work.
//
// Rules: parameters by value (a reference dangles at the first suspension); no lambda coroutine with captures is called
// on the spot; no co_spawn but through Scope; name a value before the co_await expression that uses it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "io/clock.hpp"

namespace lifeboat {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<T>;

// When an operation must have ended. Absolute, and handed down: a step's two minutes are not two minutes per call.
struct Deadline {
  MonoTime at;

  static Deadline after(Duration span) { return {boot_now() + span}; }
  Duration left() const { return std::max(Duration{0}, to_duration(at - boot_now())); }
  bool passed() const { return boot_now() >= at; }
  // The nearer of this one and `span` from now.
  Deadline at_most(Duration span) const { return {std::min(at, boot_now() + span)}; }
};

// Waits; throws operation_aborted when cancelled, like every Asio wait.
Task<> sleep_for(Duration span);
Task<> sleep_until(MonoTime at);

// How an operation ended: with its result, or with what it threw. (No std::variant: Asio's || would take that apart.)
template <class T>
struct Ended {
  std::optional<T> value;
  std::exception_ptr problem;
};
template <class T>
Task<Ended<T>> end_of(Task<T> op) {
  Ended<T> ended;
  try {
    ended.value = co_await std::move(op);
  } catch (...) {
    ended.problem = std::current_exception();
  }
  co_return ended;
}

// Runs `op`, cancelled when the deadline passes: then an Error of kind timed_out that names `what`.
// What `op` throws is thrown at once.
// `op` must be cancellable (everything in io/ is); what is not runs by `blocking`.
template <class T>
Task<Result<T>> within(Deadline deadline, std::string what, Task<Result<T>> op) {
  using namespace asio::experimental::awaitable_operators;
  if (deadline.passed()) co_return fail(ErrorKind::timed_out, what + ": no time left to begin");
  // Asio's || takes an exception for a failure and goes on waiting for the other side.
  auto outcome = co_await (end_of(std::move(op)) || sleep_until(deadline.at));
  if (outcome.index() == 0) {
    auto ended = std::get<0>(std::move(outcome));
    if (ended.problem) std::rethrow_exception(ended.problem);
    co_return *std::move(ended.value);
  }
  co_return fail(ErrorKind::timed_out, what + ": no answer in time");
}

// Runs a blocking function on a small pool of threads and comes back to the caller's executor. The function itself
// cannot be cut short: give it a bound of its own. `f` returns a value that is not void. Whoever waits and is cancelled learns of it when
// the function has ended: a cancellation that got to the other thread before the function began would end the whole program there.
asio::thread_pool& blocking_pool();
template <class F>
auto blocking(F f) -> Task<std::invoke_result_t<F>> {
  auto run = [](F work) -> Task<std::invoke_result_t<F>> { co_return work(); };
  co_return co_await asio::co_spawn(blocking_pool(), run(std::move(f)),
                                    asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

// Owns background tasks. Each is named; what it throws is reported by `on_failure` (never swallowed). `stop()` cancels
// all and waits for their end, at most `patience`. Use from one thread (that of its executor).
class Scope {
 public:
  using OnFailure = std::function<void(std::string_view task, std::string_view what)>;

  Scope(asio::any_io_executor executor, OnFailure on_failure);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  void spawn(std::string name, Task<> task);
  // Cancels the tasks of that name.
  void cancel(const std::string& name);
  Task<> stop(Duration patience);
  size_t size() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Wakes waiting coroutines. `wait` returns when `notify` was called since the last `wait`, or at the time given.
// One waiter at a time.
class Wakeup {
 public:
  explicit Wakeup(asio::any_io_executor executor);
  void notify();
  Task<> wait_until(MonoTime at);

 private:
  asio::steady_timer timer_;
  bool notified_ = false;
};

}  // namespace lifeboat
