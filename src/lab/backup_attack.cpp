#include "lab/backup_attack.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "core/base/split.hpp"

namespace lifeboat::lab {

namespace {

constexpr std::string_view kTried = "tried ";
// With one set there is nothing that a retention of one would take away.
constexpr size_t kFewest = 2;

// It came as far as whoever keeps the backups, and was answered there.
bool was_tried(const BackupAttack& attack, std::string_view how, const std::string& at) {
  return std::ranges::any_of(attack.tries, [&](const BackupTry& one) {
    return one.came_of_it != CameOfIt::failed && one.what.starts_with(how) && one.what.find(at) != std::string::npos;
  });
}

std::optional<CameOfIt> read_outcome(std::string_view word) {
  if (word == "done") return CameOfIt::done;
  if (word == "refused") return CameOfIt::refused;
  if (word == "failed") return CameOfIt::failed;
  return std::nullopt;
}

}  // namespace

std::vector<BackupTry> tries_in(std::string_view log) {
  std::vector<BackupTry> out;
  for (const std::string& line : lines_of(log)) {
    if (!line.starts_with(kTried)) continue;
    std::string_view rest = std::string_view(line).substr(kTried.size());
    size_t blank = rest.find(' ');
    auto outcome = read_outcome(rest.substr(0, blank));
    if (blank == std::string_view::npos || !outcome) continue;
    out.push_back({std::string(rest.substr(blank + 1)), *outcome});
  }
  return out;
}

std::vector<std::string> sets_gone(const BackupAttack& attack) {
  std::vector<std::string> out;
  for (const std::string& label : attack.before) {
    if (std::ranges::find(attack.after, label) == attack.after.end()) out.push_back(label);
  }
  return out;
}

std::string why_attack_fails(const BackupAttack& attack) {
  if (std::vector<std::string> gone = sets_gone(attack); !gone.empty())
    return fmt::format("the attacker took backups away: {}", fmt::join(gone, ", "));
  if (!attack.whole)
    return fmt::format("after the attack the backups are not whole: {}",
                       attack.problem.empty() ? "nobody looked" : attack.problem);
  if (attack.before.size() < kFewest)
    return fmt::format("there was {} backup when the attack began, so nothing could be expired", attack.before.size());
  if (!was_tried(attack, "expire", "")) return "the attacker did not come to expire a backup";
  for (const std::string& label : attack.before) {
    for (const char* how : {"overwrite", "remove"}) {
      if (!was_tried(attack, how, label)) return fmt::format("the attacker did not come to {} {}", how, label);
    }
  }
  return {};
}

Json to_json(const BackupAttack& attack) {
  JsonArray went_through, deleted;
  int64_t refused = 0;
  for (const BackupTry& one : attack.tries) {
    if (one.came_of_it == CameOfIt::done) went_through.push_back(Json(one.what));
    if (one.came_of_it == CameOfIt::refused) ++refused;
  }
  for (const std::string& label : sets_gone(attack)) deleted.push_back(Json(label));
  return JsonObject{{"tried", attack.tries.size()},
                    {"refused", refused},
                    {"went_through", std::move(went_through)},
                    {"deleted", std::move(deleted)},
                    {"sets_before", attack.before.size()},
                    {"sets_after", attack.after.size()},
                    {"whole", attack.whole},
                    {"problem", attack.problem}};
}

}  // namespace lifeboat::lab
