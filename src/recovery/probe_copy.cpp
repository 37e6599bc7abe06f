#include "recovery/probe_copy.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "io/file.hpp"
#include "io/process.hpp"
#include "recovery/settings.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLook{15};
constexpr Duration kAnswer{10'000};
constexpr Duration kStuck{5'000};  // waits for log that is there: damaged
constexpr Duration kSweep{5'000};
// Between the end of a record and the begin of the next there may be the header of a page.
constexpr uint64_t kLargestHeader = 48;

bool is_segment(const std::string& name) {
  return name.size() == 24 && name.find_first_not_of("0123456789ABCDEF") == std::string::npos;
}

}  // namespace

ProbeCopy::~ProbeCopy() { end_server(); }

void ProbeCopy::end_server() {
  server_.reset();
  end_processes_at(folder().data(), plan_.tools + "/postgres", kSweep);
}

void ProbeCopy::remove() {
  end_server();
  std::error_code ignored;
  fs::remove_all(plan_.request.folder, ignored);
}

Task<Result<uint64_t>> ProbeCopy::restore(OnProgress on_progress, Deadline deadline) {
  end_server();
  RestoreRequest request = plan_.request;
  request.wish.target = RecoveryTarget{.kind = TargetKind::immediate};
  request.promote = false;
  request.again = true;
  auto restoring = lifeboat::recovery::restore(std::move(request), std::move(on_progress), deadline);
  CO_TRY(Restored restored, co_await std::move(restoring));
  end_server();
  CO_TRY_VOID(ready());
  co_return restored.bytes;
}

// Takes the target out of the settings and all log out of the folder: from now on the log decides where it stops.
Result<> ProbeCopy::ready() {
  TRY(std::string settings, read_file(folder().settings()));
  std::string kept;
  for (size_t at = 0; at < settings.size();) {
    size_t end = std::min(settings.find('\n', at), settings.size());
    std::string_view line = std::string_view(settings).substr(at, end - at);
    bool target = line.starts_with("recovery_target =") || line.starts_with("recovery_target_inclusive");
    if (!target) kept += std::string(line) + "\n";
    at = end + 1;
  }
  kept +=
      "# A copy to be asked, worth nothing afterwards:\nfsync = 'off'\nautovacuum = 'off'\njit = 'off'\n"
      "wal_retrieve_retry_interval = '20ms'\nwal_recycle = 'off'\ncheckpoint_timeout = '1d'\nmax_wal_size = '64GB'\n";
  TRY_VOID(write_for_server(folder(), folder().settings(), kept));
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder().log_folder(), problem)) {
    std::error_code ignored;
    if (is_segment(entry.path().filename())) fs::remove(entry.path(), ignored);
  }
  laid_ = Lsn{};
  return {};
}

// Writes the first `bytes` of a segment and zeros behind them, under a name of its own until it is whole.
Result<> ProbeCopy::lay(const WalSegment& segment, uint64_t bytes) {
  std::string name = segment_name(segment.timeline, segment.number, plan_.segment_bytes);
  std::string from = plan_.log_folder + "/" + name, into = folder().log_folder() + "/" + name;
  std::string part = folder().log_folder() + "/lifeboat.part";
  std::error_code problem;
  fs::copy_file(from, part, fs::copy_options::overwrite_existing, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", from, problem.message()));
  if (bytes < plan_.segment_bytes) {
    fs::resize_file(part, bytes, problem);
    if (!problem) fs::resize_file(part, plan_.segment_bytes, problem);
  }
  const passwd* account = geteuid() == 0 ? getpwnam(plan_.request.run_as.c_str()) : nullptr;
  bool owned = account == nullptr || lchown(part.c_str(), account->pw_uid, account->pw_gid) == 0;
  if (!problem && owned) fs::permissions(part, fs::perms::owner_read | fs::perms::owner_write, problem);
  if (!problem && owned) fs::rename(part, into, problem);
  if (problem || !owned) return fail(ErrorKind::refused, fmt::format("{} cannot be laid: {}", into, problem.message()));
  return {};
}

Result<> ProbeCopy::lay_until(Lsn at) {
  bool reached = false;
  for (const WalSegment& segment : plan_.log) {
    Lsn begin = segment_begin(segment.number, plan_.segment_bytes);
    uint64_t end = begin.value + plan_.segment_bytes;
    if (begin >= at) break;
    reached = end >= at.value;
    if (end <= laid_.value) continue;
    TRY_VOID(lay(segment, std::min(at.value, end) - begin.value));
  }
  if (!reached)
    return fail(ErrorKind::refused,
                fmt::format("the archive has no unbroken log up to {}", ScalarText<Lsn>::format(at)));
  laid_ = at;
  return {};
}

Task<Result<>> ProbeCopy::roll_to(Lsn at, Lsn last, Deadline deadline) {
  if (at < laid_) co_return fail(ErrorKind::internal, "a copy cannot go back");
  CO_TRY_VOID(lay_until(at));
  if (!server_) {
    server_ = std::make_unique<ReplayServer>(folder(), plan_.tools + "/postgres", plan_.request.superuser);
    // The restore before this may have left its own server at work on the same files.
    end_processes_at(folder().data(), plan_.tools + "/postgres", Duration{5'000});
    CO_TRY_VOID(server_->start());
  }
  Lsn seen_at;
  MonoTime moved = boot_now();
  while (true) {
    if (!server_->runs()) co_return fail(ErrorKind::refused, "the restored server ended: " + server_->last_words());
    auto looking = server_->look(deadline.at_most(kAnswer));
    CO_TRY(auto seen, co_await std::move(looking));
    if (seen) {
      if (!seen->in_recovery || seen->replayed > at)
        co_return fail(ErrorKind::internal,
                       fmt::format("the restored server went on to {}, beyond {}",
                                   ScalarText<Lsn>::format(seen->replayed), ScalarText<Lsn>::format(at)));
      bool has_last = seen->replayed > last;
      if (has_last && at.value - seen->replayed.value <= kLargestHeader) co_return Result<>{};
      if (seen->replayed != seen_at || !seen->waiting) seen_at = seen->replayed, moved = boot_now();
      if (boot_now() - moved > kStuck)
        co_return fail(ErrorKind::refused,
                       fmt::format("the log cannot be replayed beyond {}: {}", ScalarText<Lsn>::format(seen->replayed),
                                   server_->last_words()),
                       "`lifeboat backups verify` tells which segment is damaged");
    }
    if (deadline.passed()) co_return fail(ErrorKind::timed_out, "the restored server did not get there in time");
    co_await sleep_for(kLook);
  }
}

Task<Result<>> ProbeCopy::promote(Deadline deadline) {
  if (!server_) co_return fail(ErrorKind::internal, "there is no server to promote");
  auto promoting = server_->promote(deadline);
  co_return co_await std::move(promoting);
}

PgParams ProbeCopy::params(const std::string& database) const {
  return {{"host", folder().socket()},
          {"port", std::to_string(kPort)},
          {"dbname", database},
          {"user", plan_.request.superuser},
          {"application_name", "lifeboat clean-point"},
          {"options", "-c default_transaction_read_only=on -c lock_timeout=2s -c statement_timeout=1h"}};
}

}  // namespace lifeboat::recovery
