#include "io/redis.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

TEST(RedisInfoText, TellsAReplicaThatNeverSyncedFromOneThatLostItsMaster) {
  const char* never =
      "role:slave\r\nmaster_link_status:down\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:1\r\n"
      "master_link_down_since_seconds:-1\r\n";
  EXPECT_FALSE(parse_redis_replication(parse_redis_info(never)).has_synced);
  const char* lost =
      "role:slave\r\nmaster_link_status:down\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:14\r\n"
      "master_link_down_since_seconds:3\r\n";
  EXPECT_TRUE(parse_redis_replication(parse_redis_info(lost)).has_synced);
  const char* copying =
      "role:slave\r\nmaster_link_status:down\r\nmaster_sync_in_progress:1\r\nslave_repl_offset:14\r\n"
      "master_link_down_since_seconds:3\r\n";
  EXPECT_FALSE(parse_redis_replication(parse_redis_info(copying)).has_synced);
}

TEST(RedisClusterText, NodesAreReadWithSlotsThatAreOnTheirWay) {
  auto nodes = parse_cluster_nodes(
      "aa 10.1.0.5:6379@16379,cache-1 myself,master - 0 0 7 connected 0-5459 5461 [93->-bb]\n"
      "bb 10.2.0.5:6379@16379 slave,fail? aa 0 1 7 disconnected\n");
  ASSERT_TRUE(nodes) << nodes.error().text();
  EXPECT_EQ(nodes->at(0).address, "10.1.0.5:6379");
  EXPECT_EQ(nodes->at(0).slots, 5461);
  EXPECT_EQ(nodes->at(0).slot_text, "0-5459 5461");
  EXPECT_TRUE(nodes->at(0).myself);
  EXPECT_EQ(nodes->at(1).master_id, "aa");
  EXPECT_TRUE(nodes->at(1).suspected);
  EXPECT_FALSE(nodes->at(1).fail);
  EXPECT_FALSE(parse_cluster_nodes("aa 10.1.0.5\n"));
}

TEST(RedisRoleReply, IsReadForMastersAndReplicas) {
  auto text = [](std::string value) { return RedisReply{.kind = RedisReply::Kind::string, .text = std::move(value)}; };
  auto number = [](int64_t value) { return RedisReply{.kind = RedisReply::Kind::integer, .integer = value}; };
  RedisReply replica{.kind = RedisReply::Kind::array,
                     .items = {text("slave"), text("10.1.0.5"), number(6379), text("handshake"), number(-1)}};
  auto role = parse_redis_role(replica);
  ASSERT_TRUE(role) << role.error().text();
  EXPECT_EQ(role->kind, RedisRole::Kind::replica);
  EXPECT_EQ(role->offset, -1);
  EXPECT_EQ(role->link, "handshake");
  EXPECT_FALSE(parse_redis_role(text("PONG")));
}

}  // namespace
}  // namespace lifeboat
