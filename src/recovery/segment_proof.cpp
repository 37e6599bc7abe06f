#include "recovery/segment_proof.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

std::string sha1_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_DigestInit_ex(context, EVP_sha1(), nullptr);
  std::vector<char> buffer(1 << 18);
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) || in.gcount() > 0)
    EVP_DigestUpdate(context, buffer.data(), static_cast<size_t>(in.gcount()));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_DigestFinal_ex(context, digest, &length);
  EVP_MD_CTX_free(context);
  // What OpenSSL keeps for each thread is given back at the thread's end, and those of the pool have none.
  OPENSSL_thread_stop();
  std::string out;
  for (unsigned index = 0; index < length; ++index) out += fmt::format("{:02x}", digest[index]);
  return out;
}

}  // namespace

std::string fault_of(const std::string& path, const WalSegment& segment, uint64_t segment_bytes) {
  std::error_code problem;
  uint64_t size = fs::file_size(path, problem);
  if (problem) return "it could not be read: " + problem.message();
  if (size != segment_bytes) return fmt::format("it has {} bytes instead of {}: truncated", size, segment_bytes);
  if (segment.sha1.empty()) return {};
  return sha1_of(path) == segment.sha1 ? "" : "its content is not what was archived: its checksum differs";
}

}  // namespace lifeboat::recovery
