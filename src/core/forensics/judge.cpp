#include "core/forensics/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lifeboat::forensics {
namespace {

// Fewer rows than this never stand out by their number: an odd row is for the checks of the data to find.
constexpr uint64_t kFewest = 10;

size_t verb_of(DeedKind kind) { return kind == DeedKind::deleted ? 0 : kind == DeedKind::updated ? 1 : 2; }
constexpr std::array<std::string_view, 3> kVerbs = {"deleted", "updated", "inserted"};
// What undoing costs: rows that are gone, rows that are overwritten, rows that are too many.
constexpr std::array<double, 3> kWeights = {25, 20, 6};

std::string times(uint64_t count) { return count == 1 ? "once" : count == 2 ? "twice" : grouped(count) + " times"; }

Judgement judge_rows(const Deed& deed, const Baseline& baseline) {
  Judgement out;
  size_t verb = verb_of(deed.kind);
  const Usual::Verb& usual = baseline.of(deed.key).verbs[verb];
  double surprise = std::log2((static_cast<double>(deed.rows) + 1) / (static_cast<double>(usual.most) + 1));
  double share = deed.table_rows > 0 ? std::min(1.0, static_cast<double>(deed.rows) / deed.table_rows) : 0;
  if (deed.rows < kFewest) return out;
  out.score = std::min(300.0, kWeights[verb] * std::max(0.0, surprise));
  if (verb != 2 && share >= 0.1) {
    out.score += 90 * share;
    out.why.push_back(fmt::format("{:.0f} % of the about {} rows that the table had", share * 100,
                                  grouped(static_cast<uint64_t>(deed.table_rows))));
  }
  if (usual.transactions == 0) {
    out.why.push_back(fmt::format("no transaction {} rows of it in {}", kVerbs[verb], baseline.span()));
  } else {
    out.why.push_back(fmt::format("in {} {} transaction{} {} rows of it, at most {} each", baseline.span(),
                                  grouped(usual.transactions), usual.transactions == 1 ? "" : "s", kVerbs[verb],
                                  grouped(usual.most)));
  }
  return out;
}

Judgement judge_dropped(const Deed& deed, Moment at, const Baseline& baseline) {
  Judgement out{500, {}};
  if (deed.table_rows > 0) {
    out.score += 5 * std::log2(deed.table_rows + 1);
    out.why.push_back(fmt::format("the table had about {} rows", grouped(static_cast<uint64_t>(deed.table_rows))));
  }
  if (auto born = baseline.born(deed.key)) {
    auto age = std::chrono::duration_cast<Duration>(at - *born);
    out.score = 60;
    out.why.push_back(fmt::format("the table was made {} before", format_span(std::max(age, Duration{0}))));
  }
  if (baseline.dropped > 0) {
    out.score = out.score > 60 ? 300 : out.score;
    out.why.push_back(fmt::format("tables were dropped {} in {} too", times(baseline.dropped), baseline.span()));
  } else {
    out.why.push_back(fmt::format("no table was dropped in {}", baseline.span()));
  }
  return out;
}

Judgement judge_truncated(const Deed& deed, const Baseline& baseline) {
  Judgement out{400, {}};
  uint64_t before = baseline.of(deed.key).truncated;
  if (deed.table_rows > 0) {
    out.score += 5 * std::log2(deed.table_rows + 1);
    out.why.push_back(fmt::format("the table had about {} rows", grouped(static_cast<uint64_t>(deed.table_rows))));
  }
  if (before > 0) {
    out.score = std::max(55.0, 200.0 / static_cast<double>(before));
    out.why.push_back(fmt::format("it was truncated {} in {} too", times(before), baseline.span()));
  } else {
    out.why.push_back(fmt::format("it was not truncated in {}", baseline.span()));
  }
  return out;
}

}  // namespace

void Baseline::add(const Transaction& transaction, const std::vector<Deed>& deeds) {
  if (transactions == 0) from = transaction.at;
  to = std::max(to, transaction.at);
  ++transactions;
  rows += transaction.rows();
  for (const Deed& deed : deeds) {
    if (deed.kind == DeedKind::dropped && !born(deed.key)) ++dropped;
    if (tables_.size() >= kMostTables && !tables_.contains(deed.key)) continue;
    Usual& usual = tables_[deed.key];
    if (deed.kind == DeedKind::truncated) ++usual.truncated;
    if (deed.kind < DeedKind::deleted) continue;
    Usual::Verb& verb = usual.verbs[verb_of(deed.kind)];
    ++verb.transactions;
    verb.rows += deed.rows;
    verb.most = std::max(verb.most, deed.rows);
  }
}

const Usual& Baseline::of(TableKey key) const {
  static const Usual kNothing;
  auto found = tables_.find(key);
  return found == tables_.end() ? kNothing : found->second;
}

std::string Baseline::span() const {
  if (transactions == 0) return "the log before (none was read)";
  auto length = std::chrono::duration_cast<Duration>(to - from);
  if (length >= std::chrono::minutes{55} && length <= std::chrono::minutes{65}) return "the hour before";
  return fmt::format("the {} before", format_span(length));
}

void Baseline::note_birth(const Transaction& transaction) {
  // A file that replaces another belongs to a table that was there before.
  if (!transaction.gone.empty()) return;
  for (const MadeFile& made : transaction.made) {
    if (born_.size() < kMostTables) born_.try_emplace({made.file.database, made.file.node}, transaction.at);
  }
}

std::optional<Moment> Baseline::born(TableKey key) const {
  auto found = born_.find(key);
  return found == born_.end() ? std::nullopt : std::optional(found->second);
}

Judgement judge(const Deed& deed, Moment at, const Baseline& baseline) {
  switch (deed.kind) {
    case DeedKind::dropped_database: return {1'000, {"a whole database is gone"}};
    case DeedKind::dropped: return judge_dropped(deed, at, baseline);
    case DeedKind::truncated: return judge_truncated(deed, baseline);
    case DeedKind::rewritten: return {10, {"its rows stayed (VACUUM FULL, CLUSTER, ALTER TABLE)"}};
    case DeedKind::deleted:
    case DeedKind::updated:
    case DeedKind::inserted: return judge_rows(deed, baseline);
  }
  return {};
}

Before before(const Transaction& transaction) {
  Before out;
  out.xid = transaction.xid;
  out.lsn = transaction.before;
  if (!transaction.databases.empty()) {
    // The files go with a record of their own, well before the commit: stopping at the commit would leave a database
    // whose files are gone.
    const DroppedDatabase& first =
        *std::ranges::min_element(transaction.databases, {}, [](const DroppedDatabase& one) { return one.at; });
    out.xid = 0;
    out.lsn = first.before;
  }
  out.time = transaction.at - std::chrono::microseconds{1};
  out.time_exact = transaction.databases.empty() && transaction.latest_before < transaction.at;
  return out;
}

void Findings::consider(const Transaction& transaction, std::vector<Deed> deeds, const Baseline& baseline,
                        const NameBook& names) {
  if (deeds.empty()) return;
  std::vector<std::pair<Judgement, size_t>> judged;
  for (size_t index = 0; index < deeds.size(); ++index)
    judged.emplace_back(judge(deeds[index], transaction.at, baseline), index);
  std::ranges::sort(judged, [](const auto& one, const auto& other) { return one.first.score > other.first.score; });
  double score = judged.front().first.score;
  for (size_t index = 1; index < judged.size(); ++index) score += 0.1 * judged[index].first.score;
  if (score < kStandsOut) return;
  if (kept_.size() >= most_) {
    ++left_out_;
    if (kept_.begin()->first >= score) return;
    kept_.erase(kept_.begin());
  }
  Finding finding;
  finding.transaction = transaction;
  for (auto& [judgement, index] : judged) finding.deeds.push_back(std::move(deeds[index]));
  give_names(finding.deeds, names, transaction.commit);
  finding.why = judged.front().first.why;
  finding.score = score;
  finding.before = before(transaction);
  kept_.emplace(score, std::move(finding));
}

std::vector<Finding> Findings::take(const NameBook& names) {
  std::vector<Finding> out;
  for (auto& [score, finding] : kept_) {
    // A name may have come up only later in the log.
    for (Deed& deed : finding.deeds) {
      if (!deed.named && deed.file.node != 0) deed.table = names.say(deed.file, finding.transaction.commit);
    }
    out.push_back(std::move(finding));
  }
  kept_.clear();
  std::ranges::sort(
      out, [](const Finding& one, const Finding& other) { return one.transaction.commit > other.transaction.commit; });
  return out;
}

}  // namespace lifeboat::forensics
