// What a stop costs users, paid before it: PostgresServer::ready_to_stop.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "agent/postgres_server.hpp"
#include "core/recovery/segment_fill.hpp"
#include "io/clock.hpp"

namespace lifeboat {
namespace {

constexpr Duration kWatched{50};        // the growth of the log is taken from
constexpr Duration kUntilStopped{400};  // the filling, its way to the standbys, a checkpoint, the end of sessions
constexpr Duration kStandbysWithin{1'000};
constexpr Duration kLook{5};
constexpr uint64_t kMessage = 64'000;
constexpr uint64_t kRecord = 64'500;  // with its header and those of the pages it lies on

constexpr std::string_view kWhere =
    "SELECT pg_current_wal_insert_lsn()::text AS at, pg_size_bytes(current_setting('wal_segment_size'))::text AS "
    "segment";

}  // namespace

Task<Result<>> PostgresServer::ready_to_stop(Deadline deadline) {
  // Where the disk is full there is nothing to spare users, whose writes fail, and a checkpoint may end the server: it
  // panics where pg_logical/replorigin_checkpoint cannot be written (CheckPointReplicationOrigin).
  if (is_full()) co_return Result<>{};
  auto flushing = checkpoint(deadline);
  CO_TRY_VOID(co_await std::move(flushing));
  // One that does not archive leaves its segment as it is.
  if (!config_.archive.stanza.empty()) {
    auto filling = fill_segment(deadline);
    CO_TRY_VOID(co_await std::move(filling));
  }
  auto again = checkpoint(deadline);
  co_return co_await std::move(again);
}

// A server that cannot make a file of some size can write little longer.
bool PostgresServer::is_full() const {
  constexpr uintmax_t kLeast = 1u << 20;
  return std::ranges::any_of(std::array{paths_.data, paths_.data + "/pg_wal"}, [](const std::string& folder) {
    std::error_code failed;
    std::filesystem::space_info space = std::filesystem::space(folder, failed);
    return !failed && space.available < kLeast;
  });
}

Task<Result<>> PostgresServer::checkpoint(Deadline deadline) {
  auto asking = ask("CHECKPOINT", deadline);
  auto answer = co_await std::move(asking);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return Result<>{};
}

// By messages for nobody: they are in the log, in no table, and whoever decodes it sees what they are.
Task<Result<>> PostgresServer::fill_segment(Deadline deadline) {
  auto looking = ask(std::string(kWhere), deadline);
  CO_TRY(PgRows before, co_await std::move(looking));
  MonoTime begun = boot_now();
  co_await sleep_for(kWatched);
  auto again = ask(std::string(kWhere), deadline);
  CO_TRY(PgRows now, co_await std::move(again));
  Lsn then = ScalarText<Lsn>::parse(before.text(0, "at")).value_or(Lsn{});
  Lsn at = ScalarText<Lsn>::parse(now.text(0, "at")).value_or(Lsn{});
  uint64_t segment = std::strtoull(now.text(0, "segment").c_str(), nullptr, 10);
  if (at < then || segment == 0) co_return Result<>{};
  uint64_t room = recovery::room_for(at.value - then.value, to_duration(boot_now() - begun), kUntilStopped);
  uint64_t records = recovery::records_to_fill(at, segment, room, kRecord);
  if (records == 0) co_return Result<>{};
  auto writing = ask(fmt::format("SELECT count(pg_logical_emit_message(false, 'lifeboat: fills a segment', repeat('-', "
                                 "{}))), pg_current_wal_insert_lsn()::text AS at FROM generate_series(1, {})",
                                 kMessage, records),
                     deadline);
  CO_TRY(PgRows written, co_await std::move(writing));
  // Flushed here, it goes to the standbys; a stop would wait for them.
  auto flushing = checkpoint(deadline);
  CO_TRY_VOID(co_await std::move(flushing));
  std::string behind = fmt::format(
      "SELECT count(*)::text AS count FROM pg_stat_replication WHERE state = 'streaming' AND flush_lsn < {}",
      sql_literal(written.text(0, "at")));
  for (Deadline end = deadline.at_most(kStandbysWithin); !end.passed();) {
    auto asking = ask(behind, deadline);
    CO_TRY(PgRows seen, co_await std::move(asking));
    if (seen.text(0, "count") == "0") break;
    co_await sleep_for(kLook);
  }
  co_return Result<>{};
}

}  // namespace lifeboat
