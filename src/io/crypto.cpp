#include "io/crypto.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace lifeboat {
namespace {

const unsigned char* bytes_of(std::string_view data) { return reinterpret_cast<const unsigned char*>(data.data()); }

}  // namespace

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string sha256_hex(std::string_view data) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  if (SHA256(bytes_of(data), data.size(), reinterpret_cast<unsigned char*>(digest.data())) == nullptr) std::abort();
  return to_hex(digest);
}

std::string hmac_sha256(std::string_view key, std::string_view data) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned int length = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(data), data.size(),
           reinterpret_cast<unsigned char*>(digest.data()), &length) == nullptr)
    std::abort();
  return digest;
}

std::string hmac_sha256_hex(std::string_view key, std::string_view data) { return to_hex(hmac_sha256(key, data)); }

namespace {

std::string scram_verifier(std::string_view password, std::string_view salt, int rounds) {
  std::string salted(SHA256_DIGEST_LENGTH, '\0'), stored(SHA256_DIGEST_LENGTH, '\0');
  if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                        static_cast<int>(salt.size()), rounds, EVP_sha256(), SHA256_DIGEST_LENGTH,
                        reinterpret_cast<unsigned char*>(salted.data())) != 1)
    std::abort();
  std::string client = hmac_sha256(salted, "Client Key");
  if (SHA256(bytes_of(client), client.size(), reinterpret_cast<unsigned char*>(stored.data())) == nullptr) std::abort();
  return "SCRAM-SHA-256$" + std::to_string(rounds) + ":" + base64_encode(salt) + "$" + base64_encode(stored) + ":" +
         base64_encode(hmac_sha256(salted, "Server Key"));
}

}  // namespace

std::string scram_verifier(std::string_view password, std::string_view salt) {
  return scram_verifier(password, salt, 4096);  // what PostgreSQL 15 takes by default
}

bool scram_fits(std::string_view verifier, std::string_view password) {
  constexpr std::string_view kForm = "SCRAM-SHA-256$";
  constexpr int kRoundsMost = 100'000;  // some 50 ms; a verifier is somebody else's text
  if (!verifier.starts_with(kForm)) return false;
  std::string_view rest = verifier.substr(kForm.size());
  size_t colon = rest.find(':'), dollar = rest.find('$');
  if (colon == std::string_view::npos || dollar == std::string_view::npos || dollar < colon) return false;
  int rounds = 0;
  auto [end, problem] = std::from_chars(rest.data(), rest.data() + colon, rounds);
  if (problem != std::errc() || end != rest.data() + colon || rounds < 1 || rounds > kRoundsMost) return false;
  auto salt = base64_decode(rest.substr(colon + 1, dollar - colon - 1));
  return salt && equal_in_constant_time(scram_verifier(password, *salt, rounds), verifier);
}

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // OpenSSL ends its output with a NUL
  int length =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(bytes), static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(length));
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.empty()) return std::string();
  // EVP_DecodeBlock skips blanks around the text; strict means that it may not.
  auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.size() % 4 != 0) return std::nullopt;
  for (char c : text.substr(0, text.size() - padding)) {
    if (!allowed(c)) return std::nullopt;
  }
  std::string out(text.size() / 4 * 3, '\0');
  int length =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(text), static_cast<int>(text.size()));
  if (length < 0) return std::nullopt;
  out.resize(static_cast<size_t>(length) - padding);
  return out;
}

std::string random_bytes(size_t count) {
  std::string out(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(count)) != 1) std::abort();
  return out;
}

std::string random_hex(size_t bytes) { return to_hex(random_bytes(bytes)); }

bool equal_in_constant_time(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace lifeboat
