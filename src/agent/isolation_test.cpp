// Cutting a host off. What is decided and which rules are made is asked directly; that the rules do what they say is seen with an agent in
// a network namespace of its own, with a cable to another one in which its controller stands.
#include "agent/isolation.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>

#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// ---- the rules

TEST(IsolationRules, KeepOnlyWhatTheAgentAndItsControllersSay) {
  auto rules = isolation_rules({"10.3.0.2:7400", "10.1.0.2:7401"});
  ASSERT_TRUE(rules.has_value()) << rules.error().text();
  EXPECT_EQ(*rules,
            "add table inet lifeboat_isolation\n"
            "delete table inet lifeboat_isolation\n"
            "table inet lifeboat_isolation {\n"
            "  chain input {\n"
            "    type filter hook input priority 0; policy drop;\n"
            "    iifname \"lo\" accept\n"
            "    ip saddr 10.3.0.2 tcp sport 7400 tcp flags & (syn | ack) != syn accept\n"
            "    ip saddr 10.1.0.2 tcp sport 7401 tcp flags & (syn | ack) != syn accept\n"
            "    icmp type destination-unreachable icmp code frag-needed accept\n"
            "  }\n"
            "  chain forward {\n"
            "    type filter hook forward priority 0; policy drop;\n"
            "  }\n"
            "  chain output {\n"
            "    type filter hook output priority 0; policy drop;\n"
            "    oifname \"lo\" accept\n"
            "    ip daddr 10.3.0.2 tcp dport 7400 accept\n"
            "    ip daddr 10.1.0.2 tcp dport 7401 accept\n"
            "  }\n"
            "}\n");
  // Connections that were made before are cut as well.
  EXPECT_THAT(*rules, Not(HasSubstr("established")));
}

TEST(IsolationRules, LetIpv6AskItsNeighboursOnlyWhereItIsNeeded) {
  for (const std::string controller : {"fd00::2:7400", "[fd00::2]:7400"}) {
    auto rules = isolation_rules({controller});
    ASSERT_TRUE(rules.has_value()) << rules.error().text();
    EXPECT_THAT(*rules, HasSubstr("ip6 daddr fd00::2 tcp dport 7400 accept"));
    EXPECT_THAT(*rules, HasSubstr("nd-neighbor-solicit"));
  }
  EXPECT_THAT(*isolation_rules({"10.3.0.2:7400"}), Not(HasSubstr("icmpv6")));
  EXPECT_THAT(*isolation_rules({"::ffff:10.3.0.2:7400"}), HasSubstr("ip daddr 10.3.0.2 tcp dport 7400 accept"));
}

TEST(IsolationRules, RefuseWhatIsNoAddressOfAnotherHost) {
  auto kind_of = [](const std::string& controller) {
    auto rules = isolation_rules({"10.3.0.2:7400", controller});
    return rules ? ErrorKind::internal : rules.error().kind;
  };
  for (const std::string odd : {"", "10.3.0.2", ":7400x", "10.3.0.2:", "10.3.0.2:0", "10.3.0.2:65536", "10.3.0.2:-1",
                                "10.3.0.2:7400 accept", "224.0.0.1:7400", "ff02::1:7400", "fe80::1%lo:7400"})
    EXPECT_EQ(kind_of(odd), ErrorKind::invalid_input) << odd;
  // Names cannot be looked up when the network is closed, and what looks like a rule is no better than a name.
  for (const std::string name :
       {"control.test:7400", "10.3.0.2 accept; ip daddr 10.9.9.9:7400", "0.0.0.0/0:7400", "010.3.0.2:7400",
        "10.3.0.2\n    accept:7400", "0xa030002:7400", "[10.3.0.2:7400", ":7400"})
    EXPECT_EQ(kind_of(name), ErrorKind::unsupported) << name;
  for (const std::string own : {"127.0.0.1:7400", "127.67.2.1:7400", "::1:7400", "0.0.0.0:7400", "::ffff:127.0.0.1:1"})
    EXPECT_EQ(kind_of(own), ErrorKind::refused) << own;
  EXPECT_FALSE(isolation_rules({}).has_value());
}

// ---- with a real network

const std::string kControllerAddress = "10.213.0.1";
const std::string kAgentAddress = "10.213.0.2";

// Two networks of their own with a cable between them. This thread stays in the one it was in.
class Cable {
 public:
  Cable() {
    own_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    controllers = make();
    agents = make();
    if (controllers < 0 || agents < 0) return;
    lies = in(controllers, [&] {
      return run(fmt::format("ip link add cable type veth peer name cable netns /proc/{}/fd/{}", getpid(), agents)) &&
             run(fmt::format("ip link set lo up && ip address add {}/24 dev cable && ip link set cable up",
                             kControllerAddress));
    });
    lies = lies && in(agents, [] {
             return run(fmt::format("ip link set lo up && ip address add {}/24 dev cable && ip link set cable up",
                                    kAgentAddress));
           });
  }
  ~Cable() {
    for (int fd : {own_, controllers, agents}) close(fd);
  }
  Cable(const Cable&) = delete;
  Cable& operator=(const Cable&) = delete;

  template <class F>
  std::invoke_result_t<F> in(int network, F f) const {
    EXPECT_EQ(setns(network, CLONE_NEWNET), 0);
    auto out = f();
    EXPECT_EQ(setns(own_, CLONE_NEWNET), 0);
    return out;
  }
  static bool run(const std::string& line) { return std::system(line.c_str()) == 0; }

  int controllers = -1;
  int agents = -1;
  bool lies = false;

 private:
  int make() const {
    if (unshare(CLONE_NEWNET) != 0) return -1;
    int made = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(setns(own_, CLONE_NEWNET), 0);
    return made;
  }
  int own_ = -1;
};

sockaddr_in at(const std::string& address, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &out.sin_addr);
  return out;
}

// A server that takes connections, as the kernel does for it.
int listen_at(const std::string& address, int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where = at(address, port);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  EXPECT_EQ(listen(fd, 16), 0);
  return fd;
}

// A connection, or -1 when none is made within a third of a second.
int connect_to(const std::string& address, int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in where = at(address, port);
  connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof where);
  pollfd wait{fd, POLLOUT, 0};
  int problem = 1;
  socklen_t size = sizeof problem;
  if (poll(&wait, 1, 300) == 1) getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size);
  if (problem == 0) return fd;
  close(fd);
  return -1;
}
bool can_connect(const std::string& address, int port) {
  int fd = connect_to(address, port);
  if (fd >= 0) close(fd);
  return fd >= 0;
}
bool something_comes(int fd) {
  pollfd wait{fd, POLLIN, 0};
  char byte = 0;
  return poll(&wait, 1, 500) == 1 && recv(fd, &byte, 1, 0) == 1;
}

class IsolatedAgent : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "networks of their own need root";
    if (find_program("nft").empty() || find_program("ip").empty())
      GTEST_SKIP() << "nftables and iproute2 are not installed";
    cable = std::make_unique<Cable>();
    if (!cable->lies) GTEST_SKIP() << "no networks of their own can be made here";
    char name[] = "/tmp/lifeboat-isolation-XXXXXX";
    folder = mkdtemp(name);
    fs::create_directory(folder + "/secrets");
    EXPECT_TRUE(write_file_atomic(folder + "/secrets/agent-a", kToken, 0600));
    controller =
        cable->in(cable->controllers, [this] { return std::make_unique<FakeController>(context, kControllerAddress); });
    // Three servers that somebody may reach: on the host, elsewhere, and on the controller's host.
    on_host = cable->in(cable->agents, [] { return listen_at(kAgentAddress, 5432); });
    elsewhere = cable->in(cable->controllers, [] { return listen_at(kControllerAddress, 5555); });
    start();
  }
  void TearDown() override {
    if (agent) agent->kill_now();
    if (HasFailure()) {
      if (auto text = read_file(folder + "/a.log")) fmt::print(stderr, "---- a.log\n{}\n", *text);
    }
    for (int fd : {on_host, elsewhere}) close(fd);
    std::error_code ignored;
    if (!folder.empty()) fs::remove_all(folder, ignored);
  }
  void play(Task<bool> story) { EXPECT_TRUE(run_in_test(context, std::move(story), Duration{90'000})); }

 public:
  void start() {
    agent = cable->in(cable->agents, [this] {
      return std::make_unique<AgentProcess>("a", controller->port(), folder + "/a", folder + "/secrets",
                                            folder + "/a.log", kControllerAddress);
    });
  }
  bool reached_from_outside() {
    return cable->in(cable->controllers, [] { return can_connect(kAgentAddress, 5432); });
  }
  bool reaches_out() {
    return cable->in(cable->agents, [] { return can_connect(kControllerAddress, 5555); });
  }
  bool reaches_itself() {
    return cable->in(cable->agents, [] { return can_connect(kAgentAddress, 5432); });
  }
  bool has_table() {
    return cable->in(cable->agents,
                     [] { return Cable::run("nft list table inet lifeboat_isolation >/dev/null 2>&1"); });
  }
  Task<bool> linked(int times) {
    MonoTime end = boot_now() + 15s;
    while (controller->hosts["a"].links < times || !controller->hosts["a"].socket) {
      if (boot_now() > end) co_return false;
      co_await sleep_for(Duration{5});
    }
    co_return true;
  }
  // A controller that leads says something several times a second.
  Task<Result<Json>> isolate() {
    std::optional<Result<Json>> answer;
    auto asking = [](FakeController* to, std::optional<Result<Json>>* into) -> Task<> {
      auto asked = to->ask("a", wire::Isolate{"R-1/isolate"});
      *into = co_await std::move(asked);
    };
    asio::co_spawn(context, asking(controller.get(), &answer), asio::detached);
    while (!answer) {
      controller->configure("a");
      co_await sleep_for(Duration{200});
    }
    co_return *answer;
  }
  Task<bool> says_isolated() {
    auto asking = controller->ask("a", NetworkState{});
    auto answer = co_await std::move(asking);
    EXPECT_TRUE(answer) << answer.error().text();
    co_return answer&& bool_or(*answer, "isolated");
  }

  struct NetworkState {
    static constexpr std::string_view kMethod = wire::kNetworkState;
  };
  friend Json encode(const NetworkState&) { return JsonObject{}; }

  asio::io_context context{1};
  std::unique_ptr<Cable> cable;
  std::unique_ptr<FakeController> controller;
  std::unique_ptr<AgentProcess> agent;
  std::string folder;
  int on_host = -1;
  int elsewhere = -1;
};

Task<bool> is_cut_off_and_let_back(IsolatedAgent& t) {
  REQUIRE(co_await t.linked(1));
  REQUIRE(!co_await t.says_isolated());
  REQUIRE(t.reached_from_outside() && t.reaches_out());
  int outer = t.cable->in(t.cable->controllers, [] { return connect_to(kAgentAddress, 5432); });
  // The second that was made; the first only tried.
  int inner = -1;
  for (int round = 0; round < 2; ++round) {
    if (inner >= 0) close(inner);
    inner = accept(t.on_host, nullptr, nullptr);
  }
  REQUIRE(outer >= 0 && inner >= 0);
  REQUIRE(send(outer, "x", 1, 0) == 1 && something_comes(inner));

  auto isolating = t.isolate();
  auto isolated = co_await std::move(isolating);
  EXPECT_TRUE(isolated) << isolated.error().text();
  REQUIRE(isolated && bool_or(*isolated, "closed"));
  EXPECT_TRUE(co_await t.says_isolated());
  EXPECT_EQ(t.controller->hosts["a"].links, 1) << "the link did not survive";
  // Who gives out secrets is told, and is told again by an agent that comes anew.
  EXPECT_TRUE(t.controller->hosts["a"].cut_off);
  EXPECT_FALSE(t.reached_from_outside());
  EXPECT_FALSE(t.reaches_out()) << "another port of the controller's host";
  EXPECT_TRUE(t.reaches_itself());
  EXPECT_EQ(send(outer, "x", 1, 0), 1);
  EXPECT_FALSE(something_comes(inner)) << "a connection that was made before goes on";
  // Asked again, as after an answer that was lost, it stays as it is.
  auto again = t.isolate();
  EXPECT_TRUE(co_await std::move(again));

  // The agent ends: nothing changes. The host boots anew: the next agent puts the rules in again.
  t.agent->kill_now();
  EXPECT_TRUE(t.has_table());
  t.start();
  t.controller->hosts["a"].cut_off = false;
  REQUIRE(co_await t.linked(2));
  EXPECT_TRUE(t.controller->hosts["a"].cut_off);
  EXPECT_TRUE(co_await t.says_isolated());
  t.agent->kill_now();
  REQUIRE(t.cable->in(t.cable->agents, [] { return Cable::run("nft delete table inet lifeboat_isolation"); }));
  t.start();
  REQUIRE(co_await t.linked(3));
  EXPECT_TRUE(co_await t.says_isolated());
  EXPECT_FALSE(t.reached_from_outside());

  for (int round = 0; round < 2; ++round) {
    auto rejoining = t.controller->ask("a", wire::Rejoin{"R-1/rejoin"});
    auto rejoined = co_await std::move(rejoining);
    EXPECT_TRUE(rejoined) << rejoined.error().text();
    EXPECT_FALSE(co_await t.says_isolated());
    EXPECT_FALSE(t.controller->hosts["a"].cut_off);
  }
  EXPECT_TRUE(t.reached_from_outside() && t.reaches_out());
  EXPECT_FALSE(fs::exists(t.folder + "/a/isolation.json"));
  for (int fd : {outer, inner}) close(fd);
  co_return true;
}
TEST_F(IsolatedAgent, KeepsItsLinkAndNothingElseUntilItIsLetBack) { play(is_cut_off_and_let_back(*this)); }

Task<bool> is_open_again(IsolatedAgent& t) {
  REQUIRE(co_await t.linked(1));
  auto asking = [](FakeController* to) -> Task<> {
    auto asked = to->ask("a", wire::Isolate{"R-1/isolate"}, Duration{1'000});
    auto unanswered = co_await std::move(asked);
    EXPECT_FALSE(unanswered.has_value());
  };
  asio::co_spawn(t.context, asking(t.controller.get()), asio::detached);
  MonoTime begun = boot_now();
  while (!t.has_table() && boot_now() < begun + 5s) co_await sleep_for(Duration{20});
  REQUIRE(t.has_table());
  MonoTime closed = boot_now();
  t.controller->welcomes = false;
  t.controller->drop_link("a");
  while (t.has_table() && boot_now() < closed + 40s) co_await sleep_for(Duration{50});
  EXPECT_FALSE(t.has_table());
  EXPECT_GT(boot_now() - closed, 13s);
  EXPECT_TRUE(t.reached_from_outside());
  EXPECT_FALSE(fs::exists(t.folder + "/a/isolation.json"));
  EXPECT_THAT(read_file(t.folder + "/a.log").value_or(""), HasSubstr("no controller was heard"));
  co_return true;
}
TEST_F(IsolatedAgent, TakesItBackByItselfWhenNoControllerIsHeard) { play(is_open_again(*this)); }

TEST_F(IsolatedAgent, TheRulesForIpv6AreTakenToo) {
  std::string rules = isolation_rules({"[fd00::2]:7400", "10.213.0.1:7400"}).value_or("");
  ASSERT_TRUE(write_file_atomic(folder + "/rules", rules));
  EXPECT_TRUE(cable->in(cable->agents, [this] { return Cable::run("nft -f " + folder + "/rules"); }));
  EXPECT_TRUE(has_table());
}

}  // namespace
}  // namespace lifeboat
