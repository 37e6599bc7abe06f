// Hashes, signatures and random bytes, by OpenSSL. Nothing here blocks or fails for valid input; when the library
// itself fails the process ends, since going on without it would be going on unsigned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lifeboat {

// Lower-case hex of SHA-256.
std::string sha256_hex(std::string_view data);
// HMAC-SHA256 (RFC 2104), 32 bytes, and as lower-case hex.
std::string hmac_sha256(std::string_view key, std::string_view data);
std::string hmac_sha256_hex(std::string_view key, std::string_view data);

// What PostgreSQL keeps of a password (RFC 5803 form, "SCRAM-SHA-256$4096:SALT$STORED:SERVER"; RFC 5802 and 7677): it can be checked
// with it, but nobody can log in with it. `salt`: 16 random bytes. The password must be printable ASCII, since SASLprep is not done.
std::string scram_verifier(std::string_view password, std::string_view salt);
// Whether such a verifier is of that password; false for what is none.
bool scram_fits(std::string_view verifier, std::string_view password);

std::string to_hex(std::string_view bytes);
std::string base64_encode(std::string_view bytes);
// Strict: padded, no spaces. Nothing for anything else.
std::optional<std::string> base64_decode(std::string_view text);

std::string random_bytes(size_t count);
// `bytes` random bytes as 2 × `bytes` hex digits.
std::string random_hex(size_t bytes);

// Takes the same time whether the first or the last byte differs. Lengths are not hidden.
bool equal_in_constant_time(std::string_view left, std::string_view right);

}  // namespace lifeboat
