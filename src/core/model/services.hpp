// The kinds of service a plan can name.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"
#include "core/model/backups.hpp"

namespace lifeboat {

BOOST_DEFINE_ENUM_CLASS(ReplicationMode, async, sync)
BOOST_DEFINE_ENUM_CLASS(AutomaticFailover, none, same_region, any)

struct PostgresMember {
  Identifier host;
  int port = 5432;
  std::string data_dir;
  bool candidate = true;
};
BOOST_DESCRIBE_STRUCT(PostgresMember, (), (host, port, data_dir, candidate))
constexpr auto field_docs(const PostgresMember*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "the host it runs on; an agent must run there"},
      {"port", Need::optional, "its port (5432)"},
      {"data_dir", Need::optional, "its data directory; the agent's own default when left out"},
      {"candidate", Need::optional, "false: never promoted"},
  });
}

struct PostgresService {
  static constexpr std::string_view kKind = "postgres";
  std::string database = "postgres";
  std::string user = "postgres";
  std::optional<SecretRef> password;
  std::string replication_user = "replicator";
  std::optional<SecretRef> replication_password;
  OrderedMap<PostgresMember> members;
  Identifier primary;
  ReplicationMode replication = ReplicationMode::async;
  int sync_copies = 1;
  std::optional<Identifier> sync_region;
  std::optional<Duration> max_lag;
  Duration lease{10'000};
  AutomaticFailover automatic = AutomaticFailover::none;
  std::optional<Backups> backups;
};
BOOST_DESCRIBE_STRUCT(PostgresService, (),
                      (database, user, password, replication_user, replication_password, members, primary, replication,
                       sync_copies, sync_region, max_lag, lease, automatic, backups))
constexpr auto field_docs(const PostgresService*) {
  return std::to_array<FieldDoc>({
      {"database", Need::optional, "the database users' data is in"},
      {"user", Need::optional, "the role that applications use"},
      {"password", Need::optional, "secret with its password"},
      {"replication_user", Need::optional, "the role that standbys use"},
      {"replication_password", Need::optional, "secret with its password"},
      {"members", Need::required, "its servers"},
      {"primary", Need::required, "the member that is primary at the very first start"},
      {"replication", Need::optional, "async (default) or sync: a commit waits until other members have it too"},
      {"sync_copies", Need::optional, "how many other members a commit waits for (1)"},
      {"sync_region", Need::optional, "the region of these members; any when left out, or when it has no other member"},
      {"max_lag", Need::optional, "replication lag above which something is wrong"},
      {"lease", Need::optional, "length of the ownership lease (10s): an unreachable primary stops writing within it"},
      {"automatic", Need::optional, "failover without a plan run: none (default), same-region or any"},
      {"backups", Need::optional, "its backups"},
  });
}

// Backups that agents take and keep: by pgBackRest, in a repository whose host is known. Null for all others.
inline const Backups* kept_backups(const PostgresService& service) {
  bool kept = service.backups && service.backups->tool == "pgbackrest" && service.backups->repository_host &&
              !service.backups->repository_path.empty();
  return kept ? &*service.backups : nullptr;
}
inline std::string stanza_of(const std::string& service, const Backups& backups) {
  return backups.stanza.empty() ? service : backups.stanza;
}

struct Endpoint {
  Identifier host;
  int port = 0;
};
BOOST_DESCRIBE_STRUCT(Endpoint, (), (host, port))
constexpr auto field_docs(const Endpoint*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "the host it runs on"},
      {"port", Need::required, "its port"},
  });
}

struct RedisService {
  static constexpr std::string_view kKind = "redis";
  OrderedMap<Endpoint> members;
  Identifier primary;
  std::optional<SecretRef> password;
};
BOOST_DESCRIBE_STRUCT(RedisService, (), (members, primary, password))
constexpr auto field_docs(const RedisService*) {
  return std::to_array<FieldDoc>({
      {"members", Need::required, "its servers: one master, the others its replicas"},
      {"primary", Need::required, "the member that is master at the very first start"},
      {"password", Need::optional, "secret with its password"},
  });
}

struct RedisClusterService {
  static constexpr std::string_view kKind = "redis-cluster";
  OrderedMap<Endpoint> members;
  Identifier primary_region;
  std::optional<SecretRef> password;
};
BOOST_DESCRIBE_STRUCT(RedisClusterService, (), (members, primary_region, password))
constexpr auto field_docs(const RedisClusterService*) {
  return std::to_array<FieldDoc>({
      {"members", Need::required, "its servers, masters and replicas"},
      {"primary_region", Need::required, "the region whose members are masters at the very first start"},
      {"password", Need::optional, "secret with its password"},
  });
}

struct InstanceGroup {
  Identifier host;
  int port = 8080;
  int count = 1;
  int max = 0;
};
BOOST_DESCRIBE_STRUCT(InstanceGroup, (), (host, port, count, max))
constexpr auto field_docs(const InstanceGroup*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "the host whose agent runs the instances"},
      {"port", Need::optional, "port of the first; the others follow (8080)"},
      {"count", Need::optional, "how many run on a calm day (1)"},
      {"max", Need::optional, "how many it can be scaled to; count when left out"},
  });
}

struct HttpService {
  static constexpr std::string_view kKind = "http";
  std::string health = "/health";
  OrderedMap<InstanceGroup> instances;
  std::vector<std::string> command;
  OrderedMap<std::string> environment;
};
BOOST_DESCRIBE_STRUCT(HttpService, (), (health, instances, command, environment))
constexpr auto field_docs(const HttpService*) {
  return std::to_array<FieldDoc>({
      {"health", Need::optional, "path that answers 200 when it is well (/health)"},
      {"instances", Need::required, "by region: where its instances run and how many"},
      {"command", Need::optional, "program and arguments that an agent starts for one instance; ${port} is its port"},
      {"environment", Need::optional,
       "environment of an instance (names in lower case with '-', given as upper case with '_'); ${port} is its port, "
       "${listen} the address of its host, ${host.NAME} another host's address, ${secret.NAME} a secret's value"},
  });
}

struct HaproxyMember {
  Identifier host;
  int port = 80;
  int runtime_port = 9999;
};
BOOST_DESCRIBE_STRUCT(HaproxyMember, (), (host, port, runtime_port))
constexpr auto field_docs(const HaproxyMember*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "the host it runs on"},
      {"port", Need::optional, "port users connect to (80)"},
      {"runtime_port", Need::optional, "port of its runtime API, reachable only from controllers (9999)"},
  });
}

struct HaproxyService {
  static constexpr std::string_view kKind = "haproxy";
  Identifier backend;
  OrderedMap<HaproxyMember> members;
};
BOOST_DESCRIBE_STRUCT(HaproxyService, (), (backend, members))
constexpr auto field_docs(const HaproxyService*) {
  return std::to_array<FieldDoc>({
      {"backend", Need::required,
       "the http service behind it; also the name of the backend in HAProxy, whose servers are named REGION-1, "
       "REGION-2 …"},
      {"members", Need::required, "by region: the load balancer there"},
  });
}

struct DnsService {
  static constexpr std::string_view kKind = "dns";
  std::string name;
  std::string zone;
  Duration ttl{60'000};
  Identifier server;
  int port = 53;
  std::string key_name;
  std::optional<SecretRef> key;
  std::optional<Identifier> resolver;
  OrderedMap<Identifier> targets;
};
BOOST_DESCRIBE_STRUCT(DnsService, (), (name, zone, ttl, server, port, key_name, key, resolver, targets))
constexpr auto field_docs(const DnsService*) {
  return std::to_array<FieldDoc>({
      {"name", Need::required, "the name users ask"},
      {"zone", Need::required, "the zone it is in"},
      {"ttl", Need::optional, "time to live of its address (60s)"},
      {"server", Need::required, "the host of the authoritative server that takes updates (RFC 2136)"},
      {"port", Need::optional, "its port (53)"},
      {"key_name", Need::optional, "name of the TSIG key (RFC 8945, hmac-sha256)"},
      {"key", Need::optional, "secret with the key in base64"},
      {"resolver", Need::optional, "host of a resolver that users use, to see what they see"},
      {"targets", Need::required, "by region: the host the name leads to when users are served from there"},
  });
}

struct StatuspageService {
  static constexpr std::string_view kKind = "statuspage";
  Identifier host;
  int port = 8090;
  std::optional<SecretRef> key;
};
BOOST_DESCRIBE_STRUCT(StatuspageService, (), (host, port, key))
constexpr auto field_docs(const StatuspageService*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "the host Lifeboat's public status page is served from; in a region that survives"},
      {"port", Need::optional, "its port (8090)"},
      {"key", Need::optional, "secret that signs updates"},
  });
}

struct ExternalService {
  static constexpr std::string_view kKind = "external";
  std::string vendor;
  std::string note;
};
BOOST_DESCRIBE_STRUCT(ExternalService, (), (vendor, note))
constexpr auto field_docs(const ExternalService*) {
  return std::to_array<FieldDoc>({
      {"vendor", Need::required, "who runs it"},
      {"note", Need::optional, "what is relied on"},
  });
}

using Service = std::variant<PostgresService, RedisService, RedisClusterService, HttpService, HaproxyService,
                             DnsService, StatuspageService, ExternalService>;

}  // namespace lifeboat
