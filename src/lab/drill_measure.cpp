#include "lab/drill_measure.hpp"

#include <algorithm>
#include <set>

namespace lifeboat::lab {

namespace {

constexpr int64_t kMillisecond = 1'000'000;
// A server that acknowledged nothing for so long had stopped; witnesses try fifty times a second.
constexpr int64_t kSilence = 300 * kMillisecond;

struct Span {
  int64_t from_ns;
  int64_t to_ns;
};

// The stretches in which a server acknowledged writes.
std::vector<Span> acknowledging(const Samples& samples) {
  std::vector<Span> spans;
  for (const Sample& sample : samples) {
    if (!sample.ok) continue;
    if (!spans.empty() && sample.done_ns - spans.back().to_ns <= kSilence) {
      spans.back().to_ns = sample.done_ns;
    } else {
      spans.push_back({sample.done_ns, sample.done_ns});
    }
  }
  return spans;
}

}  // namespace

Samples read_samples(std::string_view lines) {
  Samples samples;
  while (!lines.empty()) {
    size_t end = lines.find('\n');
    if (end == std::string_view::npos) break;
    auto value = parse_json(lines.substr(0, end));
    lines.remove_prefix(end + 1);
    if (!value || !value->is_object()) continue;
    samples.push_back({.sent_ns = int_or(*value, "sent_ns"), .done_ns = int_or(*value, "done_ns"), .ok = bool_or(*value, "ok"),
                       .write = text_or(*value, "kind") == "write", .key = text_or(*value, "key")});
  }
  std::ranges::sort(samples, {}, &Sample::done_ns);
  return samples;
}

std::optional<Gap> longest_gap(const Samples& samples, bool writes, int64_t from_ns, int64_t to_ns) {
  std::optional<Gap> longest;
  int64_t last_good = 0;
  auto consider = [&](Gap gap) {
    if (gap.from_ns == 0 || gap.from_ns > to_ns || (gap.to_ns != 0 && gap.to_ns < from_ns)) return;
    bool open = longest && longest->to_ns == 0;
    if (!longest || gap.to_ns == 0 || (!open && gap.to_ns - gap.from_ns > longest->to_ns - longest->from_ns)) longest = gap;
  };
  bool failed_since = false;
  for (const Sample& sample : samples) {
    if (sample.write != writes) continue;
    failed_since = failed_since || !sample.ok;
    if (!sample.ok) continue;
    consider({last_good, sample.done_ns});
    last_good = sample.done_ns;
    failed_since = false;
  }
  // Nothing good after failures: the outage had not ended when the witness did.
  if (failed_since) consider({last_good, 0});
  return longest;
}

int64_t double_acknowledged_ns(const std::vector<Samples>& members) {
  std::vector<std::vector<Span>> spans;
  for (const Samples& samples : members) spans.push_back(acknowledging(samples));
  int64_t total = 0;
  for (size_t one = 0; one < spans.size(); ++one) {
    for (size_t other = one + 1; other < spans.size(); ++other) {
      for (const Span& a : spans[one]) {
        for (const Span& b : spans[other]) {
          int64_t from = std::max(a.from_ns, b.from_ns), to = std::min(a.to_ns, b.to_ns);
          if (from <= to) total += std::max(to - from, kMillisecond);
        }
      }
    }
  }
  return total;
}

int64_t writable_again_ns(const std::vector<Samples>& members, int64_t fault_ns) {
  int64_t first = 0;
  for (const Samples& samples : members) {
    auto spans = acknowledging(samples);
    bool wrote = std::ranges::any_of(
        spans, [&](const Span& span) { return span.from_ns <= fault_ns && span.to_ns >= fault_ns - kSilence; });
    for (const Span& span : spans) {
      // The stretch that the fault ended goes on a moment past it when the server was only cut off from others.
      if (span.from_ns <= fault_ns || (wrote && span.from_ns - fault_ns < kMillisecond)) continue;
      if (first == 0 || span.from_ns < first) first = span.from_ns;
      break;
    }
  }
  return first;
}

int64_t all_served_ns(const Samples& samples, int64_t from_ns, int64_t to_ns) {
  int64_t last_failure = 0, served = 0;
  for (const Sample& sample : samples) {
    if (sample.done_ns < from_ns || sample.done_ns > to_ns) continue;
    if (!sample.ok) {
      last_failure = sample.done_ns;
      served = 0;
    } else if (served == 0) {
      served = sample.done_ns;
    }
  }
  return last_failure == 0 ? from_ns : served;
}

Lost lost_between(const Samples& samples, const std::vector<std::string>& missing_keys, int64_t from_ns, int64_t to_ns) {
  std::set<std::string_view> missing(missing_keys.begin(), missing_keys.end());
  Lost lost;
  for (const Sample& sample : samples) {
    bool counts = sample.write && sample.ok && sample.done_ns >= from_ns && sample.done_ns < to_ns;
    if (!counts || !missing.contains(sample.key)) continue;
    if (lost.lost++ == 0) lost.oldest_ns = sample.done_ns;
  }
  return lost;
}

Decided decided_in(const JsonArray& events, int64_t fault_ns, std::string_view run_id) {
  Decided out;
  auto first = [](int64_t& slot, int64_t at) {
    if (slot == 0) slot = at;
  };
  for (const Json& event : events) {
    std::string kind = text_or(event, "kind"), stream = text_or(event, "stream");
    int64_t at = int_or(event, "boot_ns");
    if (at < fault_ns) continue;
    bool starts = kind == "decided" && text_or(member(event, "body"), "verdict") == "start";
    if (kind == "signal-raised" || (kind == "vacant" && stream.starts_with("database/"))) first(out.detected_ns, at);
    if (starts || kind == "automatic-failover" || kind == "run-opened") first(out.decided_ns, at);
    if (kind == "run-opened" && stream == "run/" + std::string(run_id)) first(out.opened_ns, at);
  }
  if (out.detected_ns == 0) out.detected_ns = out.decided_ns;
  return out;
}

}  // namespace lifeboat::lab
