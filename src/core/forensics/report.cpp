#include "core/forensics/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/data/encode.hpp"

namespace lifeboat::forensics {
namespace {

std::string text_of(Lsn lsn) { return ScalarText<Lsn>::format(lsn); }
std::string text_of(Moment at) { return ScalarText<Moment>::format(at); }

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

}  // namespace

const Finding* most_unusual(const Report& report) {
  auto most = std::ranges::max_element(report.findings, {}, &Finding::score);
  return most == report.findings.end() ? nullptr : &*most;
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

}  // namespace lifeboat::forensics
