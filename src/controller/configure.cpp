#include "controller/configure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/model/variables.hpp"

namespace lifeboat {
namespace {

// Replication slot of the stream of WAL to the repository's host.
constexpr std::string_view kStreamSlot = "lifeboat_repository";

const RegionLostSignal* region_signal(const Plan& plan) {
  for (const auto& [name, signal] : plan.signals) {
    if (const auto* lost = std::get_if<RegionLostSignal>(&signal)) return lost;
  }
  return nullptr;
}

// The shortest that a signal asks for; nothing when none looks at these data.
std::optional<Duration> between_looks(const Plan& plan, const std::string& service) {
  std::optional<Duration> every;
  for (const auto& [name, signal] : plan.signals) {
    const auto* data = std::get_if<DataChangeSignal>(&signal);
    if (data != nullptr && data->service.text == service) every = std::min(every.value_or(data->every), data->every);
  }
  return every;
}

}  // namespace

ownership::Config ownership_config(const Plan& plan, const std::string& name, const PostgresService& service) {
  ownership::Config config;
  config.service = name;
  config.first_primary = service.primary.text;
  config.lease = service.lease;
  config.automatic = service.automatic;
  config.loss_without_approval = plan.safety.loss_without_approval.value_or(plan.objectives.rpo);
  if (plan.safety.automatic_runs) {
    config.automatic_at_most = plan.safety.automatic_runs->at_most;
    config.automatic_within = plan.safety.automatic_runs->within;
  }
  if (service.replication == ReplicationMode::sync) config.sync_copies = service.sync_copies;
  if (service.sync_region) config.sync_region = service.sync_region->text;
  for (const auto& [member, settings] : service.members)
    config.members.push_back({member, region_of(plan, settings.host.text), settings.candidate});
  return config;
}

namespace {

// "db-password" in a plan is DB_PASSWORD in an environment.
std::string environment_name(std::string name) {
  for (char& c : name) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

Result<wire::ServerConfig> server_on(const Plan& plan, const std::string& service_name, const std::string& member,
                                     const PostgresService& service, const PostgresMember& settings, Secrets& secrets) {
  wire::ServerConfig config;
  config.member = member;
  config.port = settings.port;
  config.listen = address_of(plan, settings.host.text);
  config.data_dir = settings.data_dir;
  config.database = service.database;
  config.replication_user = service.replication_user;
  if (service.replication_password) {
    TRY(config.replication_password, secrets.get(service.replication_password->name));
  }
  for (const auto& [name, peer] : service.members)
    config.members.add(name, {address_of(plan, peer.host.text), peer.port});
  config.lease_ms = service.lease.count();
  if (service.replication == ReplicationMode::sync) {
    config.sync = ownership::first_sync_set(ownership_config(plan, service_name, service), member);
  }
  config.first_primary = service.primary.text == member;
  if (const Backups* backups = kept_backups(service)) {
    config.archive.stanza = stanza_of(service_name, *backups);
    config.archive.repository = address_of(plan, backups->repository_host->text);
    config.archive.repository_name = backups->repository_host->text;
    config.archive.port = backups->port;
    config.archive.second = backups->second.has_value();
    if (backups->stream) config.archive.slot = kStreamSlot;
  }
  return config;
}

Result<wire::RepositoryConfig> repository_of(const Plan& plan, const std::string& service_name,
                                             const PostgresService& service, const Backups& backups, Secrets& secrets) {
  wire::RepositoryConfig config;
  config.stanza = stanza_of(service_name, backups);
  config.listen = address_of(plan, backups.repository_host->text);
  config.backups = backups;
  for (const auto& [member, settings] : service.members)
    config.members.add(member, {settings.host.text, address_of(plan, settings.host.text), settings.port});
  if (!backups.stream) return config;
  config.slot = kStreamSlot;
  config.replication_user = service.replication_user;
  if (service.replication_password) {
    TRY(config.replication_password, secrets.get(service.replication_password->name));
  }
  return config;
}

Result<wire::UnitConfig> unit_on(const Plan& plan, const std::string& service_name, const HttpService& service,
                                 const InstanceGroup& group, Secrets& secrets) {
  wire::UnitConfig config;
  config.command = service.command;
  config.health = service.health;
  config.listen = address_of(plan, group.host.text);
  config.port = group.port;
  config.count = group.count;
  config.max = std::max(group.count, group.max);
  for (const auto& [name, text] : service.environment) {
    std::vector<std::string> unknown;
    std::optional<Error> missing;
    auto lookup = [&](std::string_view reference) -> std::optional<std::string> {
      if (reference == "port") return "${port}";
      if (reference == "listen") return config.listen;
      if (reference.starts_with("host.")) return address_of(plan, reference.substr(5));
      if (!reference.starts_with("secret.")) return std::nullopt;
      auto secret = secrets.get(std::string(reference.substr(7)));
      if (secret) return *secret;
      missing = secret.error();
      return std::nullopt;
    };
    std::string value = expand_text(text, lookup, unknown);
    if (missing) return std::unexpected(std::move(*missing).with(fmt::format("environment of {}", service_name)));
    if (!unknown.empty())
      return fail(ErrorKind::invalid_input,
                  fmt::format("environment of {}: ${{{}}} is not known", service_name, unknown.front()));
    config.environment.push_back(environment_name(name) + "=" + value);
  }
  return config;
}

}  // namespace

std::vector<WatchTarget> region_targets(const Plan& plan) {
  std::vector<WatchTarget> out;
  RegionLostSignal timing;
  if (const RegionLostSignal* signal = region_signal(plan)) timing = *signal;
  auto add = [&](const std::string& id, const std::string& host, int port, bool spared = false) {
    WatchTarget target;
    target.target = {id, region_of(plan, host)};
    target.probe = {.id = id,
                    .kind = "tcp",
                    .address = address_of(plan, host),
                    .port = port,
                    .every_ms = timing.every.count(),
                    .within_ms = timing.within.count(),
                    .region = target.target.region,
                    .spared = spared};
    out.push_back(std::move(target));
  };
  for (const auto& [name, service] : plan.services) {
    if (const auto* haproxy = std::get_if<HaproxyService>(&service)) {
      for (const auto& [region, member] : haproxy->members) add(name + "/" + region, member.host.text, member.port);
    } else if (const auto* postgres = std::get_if<PostgresService>(&service)) {
      for (const auto& [member, settings] : postgres->members)
        add(name + "/" + member, settings.host.text, settings.port, true);
    } else if (const auto* redis = std::get_if<RedisService>(&service)) {
      for (const auto& [member, settings] : redis->members) add(name + "/" + member, settings.host.text, settings.port);
    } else if (const auto* cluster = std::get_if<RedisClusterService>(&service)) {
      for (const auto& [member, settings] : cluster->members)
        add(name + "/" + member, settings.host.text, settings.port);
    } else if (const auto* http = std::get_if<HttpService>(&service)) {
      for (const auto& [region, group] : http->instances) {
        if (group.count > 0) add(name + "/" + region, group.host.text, group.port);
      }
    } else if (const auto* page = std::get_if<StatuspageService>(&service)) {
      add(name, page->host.text, page->port);
    }
  }
  return out;
}

Result<wire::Configure> configuration_for(const Plan& plan, const std::string& host, Secrets& secrets,
                                          const std::vector<WatchTarget>& watched) {
  wire::Configure out;
  for (const auto& [name, service] : plan.services) {
    if (const auto* postgres = std::get_if<PostgresService>(&service)) {
      for (const auto& [member, settings] : postgres->members) {
        if (settings.host.text != host) continue;
        TRY(wire::ServerConfig config, server_on(plan, name, member, *postgres, settings, secrets));
        out.servers.add(name, std::move(config));
        if (auto every = between_looks(plan, name)) out.looks.add(name, {every->count()});
      }
      const Backups* backups = kept_backups(*postgres);
      if (backups != nullptr && backups->repository_host->text == host) {
        TRY(wire::RepositoryConfig config, repository_of(plan, name, *postgres, *backups, secrets));
        out.repositories.add(name, std::move(config));
      }
    } else if (const auto* http = std::get_if<HttpService>(&service)) {
      for (const auto& [region, group] : http->instances) {
        if (group.host.text != host || http->command.empty()) continue;
        TRY(wire::UnitConfig config, unit_on(plan, name, *http, group, secrets));
        out.units.add(name, std::move(config));
      }
    }
  }
  std::string own_region = region_of(plan, host);
  for (const WatchTarget& target : watched) {
    if (target.target.region != own_region) out.probes.push_back(target.probe);
  }
  return out;
}

}  // namespace lifeboat
