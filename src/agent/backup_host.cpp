#include "agent/backup_host.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "agent/postgres_files.hpp"
#include "core/backup/expiry.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLookEvery{1'000};
constexpr Duration kAskWithin{900};
constexpr size_t kSamplesMost =
    4'000;  // something over an hour; then a stream is so far behind that the archive counts

// What the stream has, seen by the primary; no row on a standby.
constexpr std::string_view kStreamed =
    "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::text AS written,"
    " coalesce((SELECT pg_wal_lsn_diff(max(write_lsn), '0/0')::text FROM pg_stat_replication"
    "           WHERE application_name = 'lifeboat_repository'), '') AS streamed"
    " WHERE NOT pg_is_in_recovery()";

uint64_t number(const std::string& text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// Segments that the server has finished and its archiver has not archived.
void count_waiting(const std::string& data, wire::ArchiveReport& report) {
  report.waiting = 0;
  report.waiting_ms = 0;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(data + "/pg_wal/archive_status", ignored)) {
    if (entry.path().extension() != ".ready") continue;
    struct stat about{};
    if (stat(entry.path().c_str(), &about) != 0) continue;
    ++report.waiting;
    report.waiting_ms = std::max<int64_t>(report.waiting_ms, (now.tv_sec - about.st_mtim.tv_sec) * 1000);
  }
}

}  // namespace

BackupHost::BackupHost(Scope& scope, Secrets& secrets, std::string host, std::string agent_folder, std::string run_as,
                       Hooks hooks)
    : scope_(scope),
      secrets_(secrets),
      host_(std::move(host)),
      agent_folder_(std::move(agent_folder)),
      paths_{agent_folder_ + "/" + std::string(kBackupFolder)},
      run_as_(std::move(run_as)),
      hooks_(std::move(hooks)),
      server_(scope, "pgBackRest's server", hooks_.log) {}

// The user that pgBackRest runs as reads its files and cannot change them.
Result<> BackupHost::make_folders() const {
  const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr;
  auto make = [&](const std::string& path, bool users_own) -> Result<> {
    std::error_code problem;
    fs::create_directories(path, problem);
    if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", path, problem.message()));
    if (account != nullptr && chown(path.c_str(), users_own ? account->pw_uid : 0, account->pw_gid) != 0)
      return fail(ErrorKind::refused, path + ": cannot be given to " + run_as_);
    if (chmod(path.c_str(), users_own ? 0700 : 0750) != 0)
      return fail(ErrorKind::refused, path + ": its mode cannot be set");
    return {};
  };
  TRY_VOID(make(paths_.folder, account == nullptr));
  for (const char* name : {"/log", "/lock", "/spool"}) TRY_VOID(make(paths_.folder + name, true));
  return {};
}

Result<> BackupHost::write_owned(const std::string& path, const std::string& text, bool users_own) const {
  const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr;
  if (account == nullptr) return write_file_atomic(path, text, 0600);
  return write_file_atomic(path, text, users_own ? 0600 : 0640,
                           FileOwner{users_own ? account->pw_uid : 0, account->pw_gid});
}

Result<> BackupHost::write_certificates() {
  TRY(std::string ca, secrets_.get("backup-ca"));
  TRY(std::string certificate, secrets_.get("backup-cert-" + host_));
  TRY(std::string key, secrets_.get("backup-key-" + host_));
  TRY_VOID(write_owned(paths_.ca(), ca + "\n", false));
  TRY_VOID(write_owned(paths_.certificate(), certificate + "\n", false));
  // pgBackRest takes no key that anybody else may read.
  return write_owned(paths_.key(), key + "\n", true);
}

void BackupHost::configure(const wire::Configure& configuration) {
  for (auto it = members_.begin(); it != members_.end();) {
    it = configuration.servers.contains(it->first) ? std::next(it) : members_.erase(it);
  }
  for (const auto& [service, config] : configuration.servers) {
    if (config.archive.stanza.empty()) continue;
    auto [member, fresh] = members_.try_emplace(service);
    if (fresh) member->second.since = boot_now();
    member->second.config = config;
    ServerPaths at = server_paths(agent_folder_ + "/" + service, config);
    member->second.report.data = at.data;
    member->second.report.socket = at.socket;
  }
  if (members_.empty() && configuration.repositories.empty()) return;
  // Each controller that is linked to says it again, also in the middle of a failover.
  std::string wanted = to_text(encode(configuration.repositories));
  for (const auto& [service, member] : members_)
    wanted += to_text(encode(member.config.archive)) + member.report.data + member.config.listen;
  if (std::exchange(arranged_, wanted) == wanted) return;
  std::string problem;
  if (auto arranged = arrange(configuration); !arranged) problem = arranged.error().text(), arranged_.clear();
  if (!problem.empty()) hooks_.log(secrets_.redact("backups: " + problem));
  for (auto& [service, member] : members_) member.report.problem = problem;
  for (auto& [service, repository] : repositories_) {
    if (!problem.empty()) repository->broken(problem);
    repository->begin();
  }
  if (!std::exchange(begun_, true)) scope_.spawn("backups", look_after());
}

// A folder without '/' in front stands below the agent's own.
void BackupHost::place(std::string& path, const std::optional<ObjectStore>& store) const {
  if (!store && !path.starts_with('/')) path = paths_.folder + ".repository/" + path;
}

Result<> BackupHost::arrange(const wire::Configure& configuration) {
  TRY_VOID(make_folders());
  BackupServer server;
  std::string sections;
  for (const auto& [service, member] : members_) {
    const wire::Archive& archive = member.config.archive;
    server.listen = member.config.listen;
    server.port = archive.port;
    server.allowed[archive.repository_name].push_back(archive.stanza);
    sections += member_section(paths_, archive, member.report.data, member.report.socket, member.config.port);
  }
  std::map<std::string, std::string> repository_sections, expiry_sections;
  OrderedMap<wire::RepositoryConfig> kept = configuration.repositories;
  for (auto& [service, config] : kept) {
    place(config.backups.repository_path, config.backups.store);
    if (config.backups.second) place(config.backups.second->path, config.backups.second->store);
    server.listen = config.listen;
    server.port = config.backups.port;
    for (const auto& [name, member] : config.members) server.allowed[member.host].push_back(config.stanza);
    auto& repository = repositories_[service];
    if (!repository) repository = std::make_unique<Repository>(scope_, service, paths_, run_as_, hooks_.log);
    SecretTexts values;
    for (const std::string& name : secrets_of(config.backups)) {
      TRY(values[name], secrets_.get(name));
    }
    auto retention = backup::parse_retention(config.backups.retention);
    if (!retention) return fail(ErrorKind::invalid_input, retention.error());
    sections += repository_sections[service] = repository_section(config, *retention, values);
    wire::RepositoryConfig expiry = config;
    expiry.backups = backup::with_expiry_keys(config.backups);
    expiry_sections[service] = repository_section(expiry, *retention, values);
  }
  if (find_program("pgbackrest").empty())
    return fail(ErrorKind::unsupported, "pgBackRest is not installed here", "apt install pgbackrest");
  TRY_VOID(write_certificates());
  std::string global = backup_global(paths_, server);
  TRY_VOID(write_owned(paths_.config(), global + sections, false));
  for (const auto& [service, config] : kept)
    TRY_VOID(repositories_[service]->configure(config, global + repository_sections[service],
                                               global + expiry_sections[service]));
  ProcessSpec spec;
  spec.argv = {find_program("pgbackrest"), "server"};
  // Whoever asks names no file of this host; the server's own is what counts.
  // With other content it is started anew.
  spec.environment = {{"PGBACKREST_CONFIG", paths_.config()}, {"LIFEBOAT_CONFIG", sha256_hex(global + sections)}};
  spec.user = run_as_;
  spec.directory = "/";
  spec.output_file = paths_.folder + "/log/server.out";
  spec.ends_with_us = true;
  server_.run(std::move(spec));
  return {};
}

Task<> BackupHost::look_after() {
  while (true) {
    std::vector<std::string> services;
    for (const auto& [service, member] : members_) services.push_back(service);
    for (const std::string& service : services) {
      auto looking = look_at(service);
      co_await std::move(looking);
    }
    co_await sleep_for(kLookEvery);
  }
}

Task<> BackupHost::look_at(std::string service) {
  Member& looked_at = members_[service];
  count_waiting(looked_at.report.data, looked_at.report);
  looked_at.report.failed = secrets_.redact(looked_at.spool.look(
      paths_.folder + "/spool", looked_at.config.archive.stanza, looked_at.report.waiting > 0, boot_now()));
  if (looked_at.config.archive.slot.empty()) co_return;
  auto asking = hooks_.ask(service, std::string(kStreamed), Deadline::after(kAskWithin));
  auto rows = co_await std::move(asking);
  auto found = members_.find(service);
  if (found == members_.end()) co_return;
  Member& member = found->second;
  MonoTime now = boot_now();
  if (!rows || rows->empty()) {
    member.report.stream_bytes = member.report.stream_ms = -1;
    member.samples.clear();
    member.since = now;
    co_return;
  }
  uint64_t written = number(rows->text(0, "written"));
  std::string streamed_text = rows->text(0, "streamed");
  uint64_t streamed = streamed_text.empty() ? 0 : number(streamed_text);
  bool moved = member.samples.empty() || written > member.samples.back().written;
  if (moved && streamed < written) member.samples.push_back({now, written});
  while (!member.samples.empty() && member.samples.front().written <= streamed) member.samples.pop_front();
  if (member.samples.size() > kSamplesMost) member.samples.pop_front();
  member.report.stream_bytes = streamed_text.empty() ? -1 : static_cast<int64_t>(written - std::min(written, streamed));
  MonoTime behind = member.samples.empty() ? now : member.samples.front().at;
  member.report.stream_ms = to_duration(now - behind).count();
}

void BackupHost::add_to(wire::Report& report) const {
  for (const auto& [service, member] : members_) report.archives.add(service, member.report);
  for (const auto& [service, repository] : repositories_) report.repositories.add(service, repository->report());
}

Task<> BackupHost::stop(Deadline deadline) {
  for (auto& [service, repository] : repositories_) {
    auto stopping = repository->stop(deadline);
    co_await std::move(stopping);
  }
  auto stopping = server_.stop(deadline);
  co_await std::move(stopping);
}

namespace {

template <class Params>
Result<Params> params_of(const Json& params) {
  auto decoded = decode<Params>(params);
  if (!decoded) return std::unexpected(to_error(decoded.error(), "the parameters do not fit"));
  return std::move(*decoded);
}

}  // namespace

Task<Result<Json>> BackupHost::carry_out(std::string method, Json params, Deadline deadline,
                                         std::function<void(std::string)> progress) {
  auto found = repositories_.find(text_or(params, "service"));
  if (found == repositories_.end())
    co_return fail(ErrorKind::not_found,
                   fmt::format("{} keeps no repository of '{}'", host_, text_or(params, "service")));
  Repository& repository = *found->second;
  if (method == wire::BackupStanza::kMethod) {
    CO_TRY(wire::BackupStanza order, params_of<wire::BackupStanza>(params));
    co_return co_await repository.make_stanza(std::move(order), deadline);
  }
  if (method == wire::BackupTake::kMethod) {
    CO_TRY(wire::BackupTake order, params_of<wire::BackupTake>(params));
    co_return co_await repository.take(std::move(order), deadline, std::move(progress));
  }
  if (method == wire::BackupInfo::kMethod) co_return co_await repository.info(deadline);
  if (method == wire::BackupVerify::kMethod) co_return co_await repository.verify(deadline, std::move(progress));
  if (method == wire::BackupExpire::kMethod) {
    CO_TRY(wire::BackupExpire order, params_of<wire::BackupExpire>(params));
    co_return co_await repository.expire(std::move(order), deadline);
  }
  if (method == wire::BackupCloseLog::kMethod) co_return co_await repository.close_log(deadline);
  co_return fail(ErrorKind::unsupported, fmt::format("this agent does not know '{}'", method),
                 "it may be older than the controller");
}

}  // namespace lifeboat
