#include "io/priority.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <thread>

#include "io/file.hpp"
#include "io/process.hpp"
#include "io/run_in_test.hpp"

namespace lifeboat {
namespace {

int nice_of(pid_t pid) { return getpriority(PRIO_PROCESS, static_cast<id_t>(pid)); }

// Of its session, where the kernel weighs sessions; nothing elsewhere.
std::optional<int> session_nice_of(pid_t pid) {
  auto text = read_file(fmt::format("/proc/{}/autogroup", pid));
  size_t at = text ? text->find("nice ") : std::string::npos;
  if (at == std::string::npos) return std::nullopt;
  return std::atoi(text->c_str() + at + 5);
}

TEST(Priority, WhatGoesFirstStartsOthersAtTheUsualPriority) {
  if (geteuid() != 0) GTEST_SKIP() << "needs the right to go first";
  int own = 0;
  std::string child;
  // Of a thread: the test itself stays as it is.
  std::thread([&] {
    go_first();
    own = nice_of(0);
    asio::io_context context(1);
    ProcessSpec spec;
    spec.argv = {"nice"};
    auto result = run_in_test(context, run_process(spec, Deadline::after(Duration{5'000})), Duration{5'000});
    child = result ? result->out : result.error().text();
  }).join();
  EXPECT_LT(own, 0);
  EXPECT_EQ(child, "0\n");
}

TEST(Priority, WhatNobodyWaitsForGoesBehind) {
  asio::io_context context(1);
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "nice; cat /proc/self/autogroup"};
  spec.behind_others = true;
  auto result = run_in_test(context, run_process(spec, Deadline::after(Duration{5'000})), Duration{5'000});
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_TRUE(result->out.starts_with("5\n")) << result->out;
  bool weighs_sessions = result->out.find("autogroup") != std::string::npos;
  EXPECT_TRUE(!weighs_sessions || result->out.ends_with("nice 5\n")) << result->out;
}

TEST(Priority, AProcessAndItsDescendantsGoFirstAndBack) {
  if (geteuid() != 0) GTEST_SKIP() << "needs the right to go first";
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "sleep 30 & wait"};
  auto started = start_process(spec);
  ASSERT_TRUE(started) << started.error().text();
  std::vector<pid_t> below;
  for (int look = 0; look < 500 && below.empty(); ++look) {
    usleep(10'000);
    below = descendants_of(*started);
  }
  ASSERT_EQ(below.size(), 1u);
  let_go_first(*started, true);
  EXPECT_LT(nice_of(*started), 0);
  EXPECT_LT(nice_of(below[0]), 0);
  EXPECT_LT(session_nice_of(*started).value_or(-1), 0);
  let_go_first(*started, false);
  EXPECT_EQ(session_nice_of(*started).value_or(0), 0);
  EXPECT_EQ(nice_of(*started), 0);
  EXPECT_EQ(nice_of(below[0]), 0);
  kill_tree(*started, SIGKILL);
  waitpid(*started, nullptr, 0);
  let_go_first(*started, true);  // it has ended: nobody's trouble
  let_go_first(-1, true);
}

}  // namespace
}  // namespace lifeboat
