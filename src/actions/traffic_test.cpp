// The traffic actions against a real HAProxy in front of small HTTP servers whose health and speed the test sets.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "actions/registry.hpp"
#include "actions/test_servers.hpp"
#include "actions/test_world.hpp"
#include "actions/traffic_common.hpp"

namespace lifeboat {
namespace {

using asio::ip::tcp;
using testing::HasSubstr;
constexpr const char* kHaproxy = "/usr/sbin/haproxy";

// HTTP servers and users on a thread of their own.
class HttpWorld {
 public:
  struct Place {
    std::atomic<int> status{200};
    std::atomic<int> delay_ms{0};
    std::atomic<int> served{0};
  };

  ~HttpWorld() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void serve(int port, Place* place) {
    auto acceptor = std::make_shared<tcp::acceptor>(
        loop_, tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<uint16_t>(port)));
    asio::co_spawn(loop_, accept(acceptor, place), asio::detached);
  }
  // One request every few milliseconds, each on a connection of its own.
  void use(int port, int every_ms) { asio::co_spawn(loop_, users(port, every_ms), asio::detached); }
  void start() {
    thread_ = std::thread([this] { loop_.run(); });
  }
  std::atomic<int> answered{0};
  std::atomic<int> failed{0};

 private:
  static std::string response(int status) {
    return fmt::format("HTTP/1.1 {} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", status);
  }
  Task<> accept(std::shared_ptr<tcp::acceptor> acceptor, Place* place) {
    while (true) {
      tcp::socket socket = co_await acceptor->async_accept(asio::use_awaitable);
      asio::co_spawn(loop_, answer(std::move(socket), place), asio::detached);
    }
  }
  static Task<> answer(tcp::socket socket, Place* place) {
    std::string request;
    auto buffer = asio::dynamic_buffer(request);
    co_await asio::async_read_until(socket, buffer, "\r\n\r\n", asio::use_awaitable);
    bool check = request.starts_with("OPTIONS");
    if (!check) {
      ++place->served;
      co_await sleep_for(Duration{place->delay_ms.load()});
    }
    std::string text = response(check ? 200 : place->status.load());
    co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
  }
  Task<> users(int port, int every_ms) {
    while (true) {
      asio::co_spawn(loop_, one_user(port), asio::detached);
      co_await sleep_for(Duration{every_ms});
    }
  }
  Task<> one_user(int port) {
    tcp::socket socket(loop_);
    tcp::endpoint to(asio::ip::address_v4::loopback(), static_cast<uint16_t>(port));
    co_await socket.async_connect(to, asio::use_awaitable);
    std::string request = "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    std::string text;
    auto buffer = asio::dynamic_buffer(text);
    co_await asio::async_read_until(socket, buffer, "\r\n", asio::use_awaitable);
    ++(text.starts_with("HTTP/1.1 200") ? answered : failed);
  }

  asio::io_context loop_;
  std::thread thread_;
};

class TrafficActions : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_program(kHaproxy)) GTEST_SKIP() << kHaproxy << " is missing";
    front = free_port();
    runtime = free_port();
    std::vector<std::pair<std::string, HttpWorld::Place*>> servers{
        {"east-1", &east}, {"east-2", &east}, {"east-3", &east}, {"west-1", &west}};
    std::string lines;
    for (auto& [name, place] : servers) {
      int port = free_port();
      http.serve(port, place);
      lines +=
          fmt::format("  server {} 127.0.0.1:{} check inter 100ms weight {}\n", name, port, name == "west-1" ? 100 : 0);
    }
    std::string config = (world.folder() / "haproxy.cfg").string();
    std::ofstream(config) << fmt::format(
        "global\n  stats socket ipv4@127.0.0.1:{} level admin\ndefaults\n  mode http\n  timeout connect 1s\n"
        "  timeout client 30s\n  timeout server 30s\nfrontend users\n  bind 127.0.0.1:{}\n  default_backend api\n"
        "backend api\n  balance roundrobin\n  option httpchk\n{}",
        runtime, front, lines);
    haproxy = TestProcess(kHaproxy, {"haproxy", "-db", "-f", config}, (world.folder() / "haproxy.log").string());
    http.start();
    for (const char* region : {"east", "west"}) world.add_region(region);
    world.add_host("lb-west", "west", "127.0.0.1");
    HaproxyService service{.backend = {"api"}};
    service.members.add("west", HaproxyMember{{"lb-west"}, front, runtime});
    world.plan.services.add("balancer", service);
    ASSERT_TRUE(eventually([&] {
      auto now = servers_now();
      return now.size() == 4 && std::ranges::all_of(now, &HaproxyServer::up);
    }));
  }
  std::vector<HaproxyServer> servers_now() {
    Haproxy api("127.0.0.1", runtime);
    auto now = TestWorld::run(api.servers("api", Deadline::after(Duration{1'000})));
    return now ? *now : std::vector<HaproxyServer>{};
  }
  HaproxyServer server(const std::string& name) {
    auto now = servers_now();
    auto found = std::ranges::find(now, name, &HaproxyServer::name);
    return found == now.end() ? HaproxyServer{} : *found;
  }
  void runtime_command(const std::string& line) {
    Haproxy api("127.0.0.1", runtime);
    auto answer = TestWorld::run(api.ask(line, Deadline::after(Duration{1'000})));
    ASSERT_TRUE(answer) << answer.error().text();
  }

  const std::string halves = R"({"service": "balancer", "weights": {"east": "50%", "west": "50%"}})";
  TestWorld world;
  HttpWorld::Place east;
  HttpWorld::Place west;
  HttpWorld http;
  int front = 0;
  int runtime = 0;
  TestProcess haproxy;
};

TEST_F(TrafficActions, WeightsGiveTheSharesThatUsersThenGet) {
  auto before = world.observe(traffic_weights_action(), halves);
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_FALSE(before->holds);
  EXPECT_EQ(before->state, "west: east 0 %, west 100 %");
  auto outcome =
      world.apply(traffic_weights_action(), R"({"service": "balancer", "weights": {"east": "10%", "west": "90%"}})");
  ASSERT_TRUE(outcome) << outcome.error().text();
  http.use(front, 2);
  ASSERT_TRUE(eventually([&] { return http.answered >= 400; }));
  double share = 100.0 * east.served / (east.served + west.served);
  std::cout << "10 % asked for, " << share << " % got\n";
  EXPECT_NEAR(share, 10, 3);
  EXPECT_EQ(http.failed, 0);
  auto undone = world.undo(traffic_weights_action(), halves, outcome->data);
  ASSERT_TRUE(undone) << undone.error().text();
  EXPECT_EQ(server("west-1").weight, 100);
  EXPECT_EQ(server("east-2").weight, 0);
}

TEST_F(TrafficActions, WeightsCountOnlyServersThatAreUp) {
  runtime_command("set server api/east-2 state maint; set server api/east-3 state maint");
  auto outcome = world.apply(traffic_weights_action(), halves);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_EQ(server("east-1").weight, server("west-1").weight);
  EXPECT_TRUE(world.observe(traffic_weights_action(), halves)->holds);
  EXPECT_TRUE(server("east-2").maintenance) << "an operator's maintenance is not ended";
  runtime_command("set server api/east-1 state maint");
  auto refused = world.apply(traffic_weights_action(), halves);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unreachable) << "it may be up a moment later: worth another try";
  EXPECT_THAT(refused.error().text(), HasSubstr("no server of east is up"));
}

// What was started a moment ago is up before the health checks say so.
TEST_F(TrafficActions, WeightsWaitForTheHealthChecksToSeeARegion) {
  for (const char* name : {"east-1", "east-2", "east-3"})
    runtime_command(fmt::format("set server api/{} state maint", name));
  std::thread starts([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    runtime_command("set server api/east-1 state ready");
  });
  auto outcome = world.apply(traffic_weights_action(), halves);
  starts.join();
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_EQ(server("east-1").weight, server("west-1").weight);
}

TEST_F(TrafficActions, RefusalsOfHaproxyAreShownWithAHint) {
  Haproxy api("127.0.0.1", runtime);
  Deadline soon = Deadline::after(Duration{2'000});
  auto too_heavy = TestWorld::run(api.set_weights("api", {{"east-1", 300}}, soon));
  ASSERT_FALSE(too_heavy);
  EXPECT_THAT(too_heavy.error().text(), HasSubstr("between 0 and 256"));
  auto no_server = TestWorld::run(api.set_state("api", "north-1", "drain", soon));
  ASSERT_FALSE(no_server);
  EXPECT_THAT(no_server.error().text(), HasSubstr("REGION-1"));
  auto no_backend = TestWorld::run(api.servers("shop", soon));
  ASSERT_FALSE(no_backend);
  EXPECT_EQ(no_backend.error().kind, ErrorKind::not_found) << no_backend.error().text();
  haproxy.kill_now();
  EXPECT_EQ(world.observe(traffic_weights_action(), halves).error().kind, ErrorKind::unreachable);
}

TEST_F(TrafficActions, DrainLetsUsersFinishAndClosesWhatStaysTooLong) {
  ASSERT_TRUE(world.apply(traffic_weights_action(), halves));
  west.delay_ms = 600;
  http.use(front, 20);
  ASSERT_TRUE(eventually([&] { return server("west-1").sessions > 0; }));
  auto outcome = world.apply(traffic_drain_action(), R"({"service": "balancer", "region": "west", "within": "5s"})");
  ASSERT_TRUE(outcome) << outcome.error().text();
  std::cout << outcome->summary << " in " << outcome->data.at("seconds").as_double() << " s\n";
  EXPECT_EQ(outcome->data.at("closed").to_number<int64_t>(), 0);
  EXPECT_EQ(http.failed, 0);
  EXPECT_TRUE(server("west-1").drained);
  EXPECT_TRUE(world.observe(traffic_drain_action(), R"({"service": "balancer", "region": "west"})")->holds);
  auto undone = world.undo(traffic_drain_action(), R"({"service": "balancer", "region": "west"})", outcome->data);
  ASSERT_TRUE(undone) << undone.error().text();
  EXPECT_FALSE(server("west-1").drained);

  west.delay_ms = 20'000;
  ASSERT_TRUE(eventually([&] { return server("west-1").sessions > 0; }));
  auto forced = world.apply(traffic_drain_action(), R"({"service": "balancer", "region": "west", "within": "500ms"})");
  ASSERT_TRUE(forced) << forced.error().text();
  EXPECT_GT(forced->data.at("closed").to_number<int64_t>(), 0);
}

TEST_F(TrafficActions, DrainIsRefusedForTheOnlyRegionThatServes) {
  auto outcome = world.apply(traffic_drain_action(), R"({"service": "balancer", "region": "west"})");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::refused);
  EXPECT_FALSE(server("west-1").drained);
}

const char* const kRamp = R"({"service": "balancer", "from": "west", "to": "east", "start": "10%", "step": "25%",
    "every": "500ms", "min_requests": 10, "halt_if": {"error_rate": "1%", "p95": "300ms"}})";

TEST_F(TrafficActions, RampMovesAllUsersInStepsWhenTheyAreWell) {
  http.use(front, 4);
  auto outcome = world.apply(traffic_ramp_action(), kRamp, Duration{30'000});
  ASSERT_TRUE(outcome) << outcome.error().text();
  std::vector<std::string> moves;
  for (const std::string& line : world.lines) {
    std::cout << line << "\n";
    if (line.contains("of users go to")) moves.push_back(line.substr(0, line.find(' ')));
  }
  EXPECT_THAT(moves, testing::ElementsAre("10", "35", "60", "85", "100"));
  EXPECT_EQ(http.failed, 0);
  EXPECT_EQ(server("west-1").weight, 0);
  EXPECT_TRUE(world.observe(traffic_ramp_action(), kRamp)->holds);
  ASSERT_TRUE(world.undo(traffic_ramp_action(), kRamp, outcome->data));
  EXPECT_EQ(server("west-1").weight, 100);
}

TEST_F(TrafficActions, RampSendsUsersBackWhenTheNewRegionFails) {
  east.status = 500;
  http.use(front, 4);
  auto outcome = world.apply(traffic_ramp_action(), kRamp, Duration{30'000});
  ASSERT_FALSE(outcome);
  std::cout << outcome.error().text() << "\n";
  EXPECT_EQ(outcome.error().kind, ErrorKind::refused);
  EXPECT_THAT(outcome.error().what, HasSubstr("all users are back in west: at 10 %: error rate"));
  EXPECT_EQ(server("east-1").weight, 0);
  EXPECT_GT(server("west-1").weight, 0);
}

TEST_F(TrafficActions, RampSendsUsersBackWhenTheNewRegionIsSlow) {
  east.delay_ms = 700;
  http.use(front, 4);
  auto outcome = world.apply(traffic_ramp_action(), kRamp, Duration{30'000});
  ASSERT_FALSE(outcome);
  std::cout << outcome.error().text() << "\n";
  EXPECT_THAT(outcome.error().what, HasSubstr("at the load balancer, limit 300 ms"));
  EXPECT_EQ(server("east-1").weight, 0);
}

TEST_F(TrafficActions, RampSendsUsersBackWhenTheWitnessSaysSo) {
  http.use(front, 4);
  MonoTime began = boot_now();
  world.observers.on_users = [began] {
    bool unwell = boot_now() - began > std::chrono::milliseconds(900);
    return std::optional(UserView{.error_rate = unwell ? 0.05 : 0.0, .p95_ms = 50, .requests_per_second = 20});
  };
  auto outcome = world.apply(traffic_ramp_action(), kRamp, Duration{30'000});
  ASSERT_FALSE(outcome);
  std::cout << outcome.error().text() << "\n";
  EXPECT_THAT(outcome.error().what, HasSubstr("users see an error rate of 5.0 %"));
  EXPECT_EQ(server("east-1").weight, 0);
}

TEST_F(TrafficActions, RampGoesOnAfterARestartWhereItStood) {
  http.use(front, 4);
  ASSERT_TRUE(
      world.apply(traffic_weights_action(), R"({"service": "balancer", "weights": {"east": "60%", "west": "40%"}})"));
  auto seen = world.observe(traffic_ramp_action(), kRamp);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_THAT(seen->change, HasSubstr("60 %, 85 %, 100 %"));
  auto outcome = world.apply(traffic_ramp_action(), kRamp, Duration{30'000});
  ASSERT_TRUE(outcome) << outcome.error().text();
  ASSERT_FALSE(world.lines.empty());
  EXPECT_THAT(world.lines.front(), HasSubstr("60 % of users go to east"));
}

TEST_F(TrafficActions, RampKeepsItsShareWhenServersComeUpMeanwhile) {
  http.use(front, 4);
  runtime_command("set server api/east-2 state maint; set server api/east-3 state maint");
  std::string slow = R"({"service": "balancer", "from": "west", "to": "east", "start": "50%", "every": "1m"})";
  auto action = world.make(traffic_ramp_action(), slow);
  asio::io_context loop;
  asio::cancellation_signal stop;
  asio::co_spawn(loop, action->apply(world.context(Duration{60'000})),
                 asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr, Result<Outcome>) {}));
  std::thread ramp([&] { loop.run(); });
  EXPECT_TRUE(eventually([&] { return server("east-1").weight > 0; }));
  runtime_command("set server api/east-2 state ready; set server api/east-3 state ready");
  EXPECT_TRUE(eventually([&] {
    auto now = servers_now();
    BalancerView view{"west", "api", Haproxy("127.0.0.1", runtime), now};
    auto holds = gives(view, {{"east", 50}, {"west", 50}});
    return std::ranges::all_of(now, &HaproxyServer::up) && holds && *holds;
  }));
  asio::post(loop, [&] { stop.emit(asio::cancellation_type::terminal); });
  ramp.join();
}

}  // namespace
}  // namespace lifeboat
