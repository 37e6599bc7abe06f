// The Redis actions against real servers on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/redis_common.hpp"
#include "actions/registry.hpp"
#include "actions/test_servers.hpp"
#include "actions/test_world.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
constexpr const char* kRedis = "/usr/bin/redis-check-rdb";

struct Server {
  TestProcess process;
  std::vector<std::string> argv;
  std::string folder;
  int port = 0;

  void start() { process = TestProcess(kRedis, argv, folder + "/log"); }
};

RedisReply ask(int port, std::vector<std::string> words) {
  auto talk = [](int to, std::vector<std::string> list) -> Task<Result<RedisReply>> {
    std::string here = "127.0.0.1";
    Deadline deadline = Deadline::after(Duration{2'000});
    auto connection = co_await RedisConnection::connect(here, to, std::string(), deadline);
    if (!connection) co_return std::unexpected(connection.error());
    co_return co_await connection->command(std::move(list), deadline);
  };
  auto reply = TestWorld::run(talk(port, std::move(words)));
  if (!reply) return {.kind = RedisReply::Kind::error, .text = reply.error().text()};
  return *reply;
}

bool answers(int port) { return ask(port, {"PING"}).text == "PONG"; }

std::string info(int port, std::string_view key) { return info_text(parse_redis_info(ask(port, {"INFO"}).text), key); }

Server make_server(const TestWorld& world, const std::string& name, std::vector<std::string> more) {
  Server server;
  server.port = free_port();
  server.folder = (world.folder() / name).string();
  std::filesystem::create_directory(server.folder);
  server.argv = {"redis-server",
                 "--port",
                 std::to_string(server.port),
                 "--bind",
                 "127.0.0.1",
                 "--dir",
                 server.folder,
                 "--repl-diskless-sync-delay",
                 "0",
                 "--save",
                 ""};
  server.argv.insert(server.argv.end(), more.begin(), more.end());
  return server;
}

void add_regions(TestWorld& world) {
  for (const char* region : {"east", "west"}) {
    world.add_region(region);
    world.add_host(std::string("cache-") + region, region, "127.0.0.1");
  }
}

// ---- a cluster of three masters in the east and their replicas in the west

class RedisClusterActions : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_program(kRedis)) GTEST_SKIP() << kRedis << " is missing";
  }

  // Node files are written by hand, so that the cluster stands as soon as the servers do.
  void bring_up(int node_timeout_ms, bool last_is_new = false) {
    add_regions(world);
    std::vector<std::string> ids;
    std::vector<int> bus_ports;
    for (int index = 0; index < 6; ++index) {
      bus_ports.push_back(free_port());
      ids.push_back(std::string(39, 'a') + static_cast<char>('0' + index));
      servers.push_back(make_server(world, "node-" + std::to_string(index),
                                    {"--cluster-enabled", "yes", "--cluster-port", std::to_string(bus_ports.back()),
                                     "--cluster-node-timeout", std::to_string(node_timeout_ms)}));
    }
    const char* slots[] = {"0-5460", "5461-10922", "10923-16383"};
    for (size_t me = 0; me < 6; ++me) {
      std::ofstream file(servers[me].folder + "/nodes.conf");
      for (size_t index = 0; index < 6; ++index) {
        bool fresh = last_is_new && index == 5;
        bool master = index < 3 || fresh;
        file << fmt::format("{} 127.0.0.1:{}@{} {}{} {} 0 0 {} connected{}\n", ids[index], servers[index].port,
                            bus_ports[index], me == index ? "myself," : "", master ? "master" : "slave",
                            master ? "-" : ids[index - 3], fresh ? kNewEpoch : index % 3 + 1,
                            index < 3 ? " " + std::string(slots[index]) : "");
      }
      file << "vars currentEpoch 6 lastVoteEpoch 0\n";
    }
    RedisClusterService service;
    for (size_t index = 0; index < 6; ++index) {
      servers[index].start();
      std::string region = index < 3 ? "east" : "west";
      service.members.add(fmt::format("{}-{}", region, index % 3 + 1),
                          Endpoint{{"cache-" + region}, servers[index].port});
    }
    service.primary_region = {"east"};
    world.plan.services.add("cache", service);
    for (Server& server : servers) ASSERT_TRUE(eventually([&] { return answers(server.port); }));
    if (last_is_new) {
      ASSERT_TRUE(eventually([&] { return ask(servers[5].port, {"CLUSTER", "REPLICATE", ids[2]}).text == "OK"; }));
    }
    ASSERT_TRUE(eventually([&] { return all_in_step(); })) << ask(servers[3].port, {"CLUSTER", "NODES"}).text;
  }
  bool all_in_step() {
    for (size_t index = 0; index < 6; ++index) {
      if (!ask(servers[index].port, {"CLUSTER", "INFO"}).text.starts_with("cluster_state:ok")) return false;
      if (index >= 3 && info(servers[index].port, "master_link_status") != "up") return false;
    }
    return true;
  }
  // Keys of all three shards: k0 in 8579.., written where their slots are.
  void write_keys() {
    for (int key = 0; key < 60; ++key) {
      for (size_t index = 0; index < 3; ++index) {
        auto reply = ask(servers[index].port, {"SET", "k" + std::to_string(key), "value"});
        if (!reply.is_error()) break;
      }
    }
    ASSERT_TRUE(eventually([&] { return keys_in(3) == 60; }));
  }
  int64_t keys_in(size_t first) {
    int64_t sum = 0;
    for (size_t index = first; index < first + 3; ++index) sum += ask(servers[index].port, {"DBSIZE"}).integer;
    return sum;
  }

  static constexpr size_t kNewEpoch = 6;
  const std::string promote_west = R"({"service": "cache", "to": "west"})";
  TestWorld world;
  std::vector<Server> servers;
};

TEST_F(RedisClusterActions, TakesOverAllShardsWhenThreeMastersDieTogether) {
  bring_up(5'000);
  write_keys();
  auto before = world.observe(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_FALSE(before->holds);
  EXPECT_THAT(before->change, HasSubstr("east-1 → west-1 (coordinated)"));

  for (size_t index = 0; index < 3; ++index) servers[index].process.kill_now();
  MonoTime began = boot_now();
  auto outcome = world.apply(redis_cluster_promote_action(), promote_west);
  double seconds = to_seconds(boot_now() - began);
  ASSERT_TRUE(outcome) << outcome.error().text();
  std::cout << "takeover of three shards: " << seconds << " s: " << outcome->summary << "\n";
  EXPECT_LT(seconds, 1.0);
  const JsonArray& moved = outcome->data.at("moved").as_array();
  ASSERT_EQ(moved.size(), 3u);
  EXPECT_EQ(moved[0].at("method").as_string(), "takeover");
  EXPECT_TRUE(moved[0].at("lost_bytes").is_null());
  EXPECT_EQ(keys_in(3), 60);
  for (int key = 0; key < 60; ++key) {
    int accepted = 0;
    for (size_t index = 3; index < 6; ++index) {
      if (!ask(servers[index].port, {"SET", "k" + std::to_string(key), "after"}).is_error()) ++accepted;
    }
    EXPECT_EQ(accepted, 1) << key;
  }
  auto again = world.apply(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(again->data.at("moved").as_array().empty());
  EXPECT_TRUE(world.observe(redis_cluster_promote_action(), promote_west)->holds);

  // The dead return and become replicas, with what was written meanwhile.
  for (size_t index = 0; index < 3; ++index) servers[index].start();
  auto back =
      world.apply(redis_cluster_replicate_action(), R"({"service": "cache", "region": "east"})", Duration{40'000});
  ASSERT_TRUE(back) << back.error().text();
  std::cout << back->summary << " after " << back->data.at("seconds").as_double() << " s\n";
  EXPECT_EQ(keys_in(0), 60);
  EXPECT_EQ(info(servers[0].port, "role"), "slave");

  // And home again, without loss.
  auto home = world.apply(redis_cluster_promote_action(), R"({"service": "cache", "to": "east"})");
  ASSERT_TRUE(home) << home.error().text();
  EXPECT_EQ(home->data.at("moved").as_array()[0].at("method").as_string(), "coordinated");
  EXPECT_EQ(home->data.at("moved").as_array()[0].at("lost_bytes").to_number<int64_t>(), 0);
  std::cout << home->summary << "\n";
  EXPECT_EQ(info(servers[3].port, "role"), "slave");
}

TEST_F(RedisClusterActions, TakesOverFromMastersThatHang) {
  bring_up(5'000);
  for (size_t index = 0; index < 3; ++index) servers[index].process.signal(SIGSTOP);
  MonoTime began = boot_now();
  auto outcome = world.apply(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  std::cout << "takeover from hung masters: " << to_seconds(boot_now() - began) << " s\n";
  EXPECT_LT(to_seconds(boot_now() - began), 1.5);
}

TEST_F(RedisClusterActions, AsksTheLivingMajorityToVoteWhenOneMasterIsDead) {
  bring_up(5'000);
  servers[0].process.kill_now();
  auto outcome = world.apply(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  const JsonArray& moved = outcome->data.at("moved").as_array();
  ASSERT_EQ(moved.size(), 3u);
  std::map<std::string, std::string> methods;
  for (const Json& shard : moved) methods[text_or(shard, "from")] = text_or(shard, "method");
  EXPECT_EQ(methods["east-1"], "force");
  EXPECT_EQ(methods["east-2"], "coordinated");
}

// A replica whose link to its master is down will not ask it to step down. After a cut that passes by itself.
TEST_F(RedisClusterActions, ARefusalForALostLinkIsKnownAsSuch) {
  bring_up(5'000);
  EXPECT_FALSE(lacks_link_to_master(ask(servers[0].port, {"CLUSTER", "FAILOVER"})));  // a master: refused otherwise
  servers[0].process.kill_now();
  EXPECT_TRUE(eventually([&] { return lacks_link_to_master(ask(servers[3].port, {"CLUSTER", "FAILOVER"})); }));
}

TEST_F(RedisClusterActions, FinishesWhatACrashLeftHalfDone) {
  bring_up(5'000);
  for (size_t index = 0; index < 3; ++index) servers[index].process.kill_now();
  ASSERT_EQ(ask(servers[4].port, {"CLUSTER", "FAILOVER", "TAKEOVER"}).text, "OK");
  auto seen = world.observe(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_FALSE(seen->holds);
  auto outcome = world.apply(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_EQ(outcome->data.at("moved").as_array().size(), 2u);
}

TEST_F(RedisClusterActions, ServesAgainAfterTheMajorityWasSeenMissing) {
  bring_up(1'000);
  for (size_t index = 0; index < 3; ++index) servers[index].process.kill_now();
  ASSERT_TRUE(
      eventually([&] { return ask(servers[3].port, {"CLUSTER", "INFO"}).text.starts_with("cluster_state:fail"); }));
  auto outcome = world.apply(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  std::cout << "takeover after the cluster failed, node timeout 1 s: " << outcome->summary << "\n";
  EXPECT_TRUE(ask(servers[5].port, {"CLUSTER", "INFO"}).text.starts_with("cluster_state:ok"));
}

// West-3 was a master once and has kept its epoch, unseen; later its master has come to the same one, and it is the highest:
// TAKEOVER alone then leaves it as it is, and nobody believes it.
TEST_F(RedisClusterActions, RaisesTheEpochOfOneThatTookOverUnderItsDeadMastersEpoch) {
  bring_up(5'000, true);
  servers[2].process.kill_now();
  std::string path = servers[2].folder + "/nodes.conf", text = *read_file(path);
  size_t mine = text.find(" 3 connected", text.find("myself,master"));
  ASSERT_NE(mine, std::string::npos) << text;
  text.replace(mine + 1, 1, std::to_string(kNewEpoch));
  ASSERT_TRUE(write_file_atomic(path, text));
  servers[2].start();
  ASSERT_TRUE(eventually([&] { return answers(servers[2].port) && all_in_step(); }));
  for (size_t index = 0; index < 3; ++index) servers[index].process.kill_now();
  ASSERT_EQ(ask(servers[5].port, {"CLUSTER", "FAILOVER", "TAKEOVER"}).text, "OK");
  EXPECT_EQ(parse_cluster_info(ask(servers[5].port, {"CLUSTER", "INFO"}).text).current_epoch, kNewEpoch);
  auto seen = world.observe(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_FALSE(seen->holds);
  EXPECT_THAT(seen->change, HasSubstr("raise the epoch of west-3"));
  auto outcome = world.apply(redis_cluster_promote_action(), promote_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_TRUE(eventually([&] {
    auto nodes = parse_cluster_nodes(ask(servers[3].port, {"CLUSTER", "NODES"}).text);
    return nodes &&
           std::ranges::count_if(*nodes, [](const auto& node) { return node.master && node.slots > 0; }) == 3 &&
           std::ranges::none_of(*nodes,
                                [](const auto& node) { return node.master && node.slots > 0 && node.id.back() < '3'; });
  })) << ask(servers[3].port, {"CLUSTER", "NODES"}).text;
  for (size_t index = 0; index < 3; ++index) servers[index].start();
  auto back =
      world.apply(redis_cluster_replicate_action(), R"({"service": "cache", "region": "east"})", Duration{40'000});
  EXPECT_TRUE(back) << back.error().text() << ask(servers[3].port, {"CLUSTER", "NODES"}).text
                    << ask(servers[5].port, {"CLUSTER", "NODES"}).text
                    << ask(servers[2].port, {"CLUSTER", "NODES"}).text;
}

// A returned member can be voted master while its cluster is still finding itself.
TEST_F(RedisClusterActions, AMemberThatWasVotedMasterHandsItsShardOver) {
  bring_up(1'000);
  const std::string replicate_east = R"({"service": "cache", "region": "east"})";
  auto too_early = world.apply(redis_cluster_replicate_action(), replicate_east);
  ASSERT_FALSE(too_early);
  EXPECT_THAT(too_early.error().what, HasSubstr("all shards of cache are served from east"));
  ASSERT_TRUE(world.apply(redis_cluster_promote_action(), promote_west));
  ASSERT_TRUE(world.apply(redis_cluster_replicate_action(), replicate_east, Duration{40'000}));
  ASSERT_EQ(ask(servers[1].port, {"CLUSTER", "FAILOVER", "TAKEOVER"}).text, "OK");
  ASSERT_TRUE(eventually([&] { return info(servers[4].port, "role") == "slave"; }));
  auto back = world.apply(redis_cluster_replicate_action(), replicate_east, Duration{40'000});
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(info(servers[1].port, "role"), "slave");
  EXPECT_EQ(info(servers[4].port, "role"), "master");
}

TEST_F(RedisClusterActions, RefusesWhenNobodyAnswersInTheRegion) {
  bring_up(5'000);
  for (size_t index = 3; index < 6; ++index) servers[index].process.kill_now();
  auto outcome = world.apply(redis_cluster_promote_action(), promote_west);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::unreachable);
}

// ---- one master and two replicas

class RedisActions : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_program(kRedis)) GTEST_SKIP() << kRedis << " is missing";
    add_regions(world);
    world.add_secret("cache-password", "correct-horse");
    for (const char* name : {"east-1", "west-1", "west-2"}) {
      servers.push_back(make_server(world, name, {"--requirepass", "correct-horse", "--masterauth", "correct-horse"}));
    }
    for (size_t index = 1; index < 3; ++index) {
      servers[index].argv.insert(servers[index].argv.end(),
                                 {"--replicaof", "127.0.0.1 " + std::to_string(servers[0].port)});
    }
    RedisService service{.primary = {"east-1"}, .password = SecretRef{"cache-password"}};
    service.members.add("east-1", Endpoint{{"cache-east"}, servers[0].port});
    service.members.add("west-1", Endpoint{{"cache-west"}, servers[1].port});
    service.members.add("west-2", Endpoint{{"cache-west"}, servers[2].port});
    world.plan.services.add("cache", service);
  }
  void bring_up() {
    for (Server& server : servers) server.start();
    ASSERT_TRUE(eventually([&] { return value("INFO", 1).contains("master_link_status:up"); })) << value("INFO", 1);
    ASSERT_TRUE(eventually([&] { return value("INFO", 2).contains("master_link_status:up"); }));
  }
  std::string value(const std::string& command, size_t server) { return talk(server, {command}).text; }
  RedisReply talk(size_t server, std::vector<std::string> words) {
    auto one = [](int port, std::vector<std::string> list) -> Task<Result<RedisReply>> {
      std::string here = "127.0.0.1";
      std::string password = "correct-horse";
      Deadline deadline = Deadline::after(Duration{2'000});
      auto connection = co_await RedisConnection::connect(here, port, password, deadline);
      if (!connection) co_return std::unexpected(connection.error());
      co_return co_await connection->command(std::move(list), deadline);
    };
    auto reply = TestWorld::run(one(servers[server].port, std::move(words)));
    return reply ? *reply : RedisReply{.kind = RedisReply::Kind::error, .text = reply.error().text()};
  }

  const std::string promote_west = R"({"service": "cache", "to": "west"})";
  TestWorld world;
  std::vector<Server> servers;
};

TEST_F(RedisActions, PromotesTheReplicaOfADeadMasterAndPointsItsSiblingAtIt) {
  bring_up();
  talk(0, {"SET", "a", "1"});
  ASSERT_TRUE(eventually([&] { return talk(1, {"GET", "a"}).text == "1" && talk(2, {"GET", "a"}).text == "1"; }));
  servers[0].process.kill_now();
  auto outcome = world.apply(redis_promote_action(), promote_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  std::cout << outcome->summary << " after " << outcome->data.at("seconds").as_double() << " s\n";
  std::string master = text_or(outcome->data, "master");
  size_t at = master == "west-1" ? 1 : 2;
  EXPECT_EQ(talk(at, {"SET", "b", "2"}).text, "OK");
  EXPECT_TRUE(eventually([&] { return talk(3 - at, {"GET", "b"}).text == "2"; }));
  EXPECT_TRUE(outcome->data.at("lost_bytes").is_null());
  EXPECT_TRUE(world.observe(redis_promote_action(), promote_west)->holds);

  // Back as a replica, and then home without loss.
  servers[0].start();
  ASSERT_TRUE(eventually([&] { return value("PING", 0) == "PONG"; }));
  auto back = world.apply(redis_replicate_action(),
                          R"({"service": "cache", "member": "east-1", "of": ")" + master + "\"}", Duration{20'000});
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(talk(0, {"GET", "b"}).text, "2");
  auto home = world.apply(redis_promote_action(), R"({"service": "cache", "to": "east-1"})");
  ASSERT_TRUE(home) << home.error().text();
  EXPECT_EQ(home->data.at("lost_bytes").to_number<int64_t>(), 0);
  EXPECT_EQ(talk(0, {"SET", "c", "3"}).text, "OK");
  EXPECT_EQ(talk(at, {"SET", "c", "4"}).code(), "READONLY");
}

TEST_F(RedisActions, NeverPromotesAReplicaThatHasNoData) {
  servers[1].start();
  servers[2].start();
  ASSERT_TRUE(eventually([&] { return value("PING", 1) == "PONG" && value("PING", 2) == "PONG"; }));
  auto outcome = world.apply(redis_promote_action(), promote_west);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::refused);
  EXPECT_THAT(outcome.error().what, HasSubstr("has never had its master's data"));
  EXPECT_THAT(value("INFO", 1), HasSubstr("role:slave"));
}

TEST_F(RedisActions, RefusesToMakeAServerWithDataFollowAnEmptyMaster) {
  bring_up();
  talk(0, {"SET", "a", "1"});
  ASSERT_TRUE(eventually([&] { return talk(1, {"GET", "a"}).text == "1"; }));
  servers[0].process.kill_now();
  ASSERT_TRUE(world.apply(redis_promote_action(), R"({"service": "cache", "to": "west-1"})"));
  servers[0].start();
  ASSERT_TRUE(eventually([&] { return value("PING", 0) == "PONG"; }));
  auto outcome = world.apply(redis_replicate_action(), R"({"service": "cache", "member": "west-1", "of": "east-1"})");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::refused);
  EXPECT_EQ(talk(1, {"GET", "a"}).text, "1");
}

TEST_F(RedisActions, AWrongPasswordIsRefusedAndNotShown) {
  bring_up();
  world.add_secret("cache-password", "wrong-battery");
  auto outcome = world.apply(redis_promote_action(), promote_west);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().text(), HasSubstr("WRONGPASS"));
  EXPECT_THAT(outcome.error().text(), testing::Not(HasSubstr("battery")));
}

}  // namespace
}  // namespace lifeboat
