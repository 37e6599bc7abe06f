// For tests: two agents as processes of their own, each with a real PostgreSQL, and a controller that does what the test
// says, over a real WebSocket. Everything lies in one new folder below the system's folder for temporary files and is
// gone afterwards, processes too.
#pragma once

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "agent/protocol.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/http_server.hpp"
#include "io/postgres.hpp"
#include "io/process.hpp"
#include "io/run_in_test.hpp"
#include "io/test_ports.hpp"

namespace lifeboat {

namespace fs = std::filesystem;

// In a test that is a coroutine giving bool.
#define REQUIRE(...)                             \
  if (!(__VA_ARGS__)) {                          \
    ADD_FAILURE() << "not so: " << #__VA_ARGS__; \
    co_return false;                             \
  }                                              \
  static_assert(true)

constexpr Duration kTestLease{2'000};
inline const std::string kService = "database";
inline const std::string kToken = "a token for tests";

inline bool postgres_is_installed() { return fs::exists("/usr/lib/postgresql"); }

// Processes whose working directory lies in the folder: a PostgreSQL server's all do.
inline std::vector<pid_t> processes_in(const std::string& folder) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code gone;
    fs::path at = fs::read_symlink(entry.path() / "cwd", gone);
    if (!gone && at.string().starts_with(folder)) out.push_back(std::atoi(name.c_str()));
  }
  return out;
}

class FakeController {
 public:
  struct Released {
    wire::Release what;
    MonoTime at;
  };
  struct Host {
    std::shared_ptr<WebSocket> socket;
    wire::Configure configuration;
    std::optional<wire::Report> report;
    int links = 0;
    bool cut_off = false;  // as it said last
  };

  explicit FakeController(asio::io_context& context, const std::string& address = "127.0.0.1")
      : server_(
            context.get_executor(), [](HttpIncoming) -> Task<HttpReply> { co_return HttpReply{.status = 404}; },
            [](std::string_view what) { ADD_FAILURE() << what; }),
        writers_(context.get_executor(), [](std::string_view, std::string_view) {}) {
    server_.on_websocket("/agent", [this](WebSocket socket, HttpIncoming) { return serve(std::move(socket)); });
    EXPECT_TRUE(server_.listen(address, 0));
  }

  // What the test decides.
  bool answers_renewals = true;
  bool grants_renewals = true;
  bool welcomes = true;
  bool notes_orphans = true;
  std::string same_as;  // what it says of savings that wait; empty: nothing
  std::map<std::string, Host> hosts;
  std::vector<Released> releases;
  std::vector<wire::ProbeResult> probes;
  std::vector<wire::DataLook> looks;
  std::vector<wire::OrphansSaved> orphans;

  int port() const { return server_.port(); }
  void drop_link(const std::string& host) {
    if (auto socket = hosts[host].socket) socket->drop();
  }
  // What is not answered: a report says what became of it.
  template <class Order>
  void tell(const std::string& host, const Order& order) {
    send(host, encode(order), Order::kType);
  }
  // Tells the agent again what it has to do.
  void configure(const std::string& host) { tell(host, hosts[host].configuration); }

  template <class Params>
  Task<Result<Json>> ask(std::string host, Params params, Duration patience = Duration{30'000}) {
    uint64_t id = ++last_id_;
    wire::Request request{id, std::string(Params::kMethod), encode(params), patience.count()};
    send(host, encode(request), wire::Request::kType);
    MonoTime end = boot_now() + patience + std::chrono::seconds(5);
    while (!replies_.contains(id)) {
      if (boot_now() > end) co_return fail(ErrorKind::unknown_outcome, "no reply");
      co_await sleep_for(Duration{2});
    }
    const wire::Reply& reply = replies_[id];
    if (reply.ok) co_return reply.result;
    co_return fail(reply.error_kind == "refused" ? ErrorKind::refused : ErrorKind::internal, reply.error);
  }

  const MemberReport* member(const std::string& host) const {
    auto found = hosts.find(host);
    if (found == hosts.end() || !found->second.report) return nullptr;
    return found->second.report->members.find(kService);
  }
  bool is(const std::string& host, ServerState state) const {
    const MemberReport* report = member(host);
    return report != nullptr && report->state == state;
  }

 private:
  HttpServer server_;
  Scope writers_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, wire::Reply> replies_;

  static Task<> write(std::shared_ptr<WebSocket> socket, std::string text) {
    auto written = co_await socket->write(std::move(text), Deadline::after(Duration{2'000}));
    (void)written;  // a link that is gone shows in the reading
  }
  void send(const std::string& host, Json body, std::string_view type) {
    auto socket = hosts[host].socket;
    if (!socket) return;
    body.as_object()["type"] = type;
    writers_.spawn("write", write(socket, to_text(body)));
  }

  Task<> serve(WebSocket connection) {
    auto socket = std::make_shared<WebSocket>(std::move(connection));
    Deadline deadline = Deadline::after(Duration{3'000});
    auto hello = co_await socket->read(deadline);
    if (!hello || !welcomes) co_return;
    Json said = *parse_json(*hello);
    std::string host = text_or(said, "agent");
    std::string both = host + "\n" + text_or(said, "nonce") + "\n0123456789abcdef";
    JsonObject challenge{{"type", "challenge"},
                         {"nonce", "0123456789abcdef"},
                         {"proof", hmac_sha256_hex(kToken, "controller\n" + both)}};
    auto challenged = co_await socket->write(to_text(challenge), deadline);
    auto proof = co_await socket->read(deadline);
    if (!challenged || !proof) co_return;
    EXPECT_EQ(text_or(*parse_json(*proof), "proof"), hmac_sha256_hex(kToken, "agent\n" + both));
    auto welcomed = co_await socket->write(R"({"type":"welcome"})", deadline);
    if (!welcomed) co_return;
    Host& state = hosts[host];
    state.socket = socket;
    state.report.reset();
    ++state.links;
    state.cut_off = bool_or(said, "cut_off");
    configure(host);
    while (true) {
      auto text = co_await socket->read(Deadline::after(Duration{60'000}));
      if (!text) break;
      // What an agent that is gone said last is no news of the one after it.
      if (state.socket == socket) take(host, *parse_json(*text));
    }
    if (state.socket == socket) state.socket.reset();
  }

  void take(const std::string& host, Json message) {
    std::string type = text_or(message, "type");
    message.as_object().erase("type");
    if (type == wire::Report::kType) {
      if (auto report = decode<wire::Report>(message)) hosts[host].report = std::move(*report);
    } else if (type == wire::Renew::kType && answers_renewals) {
      auto renew = decode<wire::Renew>(message);
      wire::Renewed answer{renew->service, renew->term, renew->sent_ns, grants_renewals};
      send(host, encode(answer), wire::Renewed::kType);
    } else if (type == wire::Release::kType) {
      releases.push_back({*decode<wire::Release>(message), boot_now()});
    } else if (type == wire::Reply::kType) {
      if (auto reply = decode<wire::Reply>(message)) replies_[reply->id] = std::move(*reply);
    } else if (type == wire::OrphansSaved::kType) {
      orphans.push_back(*decode<wire::OrphansSaved>(message));
      bool waits = orphans.back().waits;
      wire::OrphansNoted noted{orphans.back().service, orphans.back().id, waits ? same_as : ""};
      if (notes_orphans && (!waits || !same_as.empty())) send(host, encode(noted), wire::OrphansNoted::kType);
    } else if (type == wire::CutOff::kType) {
      hosts[host].cut_off = bool_or(message, "stands");
    } else if (type == wire::ProbeResult::kType) {
      probes.push_back(*decode<wire::ProbeResult>(message));
    } else if (type == wire::DataLook::kType) {
      looks.push_back(*decode<wire::DataLook>(message));
    }
  }
};

// An agent as its own process; this very test program runs it (see main in agent_test.cpp).
class AgentProcess {
 public:
  AgentProcess(std::string host, int controller_port, std::string folder, std::string secrets, std::string log,
               std::string controller = "127.0.0.1") {
    ProcessSpec spec;
    std::string self = fs::read_symlink("/proc/self/exe");
    spec.argv = {self,
                 "agent",
                 std::move(host),
                 fmt::format("{}:{}", controller, controller_port),
                 std::move(folder),
                 std::move(secrets)};
    spec.output_file = std::move(log);
    auto started = start_process(spec);
    EXPECT_TRUE(started);
    if (started) pid = *started;
  }
  ~AgentProcess() { kill_now(); }
  AgentProcess(const AgentProcess&) = delete;
  AgentProcess& operator=(const AgentProcess&) = delete;

  // The agent alone: its guards see it go.
  void kill_now() {
    if (pid <= 0) return;
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pid = -1;
  }

  pid_t pid = -1;
};

// The world of a test: hosts "a" and "b" with the members "db-a" and "db-b".
class Pair {
 public:
  Pair() : controller(context) {
    char name[] = "/tmp/lifeboat-agent-XXXXXX";
    folder = mkdtemp(name);
    chmod(folder.c_str(), 0711);
    fs::create_directory(folder + "/secrets");
    for (const std::string host : {"a", "b"}) {
      ports[host] = free_port();
      EXPECT_TRUE(write_file_atomic(folder + "/secrets/agent-" + host, kToken, 0600));
    }
    for (const std::string host : {"a", "b"}) {
      wire::ServerConfig config;
      config.member = "db-" + host;
      config.port = ports[host];
      config.listen = "127.0.0.1";
      config.database = "app";
      config.replication_user = "replicator";
      config.replication_password = "it's; a \\ pass:word";
      for (const std::string peer : {"a", "b"}) config.members.add("db-" + peer, wire::Peer{"127.0.0.1", ports[peer]});
      config.lease_ms = kTestLease.count();
      config.first_primary = host == "a";
      controller.hosts[host].configuration.servers.add(kService, config);
      controller.hosts[host].configuration.report_every_ms = 50;
    }
  }
  ~Pair() {
    for (auto& [host, process] : agents) process->kill_now();
    // Guards of dead agents end their servers by themselves; a test that failed may have left a server stopped.
    for (int round = 0; round < 500 && !processes_in(folder).empty(); ++round) {
      for (pid_t pid : processes_in(folder)) kill(pid, SIGKILL);
      usleep(10'000);
    }
    if (testing::Test::HasFailure()) {
      for (const std::string file : {"/a.log", "/b.log", "/a/database/server.log", "/b/database/server.log"}) {
        if (auto text = read_file(folder + file)) fmt::print(stderr, "---- {}\n{}\n", file, *text);
      }
    }
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  void start(const std::string& host) {
    agents[host] = std::make_unique<AgentProcess>(host, controller.port(), folder + "/" + host, folder + "/secrets",
                                                  folder + "/" + host + ".log");
  }
  // Kills it and starts it anew; the first report of the new one is there then.
  Task<bool> start_anew(std::string host) {
    int links = controller.hosts[host].links;
    agents[host]->kill_now();
    start(host);
    auto waiting = until([=, this] { return controller.hosts[host].links > links && controller.hosts[host].report; });
    co_return co_await std::move(waiting);
  }
  void stop_agent(const std::string& host) const { kill(agents.at(host)->pid, SIGSTOP); }
  void start_all() {
    start("a");
    start("b");
  }

  // Waits until something is so; false when it is not within the time.
  Task<bool> until(std::function<bool()> is_so, Duration patience = Duration{15'000}) {
    Deadline deadline = Deadline::after(patience);
    while (!is_so()) {
      if (deadline.passed()) co_return false;
      co_await sleep_for(Duration{1});
    }
    co_return true;
  }

  Task<Result<Json>> lead(std::string host, Lsn at_least = {}) { return lead_after(std::move(host), term, at_least); }
  // By a controller that knows of no newer term than `after`.
  Task<Result<Json>> lead_after(std::string host, uint64_t after, Lsn at_least = {}) {
    wire::Lead order{kService, "db-" + host, ++term, 0, at_least};
    order.after = after;
    const auto& report = controller.hosts[host].report;
    order.as_of_ns = report ? report->boot_ns : 0;
    auto asking = controller.ask(host, order);
    co_return co_await std::move(asking);
  }
  Task<Result<Json>> reprotect(std::string host, std::string upstream, uint64_t timeline = 0) {
    return follow(std::move(host), std::move(upstream), true, timeline);
  }
  Task<Result<Json>> follow(std::string host, std::string upstream, bool given_up = false, uint64_t timeline = 0) {
    wire::Follow order{kService, "db-" + host, "db-" + upstream, term};
    order.given_up = given_up;
    order.timeline = timeline;
    auto asking = controller.ask(host, order);
    co_return co_await std::move(asking);
  }
  // The server of "a" is killed and "b" leads.
  Task<bool> fail_over_to_b() {
    kill(postmaster_of("a"), SIGKILL);
    auto released = until([this] { return !controller.releases.empty(); });
    REQUIRE(co_await std::move(released));
    auto leading = lead("b");
    auto led = co_await std::move(leading);
    EXPECT_TRUE(led) << led.error().text();
    co_return led.has_value();
  }
  Task<Result<Json>> step_down(std::string host) {
    wire::StepDown order{kService, "db-" + host, term};
    auto asking = controller.ask(host, order);
    co_return co_await std::move(asking);
  }

  // Both agents are linked, "a" takes writes and "b" follows it.
  Task<bool> stand_up() {
    start_all();
    auto waiting =
        until([this] { return controller.is("a", ServerState::absent) && controller.is("b", ServerState::absent); });
    REQUIRE(co_await std::move(waiting));
    auto leading = lead("a");
    auto led = co_await std::move(leading);
    EXPECT_TRUE(led) << led.error().text();
    if (!led) co_return false;
    auto following = follow("b", "a");
    auto followed = co_await std::move(following);
    EXPECT_TRUE(followed) << followed.error().text();
    if (!followed) co_return false;
    auto making = sql("a", "CREATE TABLE notes (id bigint PRIMARY KEY)");
    auto made = co_await std::move(making);
    EXPECT_TRUE(made) << made.error().text();
    co_return made.has_value();
  }

  PgParams socket_of(const std::string& host) const {
    return {{"host", fmt::format("{}/{}/{}/socket", folder, host, kService)},
            {"port", std::to_string(ports.at(host))},
            {"dbname", "app"},
            {"user", "postgres"}};
  }
  Task<Result<PgRows>> sql(std::string host, std::string text) {
    auto asking = pg_query_once(socket_of(host), std::move(text), {}, Deadline::after(Duration{3'000}));
    co_return co_await std::move(asking);
  }
  // True when the server accepts a write now.
  Task<bool> takes_writes(std::string host) {
    auto writing = sql(host, "INSERT INTO notes SELECT coalesce(max(id), 0) + 1 FROM notes");
    auto written = co_await std::move(writing);
    co_return written.has_value();
  }

  std::string data_of(const std::string& host) const { return fmt::format("{}/{}/{}/data", folder, host, kService); }
  pid_t postmaster_of(const std::string& host) const {
    auto text = read_file(data_of(host) + "/postmaster.pid");
    return text ? std::atoi(text->c_str()) : -1;
  }
  bool server_is_gone(const std::string& host) const { return processes_in(data_of(host)).empty(); }

  asio::io_context context{1};
  FakeController controller;
  std::string folder;
  std::map<std::string, int> ports;
  std::map<std::string, std::unique_ptr<AgentProcess>> agents;
  uint64_t term = 0;
};

inline int64_t ms_since(MonoTime begun) { return to_duration(boot_now() - begun).count(); }

// A test that is a story of one pair.
// The first value of the answer of the server on that host; empty when there is none.
inline Task<std::string> value(Pair& p, std::string host, std::string sql) {
  auto asking = p.sql(std::move(host), std::move(sql));
  auto rows = co_await std::move(asking);
  co_return rows && !rows->rows.empty() && rows->rows[0][0] ? *rows->rows[0][0] : std::string();
}

// Whether it becomes that within twenty seconds.
inline Task<bool> becomes(Pair& p, std::string host, std::string sql, std::string wanted) {
  for (Deadline patience = Deadline::after(Duration{20'000}); !patience.passed();) {
    auto asking = value(p, host, sql);
    if (co_await std::move(asking) == wanted) co_return true;
    co_await sleep_for(Duration{50});
  }
  co_return false;
}

class PairTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!postgres_is_installed()) GTEST_SKIP() << "PostgreSQL is not installed";
    pair = std::make_unique<Pair>();
  }
  void play(Task<bool> story, Duration within = Duration{90'000}) {
    EXPECT_TRUE(run_in_test(pair->context, std::move(story), within));
  }

  std::unique_ptr<Pair> pair;
};

}  // namespace lifeboat
