#include "core/data/decode.hpp"

#include <gtest/gtest.h>

#include "core/data/encode.hpp"
#include "core/data/schema.hpp"
#include "core/model/plan.hpp"

namespace lifeboat {
namespace {

Json json(std::string_view text) { return parse_json(text).value(); }

TEST(Decode, ReadsADescribedStruct) {
  auto objectives = decode<Objectives>(json(R"({"rto":"4h","rpo":"15m","availability":"99.9%"})"));
  ASSERT_TRUE(objectives);
  EXPECT_EQ(objectives->rto, std::chrono::hours(4));
  EXPECT_EQ(objectives->availability->value, 99.9);
}

TEST(Decode, NamesAnUnknownKeyAndTheOneThatWasMeant) {
  auto objectives = decode<Objectives>(json(R"({"rto":"4h","rpo":"15m","avialability":"99.9%"})"), "/objectives");
  ASSERT_FALSE(objectives);
  ASSERT_EQ(objectives.error().size(), 1u);
  EXPECT_EQ(objectives.error()[0].path, "/objectives/avialability");
  EXPECT_EQ(objectives.error()[0].suggestion, "did you mean 'availability'?");
}

TEST(Decode, CollectsAllProblemsAtOnce) {
  auto objectives = decode<Objectives>(json(R"({"rto":4})"));
  ASSERT_FALSE(objectives);
  EXPECT_EQ(objectives.error().size(), 2u);
}

TEST(Decode, ChoosesAnAlternativeByKind) {
  auto service = decode<Service>(json(R"({"kind":"external","vendor":"someone"})"));
  ASSERT_TRUE(service);
  EXPECT_TRUE(std::holds_alternative<ExternalService>(*service));
  EXPECT_FALSE(decode<Service>(json(R"({"kind":"postgrse"})")));
}

TEST(Decode, GivesBackWhatWasEncoded) {
  auto step =
      decode<Step>(json(R"({"id":"a","uses":"wait","with":{"for":"2s"},"if":"true","retries":{"attempts":3}})"));
  ASSERT_TRUE(step);
  auto again = decode<Step>(encode(*step));
  ASSERT_TRUE(again);
  EXPECT_EQ(to_text(encode(*again)), to_text(encode(*step)));
  EXPECT_EQ(again->if_, "true");
}

TEST(Schema, DescribesThePlan) {
  Json schema = schema_of<Plan>();
  EXPECT_EQ(text_or(schema, "type"), "object");
  EXPECT_TRUE(member(member(schema, "properties"), "scenarios").is_object());
}

TEST(Json, RefusesAKeyThatStandsTwice) {
  EXPECT_FALSE(parse_json(R"({"a":1,"a":2})"));
  EXPECT_TRUE(parse_json(R"({"a":{"b":1},"c":[{"b":2}]})"));
  EXPECT_FALSE(parse_json(R"({"a":1} x)"));
}

}  // namespace
}  // namespace lifeboat
