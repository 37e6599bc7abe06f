// PostgresServer's part in keeping the slots by which the other members, and the stream of the archive, receive from it.
#include <fmt/format.h>

#include "agent/postgres_server.hpp"
#include "core/member/slots.hpp"

namespace lifeboat {
namespace {

struct SlotChange {
  std::string slot;
  bool is_wanted = false;
};

}  // namespace

Task<Result<>> PostgresServer::keep_slots(bool primary, Deadline deadline) {
  auto listing =
      ask("SELECT slot_name, active, coalesce(wal_status = 'lost', false) AS lost FROM pg_replication_slots WHERE "
          "slot_type = 'physical'",
          deadline);
  CO_TRY(PgRows slots, co_await std::move(listing));
  std::vector<Slot> there;
  for (size_t row = 0; row < slots.rows.size(); ++row)
    there.push_back({slots.text(row, "slot_name"), slots.text(row, "active") == "t", slots.text(row, "lost") == "t"});
  std::vector<std::string> others;
  for (const auto& [member, peer] : config_.members) {
    if (member != config_.member) others.push_back(slot_name(member));
  }
  if (!config_.archive.slot.empty()) others.push_back(config_.archive.slot);
  SlotChanges wanted = slot_changes(primary, slot_name(config_.member), others, there);
  std::vector<SlotChange> changes;
  for (const std::string& slot : wanted.drop) changes.push_back({slot, false});
  for (const std::string& slot : wanted.make) changes.push_back({slot, true});
  // Each by itself, within its share of the time: one that cannot be made must not keep another member from streaming.
  std::string missing;
  std::optional<Error> why_missing, why_left;
  for (size_t index = 0; index < changes.size(); ++index) {
    const SlotChange& change = changes[index];
    // Reserved at once, so that WAL a member has not received yet is kept from now on.
    std::string sql =
        change.is_wanted ? fmt::format("SELECT pg_create_physical_replication_slot({}, true)", sql_literal(change.slot))
                         : fmt::format("SELECT pg_drop_replication_slot({})", sql_literal(change.slot));
    Duration share = deadline.left() / static_cast<int64_t>(changes.size() - index);
    auto changing = ask(std::move(sql), deadline.at_most(share));
    auto changed = co_await std::move(changing);
    if (changed) continue;
    if (change.is_wanted) missing += (missing.empty() ? "" : ", ") + change.slot;
    std::optional<Error>& why = change.is_wanted ? why_missing : why_left;
    if (!why) why = std::move(changed).error().with("slot " + change.slot);
  }
  std::string trouble;
  if (!missing.empty())
    trouble = fmt::format("the replication slots of some who follow this server are missing, so they cannot: {} ({})",
                          missing, why_missing->what);
  if (trouble != slot_trouble_) looked_for_handicaps_ = {};
  slot_trouble_ = std::move(trouble);
  if (why_missing) co_return std::unexpected(std::move(*why_missing).with("without slots: " + missing));
  if (why_left) co_return std::unexpected(std::move(*why_left));
  co_return Result<>{};
}

}  // namespace lifeboat
