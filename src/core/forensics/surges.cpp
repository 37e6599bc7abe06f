#include "core/forensics/surges.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::forensics {
namespace {

constexpr uint64_t kTimesUsual = 4;
constexpr uint64_t kFewestRows = 200;  // in one step

int64_t step_of(Moment at) { return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch() / Surges::kStep; }

}  // namespace

void Surges::add(const Transaction& transaction, const std::vector<Deed>& deeds, bool counts) {
  int64_t now = step_of(transaction.at);
  for (const Deed& deed : deeds) {
    if (deed.kind != DeedKind::deleted && deed.kind != DeedKind::updated) continue;
    Table& table = tables_[{deed.key, deed.kind}];
    table.file = deed.file;
    if (!counts) {
      if (table.open_step != now) table.open_step = now, table.open_rows = 0;
      table.open_rows += deed.rows;
      table.usual = std::max(table.usual, table.open_rows);
      continue;
    }
    auto found = table.steps.find(now);
    if (found == table.steps.end()) {
      if (steps_ >= kMostSteps) continue;
      ++steps_;
      found = table.steps.try_emplace(now).first;
      found->second.first = mark_of(transaction);
    }
    Step& step = found->second;
    step.rows += deed.rows;
    step.most = std::max(step.most, deed.rows);
    step.last = transaction.at;
    ++step.transactions;
  }
}

std::vector<Surge> Surges::find(const NameBook& names) const {
  std::vector<Surge> out;
  for (const auto& [what, table] : tables_) {
    int64_t last_fast = -10;
    bool open = false;
    for (const auto& [number, step] : table.steps) {
      // One big transaction is a finding of its own.
      bool fast = step.rows >= kFewestRows && step.rows > kTimesUsual * table.usual && step.most * 2 < step.rows;
      if (!fast) continue;
      if (!open || number - last_fast > 3) {
        Surge surge{.key = what.first, .kind = what.second, .first = step.first, .usual = table.usual};
        surge.table = names.say(table.file, step.first.lsn);
        out.push_back(std::move(surge));
        open = true;
      }
      Surge& surge = out.back();
      surge.to = step.last;
      surge.rows += step.rows;
      surge.transactions += step.transactions;
      surge.peak = std::max(surge.peak, step.rows);
      last_fast = number;
    }
  }
  std::ranges::sort(out, [](const Surge& one, const Surge& other) { return one.first.lsn > other.first.lsn; });
  return out;
}

std::string in_words(const Surge& surge) {
  return fmt::format("{} small transactions {} {} rows of {}; up to {} in ten seconds, {} before",
                     grouped(surge.transactions), surge.kind == DeedKind::deleted ? "deleted" : "updated",
                     grouped(surge.rows), surge.table, grouped(surge.peak),
                     surge.usual == 0 ? std::string("none") : fmt::format("at most {}", grouped(surge.usual)));
}

}  // namespace lifeboat::forensics
