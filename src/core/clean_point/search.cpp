#include "core/clean_point/search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lifeboat::clean_point {
namespace {

// What is believed before anything is asked: that one of the suspects did it, else any commit as likely as the other; a
// little for the damage being older, or newer, than the history.
constexpr double kSuspects = 0.85, kAnybody = 0.10, kOlder = 0.02, kNewer = 0.03;
constexpr size_t kMostSuspects = 8;  // that get points of their own in the plan, of the weightiest
constexpr size_t kQuantiles = 32;
constexpr std::ptrdiff_t kFew = 2 * kQuantiles;
constexpr size_t kConfirmations = 3;
constexpr size_t kMostFlaps = 8;

// The least that finding out one bit costs by asking where the answer is no with likelihood q.
double bit_price(double ask, double no) {
  double best = std::numeric_limits<double>::max();
  for (double q = 0.005; q <= 0.5; q += q < 0.05 ? 0.005 : 0.02) {
    double bits = -(q * std::log2(q) + (1 - q) * std::log2(1 - q));
    best = std::min(best, (ask + q * no) / bits);
  }
  return best;
}

}  // namespace

Search::Search(size_t commits, std::vector<Suspect> suspects, Costs costs)
    : n_(static_cast<Position>(commits)), suspects_(std::move(suspects)), costs_(costs), bad_(n_ + 1) {
  std::erase_if(suspects_, [&](const Suspect& one) { return one.commit >= commits || one.weight <= 0; });
  std::ranges::sort(suspects_, {}, &Suspect::commit);
  for (const Suspect& one : suspects_) all_suspicion_ += one.weight;
}

double Search::mass(Position good, Position bad) const {
  double out = 0;
  if (good < 0 && bad >= 0) out += kOlder;
  if (good < n_ + 1 && bad == n_ + 1) out += kNewer;
  Position from = std::max<Position>(good, 0), to = std::min(bad, n_);
  if (n_ > 0 && to > from)
    out += (suspects_.empty() ? kSuspects + kAnybody : kAnybody) * static_cast<double>(to - from) /
           static_cast<double>(n_);
  for (const Suspect& one : suspects_) {
    Position first_bad = static_cast<Position>(one.commit) + 1;
    if (first_bad > good && first_bad <= bad) out += kSuspects * one.weight / all_suspicion_;
  }
  return out;
}

// The positions worth asking at: before and behind the weightiest suspects, and where the belief is cut into equal parts.
std::vector<Search::Position> Search::grid() const {
  std::vector<Position> out;
  std::vector<const Suspect*> inside;
  for (const Suspect& one : suspects_) {
    Position first_bad = static_cast<Position>(one.commit) + 1;
    if (first_bad > good_ && first_bad <= bad_) inside.push_back(&one);
  }
  std::ranges::sort(inside, [](const Suspect* one, const Suspect* other) { return one->weight > other->weight; });
  if (inside.size() > kMostSuspects) inside.resize(kMostSuspects);
  for (const Suspect* one : inside) {
    out.push_back(static_cast<Position>(one->commit));
    out.push_back(static_cast<Position>(one->commit) + 1);
  }
  double all = mass(good_, bad_);
  Position last = good_;
  for (size_t index = 1; index < kQuantiles; ++index) {
    Position low = last, high = bad_;
    double wanted = all * static_cast<double>(index) / kQuantiles;
    while (high - low > 1) {
      Position middle = low + (high - low) / 2;
      (mass(good_, middle) < wanted ? low : high) = middle;
    }
    out.push_back(high);
    last = low;
  }
  // Plain halves too: belief can be wrong.
  out.push_back(good_ + (bad_ - good_) / 2);
  // Its ends only where there are few others: a question that leaves all but one commit open leads nowhere.
  if (bad_ - good_ <= kFew) {
    out.push_back(good_ + 1);
    out.push_back(bad_ - 1);
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  std::erase_if(out, [&](Position at) { return at <= good_ || at >= bad_; });
  return out;
}

// What is still to be paid from each interval between two points of the grid on, with or without a copy at its beginning.
struct Search::Plan {
  std::vector<Position> points;
  std::vector<double> cost[2];
  std::vector<size_t> first[2];
  size_t at(size_t from, size_t to) const { return from * points.size() + to; }
};

Probe Search::choose() {
  Plan plan;
  plan.points = grid();
  plan.points.insert(plan.points.begin(), good_);
  plan.points.push_back(bad_);
  size_t count = plan.points.size();
  for (auto& cost : plan.cost) cost.assign(count * count, 0);
  for (auto& first : plan.first) first.assign(count * count, 0);
  double question = costs_.step + costs_.check;
  std::vector<double> up_to(count);
  for (size_t index = 0; index < count; ++index) up_to[index] = mass(good_, plan.points[index]);
  for (size_t width = 1; width < count; ++width) {
    for (size_t from = 0; from + width < count; ++from) {
      size_t to = from + width;
      auto commits = static_cast<double>(plan.points[to] - plan.points[from]);
      double weight = up_to[to] - up_to[from];
      for (int alive = 0; alive < 2; ++alive) {
        double& best = plan.cost[alive][plan.at(from, to)];
        if (width == 1) {
          // A copy anew comes with the replay up to here, as below; else a point that splits off nothing would seem to save it.
          double again =
              costs_.restore + costs_.per_commit * static_cast<double>(std::max<Position>(0, plan.points[from]));
          best = commits <= 1 ? 0 : bit_price(question, again) * std::log2(commits) + (alive == 1 ? 0 : again);
          continue;
        }
        best = std::numeric_limits<double>::max();
        for (size_t middle = from + 1; middle < to; ++middle) {
          double forward = costs_.per_commit * static_cast<double>(plan.points[middle] - plan.points[from]);
          double fresh =
              costs_.restore + costs_.per_commit * static_cast<double>(std::max<Position>(0, plan.points[middle]));
          double pay = question + (alive == 1 ? std::min(forward, fresh) : fresh);
          double no = weight > 0 ? (up_to[middle] - up_to[from]) / weight : 0.5;
          double all = pay + no * plan.cost[0][plan.at(from, middle)] + (1 - no) * plan.cost[1][plan.at(middle, to)];
          if (all < best) best = all, plan.first[alive][plan.at(from, to)] = middle;
        }
      }
    }
  }
  int alive = copy_ && *copy_ == good_ ? 1 : 0;
  Position at = plan.points[plan.first[alive][plan.at(0, count - 1)]];
  return ask(at, reason(at));
}

std::string Search::reason(Position at) const {
  double all = mass(good_, bad_);
  auto share = [&](const Suspect& one) { return all > 0 ? 100 * kSuspects * one.weight / all_suspicion_ / all : 0; };
  const Suspect* before = nullptr;
  const Suspect* behind = nullptr;
  for (const Suspect& one : suspects_) {
    if (static_cast<Position>(one.commit) == at && (before == nullptr || one.weight > before->weight)) before = &one;
    if (static_cast<Position>(one.commit) + 1 == at && (behind == nullptr || one.weight > behind->weight))
      behind = &one;
  }
  if (before != nullptr && (behind == nullptr || before->weight >= behind->weight))
    return fmt::format("just before the commit that {}: {:.0f} % of the suspicion", before->what, share(*before));
  if (behind != nullptr)
    return fmt::format("just behind the commit that {}: {:.0f} % of the suspicion", behind->what, share(*behind));
  if (at == n_) return "at the end of the history: whether the checks fail there at all";
  if (at == 0) return "before the first commit of the history: whether the checks ever held";
  return fmt::format("{} commits lie between what holds and what fails; no is {:.0f} % likely here",
                     std::min(bad_, n_ + 1) - std::max<Position>(good_, 0), all > 0 ? 100 * mass(good_, at) / all : 50);
}

Probe Search::ask(Position at, std::string why) {
  bool forward = copy_ && *copy_ <= at;
  // Rolling a long way may take longer than copying anew does only when the copy starts nearer; replay is the same.
  Probe out{static_cast<size_t>(at), !forward, std::move(why)};
  asked_ = at;
  ++probes_;
  cost_ += costs_.step + costs_.check;
  if (forward) {
    cost_ += costs_.per_commit * static_cast<double>(at - *copy_);
  } else {
    ++restores_;
    cost_ += costs_.restore + costs_.per_commit * static_cast<double>(at);
  }
  copy_ = at;
  reasoning_.push_back(fmt::format("{} to position {}, {}", forward ? "Roll forward" : "Restore", at, out.why));
  return out;
}

// Behind the point that was found the checks may hold again: then what was found was only a passing trouble. The copy
// stands there already, so looking costs little.
std::optional<Probe> Search::confirm() {
  if (confirmed_ >= kConfirmations || !copy_) return std::nullopt;
  auto next_bad = std::ranges::upper_bound(known_bad_, bad_);
  Position end = next_bad == known_bad_.end() ? n_ + 1 : *next_bad;
  Position from = std::max(*copy_, bad_) + 1;
  if (from >= end) return std::nullopt;
  // Just before the next weighty suspect, else half way.
  const Suspect* weightiest = nullptr;
  for (const Suspect& one : suspects_) {
    auto at = static_cast<Position>(one.commit);
    if (at >= from && at < end && (weightiest == nullptr || one.weight > weightiest->weight)) weightiest = &one;
  }
  Position at = weightiest != nullptr ? static_cast<Position>(weightiest->commit) : from + (end - from) / 2;
  ++confirmed_;
  confirming_ = at;
  return ask(at, "whether the trouble stays, or was only passing");
}

std::variant<Probe, Found, NoAnswer> Search::next() {
  if (flaps_.size() > kMostFlaps) {
    reasoning_.push_back(
        fmt::format("The checks failed and held again {} times: they do not tell one moment.", flaps_.size()));
    return NoAnswer::flaps;
  }
  if (bad_ - good_ > 1) return choose();
  if (good_ < 0) {
    reasoning_.emplace_back("The checks fail before the first commit: the damage is older than this history.");
    return NoAnswer::bad_from_the_start;
  }
  if (bad_ > n_) {
    reasoning_.emplace_back("The checks hold at the end of the history.");
    return NoAnswer::never_bad;
  }
  if (auto probe = confirm()) return *probe;
  reasoning_.push_back(
      fmt::format("The checks hold at position {} and fail at {}: one commit lies between.", good_, bad_));
  return Found{static_cast<size_t>(good_)};
}

void Search::answer(bool holds, const std::string& which) {
  if (!asked_) return;
  Position at = *asked_;
  asked_.reset();
  bool confirming = std::exchange(confirming_, std::nullopt).has_value();
  reasoning_.push_back(
      holds ? fmt::format("All checks hold at position {}.", at)
            : fmt::format("{} at position {}.", which.empty() ? "The checks fail" : which + " fails", at));
  if (!holds) {
    known_bad_.insert(std::ranges::upper_bound(known_bad_, at), at);
    if (!confirming) bad_ = at;
    return;
  }
  if (confirming) {
    flaps_.push_back({static_cast<size_t>(bad_), static_cast<size_t>(at)});
    reasoning_.push_back(
        fmt::format("They failed at {} already: that was passing, the lasting damage is later.", bad_));
    auto next_bad = std::ranges::upper_bound(known_bad_, at);
    bad_ = next_bad == known_bad_.end() ? n_ + 1 : *next_bad;
    confirmed_ = 0;
  }
  good_ = at;
}

}  // namespace lifeboat::clean_point
