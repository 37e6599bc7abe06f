#include "store/chain.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <stdexcept>

#include "core/data/json.hpp"

namespace lifeboat {

std::string chain_root() { return std::string(64, '0'); }

std::string chain_hash(std::string_view previous, uint64_t seq, WallTime at, std::string_view stream,
                       std::string_view kind, std::string_view body) {
  std::string text(previous);
  // The keys in sorted order, as to_canonical_text writes them.
  text += fmt::format(R"({{"at":"{}","body":{},"kind":{},"seq":{},"stream":{}}})", format_wall(at), body,
                      to_text(Json(kind)), seq, to_text(Json(stream)));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("SHA-256 is not available");
  std::string hex;
  for (unsigned int index = 0; index < size; ++index) hex += fmt::format("{:02x}", digest[index]);
  return hex;
}

}  // namespace lifeboat
