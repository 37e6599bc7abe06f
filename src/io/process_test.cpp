#include "io/process.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "io/file.hpp"
#include "io/run_in_test.hpp"

namespace lifeboat {
namespace {

Result<ProcessResult> run(ProcessSpec spec, Duration within_time = Duration{10'000}) {
  asio::io_context context(1);
  return run_in_test(context, run_process(std::move(spec), Deadline::after(within_time)));
}

bool is_there(pid_t pid) { return kill(pid, 0) == 0; }

// Waits for what has to come; the bound only keeps a broken test from standing for ever.
template <class Condition>
bool comes_true(Condition is_so) {
  for (int look = 0; look < 1000; ++look) {
    if (is_so()) return true;
    usleep(10'000);
  }
  return false;
}

TEST(Process, AppendsItsOutputToAFileAndStillGivesBackErrors) {
  char name[] = "/tmp/lifeboat-process-XXXXXX";
  close(mkstemp(name));
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "echo good; echo bad >&2; exit 3"};
  spec.output_file = name;
  for (int time = 0; time < 2; ++time) {
    auto result = run(spec);
    ASSERT_TRUE(result) << result.error().text();
    EXPECT_EQ(result->out, "");
    EXPECT_EQ(result->err, "bad\n");
  }
  EXPECT_EQ(read_file(name).value_or(""), "good\ngood\n");
  unlink(name);
}

TEST(Process, GivesBackOutputErrorsAndExitCode) {
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "cat; echo bad >&2; exit 3"};
  spec.input = "hello";
  auto result = run(spec);
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->out, "hello");
  EXPECT_EQ(result->err, "bad\n");
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_FALSE(result->cut);
}

TEST(Process, TakesArgumentsAsTheyAre) {
  ProcessSpec spec;
  spec.argv = {"printf", "%s", "$(id) ; `id` *"};
  auto result = run(spec);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "$(id) ; `id` *");
}

TEST(Process, KeepsOnlyAsMuchAsAskedAndReadsTheRest) {
  ProcessSpec spec;
  spec.argv = {"head", "-c", "1000000", "/dev/zero"};
  spec.capture = 1000;
  auto result = run(spec);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out.size(), 1000u);
  EXPECT_TRUE(result->cut);
  EXPECT_EQ(result->exit_code, 0);
}

TEST(Process, TellsWhichSignalEndedIt) {
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "kill -9 $$"};
  auto result = run(spec);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 128 + SIGKILL);
}

// Case 53, orchestrator#1452: a hook did not exist, which came out in the middle of a takeover.
TEST(Process, SaysThatAProgramIsNotInstalled) {
  ProcessSpec spec;
  spec.argv = {"no-such-program-of-lifeboat"};
  auto result = run(spec);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unsupported);
}

TEST(Process, SaysThatThereIsNoSuchUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root switches users";
  ProcessSpec spec;
  spec.argv = {"true"};
  spec.user = "nobody-of-that-name";
  auto result = run(spec);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unsupported);
}

TEST(Process, HasOnlyTheEnvironmentItIsGiven) {
  setenv("LIFEBOAT_TEST_SECRET", "x", 1);
  ProcessSpec spec;
  spec.argv = {"env"};
  spec.environment = {{"GREETING", "hello"}};
  auto result = run(spec);
  unsetenv("LIFEBOAT_TEST_SECRET");
  ASSERT_TRUE(result);
  EXPECT_NE(result->out.find("GREETING=hello"), std::string::npos);
  EXPECT_EQ(result->out.find("LIFEBOAT_TEST_SECRET"), std::string::npos);
}

// The child has a child of its own in another session; both are gone when the time is over.
TEST(Process, LeavesNothingBehindWhenItsTimeIsOver) {
  char folder[] = "/tmp/lifeboat-process-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  std::string file = std::string(folder) + "/pids";
  ProcessSpec spec;
  spec.argv = {"sh", "-c", "setsid sleep 1000 & echo $$ $! > " + file + "; sleep 1000"};
  MonoTime begun = boot_now();
  auto result = run(spec, Duration{700});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::timed_out);
  EXPECT_LT(boot_now() - begun, std::chrono::seconds(5));
  int first = 0, second = 0;
  FILE* pids = fopen(file.c_str(), "r");
  ASSERT_NE(pids, nullptr);
  ASSERT_EQ(fscanf(pids, "%d %d", &first, &second), 2);
  fclose(pids);
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(comes_true([&] { return !is_there(first) && !is_there(second); }));
}

TEST(Process, FindsWhatRunsInAFolderAndEndsIt) {
  char folder[] = "/tmp/lifeboat-process-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  ProcessSpec spec;
  spec.argv = {"sleep", "1000"};
  spec.directory = folder;
  auto here = start_process(spec);
  spec.directory = "/";
  auto elsewhere = start_process(spec);
  ASSERT_TRUE(here && elsewhere);
  std::string program = find_program("sleep");
  EXPECT_EQ(processes_at(folder, program), std::vector<pid_t>{*here});
  EXPECT_TRUE(processes_at(folder, find_program("sh")).empty());
  EXPECT_TRUE(end_processes_at(folder, program, Duration{5'000}));
  EXPECT_EQ(waitpid(*here, nullptr, WNOHANG), -1) << "it is reaped: its number is nobody's";
  EXPECT_TRUE(is_there(*elsewhere));
  kill(*elsewhere, SIGKILL);
  waitpid(*elsewhere, nullptr, 0);
  std::filesystem::remove_all(folder);
}

TEST(Processes, TheirWorkGrowsWhileTheyWorkAndStandsStillWhileTheyAreStopped) {
  auto busy = start_process({.argv = {"sh", "-c", "while :; do :; done"}});
  ASSERT_TRUE(busy) << busy.error().text();
  auto grows_within = [&](Duration span) {
    int64_t before = processor_time_of(*busy);
    for (MonoTime end = boot_now() + span; boot_now() < end;) {
      if (processor_time_of(*busy) > before) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  EXPECT_TRUE(grows_within(Duration{10'000}));
  kill(*busy, SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(*busy, &status, WUNTRACED), *busy);
  EXPECT_FALSE(grows_within(Duration{200}));
  kill(*busy, SIGKILL);
  waitpid(*busy, nullptr, 0);
  EXPECT_EQ(processor_time_of(*busy), 0);
}

TEST(Process, EndsWithTheOneThatStartedItWhenAskedTo) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t middle = fork();
  if (middle == 0) {
    ProcessSpec spec;
    spec.argv = {"sleep", "1000"};
    spec.ends_with_us = true;
    auto started = start_process(spec);
    pid_t pid = started ? *started : -1;
    ssize_t wrote = write(ends[1], &pid, sizeof pid);
    _exit(wrote == sizeof pid ? 0 : 1);
  }
  pid_t pid = -1;
  ASSERT_EQ(read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  close(ends[0]);
  close(ends[1]);
  waitpid(middle, nullptr, 0);
  ASSERT_GT(pid, 0);
  // It became somebody else's child, who may take its time to reap it: a dead one has no program any more.
  std::error_code gone;
  EXPECT_TRUE(
      comes_true([&] { return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone).empty(); }));
}

}  // namespace
}  // namespace lifeboat
