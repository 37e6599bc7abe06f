// Plans that are broken in all the ways people, editors and enemies break them. Each is refused, soon, with the place.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "plan/load.hpp"
#include "plan/rules/rule.hpp"
#include "plan/test_support.hpp"

namespace lifeboat {
namespace {

const ActionCatalogue& actions() {
  static const ActionCatalogue catalogue = lenient_actions();
  return catalogue;
}

// True when it was refused. Either way it must be judged soon, and a refusal must say where and why.
bool refused_with_position(const std::string& text, const std::string& name) {
  auto start = std::chrono::steady_clock::now();
  auto loaded = load_plan_text(text, name, actions());
  auto took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took, std::chrono::seconds(5)) << name;
  if (loaded) {
    judge({loaded->plan, actions(), {2024, 1, 1}}, loaded->positions, name);
    return false;
  }
  EXPECT_FALSE(loaded.error().findings.empty()) << name;
  auto lines = std::ranges::count(text, '\n') + 1;
  for (const Finding& finding : loaded.error().findings) {
    EXPECT_GE(finding.at.line, 1) << name;
    EXPECT_LE(finding.at.line, lines + 1) << name << one_line(finding);
    EXPECT_GE(finding.at.column, 1) << name;
    EXPECT_FALSE(finding.message.empty()) << name;
    // Nothing that could move a terminal's cursor gets into a message.
    EXPECT_TRUE(std::ranges::none_of(one_line(finding), [](char c) { return c == '\x1b' || c == '\0' || c == '\r'; }))
        << name;
  }
  return true;
}

TEST(Malformed, EachOfTheCorpusIsRefusedWithItsPosition) {
  int bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(LIFEBOAT_SOURCE_DIR) + "/src/plan/corpus")) {
    std::string name = entry.path().filename().string();
    bool refused = refused_with_position(source_file("src/plan/corpus/" + name), name);
    EXPECT_EQ(refused, name.starts_with("bad_")) << name;
    bad += refused ? 1 : 0;
  }
  EXPECT_GE(bad, 150);
}

TEST(Malformed, HugePlansAreRefused) {
  std::string steps, keys, cycle;
  for (int index = 0; index < 5000; ++index) {
    steps += "- {id: s" + std::to_string(index) + ", uses: wait}\n";
    keys += "key" + std::to_string(index) + ": {a: 1}\n";
  }
  EXPECT_TRUE(refused_with_position(steps, "steps"));
  EXPECT_TRUE(refused_with_position(keys, "keys"));
  EXPECT_TRUE(refused_with_position(std::string(2 * 1024 * 1024, 'a'), "one word"));
  EXPECT_TRUE(refused_with_position(std::string(1024 * 1024, '['), "brackets"));
  EXPECT_TRUE(refused_with_position(std::string(1024 * 1024, '{'), "braces"));
  EXPECT_TRUE(refused_with_position(std::string(1024 * 1024, '-'), "dashes"));
  EXPECT_TRUE(refused_with_position("a: " + std::string(1024 * 1024 - 10, '\''), "quotes"));
  EXPECT_TRUE(refused_with_position("? " + std::string(1024 * 1024 - 10, '?'), "question marks"));
  std::string dashes;
  while (dashes.size() < 500'000) dashes += "- ";
  EXPECT_TRUE(refused_with_position(dashes, "dashes apart"));
  std::string newlines(1024 * 1024, '\n');
  EXPECT_TRUE(refused_with_position(newlines, "lines"));
}

struct Mutation {
  std::string name;
  std::string text;
};

std::vector<size_t> line_starts(const std::string& text) {
  std::vector<size_t> out{0};
  for (size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] == '\n') out.push_back(at + 1);
  }
  return out;
}

// Deterministic: every line in turn, each with one of the ways to break a line.
std::vector<Mutation> mutations_of(const std::string& text) {
  std::vector<Mutation> out;
  std::vector<size_t> starts = line_starts(text);
  auto add = [&](std::string_view how, size_t line, std::string mutated) {
    out.push_back({std::string(how) + " line " + std::to_string(line + 1), std::move(mutated)});
  };
  for (size_t line = 0; line < starts.size(); ++line) {
    size_t start = starts[line];
    size_t end = line + 1 < starts.size() ? starts[line + 1] : text.size();
    std::string body = text.substr(start, end - start);
    auto with = [&](const std::string& changed) { return text.substr(0, start) + changed + text.substr(end); };
    auto replaced = [&](std::string_view from, std::string_view to) {
      size_t at = body.find(from);
      return at == std::string::npos ? std::string()
                                     : with(body.substr(0, at) + std::string(to) + body.substr(at + from.size()));
    };
    std::string changed;
    switch (line % 12) {
      case 0: changed = with(""); break;
      case 1: changed = with(body + body); break;
      case 2: changed = with("\t" + body); break;
      case 3: changed = replaced(": ", " "); break;
      case 4: changed = replaced("uses: ", "usse: "); break;
      case 5: changed = replaced("}", ""); break;
      case 6: changed = replaced(": ", ": &x "); break;
      case 7: changed = replaced("e", std::string_view("\0", 1)); break;
      case 8: changed = replaced("id: ", "id: X"); break;
      case 9: changed = replaced("needs: [", "needs: [no-such-step, "); break;
      case 10: changed = replaced("a", "\xff"); break;
      default: changed = text.substr(0, start + (end - start) / 2); break;
    }
    if (!changed.empty()) add("way " + std::to_string(line % 12), line, std::move(changed));
    // Judging a plan takes a while under sanitizers: the rest is tried on every fourth line.
    if (line % 4 != 0) continue;
    if (std::string swapped = replaced("s: ", "z: "); !swapped.empty()) add("key", line, std::move(swapped));
    if (std::string nothing = replaced("service: ", "service: x-"); !nothing.empty())
      add("service", line, std::move(nothing));
    if (std::string nothing = replaced("primary: ", "primary: x-"); !nothing.empty())
      add("primary", line, std::move(nothing));
    if (std::string longer = replaced("timeout: ", "timeout: 9e9"); !longer.empty())
      add("timeout", line, std::move(longer));
  }
  return out;
}

TEST(Malformed, TwoHundredMutationsOfTheReferencePlanAreRefused) {
  std::string text = source_file("examples/dating-profile-optimizer/plan.yaml");
  ASSERT_FALSE(text.empty());
  std::set<std::string> refused;
  size_t valid = 0;
  for (const Mutation& mutation : mutations_of(text)) {
    if (refused_with_position(mutation.text, mutation.name)) {
      refused.insert(mutation.text);
    } else {
      ++valid;
    }
  }
  EXPECT_GE(refused.size(), 200u);
  RecordProperty("refused", static_cast<int>(refused.size()));
  RecordProperty("still_valid", static_cast<int>(valid));
  std::cout << refused.size() << " mutations refused, " << valid << " still valid\n";
}

TEST(Malformed, APlanCutAtAnyByteNeverCrashes) {
  std::string text = source_file("examples/postgres-pair/plan.yaml");
  for (size_t length = 0; length < text.size(); length += 7) refused_with_position(text.substr(0, length), "cut");
}

}  // namespace
}  // namespace lifeboat
