// Runs one task to its end, for commands that have nothing else to do meanwhile.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "io/settle_pool.hpp"
#include "io/task.hpp"

namespace lifeboat::cli {

template <class T>
T wait(asio::io_context& context, Task<T> task) {
  std::optional<T> out;
  auto run = [](Task<T> inner, std::optional<T>& into) -> Task<> { into.emplace(co_await std::move(inner)); };
  Scope scope(context.get_executor(),
              [](std::string_view, std::string_view what) { fmt::print(stderr, "{}\n", what); });
  scope.spawn("command", run(std::move(task), out));
  context.restart();
  while (!out && context.run_one() > 0) {
  }
  // The caller ends the context next.
  settle_blocking_pool();
  return std::move(*out);
}

}  // namespace lifeboat::cli
