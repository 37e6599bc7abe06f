#include "agent/decoding_slots.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/orphans/slot.hpp"

namespace lifeboat {
namespace {

// Half of what a slot may hold before PostgreSQL itself gives it up (max_slot_wal_keep_size).
constexpr uint64_t kMostHeld = 1ull << 30;
// What was written before a restore to an older moment can be given back row by row as far back as this.
constexpr uint64_t kHeldBack = 256ull << 20;
constexpr size_t kMostDatabases = 8;
constexpr Duration kOneDatabase{30'000};

Lsn position(const std::string& text) { return ScalarText<Lsn>::parse(text).value_or(Lsn{}); }

struct Slot {
  std::string name;
  std::string database;
  Lsn confirmed;
  bool lost = false;
};

Task<Result<std::vector<Slot>>> list_slots(PostgresServer& server, Deadline deadline) {
  auto listing = server.ask(
      "SELECT slot_name, database, coalesce(confirmed_flush_lsn, '0/0')::text AS confirmed, coalesce(wal_status = "
      "'lost', "
      "false) AS lost FROM pg_replication_slots WHERE slot_type = 'logical' AND starts_with(slot_name, " +
          sql_literal(kDecodingSlots) + ")",
      deadline);
  CO_TRY(PgRows rows, co_await std::move(listing));
  std::vector<Slot> out;
  for (size_t row = 0; row < rows.rows.size(); ++row)
    out.push_back({rows.text(row, "slot_name"), rows.text(row, "database"), position(rows.text(row, "confirmed")),
                   rows.text(row, "lost") == "t"});
  co_return out;
}

Task<Result<>> drop(PostgresServer& server, std::string slot, Deadline deadline) {
  auto dropping = server.ask("SELECT pg_drop_replication_slot(" + sql_literal(slot) + ")", deadline);
  auto dropped = co_await std::move(dropping);
  if (!dropped) co_return std::unexpected(std::move(dropped).error());
  co_return Result<>{};
}

// Where the slots may be advanced to: what every other member has confirmed.
Task<Result<orphans::SlotAdvance>> wanted_position(PostgresServer& server, Deadline deadline) {
  auto asking = server.ask(
      "SELECT slot_name, restart_lsn::text AS position, pg_current_wal_flush_lsn()::text AS written FROM (SELECT 1) "
      "one "
      "LEFT JOIN pg_replication_slots ON slot_type = 'physical'",
      deadline);
  CO_TRY(PgRows rows, co_await std::move(asking));
  std::vector<std::optional<Lsn>> confirmed;
  for (const auto& [member, peer] : server.config().members) {
    if (member == server.config().member) continue;
    std::optional<Lsn> at;
    for (size_t row = 0; row < rows.rows.size(); ++row) {
      if (rows.text(row, "slot_name") == slot_name(member) && !rows.is_null(row, "position"))
        at = position(rows.text(row, "position"));
    }
    confirmed.push_back(at);
  }
  co_return orphans::slot_advance(position(rows.text(0, "written")), confirmed, kHeldBack, kMostHeld);
}

// In the slot's own database, on a connection of its own, which is gone at once: it would keep the database from being
// renamed or dropped.
Task<Result<>> in_database(PostgresServer& server, std::string database, std::string sql, Deadline deadline) {
  PgParams params = server.socket_params(database);
  // Making a slot waits for the transactions that run; a deadline here alone would leave the server waiting.
  params["options"] += fmt::format(" -c statement_timeout={}", kOneDatabase.count() - 5'000);
  auto asking = pg_query_once(std::move(params), std::move(sql), {}, deadline.at_most(kOneDatabase));
  auto done = co_await std::move(asking);
  if (!done) co_return std::unexpected(std::move(done).error());
  co_return Result<>{};
}

}  // namespace

Task<Result<std::vector<std::string>>> keep_decoding_slots(PostgresServer& server, bool anew, Deadline deadline) {
  std::vector<std::string> remarks;
  auto listing = list_slots(server, deadline);
  CO_TRY(std::vector<Slot> slots, co_await std::move(listing));
  for (const Slot& slot : slots) {
    if (!anew && !slot.lost) continue;
    if (slot.lost) remarks.push_back(fmt::format("the slot for {} held too much log and is made anew", slot.database));
    auto dropping = drop(server, slot.name, deadline);
    CO_TRY_VOID(co_await std::move(dropping));
  }
  std::erase_if(slots, [&](const Slot& slot) { return anew || slot.lost; });
  auto naming = server.ask(
      "SELECT oid::text AS oid, datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname = " +
          sql_literal(server.config().database) + " DESC, oid",
      deadline);
  CO_TRY(PgRows databases, co_await std::move(naming));
  auto positioning = wanted_position(server, deadline);
  CO_TRY(orphans::SlotAdvance wanted, co_await std::move(positioning));
  for (size_t row = 0; row < databases.rows.size(); ++row) {
    std::string database = databases.text(row, "datname"), name = decoding_slot_name(databases.text(row, "oid"));
    if (row >= kMostDatabases) {
      remarks.push_back(
          fmt::format("writes to database {} could not be given back: only {} have a slot", database, kMostDatabases));
      continue;
    }
    auto there = std::ranges::find(slots, name, &Slot::name);
    std::string sql;
    if (there == slots.end()) {
      sql = fmt::format("SELECT pg_create_logical_replication_slot({}, 'test_decoding')", sql_literal(name));
    } else if (there->confirmed < wanted.to) {
      sql = fmt::format("SELECT pg_replication_slot_advance({}, '{}')", sql_literal(name),
                        ScalarText<Lsn>::format(wanted.to));
      if (wanted.limited)
        remarks.push_back(
            fmt::format("a standby is more than {} MiB behind; what it lacks beyond that could not be given "
                        "back row by row",
                        kMostHeld >> 20));
    }
    if (sql.empty()) continue;
    auto doing = in_database(server, database, sql, deadline);
    if (auto done = co_await std::move(doing); !done)
      remarks.push_back(fmt::format("writes to database {} could not be given back: {}", database, done.error().what));
  }
  co_return remarks;
}

Task<Result<>> drop_decoding_slots(PostgresServer& server, Deadline deadline) {
  auto listing = list_slots(server, deadline);
  CO_TRY(std::vector<Slot> slots, co_await std::move(listing));
  for (const Slot& slot : slots) {
    auto dropping = drop(server, slot.name, deadline);
    CO_TRY_VOID(co_await std::move(dropping));
  }
  co_return Result<>{};
}

}  // namespace lifeboat
