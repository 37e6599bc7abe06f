#include "core/clean_point/search.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

namespace lifeboat::clean_point {
namespace {

struct Outcome {
  std::variant<Probe, Found, NoAnswer> end;
  size_t restores = 0;
  size_t probes = 0;
  double cost = 0;
  size_t flaps = 0;
  std::string reasoning;
};

// Plays a search against a history; fails when it asks a copy to go back, or at a position that is none.
Outcome play(size_t commits, std::vector<Suspect> suspects, Costs costs, const std::function<bool(size_t)>& holds) {
  Search search(commits, std::move(suspects), costs);
  std::optional<size_t> copy;
  Outcome out;
  for (int step = 0; step < 20'000; ++step) {
    auto next = search.next();
    if (auto* probe = std::get_if<Probe>(&next)) {
      EXPECT_LE(probe->position, commits);
      if (!probe->fresh) {
        EXPECT_TRUE(copy && *copy <= probe->position) << "a copy cannot go back";
      }
      EXPECT_FALSE(probe->why.empty());
      copy = probe->position;
      search.answer(holds(probe->position), "a check");
      continue;
    }
    out.end = next;
    out.restores = search.restores();
    out.probes = search.probes();
    out.cost = search.cost();
    out.flaps = search.flaps().size();
    for (const std::string& line : search.reasoning()) out.reasoning += line + "\n";
    return out;
  }
  for (const std::string& line : search.reasoning()) out.reasoning += line + "\n";
  ADD_FAILURE() << "the search does not end: " << out.reasoning.substr(0, 6'000);
  return out;
}

std::optional<size_t> last_good(const Outcome& outcome) {
  auto* found = std::get_if<Found>(&outcome.end);
  return found == nullptr ? std::nullopt : std::optional(found->last_good);
}

TEST(CleanPoint, TheObviousCulpritTakesOneRestore) {
  Costs costs{.restore = 60, .per_commit = 0.0005, .step = 2, .check = 3};
  Outcome outcome = play(10'000, {{7'000, 10, "dropped app.public.orders"}}, costs,
                         [](size_t position) { return position <= 7'000; });
  EXPECT_EQ(last_good(outcome), 7'000u) << outcome.reasoning;
  EXPECT_EQ(outcome.restores, 1u) << outcome.reasoning;
  EXPECT_LE(outcome.cost, 2 * costs.restore) << outcome.reasoning;
}

TEST(CleanPoint, AnyFirstBadCommitOfAHistoryIsFoundExactly) {
  for (size_t commits : {1u, 2u, 3u, 7u, 40u}) {
    for (size_t bad = 1; bad <= commits; ++bad) {
      Outcome outcome = play(commits, {}, {}, [&](size_t position) { return position < bad; });
      EXPECT_EQ(last_good(outcome), bad - 1) << outcome.reasoning;
    }
  }
}

TEST(CleanPoint, DamageOlderThanTheHistoryIsSaid) {
  Outcome outcome = play(1'000, {{500, 1, "updated rows"}}, {}, [](size_t) { return false; });
  ASSERT_TRUE(std::holds_alternative<NoAnswer>(outcome.end));
  EXPECT_EQ(std::get<NoAnswer>(outcome.end), NoAnswer::bad_from_the_start);
}

TEST(CleanPoint, ChecksThatHoldAtTheEndAreSaidToHold) {
  Outcome outcome = play(1'000, {{500, 1, "updated rows"}}, {}, [](size_t) { return true; });
  ASSERT_TRUE(std::holds_alternative<NoAnswer>(outcome.end));
  EXPECT_EQ(std::get<NoAnswer>(outcome.end), NoAnswer::never_bad);
  EXPECT_EQ(outcome.restores, 1u) << outcome.reasoning;
}

TEST(CleanPoint, AnEmptyHistoryHasNothingToFind) {
  Outcome outcome = play(0, {}, {}, [](size_t) { return true; });
  EXPECT_TRUE(std::holds_alternative<NoAnswer>(outcome.end));
}

// A row is missing for a while and comes back; the real damage is later.
TEST(CleanPoint, APassingTroubleIsNotTakenForTheDamage) {
  auto holds = [](size_t position) { return position <= 300 || (position > 310 && position <= 800); };
  Outcome outcome = play(1'000, {{300, 5, "deleted 40 rows of t"}, {800, 1, "deleted 900 rows of t"}}, {}, holds);
  EXPECT_EQ(last_good(outcome), 800u) << outcome.reasoning;
  EXPECT_NE(outcome.reasoning.find("passing"), std::string::npos);
}

// A small database with a long history: questions cost next to nothing, so much that each next commit seemed worth one.
TEST(CleanPoint, CheapQuestionsAreNotAskedCommitByCommit) {
  for (double per_commit : {1e-6, 2.4e-5, 1e-4}) {
    for (double step : {0.005, 0.02, 0.2, 1.0}) {
      for (size_t suspects : {0u, 1u, 20u}) {
        std::vector<Suspect> some;
        for (size_t index = 1; index <= suspects; ++index)
          some.push_back({174'532 / (suspects + 1) * index, 1, "updated rows"});
        Costs costs{.restore = 4, .per_commit = per_commit, .step = step, .check = 0.01};
        Outcome outcome = play(174'532, some, costs, [](size_t position) { return position <= 174'100; });
        EXPECT_EQ(last_good(outcome), 174'100u);
        EXPECT_LE(outcome.cost, 6 * (costs.restore + per_commit * 174'532) + 60 * (step + costs.check))
            << per_commit << ' ' << step << ' ' << suspects;
        // Some 200 questions of 5 ms each save a restore of 4 s.
        EXPECT_LE(outcome.probes, 250u) << per_commit << ' ' << step << ' ' << suspects;
        EXPECT_LE(outcome.restores, 5u) << per_commit << ' ' << step << ' ' << suspects;
      }
    }
  }
}

TEST(CleanPoint, ThousandsOfRandomHistoriesAreFoundToTheCommit) {
  std::mt19937_64 random(20'261'127);
  double typical_cost = 0, typical = 0, any_cost = 0, any = 0;
  for (int history = 0; history < 2'000; ++history) {
    auto draw = [&](size_t most) { return static_cast<size_t>(random() % (most + 1)); };
    size_t commits = 1 + draw(history % 10 == 0 ? 200'000 : 3'000);
    size_t bad = 1 + draw(commits - 1);
    Costs costs{.restore = 5 + static_cast<double>(draw(600)),
                .per_commit = static_cast<double>(draw(20)) / static_cast<double>(commits),
                .step = 0.5 + static_cast<double>(draw(3)),
                .check = 0.1 + static_cast<double>(draw(3))};
    std::vector<Suspect> suspects;
    for (size_t index = draw(8); index > 0; --index)
      suspects.push_back({draw(commits - 1), 1 + static_cast<double>(draw(20)), "changed rows"});
    bool named = draw(3) != 0;
    if (named) suspects.push_back({bad - 1, 5 + static_cast<double>(draw(60)), "did it"});
    Outcome outcome = play(commits, suspects, costs, [&](size_t position) { return position < bad; });
    ASSERT_EQ(last_good(outcome), bad - 1) << "history " << history << "\n" << outcome.reasoning;
    // Never worse than cutting in halves, each with a restore.
    EXPECT_LE(static_cast<double>(outcome.restores), 3 + 2 * std::log2(static_cast<double>(commits) + 2))
        << outcome.reasoning;
    if (named && costs.restore > 60) typical_cost += outcome.cost / costs.restore, ++typical;
    if (costs.restore > 60) any_cost += outcome.cost / costs.restore, ++any;
  }
  RecordProperty("typical", std::to_string(typical_cost / typical));
  EXPECT_LE(typical_cost / typical, 2.0) << "in restores, when forensics names the culprit among others";
  EXPECT_LE(any_cost / any, 4.0) << "in restores, over all";
}

TEST(CleanPoint, WhateverFlapsTheAnswerWasMeasuredOnBothSides) {
  std::mt19937_64 random(7);
  size_t told = 0;
  for (int history = 0; history < 500; ++history) {
    size_t commits = 5 + random() % 2'000;
    std::vector<bool> holds(commits + 1);
    bool now = true;
    for (size_t position = 0; position <= commits; ++position) {
      if (random() % (commits / 5 + 1) == 0) now = !now;
      holds[position] = now;
    }
    Outcome outcome = play(commits, {{random() % commits, 3, "a"}, {random() % commits, 2, "b"}}, {},
                           [&](size_t position) { return static_cast<bool>(holds[position]); });
    if (auto good = last_good(outcome)) {
      EXPECT_TRUE(holds[*good]);
      EXPECT_FALSE(holds[*good + 1]);
    }
    told += outcome.flaps;
  }
  EXPECT_GT(told, 10u);
}

}  // namespace
}  // namespace lifeboat::clean_point
