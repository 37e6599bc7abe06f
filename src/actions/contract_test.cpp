// What every action promises about itself, checked for all that the registry knows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "actions/reference.hpp"
#include "actions/registry.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

// Flow-style YAML as the examples use it, read as far as the test needs: the keys directly inside `with`.
std::set<std::string> keys_of_with(std::string_view example) {
  std::set<std::string> keys;
  size_t at = example.find("with: {");
  if (at == std::string_view::npos) return keys;
  int depth = 0;
  bool quoted = false;
  std::string word;
  for (at += 6; at < example.size(); ++at) {
    char c = example[at];
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '{' || c == '[') {
      ++depth;
      word.clear();
    } else if (c == '}' || c == ']') {
      if (--depth == 0) break;
    } else if (c == ':' && depth == 1) {
      if (!word.empty()) keys.insert(word);
      word.clear();
    } else if (c == ',' || c == ' ' || c == '\n') {
      word.clear();
    } else {
      word += c;
    }
  }
  return keys;
}

TEST(Actions, AreSortedAndNamedOnce) {
  std::vector<std::string> names = action_names();
  EXPECT_GE(names.size(), 26u);
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names) EXPECT_EQ(find_action(name)->name, name);
  EXPECT_EQ(find_action("postgres.failovr"), nullptr);
}

TEST(Actions, SayWhatTheyDoAndShowIt) {
  for (const ActionDescriptor* action : all_actions()) {
    SCOPED_TRACE(action->name);
    EXPECT_TRUE(action->summary.ends_with('.'));
    EXPECT_LT(action->summary.size(), 120u);
    EXPECT_GT(action->details.size(), 20u);
    EXPECT_THAT(std::string(action->example), testing::HasSubstr(fmt::format("uses: {}", action->name)));
    EXPECT_GT(action->usual_timeout.count(), 0);
    ASSERT_NE(action->schema, nullptr);
    ASSERT_NE(action->validate, nullptr);
  }
}

TEST(Actions, AreCarriedOutByThemselvesUnlessPeopleOrTimeAreAllTheyNeed) {
  for (const ActionDescriptor* action : all_actions()) {
    SCOPED_TRACE(action->name);
    bool by_executor =
        action->kind == ActionKind::approval || action->kind == ActionKind::manual || action->kind == ActionKind::wait;
    EXPECT_EQ(action->make == nullptr, by_executor);
  }
}

TEST(Actions, DocumentEachParameter) {
  for (const ActionDescriptor* action : all_actions()) {
    SCOPED_TRACE(action->name);
    Json schema = action->schema();
    EXPECT_EQ(text_or(schema, "type"), "object");
    EXPECT_FALSE(bool_or(schema, "additionalProperties", true));
    const Json& properties = member(schema, "properties");
    ASSERT_TRUE(properties.is_object());
    for (const auto& [name, property] : properties.get_object())
      EXPECT_GT(text_or(property, "description").size(), 3u) << std::string_view(name);
  }
}

TEST(Actions, ShowOnlyParametersThatExistAndAllThatAreRequired) {
  for (const ActionDescriptor* action : all_actions()) {
    SCOPED_TRACE(action->name);
    Json schema = action->schema();
    std::set<std::string> shown = keys_of_with(action->example);
    for (const std::string& key : shown) EXPECT_TRUE(member(schema, "properties").get_object().contains(key)) << key;
    for (const Json& required : member(schema, "required").get_array())
      EXPECT_TRUE(shown.contains(std::string(required.get_string()))) << required;
  }
}

TEST(Actions, RefuseParametersOfAnotherShape) {
  Plan plan;
  for (const ActionDescriptor* action : all_actions()) {
    SCOPED_TRACE(action->name);
    EXPECT_FALSE(action->validate(Json(JsonArray{}), plan).empty());
    EXPECT_FALSE(action->validate(Json("text"), plan).empty());
    auto unknown = action->validate(JsonObject{{"no-such-parameter", 1}}, plan);
    EXPECT_FALSE(unknown.empty());
    if (action->make != nullptr) {
      EXPECT_FALSE(action->make(JsonObject{{"no-such-parameter", 1}}).has_value());
    }
    Json schema = action->schema();
    for (const auto& [name, property] : member(schema, "properties").get_object()) {
      if (property.get_object().size() == 1) continue;  // any value
      // A list of lists fits no parameter of any action.
      JsonObject with;
      with[name] = *parse_json("[[]]");
      EXPECT_FALSE(action->validate(with, plan).empty()) << std::string_view(name);
    }
  }
}

TEST(Actions, RefuseReferencesThatThePlanDoesNotHave) {
  Plan plan;
  plan.services.add("database", PostgresService{});
  auto problems = find_action("postgres.failover")->validate(JsonObject{{"service", "databse"}, {"to", "west"}}, plan);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].path, "/service");
  EXPECT_THAT(problems[0].suggestion, testing::HasSubstr("database"));
}

TEST(Actions, AreExplainedForPeople) {
  for (const ActionDescriptor* action : all_actions()) {
    auto text = explain_action(action->name);
    ASSERT_TRUE(text.has_value());
    EXPECT_THAT(*text, testing::HasSubstr(std::string(action->example.substr(0, 20))));
  }
  auto unknown = explain_action("dns.swtich");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind, ErrorKind::not_found);
  EXPECT_THAT(unknown.error().hint, testing::HasSubstr("dns.switch"));
  std::string page = actions_markdown();
  for (const std::string& name : action_names()) EXPECT_THAT(page, testing::HasSubstr("\n## " + name + "\n"));
}

// After a change: lifeboat explain --markdown > docs/actions.md
TEST(Actions, AreDescribedByThePageInDocs) {
  auto page = read_file(std::string(LIFEBOAT_SOURCE_DIR) + "/docs/actions.md");
  ASSERT_TRUE(page.has_value()) << page.error().text();
  EXPECT_TRUE(*page == actions_markdown()) << "docs/actions.md is old: lifeboat explain --markdown > docs/actions.md";
}

}  // namespace
}  // namespace lifeboat
