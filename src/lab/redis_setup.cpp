#include "lab/redis_setup.hpp"

#include <fmt/format.h>

#include "lab/wire.hpp"

namespace lifeboat::lab {

namespace {

constexpr int kSlots = 16384;

struct Node {
  std::string address;
  int port = 0;
  Redis link;
  std::string id;
};

std::string password_of(const std::optional<SecretRef>& ref, const SecretValues& secrets) {
  auto found = ref ? secrets.find(ref->name) : secrets.end();
  return found == secrets.end() ? std::string() : found->second;
}

Result<Node> open_node(const Plan& plan, const Endpoint& endpoint, const std::string& password, int64_t deadline) {
  Node node{.address = address_of(plan, endpoint.host.text), .port = endpoint.port};
  TRY(node.link, Redis::connect(node.address, node.port, password, deadline));
  return node;
}

// Asks until the answer holds every text.
Result<void> wait_until(Redis& link, const std::vector<std::string>& command, const std::vector<std::string>& texts,
                        int64_t deadline) {
  std::string last;
  while (true) {
    TRY(last, link.command(command));
    bool all = true;
    for (const std::string& text : texts) all = all && last.find(text) != std::string::npos;
    if (all) return {};
    if (boot_ns() > deadline) return fail(ErrorKind::timed_out, "Redis did not become ready", {}, last);
    pause_for(Duration{20});
  }
}

Result<void> set_up_cluster(const Plan& plan, const RedisClusterService& cluster, const std::string& password,
                            int64_t deadline) {
  std::vector<Node> masters, replicas;
  for (const auto& [name, endpoint] : cluster.members) {
    TRY(Node node, open_node(plan, endpoint, password, deadline));
    TRY(node.id, node.link.command({"CLUSTER", "MYID"}));
    bool master = region_of(plan, endpoint.host.text) == cluster.primary_region.text;
    (master ? masters : replicas).push_back(std::move(node));
  }
  if (masters.empty()) return fail(ErrorKind::invalid_input, "no member stands in " + cluster.primary_region.text);
  int count = static_cast<int>(masters.size());
  for (int i = 0; i < count; ++i) {
    Redis& link = masters[static_cast<size_t>(i)].link;
    TRY_VOID(link.command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}));
    TRY_VOID(link.command({"CLUSTER", "ADDSLOTSRANGE", std::to_string(kSlots * i / count),
                           std::to_string(kSlots * (i + 1) / count - 1)}));
  }
  std::vector<Node*> all;
  for (Node& node : masters) all.push_back(&node);
  for (Node& node : replicas) all.push_back(&node);
  for (Node* node : all) {
    for (Node* other : all) {
      if (node != other) TRY_VOID(node->link.command({"CLUSTER", "MEET", other->address, std::to_string(other->port)}));
    }
  }
  for (Node* node : all) {
    TRY_VOID(
        wait_until(node->link, {"CLUSTER", "INFO"}, {fmt::format("cluster_known_nodes:{}\r", all.size())}, deadline));
  }
  for (size_t i = 0; i < replicas.size(); ++i) {
    const std::string& master = masters[i % masters.size()].id;
    // A node must have heard of its master's identity before it may follow it.
    TRY_VOID(wait_until(replicas[i].link, {"CLUSTER", "NODES"}, {master}, deadline));
    TRY_VOID(replicas[i].link.command({"CLUSTER", "REPLICATE", master}));
  }
  for (Node& node : replicas) {
    TRY_VOID(wait_until(node.link, {"INFO", "replication"}, {"master_link_status:up"}, deadline));
  }
  for (Node* node : all) TRY_VOID(wait_until(node->link, {"CLUSTER", "INFO"}, {"cluster_state:ok"}, deadline));
  return {};
}

Result<void> wait_for_replicas(const Plan& plan, const RedisService& redis, const std::string& password,
                               int64_t deadline) {
  for (const auto& [name, endpoint] : redis.members) {
    TRY(Node node, open_node(plan, endpoint, password, deadline));
    if (name == redis.primary.text) continue;
    TRY_VOID(wait_until(node.link, {"INFO", "replication"}, {"master_link_status:up"}, deadline));
  }
  return {};
}

}  // namespace

Result<void> set_up_redis(const Plan& placed, const SecretValues& secrets, Duration within) {
  int64_t deadline = deadline_in(within);
  for (const auto& [name, service] : placed.services) {
    Result<void> done;
    if (const auto* cluster = std::get_if<RedisClusterService>(&service)) {
      done = set_up_cluster(placed, *cluster, password_of(cluster->password, secrets), deadline);
    } else if (const auto* redis = std::get_if<RedisService>(&service)) {
      done = wait_for_replicas(placed, *redis, password_of(redis->password, secrets), deadline);
    }
    if (!done) return std::unexpected(std::move(done.error()).with("setting up " + name));
  }
  return {};
}

}  // namespace lifeboat::lab
