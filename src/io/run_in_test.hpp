// For tests: runs one task to its end on its own single-threaded context, with a bound, and gives its value.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include <optional>

#include "io/task.hpp"

namespace lifeboat {

template <class T>
T run_in_test(asio::io_context& context, Task<T> task, Duration bound = Duration{20'000}) {
  std::optional<T> value;
  std::exception_ptr problem;
  asio::co_spawn(context, std::move(task), [&](std::exception_ptr thrown, T result) {
    problem = thrown;
    value = std::move(result);
    context.stop();
  });
  context.restart();
  context.run_for(bound);
  if (problem) std::rethrow_exception(problem);
  if (!value) throw std::runtime_error("the task did not end in time");
  return std::move(*value);
}

}  // namespace lifeboat
