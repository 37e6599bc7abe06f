#include "core/clean_point/entropy.hpp"

#include <gtest/gtest.h>

#include <random>

namespace lifeboat::clean_point {
namespace {

std::vector<std::string> random_texts(std::string_view alphabet, size_t length) {
  std::mt19937_64 random(11);
  std::vector<std::string> out(200);
  for (std::string& text : out) {
    for (size_t index = 0; index < length; ++index)
      text += alphabet.empty() ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
  }
  return out;
}

std::vector<std::string> sentences(size_t words) {
  constexpr std::string_view kWords[] = {"the",  "profile", "of", "a",    "user", "who",  "likes",  "walking",
                                         "near", "the sea", "42", "and",  "has",  "two",  "dogs,",  "called",
                                         "Mira", "or",      "so", "7 km", "away", "from", "Lisbon", "since 2021"};
  std::mt19937_64 random(12);
  std::vector<std::string> out(200);
  for (std::string& text : out) {
    for (size_t index = 0; index < words; ++index) text += std::string(kWords[random() % std::size(kWords)]) + " ";
  }
  return out;
}

double share_of(const std::vector<std::string>& texts) { return count_encrypted(texts).share(); }

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHex = "0123456789abcdef";

TEST(CleanPointEntropy, CiphertextIsSeenInItsUsualSpellings) {
  for (size_t length : {48u, 100u, 400u, 2'000u}) {
    EXPECT_GT(share_of(random_texts(kBase64, length)), 0.8) << "base64, " << length;
    EXPECT_GT(share_of(random_texts(kHex, length)), 0.8) << "hex, " << length;
    EXPECT_GT(share_of(random_texts({}, length)), 0.8) << "bytes, " << length;
  }
}

TEST(CleanPointEntropy, SentencesAndJsonDoNotLookEncrypted) {
  for (size_t words : {8u, 20u, 100u}) EXPECT_LT(share_of(sentences(words)), 0.05) << words;
  std::vector<std::string> json = sentences(12);
  for (std::string& text : json) text = "{\"bio\":\"" + text + "\",\"age\":31,\"likes\":[\"sea\",\"dogs\"]}";
  EXPECT_LT(share_of(json), 0.05);
  EXPECT_LT(share_of(std::vector<std::string>(50, std::string(80, 'x'))), 0.05);
}

TEST(CleanPointEntropy, ShortTextsAreNotCounted) {
  EXPECT_EQ(count_encrypted({}).counted, 0u);
  EXPECT_EQ(count_encrypted(random_texts(kBase64, 10)).counted, 0u);
}

TEST(CleanPointEntropy, OneEncryptedTextAmongPlainOnesIsNewAndKeysAmongKeysAreNot) {
  TextProfile before{{"t.bio", {0, 5'000}}, {"t.token", {900, 1'000}}};
  EXPECT_TRUE(newly_encrypted(before, before).empty());
  EXPECT_TRUE(newly_encrypted(before, {{"t.token", {1'000, 1'080}}}).empty());
  EXPECT_EQ(newly_encrypted(before, {{"t.bio", {1, 5'001}}, {"t.token", {900, 1'000}}}).size(), 1u);
  EXPECT_EQ(newly_encrypted({{"t.hash", {500, 1'000}}}, {{"t.hash", {700, 1'000}}}).size(), 1u);
}

}  // namespace
}  // namespace lifeboat::clean_point
