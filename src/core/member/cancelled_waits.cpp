#include "core/member/cancelled_waits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lifeboat {
namespace {

// A line of a message that has several begins with a tab, so nobody's statement can pass for the beginning of one. The first severity in it
// is its own: what an error quotes stands behind that.
bool tells_of_cancelled_wait(std::string_view line) {
  constexpr std::string_view kSeverity = "WARNING";
  if (line.empty() || line.front() == '\t') return false;
  size_t colon = line.find(":  ");
  if (colon == std::string_view::npos || !line.substr(0, colon).ends_with(kSeverity)) return false;
  std::string_view message = line.substr(colon + 3);
  // With log_error_verbosity = verbose the SQLSTATE stands before it.
  if (message.size() > 7 && message.substr(5, 2) == ": ") message.remove_prefix(7);
  return message.starts_with("canceling wait for synchronous replication") ||
         message.starts_with("canceling the wait for synchronous replication");
}

bool has_word(std::string_view list, std::string_view word) {
  for (size_t at = list.find(word); at != std::string_view::npos; at = list.find(word, at + 1)) {
    auto part_of_name = [&](size_t place) { return place < list.size() && list[place] >= 'a' && list[place] <= 'z'; };
    if ((at == 0 || !part_of_name(at - 1)) && !part_of_name(at + word.size())) return true;
  }
  return false;
}

}  // namespace

LogPart read_log_part(std::string_view text, bool full, bool inside_line) {
  LogPart out{0, 0, inside_line};
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', out.used)) {
    bool whole = !std::exchange(out.inside_line, false);
    if (whole && tells_of_cancelled_wait(text.substr(out.used, end - out.used))) ++out.cancelled;
    out.used = end + 1;
  }
  // The rest of a line that is longer than all that is read at once is waited for, unless it is all there is.
  if (!full || out.used > 0) return out;
  out.used = text.size();
  out.inside_line = true;
  return out;
}

std::string why_waits_not_counted(std::string_view log_min_messages, std::string_view log_destination,
                                  std::string_view logging_collector, std::string_view lc_messages) {
  constexpr auto kSilent = std::to_array<std::string_view>({"error", "log", "fatal", "panic"});
  if (std::ranges::find(kSilent, log_min_messages) != kSilent.end())
    return fmt::format("log_min_messages is {}: set it to warning", log_min_messages);
  if (!has_word(log_destination, "stderr") || logging_collector == "on")
    return "the server's log goes elsewhere: set log_destination to stderr and logging_collector to off";
  bool english =
      lc_messages == "C" || lc_messages == "POSIX" || lc_messages.starts_with("C.") || lc_messages.starts_with("en");
  if (!english) return fmt::format("lc_messages is '{}': set it to C", lc_messages);
  return {};
}

void WaitCount::found(int64_t cancelled, WallTime now) {
  if (cancelled <= 0) return;
  is_.count += cancelled;
  is_.alone += cancelled;
  is_.last_at = format_wall(now);
  placed_ = false;
}

void WaitCount::saw(int64_t counted, const ServerLook& look, const SyncSet& waited_for) {
  if (is_.alone == 0 || look.in_recovery) return;
  // A commit is on the primary's disk before its session waits.
  if (!placed_ && counted == is_.count) {
    before_ = look.written;
    placed_ = true;
  }
  if (!placed_) return;
  const auto& members = waited_for.members;
  int64_t have_it = std::ranges::count_if(look.standbys, [&](const auto& standby) {
    bool counts = members.empty() || std::ranges::find(members, standby.first) != members.end();
    return counts && standby.second >= before_;
  });
  if (have_it >= std::max<int64_t>(1, waited_for.copies)) is_.alone = 0;
}

std::string in_words(const CancelledWaits& waits) {
  if (waits.count == 0 && waits.not_counted.empty()) return {};
  std::string blind = "not counted: " + waits.not_counted;
  if (waits.count == 0) return "commits that are cancelled while they wait for a standby are " + blind;
  std::string out =
      fmt::format("{} {} cancelled while {} waited for a standby, the last at {}: ", waits.count,
                  waits.count == 1 ? "commit was" : "commits were", waits.count == 1 ? "it" : "they", waits.last_at);
  if (waits.alone == 0) {
    out += waits.count == 1 ? "it is on a standby by now" : "they are on a standby by now";
  } else if (waits.alone == waits.count) {
    out += waits.count == 1 ? "it is on the primary, and may be nowhere else"
                            : "they are on the primary, and may be nowhere else";
  } else {
    out += waits.alone == 1 ? "the last of them may be on the primary alone"
                            : fmt::format("the last {} of them may be on the primary alone", waits.alone);
  }
  if (!waits.not_counted.empty()) out += "; further ones are " + blind;
  return out;
}

}  // namespace lifeboat
