// Whether texts look encrypted: the bytes of words, numbers and markup repeat, those of ciphertext (also in base64 or hex)
// are spread as evenly as they can be.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lifeboat::clean_point {

// Bits per byte.
double entropy_of(std::string_view text);

// Of the texts that are long enough to tell (32 bytes): how many have nearly the most entropy that texts of their length and
// alphabet can have.
struct EncryptedCount {
  size_t encrypted = 0;
  size_t counted = 0;
  double share() const { return counted == 0 ? 0 : static_cast<double>(encrypted) / static_cast<double>(counted); }
};
EncryptedCount count_encrypted(const std::vector<std::string>& texts);

// Of each column of text.
using TextProfile = std::map<std::string, EncryptedCount>;
// Columns in which more looks encrypted than before, in words. Where (nearly) nothing did, one text is enough, so that the
// first transaction that encrypts is found; a column of keys and hashes must grow by a tenth of its texts.
std::vector<std::string> newly_encrypted(const TextProfile& before, const TextProfile& now);

}  // namespace lifeboat::clean_point
