#include "core/forensics/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/data/encode.hpp"

namespace lifeboat::forensics {
namespace {

std::string text_of(Lsn lsn) { return ScalarText<Lsn>::format(lsn); }
std::string text_of(Moment at) { return ScalarText<Moment>::format(at); }

std::string size_words(uint64_t bytes) {
  if (bytes >= uint64_t{1} << 30) return fmt::format("{:.1f} GB", static_cast<double>(bytes) / (1 << 30));
  return fmt::format("{:.0f} MB", static_cast<double>(bytes) / (1 << 20));
}

// "2026-11-27 23:48:41.784664": seconds are not enough where one commit must be told from the next.
std::string moment_words(Moment at) {
  std::string text = text_of(at);
  if (text.size() > 11) text[10] = ' ';
  if (text.ends_with('Z')) text.pop_back();
  return text;
}

Json to_json(const Deed& deed) {
  JsonObject out{{"what", enum_name(deed.kind)}, {"table", deed.table}, {"named", deed.named}};
  if (deed.kind >= DeedKind::deleted) out["rows"] = deed.rows;
  if (deed.table_rows >= 0) out["table_rows"] = deed.table_rows;
  return out;
}

Json to_json(const Finding& finding) {
  JsonObject out{{"xid", finding.transaction.xid},
                 {"time", text_of(finding.transaction.at)},
                 {"lsn", text_of(finding.transaction.commit)},
                 {"score", std::round(finding.score * 10) / 10}};
  JsonArray deeds, why;
  for (const Deed& deed : finding.deeds) deeds.push_back(to_json(deed));
  for (const std::string& line : finding.why) why.push_back(Json(line));
  out["did"] = std::move(deeds);
  out["why"] = std::move(why);
  out["restore_to"] = to_json(finding.before);
  return out;
}

Json to_json(const Surge& surge) {
  return JsonObject{{"table", surge.table},
                    {"what", enum_name(surge.kind)},
                    {"first_xid", surge.first.xid},
                    {"first_time", text_of(surge.first.at)},
                    {"first_lsn", text_of(surge.first.lsn)},
                    {"to", text_of(surge.to)},
                    {"rows", surge.rows},
                    {"transactions", surge.transactions},
                    {"peak_rows_in_ten_seconds", surge.peak},
                    {"usual_rows_in_ten_seconds", surge.usual},
                    {"restore_to", JsonObject{{"xid", fmt::format("before:{}", surge.first.xid)}}}};
}

void add_finding(std::string& out, const Finding& finding, bool most) {
  constexpr size_t kMostDeeds = 4;
  out += fmt::format("{} {}  xid {:<10} {}\n", most ? ">" : " ", moment_words(finding.transaction.at),
                     finding.transaction.xid, in_words(finding.deeds.front()));
  constexpr std::string_view kIndent = "                                              ";
  for (size_t index = 1; index < std::min(kMostDeeds, finding.deeds.size()); ++index)
    out += fmt::format("{}and {}\n", kIndent, in_words(finding.deeds[index]));
  if (finding.deeds.size() > kMostDeeds)
    out += fmt::format("{}and {} more\n", kIndent, finding.deeds.size() - kMostDeeds);
  for (const std::string& line : finding.why) out += fmt::format("{}{}\n", kIndent, line);
  out += fmt::format("{}just before it: {}\n", kIndent, restore_words(finding.before));
}

}  // namespace

const Finding* most_unusual(const Report& report) {
  auto most = std::ranges::max_element(report.findings, {}, &Finding::score);
  return most == report.findings.end() ? nullptr : &*most;
}

std::string restore_words(const Before& before) {
  if (before.xid == 0)
    return fmt::format("--to-lsn {} (its files go before it commits: a transaction number would be too late)",
                       text_of(before.lsn));
  return fmt::format("--to-xid before:{}", before.xid);
}

Json to_json(const Before& before) {
  JsonObject out;
  if (before.xid != 0) out["xid"] = fmt::format("before:{}", before.xid);
  out["lsn"] = text_of(before.lsn);
  out["time"] = text_of(before.time);
  out["time_exact"] = before.time_exact;
  return out;
}

Json to_json(const Report& report) {
  JsonObject out{{"from", text_of(report.from)},
                 {"to", text_of(report.to)},
                 {"transactions", report.transactions},
                 {"rows", report.rows},
                 {"before", JsonObject{{"span", report.usual_span},
                                       {"transactions", report.usual_transactions},
                                       {"rows", report.usual_rows}}},
                 {"log_bytes", report.log_bytes},
                 {"records", report.records},
                 {"seconds", to_seconds(report.took)}};
  if (report.first) out["first"] = text_of(*report.first);
  if (report.last) out["last"] = text_of(*report.last);
  JsonArray findings, surges, notes;
  for (const Finding& finding : report.findings) findings.push_back(to_json(finding));
  for (const Surge& surge : report.surges) surges.push_back(to_json(surge));
  for (const std::string& note : report.notes) notes.push_back(Json(note));
  const Finding* most = most_unusual(report);
  out["most_unusual"] = most == nullptr ? Json(nullptr) : Json(most->transaction.xid);
  out["findings"] = std::move(findings);
  out["left_out"] = report.left_out;
  out["surges"] = std::move(surges);
  out["notes"] = std::move(notes);
  return out;
}

std::string in_words(const Report& report) {
  std::string out;
  size_t count = report.findings.size() + report.left_out;
  std::string span = fmt::format("between {} and {} UTC", moment_words(report.from), moment_words(report.to));
  if (!report.first) {
    out += fmt::format("No transaction was committed {}, as far as the log goes.\n", span);
  } else if (count == 0 && report.surges.empty()) {
    out += fmt::format("Nothing stands out {}.\n", span);
  } else {
    out += fmt::format("{} of {} transactions stand{} out {}.\n", grouped(count), grouped(report.transactions),
                       count == 1 ? "s" : "", span);
  }
  out += fmt::format("  {} rows changed; {}: {} transactions, {} rows. {} of log read in {}.\n", grouped(report.rows),
                     report.usual_span, grouped(report.usual_transactions), grouped(report.usual_rows),
                     size_words(report.log_bytes), format_span(report.took));
  for (const std::string& note : report.notes) out += fmt::format("  note: {}\n", note);
  if (!report.findings.empty()) out += "\n";
  const Finding* most = most_unusual(report);
  for (const Finding& finding : report.findings) add_finding(out, finding, &finding == most);
  if (report.left_out > 0) out += fmt::format("  {} more stood out less; --top lists more\n", grouped(report.left_out));
  for (const Surge& surge : report.surges) {
    out += fmt::format("\n  {} to {}  {}\n", moment_words(surge.first.at), moment_words(surge.to), in_words(surge));
    out += fmt::format("    begins within ten seconds of xid {}; checks of the data find where exactly\n",
                       surge.first.xid);
  }
  return out;
}

}  // namespace lifeboat::forensics
