#include "recovery/take_over.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "core/recovery/catalogue.hpp"
#include "io/file.hpp"
#include "io/process.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

constexpr Duration kStopsWithin{30'000};
constexpr Duration kSweep{3'000};
constexpr Duration kAnswer{10'000};

// Whatever reaches out, brings log in, or stops a replay. Settings of an upstream are the member's own, in a file that this one
// would win over.
constexpr auto kNotTaken = std::to_array<std::string_view>({"archive_command",
                                                            "archive_library",
                                                            "archive_mode",
                                                            "archive_cleanup_command",
                                                            "restore_command",
                                                            "recovery_end_command",
                                                            "primary_conninfo",
                                                            "primary_slot_name",
                                                            "promote_trigger_file",
                                                            "listen_addresses",
                                                            "port",
                                                            "unix_socket_directories",
                                                            "hba_file",
                                                            "ident_file",
                                                            "data_directory",
                                                            "config_file",
                                                            "external_pid_file",
                                                            "cluster_name",
                                                            "synchronous_standby_names",
                                                            "shared_preload_libraries",
                                                            "session_preload_libraries",
                                                            "local_preload_libraries",
                                                            "hot_standby"});

bool is_taken(std::string_view line) {
  size_t begin = line.find_first_not_of(" \t");
  if (begin == line.npos || line[begin] == '#') return false;
  size_t end = line.find_first_of(" \t=", begin);
  std::string name(line.substr(begin, end == line.npos ? line.npos : end - begin));
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  bool target = name.starts_with("recovery_target") || name.starts_with("include");
  return !target && std::ranges::find(kNotTaken, name) == kNotTaken.end();
}

std::string value_in(std::string_view text, std::string_view name) {
  size_t at = text.find(name);
  if (at == text.npos) return {};
  size_t begin = text.find_first_not_of(' ', at + name.size());
  if (begin == text.npos) return {};
  return std::string(text.substr(begin, text.find('\n', begin) - begin));
}

Result<> failed(const std::string& path) {
  return fail(ErrorKind::refused, fmt::format("{}: {}", path, std::strerror(errno)));
}

Result<> sync_path(const std::string& path, int flags) {
  int fd = open(path.c_str(), flags | O_CLOEXEC);
  bool fine = fd >= 0 && fsync(fd) == 0;
  Result<> out = fine ? Result<>{} : failed(path);
  if (fd >= 0) close(fd);
  return out;
}

Result<> zero_from(const std::string& path, uint64_t offset, uint64_t length) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return failed(path);
  static const std::array<char, 65536> zeros{};
  bool fine = true;
  for (uint64_t at = offset; fine && at < length;) {
    size_t piece = std::min<uint64_t>(zeros.size(), length - at);
    ssize_t written = pwrite(fd, zeros.data(), piece, static_cast<off_t>(at));
    fine = written > 0;
    at += fine ? static_cast<uint64_t>(written) : 0;
  }
  fine = fine && fsync(fd) == 0;
  Result<> out = fine ? Result<>{} : failed(path);
  close(fd);
  return out;
}

Result<> cut_log(const std::string& folder, uint64_t timeline, Lsn at, uint64_t segment_bytes) {
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder, problem)) {
    std::string name = entry.path().filename().string(), path = entry.path().string();
    LogFate fate = fate_of_log(name, timeline, at, segment_bytes);
    if (fate == LogFate::goes && unlink(path.c_str()) != 0) return failed(path);
    if (fate == LogFate::cut) TRY_VOID(zero_from(path, at.value % segment_bytes, segment_bytes));
  }
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", folder, problem.message()));
  // Nothing of a restored copy is to be archived: it came from there.
  for (const auto& entry : fs::directory_iterator(folder + "/archive_status", problem)) unlink(entry.path().c_str());
  return sync_path(folder, O_RDONLY | O_DIRECTORY);
}

Task<Result<>> end_server(std::string data, std::string postgres) {
  auto text = read_file(data + "/postmaster.pid");
  pid_t pid = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), pid);
  auto all = processes_at(data, postgres);
  if (pid > 0 && std::ranges::find(all, pid) != all.end()) kill(pid, SIGINT);
  for (Deadline end = Deadline::after(kStopsWithin); !processes_at(data, postgres).empty() && !end.passed();)
    co_await sleep_for(Duration{20});
  if (!end_processes_at(data, postgres, kSweep))
    co_return fail(ErrorKind::refused, "the restored server cannot be ended", "look at its processes");
  unlink((data + "/postmaster.pid").c_str());
  co_return Result<>{};
}

}  // namespace

LogFate fate_of_log(const std::string& name, uint64_t timeline, Lsn at, uint64_t segment_bytes) {
  if (name.ends_with(".history")) {
    uint64_t number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number, 16);
    return number > timeline ? LogFate::goes : LogFate::stays;
  }
  auto segment = parse_segment_name(name.substr(0, 24), segment_bytes);
  if (!segment) return LogFate::stays;
  uint64_t last = at.value / segment_bytes;
  bool behind = segment->number > last || (segment->number == last && at.value % segment_bytes == 0);
  if (segment->timeline > timeline || behind) return LogFate::goes;
  bool holds_it = segment->number == last && segment->timeline == timeline && name.size() == 24;
  return holds_it ? LogFate::cut : LogFate::stays;
}

std::string settings_for_member(const std::string& auto_conf) {
  std::string out = "# What the backup's own file said, without what Lifeboat decides.\n";
  for (size_t at = 0; at < auto_conf.size();) {
    size_t end = std::min(auto_conf.find('\n', at), auto_conf.size());
    std::string_view line = std::string_view(auto_conf).substr(at, end - at);
    if (is_taken(line)) out += std::string(line) + "\n";
    at = end + 1;
  }
  // Whatever another file says: nothing brings in log from elsewhere, and nothing stops replay.
  for (const char* name :
       {"restore_command", "archive_cleanup_command", "recovery_end_command", "recovery_target", "recovery_target_lsn",
        "recovery_target_name", "recovery_target_time", "recovery_target_xid"})
    out += fmt::format("{} = ''\n", name);
  return out;
}

Task<Result<ReadyData>> make_ready(RestoreFolder folder, std::string tools, Lsn at, uint64_t timeline,
                                   Deadline deadline) {
  CO_TRY(std::string mark, read_file(folder.journal()));
  CO_TRY(Json json, parse_json(mark));
  if (text_or(json, "state") != "done" || bool_or(json, "promoted"))
    co_return fail(ErrorKind::refused,
                   bool_or(json, "promoted") ? folder.path + " was promoted and goes its own way"
                                             : folder.path + " is no finished restore",
                   "restore again, without a promotion");
  auto ending = end_server(folder.data(), tools + "/postgres");
  CO_TRY_VOID(co_await std::move(ending));
  ProcessSpec spec;
  spec.argv = {tools + "/pg_controldata", "-D", folder.data()};
  spec.user = folder.user;
  spec.environment = {{"LC_ALL", "C"}};
  spec.directory = "/";
  auto asking = run_process(std::move(spec), deadline.at_most(kAnswer));
  CO_TRY(ProcessResult control, co_await std::move(asking));
  if (control.exit_code != 0) co_return fail(ErrorKind::refused, "pg_controldata: " + control.err);
  Lsn needed = ScalarText<Lsn>::parse(value_in(control.out, "Minimum recovery ending location:")).value_or(Lsn{});
  if (needed > at)
    co_return fail(ErrorKind::refused, fmt::format("the restored data need log up to {}, behind their point {}",
                                                   ScalarText<Lsn>::format(needed), ScalarText<Lsn>::format(at)));
  uint64_t segment_bytes = std::strtoull(value_in(control.out, "Bytes per WAL segment:").c_str(), nullptr, 10);
  if (segment_bytes == 0) co_return fail(ErrorKind::refused, "pg_controldata tells no size of a segment of log");
  CO_TRY_VOID(cut_log(folder.log_folder(), timeline, at, segment_bytes));
  auto source = read_file(folder.data() + "/postgresql.auto.conf.of-source");
  CO_TRY_VOID(write_for_server(folder, folder.data() + "/postgresql.auto.conf",
                               settings_for_member(source ? *source : std::string())));
  co_return ReadyData{at, timeline, value_in(control.out, "Database system identifier:")};
}

}  // namespace lifeboat::recovery
