#include "lab/server_files.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::lab {

namespace {

// The users' name as the zone file and Knot's rules write it: relative to the zone.
std::string owner_in_zone(const DnsService& dns) {
  if (dns.name.size() > dns.zone.size() + 1 && dns.name.ends_with("." + dns.zone)) {
    return dns.name.substr(0, dns.name.size() - dns.zone.size() - 1);
  }
  return "@";
}

}  // namespace

std::string zone_file(const DnsService& dns, const std::string& server, const std::string& target) {
  int64_t ttl = std::max<int64_t>(1, dns.ttl.count() / 1000);
  return fmt::format(
      "$ORIGIN {0}.\n"
      "@ 60 SOA ns.{0}. hostmaster.{0}. 1 60 10 3600 1\n"
      "@ 60 NS ns.{0}.\n"
      "ns 60 A {1}\n"
      "{2} {3} A {4}\n",
      dns.zone, server, owner_in_zone(dns), ttl, target);
}

std::string knot_config(const DnsService& dns, const std::string& folder, const std::string& listen,
                        const std::string& key) {
  std::string text = fmt::format(
      "server:\n"
      "    rundir: {0}\n"
      "    listen: {1}@{2}\n"
      "    udp-workers: 1\n"
      "    tcp-workers: 1\n"
      "    background-workers: 1\n"
      "log:\n"
      "  - target: stderr\n"
      "    any: info\n"
      "database:\n"
      "    storage: {0}\n",
      folder, listen, dns.port);
  if (!key.empty()) {
    text += fmt::format(
        "key:\n"
        "  - id: {0}\n"
        "    algorithm: hmac-sha256\n"
        "    secret: {1}\n"
        "acl:\n"
        "  - id: update\n"
        "    key: {0}\n"
        "    action: update\n"
        "    update-type: [A, AAAA]\n"
        "    update-owner: name\n"
        "    update-owner-match: equal\n"
        "    update-owner-name: [{2}]\n",
        dns.key_name.ends_with('.') ? dns.key_name : dns.key_name + ".", key, owner_in_zone(dns));
  }
  text += fmt::format(
      "zone:\n"
      "  - domain: {}\n"
      "    file: {}/zone\n"
      "    zonefile-sync: 0\n"
      "    journal-content: changes\n"
      "    serial-policy: increment\n",
      dns.zone, folder);
  if (!key.empty()) text += "    acl: update\n";
  return text;
}

std::string unbound_config(const DnsService& dns, const std::string& folder, const std::string& listen,
                           const std::string& server) {
  return fmt::format(
      "server:\n"
      "  interface: {1}@53\n"
      "  access-control: 0.0.0.0/0 allow\n"
      "  do-ip6: no\n"
      "  do-daemonize: no\n"
      "  do-not-query-localhost: no\n"
      "  use-syslog: no\n"
      "  username: \"\"\n"
      "  chroot: \"\"\n"
      "  directory: \"{0}\"\n"
      "  pidfile: \"{0}/unbound.pid\"\n"
      "  num-threads: 1\n"
      "  module-config: \"iterator\"\n"
      "  cache-min-ttl: 0\n"
      "  cache-max-negative-ttl: 1\n"
      "  infra-host-ttl: 5\n"
      "  local-zone: \"{2}.\" nodefault\n"
      // Names ending in .test and the like are answered by Unbound itself unless it is told otherwise.
      "  local-zone: \"{3}.\" nodefault\n"
      "remote-control:\n"
      "  control-enable: no\n"
      "stub-zone:\n"
      "  name: \"{2}\"\n"
      "  stub-addr: {4}@{5}\n",
      folder, listen, dns.zone, dns.zone.substr(dns.zone.rfind('.') + 1), server, dns.port);
}

std::string haproxy_config(const Plan& plan, const std::string& region, const HaproxyMember& member,
                           const std::string& backend_name, const HttpService& backend) {
  std::string at = address_of(plan, member.host.text);
  std::string text = fmt::format(
      "global\n"
      "  stats socket ipv4@{0}:{1} level admin\n"
      "  stats timeout 30s\n"
      "  maxconn 2000\n"
      "  nbthread 1\n"
      "defaults\n"
      "  mode http\n"
      "  timeout connect 500ms\n"
      "  timeout server 3s\n"
      "  timeout client 30s\n"
      "  timeout check 500ms\n"
      "  retries 3\n"
      "  option redispatch\n"
      "frontend users\n"
      "  bind {0}:{2}\n"
      "  default_backend {3}\n"
      "backend {3}\n"
      "  balance roundrobin\n"
      "  option httpchk\n"
      "  http-check send meth GET uri {4}\n"
      "  http-check expect status 200\n"
      "  default-server check inter 200ms fall 2 rise 1\n",
      at, member.runtime_port, member.port, backend_name, backend.health);
  for (const auto& [where, group] : backend.instances) {
    for (int number = 1; number <= std::max(group.count, group.max); ++number) {
      text += fmt::format("  server {}-{} {}:{} weight {}\n", where, number, address_of(plan, group.host.text),
                          group.port + number - 1, where == region ? 100 : 0);
    }
  }
  return text;
}

std::string redis_config(const std::string& listen, int port, const std::string& password) {
  std::string text = fmt::format(
      "bind {}\n"
      "port {}\n"
      "protected-mode no\n"
      "daemonize no\n"
      "save \"\"\n"
      "appendonly no\n"
      "repl-diskless-sync-delay 0\n"
      "repl-ping-replica-period 1\n",
      listen, port);
  if (!password.empty()) text += fmt::format("requirepass {0}\nmasterauth {0}\n", password);
  return text;
}

std::string redis_cluster_lines(const std::string& announce) {
  return fmt::format(
      "cluster-enabled yes\n"
      "cluster-config-file nodes.conf\n"
      "cluster-node-timeout 5000\n"
      "cluster-allow-replica-migration no\n"
      "cluster-replica-validity-factor 0\n"
      "cluster-announce-ip {}\n",
      announce);
}

}  // namespace lifeboat::lab
