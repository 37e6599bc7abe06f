#include "core/ownership/standbys.hpp"

#include "core/base/mutants.hpp"

namespace lifeboat::ownership {
namespace {

// Whether somebody asked for its reprotection under this term.
bool reprotecting(const State& state, const Member& member) {
  return member.reprotect_under != 0 && member.reprotect_under == state.term;
}

bool holder_is_here(const State& state) {
  const Member* holder = state.find(state.holder);
  return holder != nullptr && holder->connected && holder->report.state == ServerState::primary;
}

// Whether what it has may be the only copy of something.
bool keeps_data(const State& state, const Member& member) {
  const MemberReport& report = member.report;
  const Member* holder = state.find(state.holder);
  if (report.state == ServerState::absent || reprotecting(state, member)) return false;
  bool same_timeline = holder != nullptr && holder->report.timeline == report.timeline;
  bool behind = state.begun.written.value != 0 && report.timeline == state.begun.timeline &&
                report.written <= state.begun.written;
  return !same_timeline && !behind;
}

bool stopped_by_switchover(const Member& member) { return member.report.reason == "stepped down"; }

}  // namespace

bool wants_follow(const State& state, const Member& member, MonoTime now) {
  if (member.config.name == state.holder || !member.connected || !member.reported || member.command_running)
    return false;
  if (now < member.follow_not_before) return false;
  const MemberReport& report = member.report;
  // Data that a person had put back stand apart until a person says what is to become of them.
  if (report.put_back && !report.restored.empty() && !reprotecting(state, member)) return false;
  switch (report.state) {
    // One that follows the holder and receives nothing, or nothing of the holder's timeline, is asked again only while the holder is
    // there to be followed: a dead primary's standby is a candidate and must not be kept busy.
    case ServerState::standby:
      if (reprotecting(state, member) && member.reprotect_pages && holder_is_here(state)) return true;
      return report.upstream != state.holder || (!is_attached(state, member) && holder_is_here(state));
    // One whose upstream went away before it had all that it needs to answer. What it needs may be in no history any more; that is looked
    // into when somebody asks for it.
    case ServerState::starting:
      return (!report.upstream.empty() && report.upstream != state.holder) || reprotecting(state, member);
    case ServerState::absent: return true;
    // A server that was a primary may hold writes nobody else has: it is only rewound when somebody asks.
    case ServerState::stopped: return reprotecting(state, member) || stopped_by_switchover(member);
    case ServerState::parked: return reprotecting(state, member);
    default: return false;
  }
}

wire::Follow order_to_follow(const State& state, const Member& member) {
  wire::Follow order{state.config.service, member.config.name, state.holder, state.term};
  order.keep_data = keeps_data(state, member);
  order.given_up = reprotecting(state, member) || LIFEBOAT_BUG("standbys-made-by-force");
  order.pages = reprotecting(state, member) && member.reprotect_pages;
  order.timeline = state.find(state.holder)->report.timeline;
  order.parted_from = state.begun.timeline;
  order.parted_at = state.begun.written;
  return order;
}

}  // namespace lifeboat::ownership
