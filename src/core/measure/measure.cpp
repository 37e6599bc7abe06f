#include "core/measure/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lifeboat::measure {
namespace {

constexpr Duration kOneRun{200};
constexpr Duration kSteady{2'000};

MonoTime at(const Json& object, std::string_view key) { return MonoTime{std::chrono::nanoseconds(int_or(object, key))}; }

template <class T, class Read>
Result<std::vector<T>> read_lines(std::string_view text, Read read) {
  std::vector<T> out;
  size_t number = 0;
  while (!text.empty()) {
    size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    // A last line without its end was cut off by the end of the witness: it says nothing for certain.
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
    ++number;
    auto parsed = parse_json(line);
    if (!parsed) return std::unexpected(std::move(parsed).error().with(fmt::format("line {}", number)));
    out.push_back(read(*parsed));
  }
  return out;
}

// Good answers of one kind, by the time they came.
std::vector<MonoTime> good_answers(const std::vector<Sample>& samples, bool write) {
  std::vector<MonoTime> out;
  for (const Sample& sample : samples) {
    if (sample.ok && sample.write == write) out.push_back(sample.done);
  }
  std::ranges::sort(out);
  return out;
}

bool any_of_kind(const std::vector<Sample>& samples, bool write) {
  return std::ranges::any_of(samples, [&](const Sample& sample) { return sample.write == write; });
}

// The longest gap that ends after `fault` and begins before `until`; `open` when nothing good came after its beginning.
struct Longest {
  Gap gap;
  bool open = false;
};
std::optional<Longest> longest_gap(const std::vector<MonoTime>& good, MonoTime fault, MonoTime until) {
  std::optional<Longest> best;
  auto offer = [&](MonoTime from, MonoTime to, bool open) {
    Gap gap{from, to};
    if (!best || gap.length() > best->gap.length()) best = Longest{gap, open};
  };
  for (size_t index = 0; index + 1 < good.size(); ++index) {
    if (good[index + 1] > fault && good[index] < until) offer(good[index], std::min(good[index + 1], until), good[index + 1] > until);
  }
  MonoTime last = good.empty() ? fault : good.back();
  if (last < until) offer(last, until, true);
  return best;
}

}  // namespace

Json encode_sample(const Sample& sample) {
  JsonObject out{{"sent", sample.sent.time_since_epoch().count()}, {"done", sample.done.time_since_epoch().count()}, {"write", sample.write}};
  if (!sample.key.empty()) out["key"] = sample.key;
  out["ok"] = sample.ok;
  out["status"] = sample.status;
  if (!sample.error.empty()) out["error"] = sample.error;
  return out;
}

Result<std::vector<Sample>> read_samples(std::string_view json_lines) {
  return read_lines<Sample>(json_lines, [](const Json& line) {
    return Sample{at(line, "sent"), at(line, "done"), bool_or(line, "write"), text_or(line, "key"), bool_or(line, "ok"),
                  static_cast<int>(int_or(line, "status")), text_or(line, "error")};
  });
}

Json encode_ack(const Ack& ack) {
  return {{"sent", ack.sent.time_since_epoch().count()}, {"done", ack.done.time_since_epoch().count()}};
}

Result<std::vector<Ack>> read_acks(std::string_view json_lines) {
  return read_lines<Ack>(json_lines, [](const Json& line) { return Ack{at(line, "sent"), at(line, "done")}; });
}

Recovery measure_recovery(const std::vector<Sample>& samples, MonoTime fault, MonoTime until) {
  Recovery out;
  std::optional<Longest> longest;
  bool open = false;
  for (bool write : {false, true}) {
    if (!any_of_kind(samples, write)) continue;
    auto gap = longest_gap(good_answers(samples, write), fault, until);
    if (!gap) continue;
    // A tail without answers shorter than the steady time is only the end of the watching.
    bool tail = gap->open && gap->gap.length() < kSteady;
    open = open || (gap->open && !tail);
    if (!tail && (!longest || gap->gap.length() > longest->gap.length())) longest = gap;
  }
  out.recovered = !open && longest.has_value();
  if (longest) {
    out.rta = longest->gap.length();
    if (!longest->open) out.first_served = to_duration(longest->gap.to - fault);
  }

  std::vector<const Sample*> after;
  for (const Sample& sample : samples) {
    if (sample.sent >= fault && sample.sent < until) after.push_back(&sample);
  }
  std::ranges::sort(after, {}, [](const Sample* sample) { return sample->sent; });
  out.journeys = after.size();
  auto failed = std::ranges::count_if(after, [](const Sample* sample) { return !sample->ok; });
  if (!after.empty()) out.error_rate = static_cast<double>(failed) / static_cast<double>(after.size());

  const Sample* last_failed = nullptr;
  for (const Sample* sample : after) {
    if (!sample->ok) last_failed = sample;
  }
  MonoTime served_from = last_failed == nullptr ? fault : last_failed->sent;
  const Sample* first_of_all = nullptr;
  for (const Sample* sample : after) {
    if (sample->ok && sample->sent > served_from && (first_of_all == nullptr || sample->done < first_of_all->done)) first_of_all = sample;
  }
  bool steady = first_of_all != nullptr && until - first_of_all->done >= kSteady;
  if (last_failed == nullptr && !after.empty()) {
    out.all_served = out.first_served.value_or(Duration{0});
  } else if (steady) {
    out.all_served = to_duration(first_of_all->done - fault);
  }

  // Windows of one second, moved by journeys, from the first failure on.
  bool had_failure = false;
  for (size_t index = 0; index < after.size() && !out.tenth_served; ++index) {
    had_failure = had_failure || !after[index]->ok;
    if (!had_failure || !after[index]->ok) continue;
    size_t all = 0, good = 0;
    for (size_t other = index; other < after.size() && after[other]->sent - after[index]->sent < std::chrono::seconds(1); ++other) {
      ++all;
      good += after[other]->ok ? 1 : 0;
    }
    if (good * 10 >= all) out.tenth_served = to_duration(after[index]->done - fault);
  }
  if (!had_failure) out.tenth_served = out.first_served;
  return out;
}

Duration longest_write_gap(const std::vector<Sample>& samples, MonoTime from, MonoTime to) {
  auto gap = longest_gap(good_answers(samples, true), from, to);
  return gap ? gap->gap.length() : Duration{0};
}

Latency latency_of(const std::vector<Sample>& samples, MonoTime from, MonoTime to) {
  std::vector<double> times;
  for (const Sample& sample : samples) {
    if (sample.ok && sample.sent >= from && sample.sent < to) times.push_back(to_seconds(sample.done - sample.sent) * 1000);
  }
  if (times.empty()) return {};
  std::ranges::sort(times);
  auto rank = [&](double share) { return times[std::min(times.size() - 1, static_cast<size_t>(share * static_cast<double>(times.size())))]; };
  return {rank(0.50), rank(0.95), rank(0.99)};
}

Loss measure_loss(const std::vector<Sample>& samples, const std::vector<std::string>& missing, MonoTime from, MonoTime to, MonoTime fault) {
  Loss out;
  std::set<std::string> gone(missing.begin(), missing.end());
  std::vector<const Sample*> lost;
  for (const Sample& sample : samples) {
    if (!sample.write || !sample.ok || sample.done < from || sample.done >= to) continue;
    ++out.acknowledged;
    if (gone.contains(sample.key)) lost.push_back(&sample);
  }
  std::ranges::sort(lost, {}, [](const Sample* sample) { return sample->done; });
  out.lost = lost.size();
  for (const Sample* sample : lost) out.keys.push_back(sample->key);
  if (!lost.empty()) out.oldest_age = std::max(Duration{0}, to_duration(fault - lost.front()->done));
  return out;
}

Duration double_acknowledged(const std::map<std::string, std::vector<Ack>>& by_server) {
  struct Span {
    MonoTime from, to;
  };
  std::vector<std::vector<Span>> all;
  for (const auto& [server, acks] : by_server) {
    std::vector<Ack> sorted = acks;
    std::ranges::sort(sorted, {}, &Ack::done);
    std::vector<Span> spans;
    for (const Ack& ack : sorted) {
      // A commit became durable somewhere between sending and answer; on its own it counts as the moment of its answer,
      // since a write that was sent long ago and answered late says nothing about the time in between.
      if (!spans.empty() && ack.done - spans.back().to <= kOneRun) {
        spans.back().to = ack.done;
      } else {
        spans.push_back({ack.done, ack.done});
      }
    }
    all.push_back(std::move(spans));
  }
  std::chrono::nanoseconds total{0};
  for (size_t one = 0; one < all.size(); ++one) {
    for (size_t other = one + 1; other < all.size(); ++other) {
      for (const Span& a : all[one]) {
        for (const Span& b : all[other]) {
          MonoTime from = std::max(a.from, b.from), to = std::min(a.to, b.to);
          if (from > to) continue;
          // Two that touch in one moment are two that acknowledged at once: at least a millisecond.
          total += std::max<std::chrono::nanoseconds>(to - from, std::chrono::milliseconds(1));
        }
      }
    }
  }
  return to_duration(total);
}

}  // namespace lifeboat::measure
