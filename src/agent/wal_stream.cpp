#include "agent/wal_stream.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/postgres_server.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

bool is_segment(std::string_view name) {
  return name.size() == 24 && name.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}
bool is_history(std::string_view name) { return name.size() == 16 && name.ends_with(".history"); }

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) out.push_back(entry.path().filename().string());
  std::ranges::sort(out);
  return out;
}

// A value of libpq's connection info.
std::string info_value(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string pass_field(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

WalStream::WalStream(Scope& scope, std::string folder, std::string run_as, KeptProgram::Log log)
    : folder_(std::move(folder)), run_as_(std::move(run_as)), program_(scope, "stream of WAL", std::move(log)) {}

Result<> WalStream::receive(const wire::RepositoryConfig& config) {
  std::string program = postgres_program("pg_receivewal");
  if (program.empty())
    return fail(ErrorKind::unsupported, "pg_receivewal is not installed here", "apt install postgresql-client-15");
  std::error_code problem;
  fs::create_directories(folder_, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", folder_, problem.message()));
  const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr;
  if (account != nullptr && chown(folder_.c_str(), account->pw_uid, account->pw_gid) != 0)
    return fail(ErrorKind::refused, folder_ + ": cannot be given to " + run_as_);
  chmod(folder_.c_str(), 0700);
  std::string hosts, ports, passwords;
  for (const auto& [name, member] : config.members) {
    hosts += (hosts.empty() ? "" : ",") + member.address;
    ports += (ports.empty() ? "" : ",") + std::to_string(member.port);
    passwords += fmt::format("{}:{}:*:{}:{}\n", pass_field(member.address), member.port,
                             pass_field(config.replication_user), pass_field(config.replication_password));
  }
  std::string passfile = folder_ + ".pass";
  auto owner = account == nullptr ? std::nullopt : std::optional(FileOwner{account->pw_uid, account->pw_gid});
  TRY_VOID(write_file_atomic(passfile, passwords, 0600, owner));
  std::string connection = fmt::format(
      "host={} port={} user={} passfile={} application_name={} target_session_attrs=read-write connect_timeout=2 "
      "gssencmode=disable keepalives_idle=3 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=6000",
      info_value(hosts), info_value(ports), info_value(config.replication_user), info_value(passfile), kStreamName);
  ProcessSpec spec;
  spec.argv = {program,     "--directory=" + folder_, "--dbname=" + connection, "--slot=" + config.slot,
               "--no-loop", "--status-interval=1",    "--no-password"};
  spec.user = run_as_;
  spec.directory = folder_;
  spec.environment = {{"LC_ALL", "C"}};
  spec.output_file = folder_ + ".log";
  spec.ends_with_us = true;
  program_.run(std::move(spec));
  return {};
}

Task<> WalStream::stop(Deadline deadline) {
  auto stopping = program_.stop(deadline);
  co_await std::move(stopping);
}

std::vector<std::string> WalStream::finished(Duration older_than) const {
  std::vector<std::string> out;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  for (const std::string& name : names_in(folder_)) {
    if ((!is_segment(name) && !is_history(name)) || archived_.contains(name)) continue;
    struct stat about{};
    if (stat((folder_ + "/" + name).c_str(), &about) != 0) continue;
    if (Duration((now.tv_sec - about.st_mtim.tv_sec) * 1000) >= older_than) out.push_back(name);
  }
  return out;
}

void WalStream::archived(const std::string& name) {
  archived_.insert(name);
  auto names = names_in(folder_);
  std::erase_if(names, [](const std::string& one) { return !is_segment(one); });
  for (const std::string& one : names) {
    if (one == names.back() || !archived_.contains(one)) continue;
    if (unlink((folder_ + "/" + one).c_str()) == 0) archived_.erase(one);
  }
}

Result<std::string> WalStream::copy_of_unfinished(const std::string& name) const {
  fs::path from = fs::path(folder_) / name, beside = folder_ + ".unfinished";
  fs::path to = beside / name.substr(0, name.find('.'));
  std::error_code problem;
  fs::create_directories(beside, problem);
  if (!problem) fs::copy_file(from, to, fs::copy_options::overwrite_existing, problem);
  if (problem)
    return fail(ErrorKind::refused, fmt::format("copy {} to {}: {}", from.string(), to.string(), problem.message()));
  const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr;
  for (const fs::path& each : {beside, to}) {
    if (account != nullptr && chown(each.c_str(), account->pw_uid, account->pw_gid) != 0)
      return fail(ErrorKind::refused, each.string() + ": cannot be given to " + run_as_);
  }
  return to.string();
}

std::string WalStream::at() const {
  std::string newest;
  for (const std::string& name : names_in(folder_)) {
    if (is_segment(name) || (name.ends_with(".partial") && is_segment(name.substr(0, 24))))
      newest = std::max(newest, name);
  }
  return newest;
}

}  // namespace lifeboat
