#include "plan/yaml.hpp"

#include <gtest/gtest.h>

#include "plan/plain_scalar.hpp"

namespace lifeboat {
namespace {

std::string text_of(std::string_view yaml) {
  auto document = parse_yaml(yaml);
  return document ? to_text(document->value)
                  : "refused " + std::to_string(document.error().at.line) + ":" +
                        std::to_string(document.error().at.column) + " " + document.error().message;
}

TEST(Yaml, ReadsWhatAllReadersAgreeOn) {
  EXPECT_EQ(text_of("a: 1\nb: [x, -2, 2.5, true, null, \"no\"]\nc: {d: 'e'}\nf: |\n  line\n  other\n"),
            R"({"a":1,"b":["x",-2,2.5E0,true,null,"no"],"c":{"d":"e"},"f":"line\nother\n"})");
  EXPECT_EQ(
      text_of("a: 30s\nb: 2024-01-15\nc: 10.1.0.3\nd: 1.2.3\ne:\nf: 99.9%\ng: +1-555-0101\nh: 2h..4h\n"),
      R"({"a":"30s","b":"2024-01-15","c":"10.1.0.3","d":"1.2.3","e":null,"f":"99.9%","g":"+1-555-0101","h":"2h..4h"})");
}

TEST(Yaml, RefusesPlainScalarsThatReadersDisagreeOn) {
  for (std::string_view word : {"yes",
                                "No",
                                "ON",
                                "off",
                                "y",
                                "N",
                                "~",
                                "True",
                                "NULL",
                                "012",
                                "0x1F",
                                "0o17",
                                "0b10",
                                "1e3",
                                "1.5E-7",
                                "12:30",
                                "12:30:45",
                                "1_000",
                                "+5",
                                ".5",
                                "5.",
                                "-0",
                                ".inf",
                                "-.INF",
                                ".nan",
                                "NaN",
                                "Infinity",
                                "-inf",
                                "99999999999999999999",
                                "<<"}) {
    EXPECT_FALSE(plain_scalar(word)) << word;
    EXPECT_TRUE(text_of("a: " + std::string(word)).starts_with("refused 1:4"))
        << word << text_of("a: " + std::string(word));
    EXPECT_FALSE(text_of("a: \"" + std::string(word) + "\"").starts_with("refused")) << word;
  }
}

TEST(Yaml, RefusesWhatChangesTheMeaningOfTheRest) {
  for (std::string_view yaml : {"a: &x 1\nb: *x\n", "a: &x {b: 1}\n", "a: !!binary aGk=\n", "a: ! 12\n", "a: !mine x\n",
                                "%YAML 1.1\n---\na: 1\n", "%TAG ! tag:x,2000:\n---\na: 1\n", "a: 1\n---\nb: 2\n",
                                "a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "? [a]\n: 1\n", "1: a\n", "? {a: b}\n: 1\n", "",
                                "# nothing\n", "<<: {a: 1}\n", "- ! [a]\n"}) {
    EXPECT_TRUE(text_of(yaml).starts_with("refused")) << yaml << text_of(yaml);
  }
}

TEST(Yaml, RefusesTextThatHidesSomething) {
  using namespace std::string_literals;
  for (const std::string& yaml : {"a: b\0c\n"s, "a: \x1b[31m\n"s, "a: \xe2\x80\xae\n"s, "a: \xe2\x80\x8b\n"s,
                                  "\xef\xbb\xbf"
                                  "a: 1\n"s,
                                  "a: \xc0\xaf\n"s, "a: \xed\xa0\x80\n"s, "a: \xff\xfe\n"s, "a: \xf4\x90\x80\x80\n"s,
                                  "a: \xe2\x80\n"s, "a: b\rc: d\n"s, "a: \"\\0\"\n"s, "a: \"\\e[2J\"\n"s,
                                  "a: \"\\u202e\"\n"s, "a: \xc2\x85\n"s, "a: \"\\ud800\"\n"s, "a: \x7f\n"s}) {
    EXPECT_TRUE(text_of(yaml).starts_with("refused 1:")) << yaml << text_of(yaml);
  }
  EXPECT_EQ(text_of("a: 'gr\xc3\xbc\xc3\x9f dich'\r\nb: 1\r\n"), "{\"a\":\"gr\xc3\xbc\xc3\x9f dich\",\"b\":1}");
}

TEST(Yaml, CountsColumnsInCharacters) {
  EXPECT_EQ(text_of("gr\xc3\xbc\xc3\x9f: yes"),
            "refused 1:7 'yes' means true, false, nothing or text, depending on the reader");
}

TEST(Yaml, HoldsItsLimits) {
  std::string deep, wide = "a: [";
  for (int level = 0; level < 33; ++level) deep += "[";
  for (int item = 0; item < 10'001; ++item) wide += "1,";
  EXPECT_NE(text_of(deep).find("32 levels"), std::string::npos);
  EXPECT_NE(text_of(std::string(100'000, '[')).find("32 levels"), std::string::npos);
  EXPECT_NE(text_of(wide + "]").find("10,000 values"), std::string::npos);
  EXPECT_NE(text_of("a: \"" + std::string(65'537, 'x') + "\"").find("64 KiB"), std::string::npos);
  EXPECT_NE(text_of(std::string(kLargestPlan + 1, '#')).find("1 MiB"), std::string::npos);
  EXPECT_NE(text_of(std::string(300, 'k') + ": 1").find("256 bytes"), std::string::npos);
}

TEST(Yaml, KnowsWhereEachValueAndKeyStands) {
  auto document = parse_yaml("a:\n  b: [x, z]\n  c/d: 1\n");
  ASSERT_TRUE(document);
  const Positions& at = document->positions;
  EXPECT_EQ(at.at("/a/b/1"), (Position{2, 10}));
  EXPECT_EQ(at.at("/a/c~1d"), (Position{3, 8}));
  EXPECT_EQ(at.at("/a/c~1d", true), (Position{3, 3}));
  EXPECT_EQ(at.at("/a/missing/deeper"), (Position{1, 1}));
  EXPECT_EQ(at.at("/nowhere"), (Position{1, 1}));
}

}  // namespace
}  // namespace lifeboat
