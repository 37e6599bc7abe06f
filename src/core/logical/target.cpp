#include "core/logical/target.hpp"

#include <fmt/format.h>

namespace lifeboat {

std::string confirmation_of(const TargetFacts& facts) { return fmt::format("{}@{}", facts.database, facts.host); }

Result<void> may_load(const TargetFacts& facts, const TargetAnswer& answer) {
  std::string where = confirmation_of(facts);
  if (facts.in_recovery)
    return fail(ErrorKind::refused, fmt::format("{} is a standby: nothing can be written there", where),
                "name the server that takes writes, or one of its own for the restore");
  if (!facts.exists)
    return fail(ErrorKind::not_found, fmt::format("{} does not exist", where),
                "create it, or give --create to have it made");
  bool in_use = !facts.member.empty() || facts.sessions > 0;
  std::string holds = fmt::format("{} holds {} tables with about {} rows", where, facts.tables, facts.rows);
  if (facts.tables > 0 && !answer.replace)
    return fail(ErrorKind::refused, holds,
                "give --replace to have them dropped and loaded anew, or name an empty database");
  if (!in_use || facts.tables == 0) return {};
  std::string why = !facts.member.empty() ? fmt::format("it is {} of the plan", facts.member)
                                          : fmt::format("{} others are connected to it", facts.sessions);
  if (answer.confirmed.empty())
    return fail(ErrorKind::refused, fmt::format("{}; {}", holds, why),
                fmt::format("if it is to be replaced all the same: --confirm {}", where));
  if (answer.confirmed != where)
    return fail(ErrorKind::refused,
                fmt::format("'{}' was confirmed, but {} would be replaced", answer.confirmed, where));
  return {};
}

}  // namespace lifeboat
