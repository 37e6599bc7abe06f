#include "recovery/probe_copy.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "io/file.hpp"
#include "recovery/end_server.hpp"
#include "recovery/segment_proof.hpp"
#include "recovery/settings.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLook{5};
constexpr Duration kAnswer{10'000};
constexpr Duration kStuck{5'000};  // waits for log that is there: damaged
// Between the end of a record and the begin of the next there may be the header of a page.
constexpr uint64_t kLargestHeader = 48;

bool is_segment(const std::string& name) {
  return name.size() == 24 && name.find_first_not_of("0123456789ABCDEF") == std::string::npos;
}

// From one file to the same place in another, which begins anew when that is its beginning.
bool copy_bytes(const std::string& source, const std::string& into, uint64_t from, uint64_t to) {
  std::ifstream in(source, std::ios::binary);
  auto mode = from == 0 ? std::ios::trunc : std::ios::in;
  std::fstream out(into, std::ios::binary | std::ios::out | mode);
  std::vector<char> piece(to - from);
  auto length = static_cast<std::streamsize>(piece.size()), at = static_cast<std::streamoff>(from);
  if (!in.seekg(at) || !in.read(piece.data(), length) || !out.seekp(at)) return false;
  return static_cast<bool>(out.write(piece.data(), length).flush());
}

}  // namespace

ProbeCopy::~ProbeCopy() {
  if (owns_folder()) end_server();
}

void ProbeCopy::end_server() {
  sessions_.clear();
  server_.reset();
  end_server_at(folder().data(), plan_.tools + "/postgres");
}

// What was refused to it is not its own.
bool ProbeCopy::owns_folder() const {
  std::error_code ignored;
  return restored_ || (was_marked_ == false && fs::exists(folder().journal(), ignored));
}

void ProbeCopy::remove() {
  if (!owns_folder()) return;
  end_server();
  std::error_code ignored;
  fs::remove_all(plan_.request.folder, ignored);
}

Task<Result<>> ProbeCopy::restore(OnProgress on_progress, Deadline deadline) {
  if (restored_) end_server();
  std::error_code ignored;
  if (!was_marked_) was_marked_ = fs::exists(folder().journal(), ignored);
  RestoreRequest request = plan_.request;
  request.wish.target = RecoveryTarget{.kind = TargetKind::immediate};
  request.files_only = true;
  auto restoring = lifeboat::recovery::restore(std::move(request), std::move(on_progress), deadline);
  CO_TRY_VOID(co_await std::move(restoring));
  restored_ = true;
  co_return ready();
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
      "wal_retrieve_retry_interval = '5ms'\nwal_recycle = 'off'\ncheckpoint_timeout = '1d'\nmax_wal_size = '64GB'\n";
  TRY_VOID(write_for_server(folder(), folder().settings(), kept));
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder().log_folder(), problem)) {
    std::error_code ignored;
    if (is_segment(entry.path().filename())) fs::remove(entry.path(), ignored);
  }
  laid_ = Lsn{};
  return {};
}

// Puts the bytes of a segment from `from` to `to` (offsets in it) where the server looks for them; behind them are zeros. One that is whole is
// the fetched file itself, which no standby writes to. What grows does so in place, as under a stream; what is new has another name until
// the server may read it.
Result<> ProbeCopy::lay(const WalSegment& segment, uint64_t from, uint64_t to) {
  std::string name = segment_name(segment.timeline, segment.number, plan_.segment_bytes);
  std::string source = log_folder_ + "/" + name, into = folder().log_folder() + "/" + name;
  if (segment.number <= plan_.consistent_with) {
    std::string fault = fault_of(source, segment, plan_.segment_bytes);
    if (!fault.empty())
      return fail(ErrorKind::refused, fmt::format("segment {}: {}", name, fault),
                  "another set may need none of it: name one with --set");
  }
  if (from == 0 && to == plan_.segment_bytes && link(source.c_str(), into.c_str()) == 0) return {};
  std::string part = from == 0 ? folder().log_folder() + "/lifeboat.part" : into;
  if (!copy_bytes(source, part, from, to))
    return fail(ErrorKind::refused, fmt::format("{} cannot be laid: its bytes up to {} cannot be copied", into, to));
  if (from != 0) return {};
  std::error_code problem;
  fs::resize_file(part, plan_.segment_bytes, problem);
  if (!problem) fs::permissions(part, fs::perms::owner_read | fs::perms::owner_write, problem);
  const passwd* account = geteuid() == 0 ? getpwnam(plan_.request.run_as.c_str()) : nullptr;
  if (!problem && account != nullptr && lchown(part.c_str(), account->pw_uid, account->pw_gid) != 0)
    problem = std::error_code(errno, std::generic_category());
  if (!problem) fs::rename(part, into, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{} cannot be laid: {}", into, problem.message()));
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
    TRY_VOID(lay(segment, std::max(laid_, begin).value - begin.value, std::min(at.value, end) - begin.value));
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

Task<Result<PgRows>> ProbeCopy::ask(std::string database, std::string sql, Deadline deadline) {
  if (!server_) co_return fail(ErrorKind::internal, "there is no server to ask");
  auto& session = sessions_[database];
  // Replay ends sessions that are in its way.
  if (!session || !session->usable()) {
    session.reset();
    auto connecting = PgConnection::connect(params(database), deadline);
    CO_TRY(session, co_await std::move(connecting));
  }
  auto asking = session->query(std::move(sql), {}, deadline);
  auto rows = co_await std::move(asking);
  co_return rows;
}

PgParams ProbeCopy::params(const std::string& database) const {
  return {{"host", folder().socket()},
          {"port", std::to_string(kPort)},
          {"dbname", database},
          {"user", plan_.request.superuser},
          {"application_name", "lifeboat clean-point"},
          {"options", fmt::format("-c default_transaction_read_only=on -c lock_timeout=2s -c statement_timeout=1h {}",
                                  kNoLibraries)}};
}

}  // namespace lifeboat::recovery
