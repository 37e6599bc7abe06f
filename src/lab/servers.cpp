#include "lab/servers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "lab/server_files.hpp"

namespace lifeboat::lab {

namespace {

constexpr int kSinkPort = 8025;

// Hosts of the outside world that the plan gives no other part: chat rooms and the like stand there.
std::string sink_host(const Plan& plan, const Layout& layout) {
  std::set<std::string> busy;
  for (const auto& [name, service] : plan.services) {
    if (const auto* dns = std::get_if<DnsService>(&service)) {
      busy.insert(dns->server.text);
      if (dns->resolver) busy.insert(dns->resolver->text);
    }
  }
  for (const auto& [name, channel] : plan.communications.channels) {
    if (const auto* mail = std::get_if<MailChannel>(&channel)) busy.insert(mail->host.text);
  }
  for (const LabHost& host : layout.outside().hosts) {
    if (!busy.contains(host.name)) return host.name;
  }
  return layout.outside().hosts.empty() ? std::string() : layout.outside().hosts.front().name;
}

class Builder {
 public:
  Builder(const Plan& plan, const Layout& layout, const SecretValues& secrets, const ServerOptions& options)
      : plan_(plan), layout_(layout), secrets_(secrets), options_(options) {}

  Result<std::vector<HostDaemon>> build() {
    TRY_VOID(add_sinks());
    for (const auto& [name, service] : plan_.services) {
      auto done = std::visit([&](const auto& kind) { return add(name, kind); }, service);
      if (!done) return std::unexpected(std::move(done.error()).with("server for " + name));
    }
    if (options_.daemons) TRY_VOID(add_lifeboat());
    return std::move(out_);
  }

 private:
  std::string address(const Identifier& host) const { return address_of(plan_, host.text); }

  std::string secret(const std::optional<SecretRef>& ref) const {
    auto found = ref ? secrets_.find(ref->name) : secrets_.end();
    return found == secrets_.end() ? std::string() : found->second;
  }

  Result<std::string> folder_for(const std::string& host, const std::string& name) {
    std::string path = fmt::format("{}/hosts/{}/{}", options_.folder, host, name);
    TRY_VOID(make_dirs(path, 0711));
    return path;
  }

  Result<std::string> program(const std::string& name, std::string_view package) {
    std::string path = find_program(name);
    if (path.empty())
      return fail(ErrorKind::unsupported, name + " is not installed", fmt::format("apt install {}", package));
    return path;
  }

  // Lifeboat itself. A test's program would run its tests once more, in every host, without end.
  static Result<std::string> own_program() {
    std::string path = lifeboat_program();
    if (std::filesystem::path(path).filename() == "lifeboat") return path;
    return fail(ErrorKind::unsupported, path + " is not lifeboat", "name it in LIFEBOAT_BINARY");
  }

  void run(const std::string& host, const std::string& name, std::vector<std::string> argv, std::string folder,
           std::string ready_at) {
    Daemon daemon{.name = name, .argv = std::move(argv), .folder = std::move(folder), .ready_at = std::move(ready_at)};
    daemon.log = fmt::format("{}/logs/{}.{}.log", options_.folder, host, name);
    out_.push_back({host, std::move(daemon)});
  }

  Result<void> add_sinks() {
    std::set<std::string> done;
    std::string chat = sink_host(plan_, layout_);
    bool wanted =
        std::ranges::any_of(secrets_of(plan_), [](const auto& use) { return use.second == SecretUse::webhook; });
    if (wanted && !chat.empty()) {
      TRY(std::string lifeboat, own_program());
      run(chat, "chat",
          {lifeboat, "lab", "sink", "--http", fmt::format("{}:{}", address_of(plan_, chat), kSinkPort), "--out",
           options_.folder + "/out/chat.jsonl"},
          {}, fmt::format("{}:{}", address_of(plan_, chat), kSinkPort));
    }
    for (const auto& [name, channel] : plan_.communications.channels) {
      const auto* mail = std::get_if<MailChannel>(&channel);
      if (mail == nullptr || layout_.host(mail->host.text) == nullptr) continue;
      std::string at = fmt::format("{}:{}", address(mail->host), mail->port);
      if (!done.insert(at).second) continue;
      TRY(std::string lifeboat, own_program());
      run(mail->host.text, "mail",
          {lifeboat, "lab", "sink", "--smtp", at, "--out", options_.folder + "/out/mail.jsonl"}, {}, at);
    }
    return {};
  }

  Result<void> add(const std::string& name, const DnsService& dns) {
    TRY(std::string knotd, program("knotd", "knot"));
    TRY(std::string folder, folder_for(dns.server.text, name));
    std::string at = address(dns.server);
    std::string primary = region_with_role(plan_, RegionRole::primary);
    const Identifier* first = dns.targets.find(primary);
    if (first == nullptr && !dns.targets.empty()) first = &dns.targets.begin()->second;
    if (first == nullptr) return fail(ErrorKind::invalid_input, "dns service has no targets");
    TRY_VOID(write_file(folder + "/zone", zone_file(dns, at, address(*first)), 0644));
    TRY_VOID(write_file(folder + "/knot.conf", knot_config(dns, folder, at, secret(dns.key)), 0600));
    run(dns.server.text, name, {knotd, "-c", folder + "/knot.conf"}, folder, fmt::format("{}:{}", at, dns.port));
    if (!dns.resolver) return {};
    TRY(std::string unbound, program("unbound", "unbound"));
    TRY(std::string cache, folder_for(dns.resolver->text, name + "-resolver"));
    std::string asked = address(*dns.resolver);
    TRY_VOID(write_file(cache + "/unbound.conf", unbound_config(dns, cache, asked, at), 0644));
    run(dns.resolver->text, name + "-resolver", {unbound, "-d", "-c", cache + "/unbound.conf"}, cache, asked + ":53");
    return {};
  }

  Result<void> add(const std::string& name, const HaproxyService& balancers) {
    TRY(std::string haproxy, program("haproxy", "haproxy"));
    const auto* backend = service_as<HttpService>(plan_, balancers.backend.text);
    if (backend == nullptr) return fail(ErrorKind::invalid_input, balancers.backend.text + " is not an http service");
    for (const auto& [region, balancer] : balancers.members) {
      TRY(std::string folder, folder_for(balancer.host.text, name));
      std::string at = address(balancer.host);
      std::string text = haproxy_config(plan_, region, balancer, balancers.backend.text, *backend);
      TRY_VOID(write_file(folder + "/haproxy.cfg", text, 0644));
      run(balancer.host.text, name, {haproxy, "-db", "-f", folder + "/haproxy.cfg"}, folder,
          fmt::format("{}:{}", at, balancer.port));
    }
    return {};
  }

  Result<void> add_redis(const std::string& name, const std::string& host, int port, std::string text) {
    // Debian's redis-check-rdb is the server's own program under another name.
    std::string server = find_program("redis-server");
    if (server.empty()) {
      TRY(std::string same, program("redis-check-rdb", "redis-server"));
      server = options_.folder + "/redis-server";
      std::error_code exists;
      std::filesystem::create_symlink(same, server, exists);
    }
    TRY(std::string folder, folder_for(host, name));
    text += fmt::format("dir {}\n", folder);
    TRY_VOID(write_file(folder + "/redis.conf", text, 0600));
    run(host, name, {server, folder + "/redis.conf"}, folder, fmt::format("{}:{}", address_of(plan_, host), port));
    return {};
  }

  Result<void> add(const std::string& name, const RedisService& redis) {
    const Endpoint* first = redis.members.find(redis.primary.text);
    if (first == nullptr) return fail(ErrorKind::invalid_input, "its primary is not one of its members");
    for (const auto& [member, endpoint] : redis.members) {
      std::string text = redis_config(address(endpoint.host), endpoint.port, secret(redis.password));
      if (member != redis.primary.text) text += fmt::format("replicaof {} {}\n", address(first->host), first->port);
      TRY_VOID(add_redis(name + "-" + member, endpoint.host.text, endpoint.port, std::move(text)));
    }
    return {};
  }

  Result<void> add(const std::string& name, const RedisClusterService& redis) {
    for (const auto& [member, endpoint] : redis.members) {
      std::string text = redis_config(address(endpoint.host), endpoint.port, secret(redis.password));
      text += redis_cluster_lines(address(endpoint.host));
      TRY_VOID(add_redis(name + "-" + member, endpoint.host.text, endpoint.port, std::move(text)));
    }
    return {};
  }

  Result<void> add(const std::string& name, const StatuspageService& page) {
    if (!options_.daemons) return {};
    TRY(std::string folder, folder_for(page.host.text, name));
    std::string at = fmt::format("{}:{}", address(page.host), page.port);
    TRY(std::string lifeboat, own_program());
    std::vector<std::string> argv{lifeboat, "statuspage",          "--listen",  at,
                                  "--data", folder + "/page.json", "--secrets", options_.folder + "/secrets"};
    if (page.key) argv.insert(argv.end(), {"--key", page.key->name});
    run(page.host.text, name, std::move(argv), folder, at);
    return {};
  }

  Result<void> add(const std::string&, const PostgresService&) { return {}; }
  Result<void> add(const std::string&, const HttpService&) { return {}; }
  Result<void> add(const std::string&, const ExternalService&) { return {}; }

  Result<void> add_voters() {
    if (!plan_.controllers || plan_.controllers->store != StoreKind::etcd) return {};
    TRY(std::string etcd, program("etcd", "etcd-server"));
    // Regions of a lab are near each other: half of etcd's default times are enough.
    std::string cluster;
    auto url = [&](const Voter& voter, int port) { return fmt::format("http://{}:{}", address(voter.host), port); };
    for (const auto& [region, voter] : plan_.controllers->voters)
      cluster += fmt::format("{}{}={}", cluster.empty() ? "" : ",", region, url(voter, voter.peer_port));
    for (const auto& [region, voter] : plan_.controllers->voters) {
      TRY(std::string folder, folder_for(voter.host.text, "etcd"));
      std::string clients = url(voter, voter.port), peers = url(voter, voter.peer_port);
      std::vector<std::string> argv{etcd, "--name", region, "--data-dir", folder + "/data"};
      argv.insert(argv.end(), {"--listen-client-urls", clients, "--advertise-client-urls", clients});
      argv.insert(argv.end(), {"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers});
      argv.insert(argv.end(), {"--initial-cluster", cluster});
      argv.insert(argv.end(), {"--heartbeat-interval", "50", "--election-timeout", "500", "--pre-vote"});
      argv.insert(argv.end(), {"--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1h"});
      run(voter.host.text, "etcd", std::move(argv), folder, fmt::format("{}:{}", address(voter.host), voter.port));
      // Leases hang on it, as on agents and controllers.
      out_.back().daemon.first = true;
    }
    return {};
  }

  Result<void> add_lifeboat() {
    TRY(std::string lifeboat, own_program());
    std::string inventory = options_.folder + "/inventory.json", secrets = options_.folder + "/secrets";
    TRY_VOID(add_voters());
    bool shared = plan_.controllers && plan_.controllers->store == StoreKind::etcd;
    for (const auto& [name, host] : plan_.hosts) {
      if (!host.controller) continue;
      TRY(std::string folder, folder_for(name, "controller"));
      std::string listen = fmt::format("{}:{}", address_of(plan_, name), kControllerPort);
      std::vector<std::string> argv{
          lifeboat,      "controller", "--plan",  options_.plan_file,
          "--inventory", inventory,    "--store", shared ? "etcd" : folder + "/journal.sqlite",
          "--secrets",   secrets,      "--host",  name,
          "--listen",    listen};
      if (!options_.profile.empty()) argv.insert(argv.end(), {"--profile", options_.profile});
      if (options_.drill) argv.push_back("--drill");
      if (options_.crash_points) {
        std::string file = options_.folder + std::string(kCrashPointsFile);
        TRY_VOID(write_file(file, *options_.crash_points, 0644));
        argv.insert(argv.end(), {"--crash-points", file});
      }
      run(name, "controller", std::move(argv), folder, listen);
      out_.back().daemon.kept = true;
    }
    std::string units = std::filesystem::path(lifeboat).parent_path().string();
    for (const auto& [name, host] : plan_.hosts) {
      if (!host.agent) continue;
      TRY(std::string folder, folder_for(name, "agent"));
      std::vector<std::string> argv{lifeboat, "agent",     "--host", name,          "--data",
                                    folder,   "--secrets", secrets,  "--unit-path", units};
      for (const std::string& at : controller_addresses(plan_)) argv.insert(argv.end(), {"--controller", at});
      run(name, "agent", std::move(argv), folder, {});
      out_.back().daemon.kept = true;
    }
    return {};
  }

  const Plan& plan_;
  const Layout& layout_;
  const SecretValues& secrets_;
  const ServerOptions& options_;
  std::vector<HostDaemon> out_;
};

}  // namespace

std::string sink_address(const Plan& placed, const Layout& layout) {
  std::string host = sink_host(placed, layout);
  return host.empty() ? host : fmt::format("http://{}:{}", address_of(placed, host), kSinkPort);
}

std::vector<std::string> controller_addresses(const Plan& placed) {
  std::vector<std::string> out;
  for (const std::string& host : controller_hosts(placed))
    out.push_back(fmt::format("{}:{}", address_of(placed, host), kControllerPort));
  return out;
}

Result<std::vector<HostDaemon>> make_servers(const Plan& placed, const Layout& layout, const SecretValues& secrets,
                                             const ServerOptions& options) {
  TRY_VOID(make_dirs(options.folder + "/logs", 0711));
  TRY_VOID(make_dirs(options.folder + "/out", 0711));
  return Builder(placed, layout, secrets, options).build();
}

}  // namespace lifeboat::lab
