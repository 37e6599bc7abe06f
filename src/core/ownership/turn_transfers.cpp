// The movements of the right to write that somebody asked for: failover, switchover, restore.
#include "core/ownership/turn.hpp"

namespace lifeboat::ownership {

void Turn::begin_transfer() {
  if (state_.transfer->kind == TransferKind::switchover) begin_switchover();
}

void Turn::already_there() {
  if (!was_looked_at_since(state_, *state_.transfer)) {
    if (now_ - state_.asked_to_look > kAsksAgain) ask_for_looks();
    return;
  }
  state_.transfer->target = state_.holder;
  finish_transfer(std::nullopt, result_of_transfer(state_, "already there", now_));
}

void Turn::begin_switchover() {
  Transfer& transfer = *state_.transfer;
  if (is_there(state_, transfer, now_)) return already_there();
  if (!is_writable(state_, now_)) {
    return finish_transfer(transfer_error(ErrorKind::refused,
                                          fmt::format("{} has no primary that takes writes", state_.config.service),
                                          "a failover is what can help"));
  }
  Choice choice = choose(state_, transfer.to, {state_.holder}, now_, true);
  const Member* target = state_.find(choice.member);
  bool attached = target != nullptr && is_attached(state_, *target);
  // A standby whose primary was started a moment ago is on its way to it.
  if (!attached && now_ < transfer.asked + kAttachPatience) return;
  if (target == nullptr)
    return finish_transfer(transfer_error(ErrorKind::refused, "nobody there can take over: " + choice.reason));
  if (!attached) {
    return finish_transfer(transfer_error(ErrorKind::refused,
                                          fmt::format("{} does not stream from {}", choice.member, state_.holder),
                                          "reprotect it first"));
  }
  // The stop waits for the standby to have everything, so what is missing now is an outage.
  constexpr uint64_t kCloseEnough = 16u << 20;
  if (choice.lost_bytes > kCloseEnough) {
    return finish_transfer(transfer_error(ErrorKind::refused,
                                          fmt::format("{} is {} MiB behind", choice.member, choice.lost_bytes >> 20),
                                          "wait until it has caught up"));
  }
  transfer.target = choice.member;
  step_down_for(choice.member);
  if (LIFEBOAT_BUG("promotes-before-stop")) {
    transfer.stage = Transfer::Stage::granting;
    state_.grant_in_flight = true;
    commands.push_back(MakeGrant{state_.term, choice.member, "switchover", false});
  }
}

void Turn::push_transfer() {
  Transfer& transfer = *state_.transfer;
  bool waits = transfer.stage == Transfer::Stage::waiting_for_vacancy;
  if (waits && transfer.kind == TransferKind::failover) return push_failover();
  if (waits && transfer.kind == TransferKind::switchover) return begin_switchover();
  // Its agent is not at it, and nothing was heard: the order or its answer was lost. Given again it is answered at once.
  const Member* adopting = transfer.stage == Transfer::Stage::adopting ? state_.find(transfer.to) : nullptr;
  if (adopting != nullptr && !adopting->command_running) transfer.stage = Transfer::Stage::waiting_for_vacancy;
  waits = transfer.stage == Transfer::Stage::waiting_for_vacancy;
  if (waits && transfer.kind == TransferKind::restore) return push_restore();
  if (transfer.stage == Transfer::Stage::succeeding) return succeed();
  // A leader that was granted and then lost its lease before it was known to take writes: the next candidate gets a try. After
  // a switchover it may have taken some, so whoever has most goes on, as in any vacancy.
  if (transfer.stage == Transfer::Stage::leading && is_vacant(state_, now_) && !state_.grant_in_flight) {
    std::string why = fmt::format("{} did not take over in time", transfer.target);
    if (transfer.kind == TransferKind::switchover || transfer.kind == TransferKind::restore)
      return finish_transfer(transfer_error(ErrorKind::unknown_outcome, why, "look who takes writes"));
    transfer.failed.push_back(transfer.target);
    retry_elsewhere(why);
  }
}

void Turn::push_restore() {
  Transfer& transfer = *state_.transfer;
  transfer.target = transfer.to;
  PutBackStep next = next_put_back(state_, now_);
  switch (next.what) {
    case PutBackStep::What::wait: return;
    case PutBackStep::What::refuse: return finish_transfer(transfer_error(next.kind, next.why, next.hint));
    case PutBackStep::What::there: return already_there();
    case PutBackStep::What::undo: return undo_restore(next.why);
    case PutBackStep::What::adopt:
      transfer.stage = Transfer::Stage::adopting;
      begin_order(*state_.find(transfer.to));
      note("put-back-begun", fmt::format("{} takes the data of restore {}", transfer.to, transfer.restored));
      commands.push_back(SendAdopt{transfer.to, transfer.restored, state_.term});
      return;
    case PutBackStep::What::step_down: transfer.from = state_.holder; return step_down_for(transfer.to);
    case PutBackStep::What::grant:
      transfer.stage = Transfer::Stage::granting;
      transfer.sync_before = state_.sync_sets;
      return make_grant(transfer.to, fmt::format("its data were put back by restore {}", transfer.restored), false,
                        true);
  }
}

void Turn::step_down_for(const std::string& target) {
  state_.transfer->stage = Transfer::Stage::stepping_down;
  state_.transfer->writes_stopped = now_;
  begin_order(*state_.find(state_.holder));
  note("switchover-begun", fmt::format("{} stops writing so that {} can take over", state_.holder, target));
  commands.push_back(SendStepDown{state_.holder, state_.term});
}

void Turn::adopt_done(Member& member, const CommandDone& input) {
  if (!restoring() || state_.transfer->stage != Transfer::Stage::adopting) return;
  Transfer& transfer = *state_.transfer;
  if (!input.ok) {
    std::string why =
        fmt::format("{} could not take the data of restore {}: {}", member.config.name, transfer.restored, input.error);
    note("put-back-failed", why);
    bool from_itself = transfer.from == transfer.to;
    if (transfer.writes_stopped != MonoTime{} && !from_itself) return undo_restore(why);
    return finish_transfer(
        transfer_error(input.unknown ? ErrorKind::unknown_outcome : ErrorKind::refused, std::move(why)));
  }
  transfer.adopted = true;
  transfer.adopted_when = now_;
  transfer.adopted_at = ScalarText<Lsn>::parse(text_or(input.result, "lsn")).value_or(Lsn{});
  transfer.kept = text_or(input.result, "kept");
  transfer.stage = Transfer::Stage::waiting_for_vacancy;
  note("put-back",
       fmt::format("{} has the data of restore {}; what it had is kept in {}", member.config.name, transfer.restored,
                   text_or(input.result, "kept", "no place")),
       input.result);
  push_restore();
}

// The old primary was stopped cleanly and has everything, so it goes on; if it was not, or is not there, this is as any vacancy.
void Turn::undo_restore(const std::string& why) {
  Transfer& transfer = *state_.transfer;
  note("put-back-undone", why);
  const Member* from = state_.find(transfer.from);
  bool goes_back = transfer.writes_stopped != MonoTime{} && transfer.from != transfer.to && from != nullptr &&
                   is_fresh(*from, now_) && is_vacant(state_, now_) && !transfer.undone;
  if (!goes_back) return finish_transfer(transfer_error(ErrorKind::refused, why));
  transfer.undone = true;
  transfer.target = transfer.from;
  transfer.stage = Transfer::Stage::granting;
  if (!transfer.sync_before.empty()) state_.sync_sets = transfer.sync_before;
  make_grant(transfer.from, "restore undone: " + why);
}

void Turn::push_failover() {
  Transfer& transfer = *state_.transfer;
  if (is_there(state_, transfer, now_)) return already_there();
  if (is_writable_elsewhere(state_, transfer, now_)) {
    return finish_transfer(transfer_error(ErrorKind::refused, fmt::format("{} takes writes", state_.holder),
                                          "a switchover moves it elsewhere, and loses nothing"));
  }
  bool vacant = is_vacant(state_, now_) || LIFEBOAT_BUG("failover-without-vacancy");
  if (!vacant || state_.grant_in_flight || awaits_looks(state_, now_)) return;
  Choice choice = choose(state_, transfer.to, transfer.failed, now_);
  if (choice.member.empty()) {
    // Who could not a moment ago may be able to now; the waiter's deadline bounds this, and view() says why it waits.
    if (!transfer.failed.empty() && now_ - transfer.last_failure > kSecondChance) transfer.failed.clear();
    return;
  }
  if (!transfer.accept_loss && !choice.may_lose.empty()) {
    return finish_transfer(
        transfer_error(ErrorKind::refused,
                       fmt::format("promoting {} may lose what was acknowledged: {}", choice.member, choice.may_lose),
                       "approve the loss, or wait for the others"));
  }
  if (!transfer.accept_loss && is_too_much(state_.config, choice)) {
    return finish_transfer(transfer_error(
        ErrorKind::refused,
        fmt::format("promoting {} would set aside {}, more than {} may be without a person", choice.member,
                    loss_in_words(choice), format_span(state_.config.loss_without_approval)),
        "approve the loss, or wait for the old primary"));
  }
  transfer.target = choice.member;
  transfer.stage = Transfer::Stage::granting;
  bool loss_is_accepted = transfer.accept_loss && !choice.may_lose.empty();
  make_grant(choice.member, fmt::format("failover: {}; {}", state_.vacancy_reason, choice.reason), false,
             loss_is_accepted);
}

void Turn::retry_elsewhere(const std::string& why) {
  Transfer& transfer = *state_.transfer;
  note("candidate-failed", why);
  transfer.last_failure = now_;
  if (transfer.kind == TransferKind::restore) return undo_restore(why);
  if (transfer.kind == TransferKind::switchover) {
    // The old primary was stopped cleanly and has everything: it goes on, and nothing is lost.
    if (transfer.target == transfer.from) {
      return finish_transfer(
          transfer_error(ErrorKind::refused, "neither the new nor the old primary could take writes: " + why));
    }
    transfer.target = transfer.from;
    transfer.at_least = Lsn{};
    transfer.stage = Transfer::Stage::granting;
    return make_grant(transfer.from, "switchover undone: " + why);
  }
  transfer.stage = Transfer::Stage::waiting_for_vacancy;
  // One that waits for nobody would stand in the way of what a person asks for next.
  if (transfer.kind == TransferKind::reflex || transfer.given_up) state_.transfer.reset();
}

}  // namespace lifeboat::ownership
