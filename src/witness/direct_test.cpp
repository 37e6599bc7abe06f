// The witness at a database server against real PostgreSQL: a primary that is killed and its standby that is promoted.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "io/clock.hpp"
#include "io/file.hpp"
#include "io/test_ports.hpp"
#include "witness/witness.hpp"

namespace lifeboat {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string kBin = "/usr/lib/postgresql/15/bin/";

// Starts a program of PostgreSQL as its user.
pid_t start(std::vector<std::string> argv, const std::string& log) {
  argv.front() = kBin + argv.front();
  if (getuid() == 0) {
    argv.insert(argv.begin(),
                {"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "KILL"});
  }
  std::vector<char*> words;
  for (std::string& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  pid_t pid = fork();
  if (pid != 0) return pid;
  int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  execv(words[0], words.data());
  _exit(127);
}

class DirectWitnessTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kBin + "postgres")) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    if (getuid() == 0 && (getpwnam("postgres") == nullptr || !fs::exists("/usr/bin/setpriv")))
      GTEST_SKIP() << "no user postgres, or no setpriv";
    char pattern[] = "/tmp/lifeboat-direct-XXXXXX";
    folder_ = mkdtemp(pattern);
    if (const passwd* user = getpwnam("postgres"); user != nullptr && getuid() == 0) {
      ASSERT_EQ(chown(folder_.c_str(), user->pw_uid, user->pw_gid), 0);
    }
  }
  void TearDown() override {
    for (pid_t pid : {primary_, standby_}) stop(pid);
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  static void stop(pid_t& pid) {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pid = 0;
  }
  void run(std::vector<std::string> argv) const {
    int status = -1;
    std::string name = argv.front();
    waitpid(start(std::move(argv), log("tools")), &status, 0);
    ASSERT_EQ(status, 0) << name << ": " << read_file(log("tools")).value_or("");
  }
  bool ready(int port) const {
    for (MonoTime late = boot_now() + 20s; boot_now() < late; std::this_thread::sleep_for(20ms)) {
      int status = -1;
      waitpid(start({"pg_isready", "-q", "-h", "127.0.0.1", "-p", std::to_string(port)}, log("tools")), &status, 0);
      if (status == 0) return true;
    }
    return false;
  }
  pid_t serve(const std::string& name, int port) const {
    return start({"postgres", "-D", folder_ + "/" + name, "-p", std::to_string(port), "-h", "127.0.0.1", "-k", folder_,
                  "-c", "fsync=off"},
                 log(name));
  }
  std::string log(const std::string& name) const { return folder_ + "/" + name + ".log"; }
  std::string acks_file(const std::string& member) const { return folder_ + "/" + member + ".jsonl"; }
  std::vector<measure::Ack> acks(const std::string& member) const {
    auto text = read_file(acks_file(member));
    auto read = measure::read_acks(text ? *text : std::string());
    return read ? *read : std::vector<measure::Ack>();
  }
  bool acknowledged(const std::string& member, size_t at_least) const {
    MonoTime late = boot_now() + 20s;
    while (acks(member).size() < at_least && boot_now() < late) std::this_thread::sleep_for(10ms);
    return acks(member).size() >= at_least;
  }

  std::string folder_;
  pid_t primary_ = 0, standby_ = 0;
};

TEST_F(DirectWitnessTest, SeesWhichServerTakesWritesAndWhenAnotherOneBegins) {
  int one = free_port(), two = free_port();
  run({"initdb", "-D", folder_ + "/a", "-A", "trust", "-U", "postgres", "--no-sync", "--locale=C.UTF-8"});
  primary_ = serve("a", one);
  Plan plan;
  plan.hosts.add("local", Host{.address = "127.0.0.1"});
  PostgresService service{.database = "postgres", .user = "postgres"};
  service.members.add("a", PostgresMember{.host = {"local"}, .port = one});
  service.members.add("b", PostgresMember{.host = {"local"}, .port = two});
  plan.services.add("database", service);
  std::vector<std::thread> witnesses;
  for (const char* member_name : {"a", "b"}) {
    witnesses.emplace_back([&, member_name] {
      EXPECT_EQ(run_direct_witness({.plan = plan,
                                    .secrets_dir = folder_,
                                    .service = "database",
                                    .member = member_name,
                                    .out = acks_file(member_name)}),
                0);
    });
  }
  // It waits for its server to come up, and makes its table.
  EXPECT_TRUE(acknowledged("a", 10)) << read_file(log("a")).value_or("");
  run({"pg_basebackup", "-D", folder_ + "/b", "-h", "127.0.0.1", "-p", std::to_string(one), "-U", "postgres", "-R",
       "-c", "fast", "--no-sync"});
  standby_ = serve("b", two);
  EXPECT_TRUE(ready(two)) << read_file(log("b")).value_or("");
  size_t before = acks("a").size();
  EXPECT_TRUE(acknowledged("a", before + 25));
  EXPECT_TRUE(acks("b").empty()) << "a standby takes no writes";
  stop(primary_);
  run({"pg_ctl", "promote", "-w", "-t", "20", "-D", folder_ + "/b"});
  EXPECT_TRUE(acknowledged("b", 10)) << read_file(log("b")).value_or("");
  kill(getpid(), SIGTERM);
  for (std::thread& witness : witnesses) witness.join();

  auto all = std::map<std::string, std::vector<measure::Ack>>{{"a", acks("a")}, {"b", acks("b")}};
  EXPECT_EQ(measure::double_acknowledged(all).count, 0u);
  EXPECT_EQ(measure::double_acknowledged(all).time, Duration{0});
  EXPECT_GT(all["b"].front().done, all["a"].back().done);
}

TEST_F(DirectWitnessTest, RefusesAMemberThatThePlanDoesNotHave) {
  Plan plan;
  EXPECT_EQ(run_direct_witness(
                {.plan = plan, .secrets_dir = folder_, .service = "database", .member = "a", .out = acks_file("a")}),
            2);
}

}  // namespace
}  // namespace lifeboat
