#include "core/ownership/put_back.hpp"

#include <fmt/format.h>

#include "core/ownership/candidates.hpp"

namespace lifeboat::ownership {
namespace {

using What = PutBackStep::What;

// A member whose agent is on its way back is waited for.
constexpr Duration kHeardWithin{6'000};

PutBackStep refuse(ErrorKind kind, std::string why, std::string hint = {}) {
  return {What::refuse, kind, std::move(why), std::move(hint)};
}
PutBackStep wait_for(std::string why) { return {What::wait, {}, std::move(why), {}}; }

// The member cannot be asked now.
PutBackStep absent(const State& state, const Member& target, bool stopped_for_it, MonoTime now) {
  std::string why = fmt::format("{} was not heard of for a second", target.config.name);
  if (stopped_for_it) return {What::undo, {}, std::move(why), {}};
  if (now < state.transfer->asked + kHeardWithin) return wait_for(std::move(why));
  return refuse(ErrorKind::unreachable, std::move(why), "look at the agent of its host");
}

PutBackStep has_yet_to_say(const Transfer& transfer, bool stopped_for_it, MonoTime now) {
  std::string why = fmt::format("{} does not say that it has the data of restore {}", transfer.to, transfer.restored);
  if (now < transfer.adopted_when + kHeardWithin) return wait_for(std::move(why));
  return {stopped_for_it ? What::undo : What::refuse, ErrorKind::conflict, std::move(why),
          "see what became of its data: lifeboat status"};
}

PutBackStep end_the_old(const State& state, bool vacant, MonoTime now) {
  // One whose agent cannot be asked has stopped by itself when its lease ends.
  const Member* holder = state.find(state.holder);
  if (is_writable(state, now) && holder->connected) return {What::step_down, {}, {}, {}};
  if (!vacant) return wait_for(fmt::format("{} may still write", state.holder));
  return {};
}

}  // namespace

PutBackStep next_put_back(const State& state, MonoTime now) {
  const Transfer& transfer = *state.transfer;
  const Member* target = state.find(transfer.to);
  if (target == nullptr)
    return refuse(ErrorKind::not_found, fmt::format("{} has no member '{}'", state.config.service, transfer.to));
  if (!target->config.candidate)
    return refuse(ErrorKind::refused, fmt::format("the plan does not let {} be promoted", transfer.to),
                  "restore on another member");
  if (now < state.stood_still_until || state.grant_in_flight) return wait_for("the others are heard first");
  bool is_holder = transfer.to == state.holder;
  const MemberReport& report = target->report;
  bool takes_writes =
      is_holder && is_writable(state, now) && is_fresh(*target, now) && !may_be_old_news(state, *target);
  if (takes_writes && report.restored == transfer.restored && !report.put_back) return {What::there, {}, {}, {}};
  bool vacant = is_vacant(state, now);
  bool stopped_for_it = vacant && transfer.writes_stopped != MonoTime{};
  if (!transfer.adopted) {
    // The primary's own data are replaced when it has stopped.
    if (is_holder && !vacant) return end_the_old(state, vacant, now);
    if (!is_fresh(*target, now)) return absent(state, *target, stopped_for_it, now);
    return {What::adopt, {}, {}, {}};
  }
  if (!vacant) return end_the_old(state, vacant, now);
  if (std::string why = why_to_wait(state, now); !why.empty()) return wait_for(std::move(why));
  if (!is_fresh(*target, now)) return absent(state, *target, stopped_for_it, now);
  // It leads only on what it was chosen for, and so it is to be chosen for these data.
  if (!report.put_back || report.restored != transfer.restored) return has_yet_to_say(transfer, stopped_for_it, now);
  if (report.floor > std::max(state.term, state.floor))
    return wait_for(fmt::format("{} has seen term {}, which is newer than {}", transfer.to, report.floor, state.term));
  return {What::grant, {}, {}, {}};
}

}  // namespace lifeboat::ownership
