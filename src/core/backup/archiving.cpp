#include "core/backup/archiving.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::backup {
namespace {

// A segment may wait for as long as the RPO says. Not less than this: after a failure a server's archiver pauses for a minute. Not more
// either: a lax RPO gives the disk no more room.
constexpr Duration kWaitLeast{180'000}, kWaitMost{3'600'000};
// What a server had left when it was stopped has waited for long in its first moment.
constexpr Duration kLateLasts{60'000};
// More than one round of the archiver, and than a restart of the repository's server takes.
constexpr Duration kProblemLasts{180'000};

std::string because(const std::string& why) { return why.empty() ? why : ": " + why; }

}  // namespace

void Archiving::observe(const std::string& member, const wire::ArchiveReport* report, Duration rpo, MonoTime now) {
  if (member != member_) {
    *this = Archiving();
    member_ = member;
  }
  if (report == nullptr) return;
  Duration bound = std::clamp(rpo, kWaitLeast, kWaitMost);
  // Once told it holds until it has clearly become better: a server near the bound is not in and out of trouble.
  if (late_) bound /= 2;
  bool late = report->waiting > 0 && Duration{report->waiting_ms} > bound;
  if (!late) moves_.went_well();
  late_ = late && moves_.failed(now) >= kLateLasts;
  const std::string& why = report->problem.empty() ? report->failed : report->problem;
  if (why.empty()) works_.went_well();
  bool broken = !why.empty() && works_.failed(now) >= kProblemLasts;
  trouble_.clear();
  if (late_) {
    trouble_ = fmt::format(
        "{} finished segments of WAL wait on {} to be archived, the oldest for {}, and stay there until its disk is "
        "full{}",
        report->waiting, member, format_span(Duration{report->waiting_ms}), because(why));
  } else if (broken) {
    trouble_ = fmt::format("{} cannot archive{}", member, because(why));
  }
}

}  // namespace lifeboat::backup
