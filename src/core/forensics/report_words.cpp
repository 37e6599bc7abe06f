// The report in words. From its JSON, which is what there is of one that another host has made.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/data/decode.hpp"
#include "core/data/list_of.hpp"
#include "core/forensics/report.hpp"

namespace lifeboat::forensics {
namespace {

constexpr size_t kMostDeeds = 4;
constexpr std::string_view kIndent = "                                              ";

uint64_t count_of(const Json& object, std::string_view key) {
  return static_cast<uint64_t>(std::max<int64_t>(0, int_or(object, key)));
}

std::string size_words(uint64_t bytes) {
  if (bytes >= uint64_t{1} << 30) return fmt::format("{:.1f} GB", static_cast<double>(bytes) / (1 << 30));
  return fmt::format("{:.0f} MB", static_cast<double>(bytes) / (1 << 20));
}

// "2026-11-27 23:48:41.784664": seconds are not enough where one commit must be told from the next.
std::string moment_words(std::string text) {
  if (text.size() > 11) text[10] = ' ';
  if (text.ends_with('Z')) text.pop_back();
  return text;
}

std::string words_of_deed(const Json& json) {
  Deed deed{.table = text_or(json, "table"), .rows = count_of(json, "rows")};
  deed.kind = decode<DeedKind>(member(json, "what")).value_or(DeedKind::inserted);
  return in_words(deed);
}

std::string words_of_surge(const Json& json) {
  Surge surge{.table = text_or(json, "table")};
  surge.kind = decode<DeedKind>(member(json, "what")).value_or(DeedKind::updated);
  surge.rows = count_of(json, "rows");
  surge.transactions = count_of(json, "transactions");
  surge.peak = count_of(json, "peak_rows_in_ten_seconds");
  surge.usual = count_of(json, "usual_rows_in_ten_seconds");
  return in_words(surge);
}

void add_finding(std::string& out, const Json& finding, bool most) {
  const JsonArray& deeds = list_of(finding, "did");
  out += fmt::format("{} {}  xid {:<10} {}\n", most ? ">" : " ", moment_words(text_or(finding, "time")),
                     int_or(finding, "xid"), deeds.empty() ? std::string() : words_of_deed(deeds.front()));
  for (size_t index = 1; index < std::min(kMostDeeds, deeds.size()); ++index)
    out += fmt::format("{}and {}\n", kIndent, words_of_deed(deeds[index]));
  if (deeds.size() > kMostDeeds) out += fmt::format("{}and {} more\n", kIndent, deeds.size() - kMostDeeds);
  for (const Json& line : list_of(finding, "why"))
    if (line.is_string()) out += fmt::format("{}{}\n", kIndent, std::string_view(line.get_string()));
  out += fmt::format("{}committed at {}; just before it: {}\n", kIndent, text_or(finding, "lsn"),
                     restore_words(member(finding, "restore_to")));
}

// Which of its first transactions was the first bad one, counting does not tell.
void add_surge(std::string& out, const Json& surge) {
  out += fmt::format("\n  {} to {}  {}\n", moment_words(text_or(surge, "first_time")),
                     moment_words(text_or(surge, "to")), words_of_surge(surge));
  out += fmt::format("{}its first ten seconds begin with xid {}, committed at {};\n", kIndent,
                     int_or(surge, "first_xid"), text_or(surge, "first_lsn"));
  out += fmt::format("{}just before it: {}; checks of the data find where exactly it began\n", kIndent,
                     restore_words(member(surge, "restore_to")));
}

}  // namespace

std::string restore_words(const Json& before) {
  std::string xid = text_or(before, "xid");
  if (!xid.empty()) return "--to-xid " + xid;
  return fmt::format("--to-lsn {} (its files go before it commits: a transaction number would be too late)",
                     text_or(before, "lsn"));
}

std::string report_in_words(const Json& report) {
  std::string out;
  const JsonArray& findings = list_of(report, "findings");
  const JsonArray& surges = list_of(report, "surges");
  const Json& usual = member(report, "before");
  uint64_t left_out = count_of(report, "left_out"), count = findings.size() + left_out;
  std::string span =
      fmt::format("between {} and {} UTC", moment_words(text_or(report, "from")), moment_words(text_or(report, "to")));
  if (text_or(report, "first").empty()) {
    out += fmt::format("No transaction was committed {}, as far as the log goes.\n", span);
  } else if (count == 0 && surges.empty()) {
    out += fmt::format("Nothing stands out {}.\n", span);
  } else {
    out += fmt::format("{} of {} transactions stand{} out {}.\n", grouped(count),
                       grouped(count_of(report, "transactions")), count == 1 ? "s" : "", span);
  }
  Duration took{std::llround(number_or(report, "seconds") * 1'000)};
  out +=
      fmt::format("  {} rows changed; {}: {} transactions, {} rows. {} of log read in {}.\n",
                  grouped(count_of(report, "rows")), text_or(usual, "span"), grouped(count_of(usual, "transactions")),
                  grouped(count_of(usual, "rows")), size_words(count_of(report, "log_bytes")), format_span(took));
  for (const Json& note : list_of(report, "notes"))
    if (note.is_string()) out += fmt::format("  note: {}\n", std::string_view(note.get_string()));
  if (!findings.empty()) out += "\n";
  for (const Json& finding : findings)
    add_finding(out, finding, int_or(finding, "xid") == int_or(report, "most_unusual"));
  if (left_out > 0) out += fmt::format("  {} more stood out less; --top lists more\n", grouped(left_out));
  for (const Json& surge : surges) add_surge(out, surge);
  return out;
}

std::string in_words(const Report& report) { return report_in_words(to_json(report)); }

}  // namespace lifeboat::forensics
