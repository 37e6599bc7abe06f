// Coroutines of the made-up world. Lazy, owned by whoever awaits them; destroying one takes what it waits for out of the
// kernel's queue, so a process that dies leaves nothing behind.
#pragma once

#include <coroutine>
#include <exception>
#include <list>
#include <optional>
#include <utility>

#include "core/base/error.hpp"
#include "sim/kernel.hpp"

namespace lifeboat::sim {

template <class T>
class Task;

namespace detail {

struct FinalTransfer {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    return self.promise().waiter ? self.promise().waiter : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> waiter;
  std::exception_ptr thrown;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalTransfer final_suspend() const noexcept { return {}; }
  void unhandled_exception() { thrown = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& given) {
    value.emplace(std::forward<U>(given));
  }
  T take() {
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const {
    if (thrown) std::rethrow_exception(thrown);
  }
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle_.promise().waiter = waiter;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// Waits until a true time, as the process that waits.
struct Sleep {
  Kernel& kernel;
  ProcessId process;
  Nanos when;
  Kernel::Timer timer{};

  Sleep(Kernel& of, ProcessId as, Nanos until) : kernel(of), process(as), when(until) {}
  Sleep(const Sleep&) = delete;
  ~Sleep() { kernel.cancel(timer); }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    if (when != kNever) timer = kernel.at(process, when, [waiter] { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};

// A coroutine that nobody awaits. What it throws goes to whoever resumed it last: the kernel.
class Root {
 public:
  struct promise_type {
    std::move_only_function<void()> at_end;
    Root get_return_object() { return Root(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct Final {
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> self) const noexcept {
        if (self.promise().at_end) self.promise().at_end();
      }
      void await_resume() const noexcept {}
    };
    Final final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() { throw; }
  };
  explicit Root(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Root(Root&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Root& operator=(Root&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Root() {
    if (handle_) handle_.destroy();
  }
  void start() { handle_.resume(); }
  std::move_only_function<void()>& at_end() { return handle_.promise().at_end; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

// Background work of one process.
class Scope {
 public:
  Scope(Kernel& kernel, ProcessId process) : kernel_(kernel), process_(process) {}

  void spawn(Task<> task) {
    auto entry = roots_.insert(roots_.end(), run(std::move(task)));
    // It is still inside itself when it ends, so it is taken out by the next event.
    entry->at_end() = [this, entry] { kernel_.after(process_, 0, [this, entry] { roots_.erase(entry); }); };
    entry->start();
  }
  void clear() { roots_.clear(); }

 private:
  Kernel& kernel_;
  ProcessId process_;
  std::list<Root> roots_;

  static Root run(Task<> task) { co_await std::move(task); }
};

// The outcome of `work`, or nothing when `stop` ended first; the other one is then destroyed.
inline Task<std::optional<Result<>>> unless(Kernel& kernel, ProcessId process, Task<Result<>> work, Task<> stop) {
  struct Race {
    bool over = false;
    std::optional<Result<>> out;
  };
  struct Drive {
    static Root work(Race& race, Task<Result<>> task) {
      auto result = co_await std::move(task);
      if (!std::exchange(race.over, true)) race.out = std::move(result);
    }
    static Root stop(Race& race, Task<> task) {
      co_await std::move(task);
      race.over = true;
    }
  };
  Race race;
  Root first = Drive::work(race, std::move(work)), second = Drive::stop(race, std::move(stop));
  first.start();
  if (!race.over) second.start();
  while (!race.over) co_await Sleep(kernel, process, kernel.now() + 2'000'000);
  co_return std::move(race.out);
}

}  // namespace lifeboat::sim
