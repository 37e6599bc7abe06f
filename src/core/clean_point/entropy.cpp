#include "core/clean_point/entropy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace lifeboat::clean_point {

double entropy_of(std::string_view text) {
  if (text.empty()) return 0;
  std::array<size_t, 256> counts{};
  for (char c : text) ++counts[static_cast<unsigned char>(c)];
  double bits = 0;
  for (size_t count : counts) {
    if (count == 0) continue;
    double share = static_cast<double>(count) / static_cast<double>(text.size());
    bits -= share * std::log2(share);
  }
  return bits;
}

namespace {

constexpr size_t kLongEnough = 32;
constexpr double kNear = 0.94;  // of what random text has; single texts scatter by a few per cent

bool only_of(std::string_view text, std::string_view alphabet) { return text.find_first_not_of(alphabet) == text.npos; }

// What `length` random letters of an alphabet have on average: less than the alphabet's own bits, since a short text cannot
// hold all letters equally often. Each letter's count is nearly a Poisson number.
double expected_entropy(double letters, size_t length) {
  auto n = static_cast<double>(length);
  double mean = n / letters, sum = 0, likelihood = std::exp(-mean);
  for (double count = 1; count < mean + 10 * std::sqrt(mean) + 20; ++count) {
    likelihood *= mean / count;
    sum += likelihood * count * std::log2(count);
  }
  return std::log2(n) - letters / n * sum;
}

bool looks_encrypted(std::string_view text) {
  // PostgreSQL writes bytea as \x….
  if (text.starts_with("\\x")) text.remove_prefix(2);
  if (text.find(' ') != text.npos && only_of(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,;:!?'\"-\n"))
    return false;
  double letters = only_of(text, "0123456789abcdefABCDEF")                                                  ? 16
                   : only_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_\n") ? 64
                                                                                                            : 256;
  // Numbers are of a small alphabet too; a text of digits alone tells nothing.
  if (only_of(text, "0123456789.,:- ")) return false;
  return entropy_of(text) >= kNear * expected_entropy(letters, text.size());
}

}  // namespace

EncryptedCount count_encrypted(const std::vector<std::string>& texts) {
  EncryptedCount out;
  for (const std::string& text : texts) {
    if (text.size() < kLongEnough) continue;
    ++out.counted;
    if (looks_encrypted(text)) ++out.encrypted;
  }
  return out;
}

std::vector<std::string> newly_encrypted(const TextProfile& before, const TextProfile& now) {
  constexpr double kHardlyAny = 0.005, kMore = 0.1;
  std::vector<std::string> out;
  for (const auto& [column, count] : now) {
    auto found = before.find(column);
    EncryptedCount was = found == before.end() ? EncryptedCount{} : found->second;
    bool more = was.share() < kHardlyAny ? count.encrypted > was.encrypted : count.share() > was.share() + kMore;
    if (more)
      out.push_back(fmt::format("{} of {} texts of {} look encrypted, {} of {} did in the backup", count.encrypted,
                                count.counted, column, was.encrypted, was.counted));
  }
  return out;
}

}  // namespace lifeboat::clean_point
