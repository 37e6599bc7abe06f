#include "core/forensics/advice.hpp"

#include <fmt/format.h>

#include "core/data/list_of.hpp"

namespace lifeboat::forensics {
namespace {

std::string before(const Json& one) { return target_before(member(one, "restore_to")); }

std::string flood_in_words(const Json& surge) {
  return fmt::format("{} rows of {} {} by {} small transactions from {} on", int_or(surge, "rows"),
                     text_or(surge, "table", "a table"), text_or(surge, "what"), int_or(surge, "transactions"),
                     text_or(surge, "first_time"));
}

}  // namespace

std::string target_before(const Json& restore_to) {
  std::string xid = text_or(restore_to, "xid");
  return xid.empty() ? text_or(restore_to, "lsn") : xid;
}

Advice advise(const Json& report) {
  const JsonArray &findings = list_of(report, "findings"), &surges = list_of(report, "surges");
  std::string finding, flood;
  int64_t most_unusual = int_or(report, "most_unusual");
  for (const Json& one : findings) {
    if (most_unusual != 0 && int_or(one, "xid") == most_unusual) finding = before(one);
  }
  // Newest first; the damage is undone from the oldest on.
  for (const Json& one : surges) flood = before(one);
  Advice out{.target = finding.empty() ? flood : finding};
  int64_t count = static_cast<int64_t>(findings.size()) + int_or(report, "left_out");
  if (count > 0)
    out.summary = fmt::format("{} transaction{} out; restore to {}", count, count == 1 ? " stands" : "s stand",
                              finding.empty() ? "no point that is known" : finding);
  for (const Json& one : surges)
    out.summary +=
        fmt::format("{}{}; restore to {}", out.summary.empty() ? "" : "; ", flood_in_words(one), before(one));
  if (out.summary.empty()) out.summary = "nothing stands out";
  return out;
}

}  // namespace lifeboat::forensics
