// Small things that every adapter on a socket needs: a TCP connection made within a deadline, and several tasks run at
// once. No call here throws for what the network does; only the caller's cancellation passes through.
#pragma once

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <string>
#include <vector>

#include "io/task.hpp"

namespace lifeboat {

// Connects to `address` (IP or host name) with TCP_NODELAY. Errors: `not_found` when the name does not resolve,
// `unreachable` when refused or no route, `timed_out` when nothing answered before the deadline.
Task<Result<asio::ip::tcp::socket>> dial(std::string address, int port, Deadline deadline);

// Runs the tasks at the same time and gives their results in the order of the tasks. Cancelling the caller cancels all.
template <class T>
Task<std::vector<T>> gather(std::vector<Task<T>> tasks) {
  auto executor = co_await asio::this_coro::executor;
  using Operation = decltype(asio::co_spawn(executor, std::declval<Task<T>>(), asio::deferred));
  std::vector<Operation> operations;
  operations.reserve(tasks.size());
  for (Task<T>& task : tasks) operations.push_back(asio::co_spawn(executor, std::move(task), asio::deferred));
  if (operations.empty()) co_return std::vector<T>{};
  auto group = asio::experimental::make_parallel_group(std::move(operations));
  auto [order, problems, values] = co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  for (const std::exception_ptr& problem : problems) {
    if (problem) std::rethrow_exception(problem);
  }
  co_return std::move(values);
}

}  // namespace lifeboat
