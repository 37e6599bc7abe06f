#include "io/pgbackrest.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/backup/expiry.hpp"
#include "io/file.hpp"

extern char** environ;

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestList = size_t{512} << 20;  // a listing of a million segments is some 150 MB

// Repository options may be given by the environment instead of the file: that is where secrets belong.
std::map<std::string, std::string> handed_on() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    size_t equals = text.find('=');
    if (text.starts_with("PGBACKREST_REPO") && equals != text.npos)
      out[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  return out;
}

ProcessSpec command(const PgBackRest& repo, std::vector<std::string> arguments) {
  ProcessSpec spec;
  spec.argv = {repo.program, "--config=" + repo.config, "--stanza=" + repo.stanza, "--log-level-stderr=off",
               "--log-level-file=off"};
  if (repo.repository > 0) spec.argv.push_back(fmt::format("--repo={}", repo.repository));
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.environment = handed_on();
  spec.user = repo.user;
  spec.directory = "/";
  spec.ends_with_us = true;
  return spec;
}

Task<Result<std::string>> run(PgBackRest repo, std::string name, std::vector<std::string> arguments, size_t capture,
                              Deadline deadline) {
  ProcessSpec spec = command(repo, std::move(arguments));
  spec.capture = capture;
  spec.behind_others = name == "verify";
  auto running = run_process(std::move(spec), deadline);
  auto result = co_await std::move(running);
  if (!result) {
    if (result.error().kind == ErrorKind::unsupported) result.error().hint = "apt install pgbackrest";
    co_return std::unexpected(std::move(result).error());
  }
  if (result->cut) co_return fail(ErrorKind::refused, fmt::format("pgbackrest {} wrote too much", name));
  if (result->exit_code != 0) {
    Error error = pgbackrest_error(name, result->exit_code, result->err + result->out);
    co_return std::unexpected(std::move(error));
  }
  co_return std::move(result->out);
}

void give_to(const std::string& user, const std::string& path) {
  const passwd* account = geteuid() == 0 && !user.empty() ? getpwnam(user.c_str()) : nullptr;
  // What cannot be given away fails where it is used, with the user's name.
  if (account != nullptr && lchown(path.c_str(), account->pw_uid, account->pw_gid) != 0) return;
}

Result<> make_folder(const PgBackRest& repo, const std::string& path) {
  std::vector<fs::path> fresh;
  for (fs::path at = path; !at.empty() && !fs::exists(at); at = at.parent_path()) fresh.push_back(at);
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", path, problem.message()));
  for (const fs::path& one : fresh) give_to(repo.user, one.string());
  return {};
}

// Which of several: the one asked for, or the first repository with a backup; there the newest incarnation.
Result<recovery::Catalogue> pick(std::vector<recovery::Catalogue> all, const PgBackRest& repo) {
  recovery::Catalogue* best = nullptr;
  for (recovery::Catalogue& one : all) {
    if (one.sets.empty() || (repo.repository > 0 && one.repository != repo.repository)) continue;
    bool better = best == nullptr || one.repository < best->repository ||
                  (one.repository == best->repository && one.sets.back().stopped > best->sets.back().stopped);
    if (better) best = &one;
  }
  if (best == nullptr)
    return fail(ErrorKind::not_found, fmt::format("stanza '{}' has no backup in the repository", repo.stanza),
                "is the stanza's name right? `pgbackrest info` lists them");
  return std::move(*best);
}

struct ControlVersion {
  std::string_view version;
  uint32_t control;
  uint32_t catalogue;
};
// PG_CONTROL_VERSION and CATALOG_VERSION_NO of the releases.
constexpr std::array kControlVersions = std::to_array<ControlVersion>(
    {{"13", 1300, 202007201}, {"14", 1300, 202107181}, {"15", 1300, 202209061}, {"16", 1300, 202307071}});

}  // namespace

Task<Result<recovery::Catalogue>> read_catalogue(PgBackRest repo, Deadline deadline) {
  using namespace asio::experimental::awaitable_operators;
  auto asking = run(repo, "info", {"--output=json", "info"}, kLargestList, deadline);
  auto listing =
      run(repo, "repo-ls", {"--recurse", "--output=json", "repo-ls", "archive/" + repo.stanza}, kLargestList, deadline);
  auto [info, files] = co_await (std::move(asking) && std::move(listing));
  if (!info) co_return std::unexpected(std::move(info).error());
  CO_TRY(auto all, parse_info(*info, repo.stanza));
  CO_TRY(recovery::Catalogue catalogue, pick(std::move(all), repo));
  // Without a number repo-ls lists the first repository.
  if (repo.repository == 0 && catalogue.repository != 1) {
    repo.repository = catalogue.repository;
    auto again = run(repo, "repo-ls", {"--recurse", "--output=json", "repo-ls", "archive/" + repo.stanza}, kLargestList,
                     deadline);
    files = co_await std::move(again);
  }
  if (!files) co_return std::unexpected(std::move(files).error());
  CO_TRY_VOID(parse_archive_list(*files, catalogue));
  for (recovery::TimelineHistory& history : catalogue.histories) {
    std::string path = fmt::format("archive/{}/{}/{:08X}.history", repo.stanza, catalogue.archive, history.timeline);
    auto reading = read_repository_file(repo, path, deadline);
    CO_TRY(history.text, co_await std::move(reading));
  }
  co_return catalogue;
}

Task<Result<VerifyReport>> verify_repository(PgBackRest repo, Deadline deadline) {
  std::vector<std::string> arguments{"--output=text", "--verbose", "--log-level-console=info", "verify"};
  auto running = run(repo, "verify", std::move(arguments), kLargestList, deadline);
  CO_TRY(std::string text, co_await std::move(running));
  VerifyReport report = parse_verify(text);
  // It says that it can use no index, but not why: a damaged file, a key that has expired.
  if (text.find("No usable ") == text.npos) co_return report;
  auto asking = run(repo, "info", {"--output=json", "info"}, kLargestList, deadline);
  auto info = co_await std::move(asking);
  if (!info) {
    report.findings.push_back(info.error().text());
  } else if (auto catalogues = parse_info(*info, repo.stanza); !catalogues) {
    report.findings.push_back(catalogues.error().text());
  }
  co_return report;
}

Task<Result<Strays>> find_strays(PgBackRest repo, Deadline deadline) {
  Strays out;
  std::string root = "backup/" + repo.stanza;
  // What is there first: what is finished in between is in the index then.
  auto listing = run(repo, "repo-ls", {"--output=json", "repo-ls", root}, kLargestList, deadline);
  CO_TRY(std::string listed, co_await std::move(listing));
  CO_TRY(std::vector<std::string> names, parse_names(listed));
  if (std::ranges::none_of(names, [](const std::string& name) { return backup::is_backup_label(name); })) co_return out;
  auto asking = run(repo, "info", {"--output=json", "info"}, kLargestList, deadline);
  CO_TRY(std::string info, co_await std::move(asking));
  CO_TRY(auto known, parse_info(info, repo.stanza));
  std::vector<std::string> index;
  for (const recovery::Catalogue& one : known) {
    for (const recovery::BackupSet& set : one.sets) {
      if (set.repository == repo.repository) index.push_back(set.label);
    }
  }
  if (!index.empty()) out.newest_known = std::ranges::max(index);
  for (const std::string& label : backup::not_in_index(names, index)) {
    auto looking = run(repo, "repo-ls", {"--output=json", "repo-ls", root + "/" + label}, kLargestList, deadline);
    CO_TRY(std::string files, co_await std::move(looking));
    CO_TRY(std::vector<std::string> inside, parse_names(files));
    bool whole = std::ranges::find(inside, "backup.manifest") != inside.end();
    (whole ? out.whole : out.unfinished).push_back(label);
  }
  co_return out;
}

Task<Result<std::string>> read_repository_file(PgBackRest repo, std::string path, Deadline deadline) {
  return run(std::move(repo), "repo-get", {"repo-get", std::move(path)}, kLargestList, deadline);
}

std::string fetched_log_folder(const PgBackRest& repo) {
  return fmt::format("{}/log/archive/{}/in", repo.scratch, repo.stanza);
}

Result<> make_control_folder(const std::string& folder, const recovery::Catalogue& catalogue) {
  auto known = std::ranges::find(kControlVersions, catalogue.version, &ControlVersion::version);
  if (known == kControlVersions.end())
    return fail(ErrorKind::unsupported, fmt::format("PostgreSQL {} is not known here", catalogue.version));
  // What stands in pg_control (ControlFileData in catalog/pg_control.h) is at the same places in these releases, as far as pgBackRest
  // looks: system identifier, version, version of the catalogue; blocks, blocks in a file, blocks of log, a segment of log.
  constexpr size_t kSizes = 216;
  std::string control(8192, '\0');
  uint64_t system_id = std::strtoull(catalogue.system_id.c_str(), nullptr, 10);
  std::memcpy(control.data(), &system_id, sizeof system_id);
  std::memcpy(control.data() + 8, &known->control, sizeof known->control);
  std::memcpy(control.data() + 12, &known->catalogue, sizeof known->catalogue);
  uint32_t sizes[] = {8192, 131072, 8192, static_cast<uint32_t>(catalogue.segment_bytes)};
  std::memcpy(control.data() + kSizes, sizes, sizeof sizes);
  std::error_code problem;
  fs::create_directories(folder + "/global", problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", folder, problem.message()));
  return write_file_atomic(folder + "/global/pg_control", control, 0644);
}

Task<Result<FetchedLog>> fetch_log(PgBackRest repo, FetchLog what, Deadline deadline) {
  std::string folder = fetched_log_folder(repo);
  CO_TRY_VOID(make_folder(repo, folder));
  std::error_code ignored;
  // It is silent about what is there already, also about what went wrong the last time.
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    std::string extension = entry.path().extension().string();
    if (extension == ".error" || extension == ".ok") fs::remove(entry.path(), ignored);
  }
  // The very command that asynchronous archive-get starts: one process for many segments, each laid down whole.
  std::vector<std::string> arguments{"--archive-async",
                                     "--spool-path=" + repo.scratch + "/log",
                                     "--lock-path=" + repo.scratch + "/log-lock",
                                     "--log-path=" + repo.scratch,
                                     "--pg1-path=" + what.control_folder,
                                     fmt::format("--process-max={}", what.processes),
                                     "archive-get:async"};
  arguments.insert(arguments.end(), what.segments.begin(), what.segments.end());
  auto running = run(repo, "archive-get", std::move(arguments), 1 << 20, deadline);
  auto result = co_await std::move(running);
  FetchedLog out;
  bool noted = false;
  for (const std::string& name : what.segments) {
    std::string path = folder + "/" + name;
    if (access(path.c_str(), F_OK) == 0) {
      out.present.push_back(name);
    } else if (auto error = read_file(path + ".error")) {
      noted = true;
      out.damaged.push_back(name + ": " + error->substr(std::min(error->size(), error->find('\n') + 1)));
    } else if (result) {
      out.absent.push_back(name);
    }
  }
  // An error that concerns no segment in particular concerns all.
  if (!result && !noted) co_return std::unexpected(std::move(result).error());
  co_return out;
}

Task<Result<>> restore_files(PgBackRest repo, RestoreFiles what, Deadline deadline) {
  std::vector<std::string> arguments{"--pg1-path=" + what.data, "--set=" + what.set,
                                     "--lock-path=" + repo.scratch + "/copy-lock",
                                     // It empties its spool folder, so this is not the one that log is fetched to.
                                     "--spool-path=" + repo.scratch + "/copy", "--log-path=" + repo.scratch,
                                     "--log-level-console=detail", fmt::format("--process-max={}", what.processes),
                                     // A standby never ends its recovery by itself.
                                     "--type=standby", "--archive-mode=off", what.delta ? "--delta" : "--no-delta"};
  if (!what.tablespaces.empty()) arguments.push_back("--tablespace-map-all=" + what.tablespaces);
  arguments.emplace_back("restore");
  ProcessSpec spec = command(repo, std::move(arguments));
  spec.output_file = what.log_file;
  auto running = run_process(std::move(spec), deadline);
  CO_TRY(ProcessResult result, co_await std::move(running));
  if (result.exit_code == 0) co_return Result<>{};
  auto log = read_file(what.log_file, kLargestList);
  Error error = pgbackrest_error("restore", result.exit_code, log ? result.err + *log : result.err);
  co_return std::unexpected(std::move(error));
}

}  // namespace lifeboat
