#include "actions/redis_common.hpp"

#include "io/dial.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

// Connects and, on the way, finds out whether the member lives.
template <class Probe>
Task<Probe> probe_one(RedisMember member, std::string password, Deadline deadline) {
  Probe probe;
  probe.member = member;
  auto connection = co_await RedisConnection::connect(member.address, member.port, std::move(password),
                                                      deadline.at_most(kRedisReach));
  if (!connection) {
    probe.problem = std::move(connection).error();
    co_return probe;
  }
  probe.connection = std::move(*connection);
  auto answered = co_await refresh(&probe, deadline.at_most(kRedisReach));
  if (!answered) probe.problem = std::move(answered).error();
  co_return probe;
}

template <class Probe>
Task<std::vector<Probe>> probe_all(std::vector<RedisMember> members, std::string password, Deadline deadline) {
  std::vector<Task<Probe>> tasks;
  for (RedisMember& member : members) tasks.push_back(probe_one<Probe>(std::move(member), password, deadline));
  co_return co_await gather(std::move(tasks));
}

Result<std::string> text_of(const RedisReply& reply, std::string_view what, const RedisMember& member) {
  TRY(RedisReply good, ok(reply, fmt::format("{} at {} ({})", what, member.name, member.endpoint())));
  return good.text;
}

std::vector<std::string> words(std::initializer_list<std::string> list) { return list; }

}  // namespace

std::vector<RedisMember> redis_members(const Plan& plan, const OrderedMap<Endpoint>& members) {
  std::vector<RedisMember> out;
  for (const auto& [name, endpoint] : members) {
    out.push_back({.name = name,
                   .region = region_of(plan, endpoint.host.text),
                   .address = address_of(plan, endpoint.host.text),
                   .port = endpoint.port});
  }
  return out;
}

Result<std::string> redis_password(World& world, const std::optional<SecretRef>& reference) {
  if (!reference) return std::string();
  return world.secrets.get(*reference);
}

Task<std::vector<RedisProbe>> probe_redis(std::vector<RedisMember> members, std::string password, Deadline deadline) {
  co_return co_await probe_all<RedisProbe>(std::move(members), std::move(password), deadline);
}

Task<std::vector<ClusterProbe>> probe_cluster(std::vector<RedisMember> members, std::string password,
                                              Deadline deadline) {
  co_return co_await probe_all<ClusterProbe>(std::move(members), std::move(password), deadline);
}

Task<Result<void>> refresh(RedisProbe* probe, Deadline deadline) {
  probe->answers = false;
  std::vector<std::vector<std::string>> list{words({"INFO"}), words({"DBSIZE"})};
  CO_TRY(auto replies, co_await probe->connection.commands(std::move(list), deadline));
  CO_TRY(std::string info, text_of(replies[0], "INFO", probe->member));
  probe->replication = parse_redis_replication(parse_redis_info(info));
  probe->keys = replies[1].integer;  // an error while it loads its data: then 0, and `loading` says why
  probe->answers = true;
  co_return Result<void>{};
}

Task<Result<void>> refresh(ClusterProbe* probe, Deadline deadline) {
  probe->answers = false;
  std::vector<std::vector<std::string>> list{words({"CLUSTER", "NODES"}), words({"CLUSTER", "INFO"}), words({"INFO"})};
  CO_TRY(auto replies, co_await probe->connection.commands(std::move(list), deadline));
  CO_TRY(std::string nodes, text_of(replies[0], "CLUSTER NODES", probe->member));
  CO_TRY(std::string cluster, text_of(replies[1], "CLUSTER INFO", probe->member));
  CO_TRY(std::string info, text_of(replies[2], "INFO", probe->member));
  CO_TRY(probe->nodes, parse_cluster_nodes(nodes));
  probe->info = parse_cluster_info(cluster);
  probe->replication = parse_redis_replication(parse_redis_info(info));
  if (std::ranges::none_of(probe->nodes, &RedisClusterNode::myself)) {
    co_return fail(ErrorKind::internal, fmt::format("CLUSTER NODES at {} does not name itself", probe->member.name));
  }
  probe->answers = true;
  co_return Result<void>{};
}

const RedisClusterNode& ClusterProbe::self() const { return *std::ranges::find_if(nodes, &RedisClusterNode::myself); }

const ClusterProbe* best_view(const std::vector<ClusterProbe>& probes, std::string_view region) {
  const ClusterProbe* best = nullptr;
  for (const ClusterProbe& probe : probes) {
    if (!probe.answers || probe.member.region != region) continue;
    if (best == nullptr || probe.info.current_epoch > best->info.current_epoch) best = &probe;
  }
  return best;
}

bool lacks_link_to_master(const RedisReply& reply) {
  return reply.is_error() && reply.text.contains("Master is down or failed");
}

}  // namespace lifeboat
