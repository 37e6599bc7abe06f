// Members made standbys because somebody asked for it, and is waiting. Any number may be waited for at a time, and none of it stands
// in the way of anything else: a member whose host is dead for good is waited for as long as whoever asked is patient.
#include "core/ownership/turn.hpp"

namespace lifeboat::ownership {

void Turn::begin_reprotection(Reprotection reprotection) {
  if (!is_writable(state_, now_)) {
    return finish(reprotection.id, transfer_error(ErrorKind::unreachable,
                                                  fmt::format("{} has no primary to follow", state_.config.service)));
  }
  for (Member& member : state_.members) {
    if (!is_meant(reprotection, member)) continue;
    member.follow_not_before = now_;
    member.follow_failures = 0;
    member.reprotect_under = state_.term;
    member.reprotect_pages = reprotection.pages;
  }
  state_.reprotections.push_back(std::move(reprotection));
}

// Who is to be followed is gone. Whoever asked tries again under the next primary.
void Turn::end_reprotections_of_nobody() {
  if (state_.vacancy == Vacancy::none) return;
  for (const Reprotection& reprotection : std::exchange(state_.reprotections, {})) {
    finish(reprotection.id, transfer_error(ErrorKind::unreachable,
                                           fmt::format("the primary was lost meanwhile: {}", state_.vacancy_reason)));
  }
}

void Turn::end_reprotections() {
  std::erase_if(state_.reprotections, [this](const Reprotection& each) { return has_ended(each); });
}

// Says how it ended, if it has.
bool Turn::has_ended(const Reprotection& reprotection) {
  JsonObject result;
  for (Member& member : state_.members) {
    if (!is_meant(reprotection, member)) continue;
    // With nobody named, members whose agents stay away are left for later: they are reprotected when they come.
    if (!member.connected && reprotection.to.empty() && now_ >= member.away_since + kAwayPatience) continue;
    if (is_attached(state_, member) && !member.reprotect_pages) {
      result[member.config.name] = "streams from " + state_.holder;
      continue;
    }
    constexpr int kGiveUpAfter = 3;
    if (member.follow_failures < kGiveUpAfter) return false;
    member.reprotect_under = 0;
    finish(reprotection.id,
           transfer_error(ErrorKind::refused, fmt::format("{} could not be made a standby of {}: {}",
                                                          member.config.name, state_.holder, member.follow_error)));
    return true;
  }
  if (result.empty()) {
    finish(reprotection.id,
           transfer_error(ErrorKind::unreachable,
                          fmt::format("no other member of {} has an agent that is connected", state_.config.service),
                          "start the agents of the hosts that came back"));
  } else {
    finish(reprotection.id, std::nullopt, result);
  }
  return true;
}

}  // namespace lifeboat::ownership
