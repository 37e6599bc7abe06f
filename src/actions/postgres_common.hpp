// What the actions on databases say about one.
#pragma once

#include "actions/action.hpp"

namespace lifeboat {

inline const MemberView* member_of(const DatabaseView& view, std::string_view name) {
  for (const MemberView& member : view.members) {
    if (member.member == name) return &member;
  }
  return nullptr;
}

// What was committed on it while nobody waited for a standby any more; it was primary.
inline std::string left_alone_on(const MemberView& member) {
  int64_t alone = member.report.cancelled.alone;
  return fmt::format("{} whose wait for a standby was cancelled may be on {} alone",
                     alone == 1 ? "1 commit" : fmt::format("{} commits", alone), member.member);
}

// "east-1 is primary (term 3); west-1 standby 240 ms behind; east-2 stopped".
inline std::string in_words(const DatabaseView& view) {
  std::vector<std::string> parts;
  if (view.holder.empty()) {
    parts.push_back("nobody takes writes");
  } else {
    parts.push_back(fmt::format("{} {} (term {})", view.holder,
                                view.writable ? "takes writes" : "may write but does not", view.term));
  }
  for (const MemberView& member : view.members) {
    if (member.member == view.holder) continue;
    std::string alone = member.report.cancelled.alone > 0 ? "; " + left_alone_on(member) : "";
    if (!member.connected) {
      parts.push_back(fmt::format("{} is not heard from{}", member.member, alone));
      continue;
    }
    std::string lag = member.report.lag_ms >= 0 ? " " + format_span(Duration{member.report.lag_ms}) + " behind" : "";
    bool standby = member.report.state == ServerState::standby;
    parts.push_back(fmt::format("{} is {}{}", member.member, enum_name(member.report.state), standby ? lag : "") +
                    alone);
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

// The goal of a failover or switchover: somebody in that region (or that member) takes writes.
inline bool written_in(const DatabaseView& view, std::string_view to) {
  if (!view.writable || view.holder.empty()) return false;
  const MemberView* holder = member_of(view, view.holder);
  return view.holder == to || (holder != nullptr && holder->region == to);
}

}  // namespace lifeboat
