// The example services against real PostgreSQL servers on loopback: a primary that is killed or hangs, and its standby
// that is promoted.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/http_service.hpp"
#include "common/postgres_link.hpp"

namespace example {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string kBin = "/usr/lib/postgresql/15/bin/";

int free_port() {
  int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
  socklen_t size = sizeof where;
  bind(probe, reinterpret_cast<sockaddr*>(&where), size);
  getsockname(probe, reinterpret_cast<sockaddr*>(&where), &size);
  close(probe);
  return ntohs(where.sin_port);
}

// A program in a session of its own, killed with all its children at the end.
class Program {
 public:
  Program(std::vector<std::string> argv, const std::string& log, std::vector<std::string> environment = {})
      : pid_(fork()) {
    if (pid_ != 0) return;
    setsid();
    int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(out, 1);
    dup2(out, 2);
    std::vector<char*> words, variables;
    for (std::string& word : argv) words.push_back(word.data());
    for (std::string& variable : environment) variables.push_back(variable.data());
    words.push_back(nullptr);
    variables.push_back(nullptr);
    execve(words[0], words.data(), variables.data());
    _exit(127);
  }
  ~Program() { kill_now(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }
  // To the program and its children; PostgreSQL's stand in sessions of their own.
  void signal_all(int number) const {
    std::vector<pid_t> all = children();
    all.insert(all.begin(), pid_);
    for (pid_t each : all) ::kill(each, number);
  }
  void kill_now() {
    if (pid_ < 0) return;
    signal_all(SIGKILL);
    wait();
  }

 private:
  pid_t pid_;

  std::vector<pid_t> children() const {
    std::vector<pid_t> out;
    std::ifstream in("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
    for (pid_t child = 0; in >> child;) out.push_back(child);
    return out;
  }
};

std::vector<std::string> as_postgres(std::vector<std::string> argv) {
  argv.front() = kBin + argv.front();
  if (getuid() != 0) return argv;
  std::vector<std::string> out{"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
  out.insert(out.end(), argv.begin(), argv.end());
  return out;
}

struct Answer {
  int status = 0;
  std::string body;
  std::chrono::milliseconds took{};
};

Answer ask(int port, const std::string& method, const std::string& path, const std::string& body = {},
           const std::string& token = "t0ken") {
  auto begin = Clock::now();
  int link = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in where{.sin_family = AF_INET,
                    .sin_port = htons(static_cast<uint16_t>(port)),
                    .sin_addr = {htonl(INADDR_LOOPBACK)},
                    .sin_zero = {}};
  std::string text = method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " +
                     token + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
              heard;
  if (::connect(link, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0) {
    send(link, text.data(), text.size(), MSG_NOSIGNAL);
    char buffer[4096];
    for (ssize_t got = 0; (got = recv(link, buffer, sizeof buffer, 0)) > 0;)
      heard.append(buffer, static_cast<size_t>(got));
  }
  close(link);
  Answer out;
  if (heard.size() > 12) out.status = std::stoi(heard.substr(9, 3));
  if (size_t end = heard.find("\r\n\r\n"); end != std::string::npos) out.body = heard.substr(end + 4);
  out.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  return out;
}

// Asks until `wanted` comes; gives how long that took, or nothing.
template <class Ask>
std::optional<std::chrono::milliseconds> until_status(int wanted, std::chrono::milliseconds within, Ask one) {
  auto begin = Clock::now();
  while (Clock::now() - begin < within) {
    if (one().status == wanted) return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    std::this_thread::sleep_for(5ms);
  }
  return std::nullopt;
}

// A primary, its standby and one service that knows both.
class World {
 public:
  World(const std::string& program, const std::string& schema, const std::string& role) {
    char pattern[] = "/tmp/example-test-XXXXXX";
    folder_ = mkdtemp(pattern);
    give(folder_);
    primary_port = free_port();
    run({"initdb", "-D", data("primary"), "-A", "trust", "-U", "postgres", "--no-sync", "--locale=C.UTF-8"});
    primary = start("primary", primary_port);
    carry_out_file(schema, role);
    run({"pg_basebackup", "-D", data("standby"), "-h", "127.0.0.1", "-p", std::to_string(primary_port), "-U",
         "postgres", "-R", "-c", "fast", "--no-sync"});
    standby_port = free_port();
    standby = start("standby", standby_port);
    port = free_port();
    std::string url = "postgresql://" + role + ":secret@127.0.0.1:" + std::to_string(primary_port) +
                      ",127.0.0.1:" + std::to_string(standby_port) +
                      "/postgres?target_session_attrs=read-write&connect_timeout=1";
    service_ =
        std::make_unique<Program>(std::vector<std::string>{LIFEBOAT_BINARY_DIR "/" + program}, folder_ + "/service.log",
                                  std::vector<std::string>{"PORT=" + std::to_string(port), "DATABASE_URL=" + url,
                                                           "API_TOKEN=t0ken", "REDIS_NODES=127.0.0.1:1"});
    ready_ = until_status(200, 20s, [&] { return ask(port, "GET", "/health"); }).has_value();
  }
  ~World() {
    service_.reset();
    EXPECT_EQ(log().find("Sanitizer"), std::string::npos) << log();
    for (auto* server : {&primary, &standby}) {
      if (*server) (*server)->signal_all(SIGCONT);
      server->reset();
    }
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  bool ready() const { return ready_; }
  void promote() { run({"pg_ctl", "promote", "-w", "-t", "20", "-D", data("standby")}); }
  // Whether the standby has replayed all that the primary wrote; waits for it.
  bool standby_has_everything() const {
    Connection connection(
        PQconnectdb(("host=127.0.0.1 user=postgres dbname=postgres port=" + std::to_string(primary_port)).c_str()));
    for (Until until = Clock::now() + 10s; Clock::now() < until; std::this_thread::sleep_for(5ms)) {
      PGresult* result = PQexec(
          connection.get(), "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_insert_lsn()");
      bool all = PQresultStatus(result) == PGRES_TUPLES_OK && std::string(PQgetvalue(result, 0, 0)) == "1";
      PQclear(result);
      if (all) return true;
    }
    return false;
  }
  std::string log() const {
    std::ifstream in(folder_ + "/service.log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

  int primary_port = 0, standby_port = 0, port = 0;
  std::unique_ptr<Program> primary, standby;

 private:
  std::string folder_;
  std::unique_ptr<Program> service_;
  bool ready_ = false;

  std::string data(const std::string& name) const { return folder_ + "/" + name; }
  void give(const std::string& path) const {
    const passwd* user = getpwnam("postgres");
    if (getuid() == 0 && user != nullptr && chown(path.c_str(), user->pw_uid, user->pw_gid) != 0)
      ADD_FAILURE() << "chown " << path;
  }
  void run(std::vector<std::string> argv) const {
    Program program(as_postgres(argv), folder_ + "/tools.log");
    EXPECT_EQ(program.wait(), 0) << argv.front();
  }
  std::unique_ptr<Program> start(const std::string& name, int at) const {
    std::vector<std::string> argv{"postgres",  "-D", data(name), "-p", std::to_string(at), "-h",
                                  "127.0.0.1", "-k", folder_,    "-c", "fsync=off"};
    auto server = std::make_unique<Program>(as_postgres(argv), folder_ + "/" + name + ".log");
    Server address{{"host", "127.0.0.1"}, {"port", std::to_string(at)}, {"user", "postgres"}, {"dbname", "postgres"}};
    for (Until until = Clock::now() + 20s; Clock::now() < until; std::this_thread::sleep_for(20ms)) {
      Connection connection = begin_connection(address);
      PostgresPollingStatusType next = PGRES_POLLING_WRITING;
      while (next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED && Clock::now() < until)
        next = PQconnectPoll(connection.get());
      if (next == PGRES_POLLING_OK) break;
    }
    return server;
  }
  void carry_out_file(const std::string& file, const std::string& role) const {
    std::ifstream in(file);
    std::string text = "CREATE ROLE " + role + " LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO " + role + ";" +
                       std::string{std::istreambuf_iterator<char>(in), {}};
    Connection connection(
        PQconnectdb(("host=127.0.0.1 user=postgres dbname=postgres port=" + std::to_string(primary_port)).c_str()));
    PGresult* result = PQexec(connection.get(), text.c_str());
    EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQerrorMessage(connection.get());
    PQclear(result);
  }
};

// Far above what it takes on a busy machine with sanitizers, far below the seconds in which a hung server is given up.
constexpr auto kSoon = 1500ms;

class ExampleServices : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(kBin + "postgres")) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    if (getuid() == 0 && (getpwnam("postgres") == nullptr || !fs::exists("/usr/bin/setpriv")))
      GTEST_SKIP() << "no user postgres, or no setpriv";
  }
  static std::unique_ptr<World> dating() {
    return std::make_unique<World>("dating-api", LIFEBOAT_SOURCE_DIR "/examples/dating-profile-optimizer/schema.sql",
                                   "dating");
  }
  static Answer write(const World& world, const std::string& key) {
    return ask(world.port, "POST", "/api/photo-analyses", R"({"key":")" + key + R"(","user":"test"})");
  }
};

TEST_F(ExampleServices, TheApiReadsAndWritesAndRefusesStrangers) {
  auto world = dating();
  ASSERT_TRUE(world->ready()) << world->log();
  Answer profile = ask(world->port, "GET", "/api/user/profile/test");
  EXPECT_EQ(profile.status, 200);
  EXPECT_NE(profile.body.find("The profile of test"), std::string::npos) << profile.body;
  EXPECT_EQ(ask(world->port, "GET", "/api/user/profile/nobody").status, 404);
  EXPECT_EQ(ask(world->port, "GET", "/api/user/profile/test", {}, "wrong").status, 401);
  EXPECT_EQ(ask(world->port, "GET", "/api/photo-analyses/one").status, 404);
  EXPECT_EQ(write(*world, "one").status, 201);
  EXPECT_EQ(write(*world, "one").status, 201);
  EXPECT_EQ(ask(world->port, "GET", "/api/photo-analyses/one").status, 200);
  EXPECT_EQ(ask(world->port, "POST", "/api/photo-analyses", "{}").status, 400);
  Answer detailed = ask(world->port, "GET", "/api/health/detailed");
  EXPECT_EQ(detailed.status, 200);
  EXPECT_NE(detailed.body.find("\"users\":1000"), std::string::npos) << detailed.body;
}

TEST_F(ExampleServices, TheApiIsAtThePromotedStandbyAtOnceAfterItsPrimaryWasKilled) {
  auto world = dating();
  ASSERT_TRUE(world->ready()) << world->log();
  ASSERT_EQ(write(*world, "before").status, 201);
  // Replication is asynchronous: what was acknowledged and not sent would be lost with the primary.
  ASSERT_TRUE(world->standby_has_everything());
  world->primary->kill_now();
  EXPECT_EQ(write(*world, "during").status, 503);
  world->promote();
  auto took = until_status(201, 5s, [&] { return write(*world, "after"); });
  ASSERT_TRUE(took) << world->log();
  RecordProperty("served_after_promotion_ms", static_cast<int>(took->count()));
  EXPECT_LT(*took, kSoon);
  EXPECT_EQ(ask(world->port, "GET", "/api/photo-analyses/before").status, 200);
  std::printf("served %ld ms after the promotion\n", static_cast<long>(took->count()));
}

TEST_F(ExampleServices, ManyWhoWaitAllGetTheirTurnAfterThePromotion) {
  auto world = dating();
  ASSERT_TRUE(world->ready()) << world->log();
  constexpr int kUsers = 30;
  std::atomic<bool> ending = false;
  std::array<std::atomic<int>, kUsers> answered{};
  std::vector<std::thread> users;
  for (int user = 0; user < kUsers; ++user) {
    users.emplace_back([&, user] {
      for (int number = 0; !ending; ++number) {
        if (write(*world, std::to_string(user) + "-" + std::to_string(number)).status == 201) ++answered[user];
      }
    });
  }
  auto all_answered = [&] {
    auto begin = Clock::now();
    for (auto& count : answered) count = 0;
    while (std::ranges::any_of(answered, [](const auto& count) { return count == 0; }) && Clock::now() - begin < 10s)
      std::this_thread::sleep_for(5ms);
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  };
  EXPECT_LT(all_answered(), 10s) << world->log();
  world->primary->kill_now();
  world->promote();
  auto took = all_answered();
  ending = true;
  for (std::thread& user : users) user.join();
  EXPECT_LT(took, 2s) << world->log();
  std::printf("all of %d served %ld ms after the promotion\n", kUsers, static_cast<long>(took.count()));
}

TEST_F(ExampleServices, AHungPrimaryNeitherHoldsUpHealthNorTheWayToTheStandby) {
  auto world = dating();
  ASSERT_TRUE(world->ready()) << world->log();
  world->primary->signal_all(SIGSTOP);
  ASSERT_TRUE(until_status(503, 5s, [&] { return ask(world->port, "GET", "/health"); })) << world->log();
  for (int round = 0; round < 5; ++round) {
    Answer health = ask(world->port, "GET", "/health");
    EXPECT_EQ(health.status, 503);
    EXPECT_LT(health.took, kSoon);
  }
  world->promote();
  auto took = until_status(201, 5s, [&] { return write(*world, "after"); });
  ASSERT_TRUE(took) << world->log();
  EXPECT_LT(*took, kSoon);
  std::printf("served %ld ms after the promotion\n", static_cast<long>(took->count()));
}

TEST_F(ExampleServices, TheNotebookKeepsNotes) {
  World world("notes-web", LIFEBOAT_SOURCE_DIR "/examples/postgres-pair/schema.sql", "notes");
  ASSERT_TRUE(world.ready()) << world.log();
  EXPECT_EQ(ask(world.port, "POST", "/notes", "plain-key").status, 201);
  EXPECT_EQ(ask(world.port, "POST", "/notes", R"({"key":"k","text":"remember \"this\""})").status, 201);
  EXPECT_NE(ask(world.port, "GET", "/notes/k").body.find(R"(remember \"this\")"), std::string::npos);
  EXPECT_EQ(ask(world.port, "GET", "/notes/plain-key").status, 200);
  EXPECT_EQ(ask(world.port, "GET", "/notes/none").status, 404);
  EXPECT_EQ(ask(world.port, "GET", "/notes").body, R"({"notes":2})");
  EXPECT_EQ(ask(world.port, "POST", "/notes").status, 400);
}

}  // namespace
}  // namespace example
