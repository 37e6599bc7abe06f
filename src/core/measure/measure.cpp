#include "core/measure/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace lifeboat::measure {
namespace {

constexpr Duration kOneStretch{200};
constexpr Duration kSteady{2'000};
constexpr Duration kWindow{1'000};

MonoTime at(const Json& object, std::string_view key) {
  return MonoTime{std::chrono::nanoseconds(int_or(object, key))};
}
int64_t count_of(MonoTime time) { return time.time_since_epoch().count(); }

template <class T, class Read>
Result<std::vector<T>> read_lines(std::string_view text, Read read) {
  std::vector<T> out;
  for (size_t number = 1; !text.empty(); ++number) {
    size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    auto parsed = parse_json(text.substr(0, end));
    if (!parsed) return std::unexpected(std::move(parsed).error().with(fmt::format("line {}", number)));
    bool fits = member(*parsed, "sent_ns").is_int64() && member(*parsed, "done_ns").is_int64();
    if (!fits) return fail(ErrorKind::invalid_input, fmt::format("line {}: no times of a witness", number));
    out.push_back(read(*parsed));
    text.remove_prefix(end + 1);
  }
  return out;
}

// Times without a good answer of one kind, in their order, the time after the last one included. A failure speaks of the
// time in which it was sent: one that ends late (its user waited for a timeout) says nothing of those who asked after it.
std::vector<Gap> gaps_of(const std::vector<Sample>& samples, bool write, MonoTime begin, MonoTime end) {
  std::vector<const Sample*> good;
  std::vector<MonoTime> failures;
  for (const Sample& sample : samples) {
    if (sample.write != write || sample.done >= end) continue;
    if (sample.ok) good.push_back(&sample);
    if (!sample.ok) failures.push_back(sample.sent);
  }
  std::ranges::sort(good, {}, &Sample::done);
  std::ranges::sort(failures);
  // Since when somebody has been waiting of those who had no answer before each of the good ones.
  std::vector<MonoTime> waiting_since(good.size(), MonoTime::max());
  for (size_t index = good.size(); index-- > 0;) {
    MonoTime later = index + 1 < good.size() ? waiting_since[index + 1] : MonoTime::max();
    waiting_since[index] = std::min(good[index]->sent, later);
  }
  auto failed_between = [&](MonoTime from, MonoTime to) {
    auto first = std::ranges::lower_bound(failures, from);
    return first != failures.end() && *first < to;
  };
  std::vector<Gap> out;
  MonoTime last_good = begin, last_asked = begin;
  for (size_t index = 0; index < good.size(); ++index) {
    const Sample* sample = good[index];
    bool failed = failed_between(last_asked, sample->done);
    // Where nothing failed, the time before somebody asked was idle. Whoever asked first need not be answered first.
    MonoTime from = failed ? last_good : std::max(last_good, waiting_since[index]);
    if (failed || sample != good.front()) out.push_back({from, sample->done, false});
    last_good = sample->done;
    last_asked = std::max(last_asked, sample->sent);
  }
  if (failed_between(last_asked, end)) out.push_back({last_good, end, true});
  return out;
}

struct Longest {
  std::optional<Gap> gap;
  bool open = false;  // the last of all gaps has no end
};
// The longest gap that touches [from, to].
Longest longest_gap(const std::vector<Sample>& samples, bool write, MonoTime from, MonoTime to) {
  Longest out;
  MonoTime first = from;
  for (const Sample& sample : samples) first = std::min(first, sample.sent);
  for (const Gap& gap : gaps_of(samples, write, first, to)) {
    if (gap.to <= from) continue;
    out.open = out.open || gap.open;
    if (!out.gap || gap.length() > out.gap->length()) out.gap = gap;
  }
  return out;
}

// From the first failure on, the first stretch without another.
void find_all_served(const std::vector<const Sample*>& after, MonoTime fault, Recovery& out) {
  auto failure = std::ranges::find_if(after, [](const Sample* sample) { return !sample->ok; });
  if (failure == after.end()) {
    if (!after.empty()) out.all_served = out.first_served.value_or(Duration{0});
    return;
  }
  while (failure != after.end()) {
    auto next = std::find_if(failure + 1, after.end(), [](const Sample* sample) { return !sample->ok; });
    const Sample* first = nullptr;
    for (auto good = failure + 1; good != next; ++good) {
      if (first == nullptr || (*good)->done < first->done) first = *good;
    }
    bool steady = first != nullptr && (next == after.end() || (*next)->sent - first->done >= kSteady);
    if (steady) {
      out.all_served = to_duration(first->done - fault);
      out.failed_later =
          static_cast<size_t>(std::count_if(next, after.end(), [](const Sample* sample) { return !sample->ok; }));
      return;
    }
    failure = next;
  }
}

// Windows of one second that begin with a good journey, from the first failure on.
void find_tenth_served(const std::vector<const Sample*>& after, MonoTime fault, Recovery& out) {
  bool had_failure = false;
  for (size_t index = 0; index < after.size(); ++index) {
    had_failure = had_failure || !after[index]->ok;
    if (!had_failure || !after[index]->ok) continue;
    size_t all = 0, good = 0;
    for (size_t other = index; other < after.size() && after[other]->sent - after[index]->sent < kWindow; ++other) {
      ++all;
      good += after[other]->ok ? 1 : 0;
    }
    if (good * 10 >= all) {
      out.tenth_served = to_duration(after[index]->done - fault);
      return;
    }
  }
  if (!had_failure) out.tenth_served = out.first_served;
}

struct Stretch {
  MonoTime from, to;
};

std::vector<Stretch> stretches_of(std::vector<Ack> acks) {
  std::ranges::sort(acks, {}, &Ack::done);
  std::vector<Stretch> out;
  for (const Ack& ack : acks) {
    if (!out.empty() && ack.done - out.back().to <= kOneStretch) {
      out.back().to = ack.done;
    } else {
      out.push_back({ack.done, ack.done});
    }
  }
  return out;
}

}  // namespace

Json encode_sample(const Sample& sample) {
  JsonObject out{{"kind", sample.write ? "write" : "read"},
                 {"sent_ns", count_of(sample.sent)},
                 {"done_ns", count_of(sample.done)},
                 {"ok", sample.ok},
                 {"status", sample.status}};
  if (!sample.key.empty()) out["key"] = sample.key;
  if (!sample.error.empty()) out["error"] = sample.error;
  if (!sample.address.empty()) out["address"] = sample.address;
  return out;
}

Result<std::vector<Sample>> read_samples(std::string_view json_lines) {
  return read_lines<Sample>(json_lines, [](const Json& line) {
    return Sample{.sent = at(line, "sent_ns"),
                  .done = at(line, "done_ns"),
                  .write = text_or(line, "kind") == "write",
                  .key = text_or(line, "key"),
                  .ok = bool_or(line, "ok"),
                  .status = static_cast<int>(int_or(line, "status")),
                  .error = text_or(line, "error"),
                  .address = text_or(line, "address")};
  });
}

Json encode_ack(const Ack& ack) {
  JsonObject out{{"sent_ns", count_of(ack.sent)}, {"done_ns", count_of(ack.done)}, {"ok", true}};
  if (!ack.key.empty()) out["key"] = ack.key;
  return out;
}

Result<std::vector<Ack>> read_acks(std::string_view json_lines) {
  return read_lines<Ack>(
      json_lines, [](const Json& line) { return Ack{at(line, "sent_ns"), at(line, "done_ns"), text_or(line, "key")}; });
}

Recovery measure_recovery(const std::vector<Sample>& samples, MonoTime fault, MonoTime until) {
  Recovery out;
  std::optional<Gap> longest;
  bool open = false;
  for (bool write : {false, true}) {
    auto [gap, has_no_end] = longest_gap(samples, write, fault, until);
    open = open || has_no_end;
    if (gap && (!longest || gap->length() > longest->length())) longest = gap;
  }
  if (longest) {
    out.rta = longest->length();
    out.recovered = !open;
    if (!longest->open) out.first_served = std::max(Duration{0}, to_duration(longest->to - fault));
  }

  std::vector<const Sample*> after;
  for (const Sample& sample : samples) {
    if (sample.done >= fault && sample.sent < until) after.push_back(&sample);
  }
  std::ranges::sort(after, {}, &Sample::sent);
  auto failed = std::ranges::count_if(after, [](const Sample* sample) { return !sample->ok; });
  out.journeys = after.size();
  if (!after.empty()) out.error_rate = static_cast<double>(failed) / static_cast<double>(after.size());
  find_all_served(after, fault, out);
  find_tenth_served(after, fault, out);
  return out;
}

Duration longest_write_gap(const std::vector<Sample>& samples, MonoTime from, MonoTime to) {
  auto longest = longest_gap(samples, true, from, to);
  return longest.gap ? longest.gap->length() : Duration{0};
}

Latency latency_of(const std::vector<Sample>& samples, MonoTime from, MonoTime to) {
  std::vector<double> times;
  for (const Sample& sample : samples) {
    if (sample.ok && sample.sent >= from && sample.sent < to)
      times.push_back(to_seconds(sample.done - sample.sent) * 1000);
  }
  if (times.empty()) return {};
  std::ranges::sort(times);
  auto rank = [&](double share) {
    auto nearest = static_cast<size_t>(std::ceil(share * static_cast<double>(times.size())));
    return times[std::clamp<size_t>(nearest, 1, times.size()) - 1];
  };
  return {rank(0.50), rank(0.95), rank(0.99)};
}

Loss measure_loss(const std::vector<Sample>& samples, const std::vector<std::string>& missing, MonoTime from,
                  MonoTime to, MonoTime fault) {
  Loss out;
  std::set<std::string_view> gone(missing.begin(), missing.end());
  std::vector<const Sample*> lost;
  for (const Sample& sample : samples) {
    if (!sample.write || !sample.ok || sample.done < from || sample.done >= to) continue;
    ++out.acknowledged;
    if (gone.contains(sample.key)) lost.push_back(&sample);
  }
  std::ranges::sort(lost, {}, &Sample::done);
  out.lost = lost.size();
  for (const Sample* sample : lost) out.keys.push_back(sample->key);
  if (!lost.empty()) out.oldest_age = to_duration(std::max(fault, lost.back()->done) - lost.front()->done);
  return out;
}

DoubleAcks double_acknowledged(const std::map<std::string, std::vector<Ack>>& by_server) {
  DoubleAcks out;
  std::chrono::nanoseconds total{0};
  std::vector<std::pair<const std::vector<Ack>*, std::vector<Stretch>>> servers;
  for (const auto& [server, acks] : by_server) servers.emplace_back(&acks, stretches_of(acks));
  for (size_t one = 0; one < servers.size(); ++one) {
    for (size_t other = 0; other < servers.size(); ++other) {
      if (one == other) continue;
      for (const Stretch& b : servers[other].second) {
        out.count += static_cast<size_t>(std::ranges::count_if(
            *servers[one].first, [&](const Ack& ack) { return ack.done >= b.from && ack.done <= b.to; }));
        if (other < one) continue;
        for (const Stretch& a : servers[one].second) {
          MonoTime from = std::max(a.from, b.from), to = std::min(a.to, b.to);
          if (from <= to) total += std::max<std::chrono::nanoseconds>(to - from, std::chrono::milliseconds(1));
        }
      }
    }
  }
  out.time = to_duration(total);
  return out;
}

}  // namespace lifeboat::measure
