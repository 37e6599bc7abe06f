#include "core/logical/source.hpp"

namespace lifeboat {
namespace {

bool follows(const DumpServer& one) {
  const MemberReport& report = one.report;
  constexpr int64_t kStandsStillMs = 5'000;
  return one.connected && report.streaming && !report.replay_paused && report.replay_delay.empty() &&
         report.replay_still_ms < kStandsStillMs;
}

}  // namespace

std::vector<std::string> dump_order(const std::vector<DumpServer>& servers, const std::string& holder) {
  const DumpServer* best = nullptr;
  for (const DumpServer& one : servers) {
    if (one.member == holder || !follows(one)) continue;
    if (best == nullptr || one.report.replayed > best->report.replayed) best = &one;
  }
  std::vector<std::string> out;
  if (best != nullptr) out.push_back(best->member);
  if (!holder.empty()) out.push_back(holder);
  return out;
}

}  // namespace lifeboat
