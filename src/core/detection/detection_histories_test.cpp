// Vantage points in a made-up world of three regions: links that break one way or both, regions and targets that die, observers that
// stand still, reports that come late or not at all, and in half of the histories one observer that lies. What is judged is held
// against what was true.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <random>
#include <set>

#include "core/detection/detection.hpp"

namespace lifeboat::detection {
namespace {

constexpr int64_t kTick = 50;
constexpr int64_t kEvery = 250;      // between two probes of one target
constexpr int64_t kWithin = 250;     // how long an answer is waited for
constexpr int64_t kDelay = 150;      // the longest way of a report
constexpr int64_t kDropped = 1'000;  // a link that is down for so long ends the agent's session
constexpr Window kWindow{.for_ = Duration{3'000}, .fresh = Duration{2 * kEvery + kWithin + 500}, .quorum = 2};
constexpr int64_t kSlackOfTruth = kWindow.fresh.count() + kDelay + kTick;
const std::array<std::string, 3> kRegions{"east", "west", "eu"};
constexpr size_t kTargetsEach = 2;

MonoTime at(int64_t ms) { return MonoTime{std::chrono::milliseconds(ms)}; }

struct Report {
  int64_t arrives = 0;
  std::string target;
  bool ok = false;
};

struct Observer {
  std::string name;
  size_t region = 0;
  bool is_controller = false;
  bool lies = false;
  bool linked = true;
  int64_t link_down_since = -1;
  int64_t frozen_until = 0;
  int64_t next_probe = 0;
  std::array<std::array<int64_t, kTargetsEach>, 3> reachable_since{};
  std::array<int64_t, 3> surely_reached{};  // last moment at which no honest observer could have missed that region
  std::array<int64_t, 3> reached{};         // last moment at which anything there could be reached
  std::vector<Report> on_the_way;
};

struct Histories {
  std::mt19937_64 random;
  Window window = kWindow;
  bool with_liar = false;
  size_t controller_region = 0;
  int64_t now = 0;
  std::array<std::array<bool, 3>, 3> link{};  // from, to
  std::array<std::array<bool, kTargetsEach>, 3> alive{};
  std::vector<Observer> observers;
  State state;
  int64_t quiet_since = 0;  // the last fault or repair
  int64_t lost_verdicts = 0;
  std::string broken;

  int64_t pick(int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); }
  bool chance(int of_hundred) { return pick(1, 100) <= of_hundred; }

  explicit Histories(uint64_t seed, Window judged = kWindow) : random(seed), window(judged) {
    with_liar = seed % 2 == 1;
    controller_region = static_cast<size_t>(pick(0, 2));
    heal();
    for (size_t region = 0; region < 3; ++region) {
      for (size_t target = 0; target < kTargetsEach; ++target)
        state.targets.push_back({target_name(region, target), kRegions[region]});
      Observer agent{.name = "agent " + kRegions[region], .region = region};
      if (region == controller_region)
        observers.push_back({.name = "controller", .region = region, .is_controller = true});
      observers.push_back(std::move(agent));
    }
    if (with_liar) observers[static_cast<size_t>(pick(0, static_cast<int64_t>(observers.size()) - 1))].lies = true;
    for (Observer& each : observers) join(each);
  }

  static std::string target_name(size_t region, size_t target) {
    return fmt::format("{}-{}", kRegions[region], target);
  }

  void join(Observer& each) {
    each.linked = true;
    state.vantages.push_back({each.name, kRegions[each.region], each.is_controller ? "" : kRegions[controller_region]});
  }
  void leave(Observer& each) {
    each.linked = false;
    each.on_the_way.clear();
    std::erase_if(state.vantages, [&](const VantagePoint& vantage) { return vantage.name == each.name; });
    forget_vantage(state, each.name);
  }

  void heal() {
    for (auto& row : link) row.fill(true);
    for (auto& row : alive) row.fill(true);
  }

  void something_happens() {
    auto region = static_cast<size_t>(pick(0, 2));
    auto other = (region + static_cast<size_t>(pick(1, 2))) % 3;
    quiet_since = now;
    switch (pick(0, 6)) {
      case 0: link[region][other] = false; break;
      case 1: link[region][other] = link[other][region] = false; break;
      case 2:
        for (size_t each = 0; each < 3; ++each)
          if (each != region) link[region][each] = link[each][region] = false;
        break;
      case 3: alive[region].fill(false); break;
      case 4: alive[region][static_cast<size_t>(pick(0, kTargetsEach - 1))] = false; break;
      case 5: {
        Observer& frozen = observers[static_cast<size_t>(pick(0, static_cast<int64_t>(observers.size()) - 1))];
        frozen.frozen_until = now + pick(200, 8'000);
        quiet_since = frozen.frozen_until;
        break;
      }
      default: heal();
    }
  }

  bool reaches(const Observer& from, size_t region, size_t target) const {
    bool way = from.region == region || (link[from.region][region] && link[region][from.region]);
    return way && alive[region][target];
  }

  void look_at_truth(Observer& each) {
    for (size_t region = 0; region < 3; ++region) {
      for (size_t target = 0; target < kTargetsEach; ++target) {
        int64_t& since = each.reachable_since[region][target];
        if (reaches(each, region, target)) each.reached[region] = now;
        if (!reaches(each, region, target) || each.frozen_until > now) since = now;
        if (now - since >= kEvery + kWithin + kTick) each.surely_reached[region] = now;
      }
    }
  }

  // One probe of all targets: what is reached now and a moment later answers. A host that stood still meanwhile saw nothing.
  void probe(Observer& each) {
    if (now < each.next_probe || each.frozen_until > now) return;
    each.next_probe = now + kEvery;
    for (size_t region = 0; region < 3; ++region) {
      for (size_t target = 0; target < kTargetsEach; ++target) {
        bool ok = reaches(each, region, target);
        if (each.lies) ok = region == each.region;
        int64_t way = each.is_controller ? 0 : pick(0, kDelay / kTick) * kTick;
        each.on_the_way.push_back({now + way + (ok ? 0 : kWithin), target_name(region, target), ok});
      }
    }
  }

  void carry(Observer& each) {
    bool up = each.is_controller || each.region == controller_region || link[each.region][controller_region];
    if (up) {
      each.link_down_since = -1;
      if (!each.linked) join(each);
    } else if (each.link_down_since < 0) {
      each.link_down_since = now;
    } else if (each.linked && now - each.link_down_since >= kDropped) {
      leave(each);
    }
    if (!up || !each.linked) return;
    std::erase_if(each.on_the_way, [&](const Report& report) {
      if (report.arrives > now) return false;
      observe(state, each.name, report.target, report.ok, "no answer", at(now));
      return true;
    });
  }

  void broke(const std::string& rule) {
    if (broken.empty()) broken = fmt::format("at {} ms: {}", now, rule);
  }

  // Never believed of a region that others than a liar could reach: an honest vote needs an observer that truly did not reach it.
  void check_belief(size_t region, const RegionVerdict& verdict) {
    if (!verdict.lost) return;
    ++lost_verdicts;
    std::set<size_t> justified;
    for (const Vote& vote : verdict.votes) {
      if (!vote.counts) continue;
      const Observer& voter = *std::ranges::find(observers, vote.vantage, &Observer::name);
      if (voter.region == region) broke(fmt::format("{} of the lost region votes on itself", voter.name));
      if (voter.lies) continue;
      int64_t seen = voter.surely_reached[region];
      bool could = seen > now - kWindow.for_.count() + kEvery + kWithin + kTick && seen < now - kSlackOfTruth;
      if (could)
        broke(fmt::format("{} says that {} is lost and reached it {} ms ago", voter.name, verdict.region, now - seen));
      // An agent's report has come to a controller elsewhere.
      int64_t elsewhere = voter.reached[3 - region - voter.region];
      if (voter.is_controller && elsewhere < now - kSlackOfTruth)
        broke(fmt::format("{} is alone and votes on {}", voter.name, verdict.region));
      justified.insert(voter.region);
    }
    size_t needed = with_liar ? 1 : 2;
    if (justified.size() < needed)
      broke(fmt::format("{} is believed lost by {} honest regions", verdict.region, justified.size()));
  }

  // What is dead for everybody is believed in time, when the two others see each other.
  void check_notice(size_t region, const RegionVerdict& verdict) {
    constexpr int64_t kInTime = kWindow.for_.count() + kSlackOfTruth + kDropped;
    if (with_liar || region == controller_region || now - quiet_since < kInTime) return;
    size_t third = 3 - region - controller_region;
    bool others_see_each_other = link[third][controller_region] && link[controller_region][third];
    bool others_serve = alive[third][0] || alive[third][1];
    bool dead = std::ranges::none_of(alive[region], [](bool each) { return each; }) ||
                (!link[third][region] && !link[controller_region][region]);
    if (dead && others_see_each_other && others_serve && !verdict.lost)
      broke(fmt::format("{} is lost for {} ms and nobody believes it", verdict.region, now - quiet_since));
  }

  void check_return(const RegionVerdict& verdict) {
    bool well = std::ranges::all_of(link, [](const auto& row) { return std::ranges::all_of(row, std::identity()); }) &&
                std::ranges::all_of(alive, [](const auto& row) { return std::ranges::all_of(row, std::identity()); });
    if (!well || with_liar || now - quiet_since < kSlackOfTruth + kEvery + kDropped) return;
    if (verdict.lost || verdict.suspected || !verdict.answers)
      broke(verdict.region + " is well and not taken for well");
  }

  std::string play(int64_t length) {
    int64_t next_event = pick(2'000, 6'000);
    for (; now <= length && broken.empty(); now += kTick) {
      if (now >= next_event) {
        something_happens();
        // Short flaps, and spells in which all of it must be noticed.
        next_event = now + (chance(50) ? pick(100, 2'500) : pick(4'000, 12'000));
      }
      for (Observer& each : observers) {
        look_at_truth(each);
        probe(each);
        carry(each);
      }
      for (size_t region = 0; region < 3; ++region) {
        RegionVerdict verdict = judge_region(state, kRegions[region], window, at(now));
        check_belief(region, verdict);
        check_notice(region, verdict);
        check_return(verdict);
      }
    }
    return broken;
  }
};

// How many of the histories break a rule when it is judged so.
int broken_with(Window window) {
  int count = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) count += Histories(seed, window).play(60'000).empty() ? 0 : 1;
  return count;
}

TEST(DetectionHistories, ARegionIsBelievedLostWhenItIsAndNeverOnOneWord) {
  int64_t lost = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    Histories history(seed);
    ASSERT_EQ(history.play(60'000), "") << "seed " << seed;
    lost += history.lost_verdicts;
  }
  EXPECT_GT(lost, 500) << "regions are lost in these histories";
}

TEST(DetectionHistories, EachPartOfTheJudgementIsNeeded) {
  Window one_word = kWindow, at_once = kWindow, old_results = kWindow, three_words = kWindow;
  one_word.quorum = 1;
  at_once.for_ = Duration{0};
  old_results.fresh = Duration{3'600'000};
  three_words.quorum = 3;
  EXPECT_GT(broken_with(one_word), 0);
  EXPECT_GT(broken_with(at_once), 0);
  EXPECT_GT(broken_with(old_results), 0);
  EXPECT_GT(broken_with(three_words), 0);
  EXPECT_EQ(broken_with(kWindow), 0);
}

}  // namespace
}  // namespace lifeboat::detection
