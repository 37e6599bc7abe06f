// What the four Redis actions share: the members of a service, asking all of them at once, and the words for what came
// back. Members that do not answer cost 0.4 s in all, since they are asked at the same time.
#pragma once

#include <string>
#include <vector>

#include "actions/action.hpp"
#include "io/redis.hpp"

namespace lifeboat {

struct RedisMember {
  std::string name;
  std::string region;
  std::string address;
  int port = 0;

  std::string endpoint() const { return fmt::format("{}:{}", address, port); }
};

// The members of a service's `members`, with the addresses and regions of their hosts.
std::vector<RedisMember> redis_members(const Plan& plan, const OrderedMap<Endpoint>& members);

// The value of an optional secret; empty when there is none.
Result<std::string> redis_password(World& world, const std::optional<SecretRef>& reference);

// One member as it answered just now. `problem` says why when it did not.
struct RedisProbe {
  RedisMember member;
  RedisConnection connection;
  bool answers = false;
  Error problem;
  RedisReplication replication;
  int64_t keys = 0;  // plain Redis only
};
Task<std::vector<RedisProbe>> probe_redis(std::vector<RedisMember> members, std::string password, Deadline deadline);
// Asks again on the same connection.
Task<Result<void>> refresh(RedisProbe* probe, Deadline deadline);

// The same for a member of a cluster, with how it sees the cluster.
struct ClusterProbe {
  RedisMember member;
  RedisConnection connection;
  bool answers = false;
  Error problem;
  RedisReplication replication;
  RedisClusterInfo info;
  std::vector<RedisClusterNode> nodes;

  // Its own line. Only for one that answers.
  const RedisClusterNode& self() const;
  bool serves_slots() const { return answers && self().master && self().slots > 0; }
};
Task<std::vector<ClusterProbe>> probe_cluster(std::vector<RedisMember> members, std::string password,
                                              Deadline deadline);
Task<Result<void>> refresh(ClusterProbe* probe, Deadline deadline);

// The probe in `region` that has seen most of the cluster's history, else null.
const ClusterProbe* best_view(const std::vector<ClusterProbe>& probes, std::string_view region);

// Whether a replica refused CLUSTER FAILOVER because its link to its master is down, as it is for moments after a cut. Nothing was
// begun, and it can be asked again (cluster.c, clusterCommand).
bool lacks_link_to_master(const RedisReply& reply);

// How many slots a cluster has.
inline constexpr int kClusterSlots = 16384;
// How long a member may take to accept a connection, and then to answer, before it counts as not answering.
inline constexpr Duration kRedisReach{400};

}  // namespace lifeboat
