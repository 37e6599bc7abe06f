#include "core/ownership/transfer.hpp"

namespace lifeboat::ownership {
namespace {

// Beside a lease: a server that hangs is found out within it, and so is one whose host is gone.
constexpr Duration kIsFoundOut{6'000};

}  // namespace

Error transfer_error(ErrorKind kind, std::string what, std::string hint) {
  Error error;
  error.kind = kind;
  error.what = std::move(what);
  error.hint = std::move(hint);
  return error;
}

bool failover_waits(const State& state) {
  return state.transfer && state.transfer->kind == TransferKind::failover &&
         state.transfer->stage == Transfer::Stage::waiting_for_vacancy;
}

bool is_moving(const State& state) { return state.transfer && !failover_waits(state); }

bool is_there(const State& state, const Transfer& transfer, MonoTime now) {
  const Member* holder = state.find(state.holder);
  return holder != nullptr && (holder->config.name == transfer.to || holder->config.region == transfer.to) &&
         is_writable(state, now) && is_fresh(*holder, now) && !may_be_old_news(state, *holder);
}

bool was_looked_at_since(const State& state, const Transfer& transfer) {
  const Member* holder = state.find(state.holder);
  return holder != nullptr && holder->report.mark >= transfer.look;
}

bool is_writable_elsewhere(const State& state, const Transfer& transfer, MonoTime now) {
  const Member* holder = state.find(state.holder);
  return now > transfer.asked + state.config.lease + kIsFoundOut && is_writable(state, now) && !state.grant_in_flight &&
         is_fresh(*holder, now) && !may_be_old_news(state, *holder) && was_looked_at_since(state, transfer);
}

Json result_of_transfer(const State& state, std::string how, MonoTime now) {
  const Transfer& transfer = *state.transfer;
  const Member* target = state.find(transfer.target);
  JsonObject out;
  out["member"] = transfer.target;
  out["from"] = transfer.from;
  out["term"] = state.term;
  out["timeline"] = target == nullptr ? 0 : target->report.timeline;
  out["how"] = std::move(how);
  out["seconds"] = to_seconds(now - transfer.asked);
  if (!transfer.restored.empty()) {
    out["restored"] = transfer.restored;
    out["restored_to"] = ScalarText<Lsn>::format(transfer.adopted_at);
    out["kept"] = transfer.kept;
  }
  bool planned = transfer.kind == TransferKind::switchover || transfer.kind == TransferKind::restore;
  if (planned && transfer.writes_stopped != MonoTime{})
    out["write_outage_s"] = to_seconds(now - transfer.writes_stopped);
  return out;
}

}  // namespace lifeboat::ownership
