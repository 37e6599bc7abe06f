#include "io/sha256.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "io/crypto.hpp"

namespace lifeboat {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() {
    if (context == nullptr || EVP_DigestInit_ex(context, EVP_sha256(), nullptr) != 1) std::abort();
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(std::string_view piece) {
  if (EVP_DigestUpdate(state_->context, piece.data(), piece.size()) != 1) std::abort();
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(state_->context, digest.data(), &length) != 1) std::abort();
  return to_hex({reinterpret_cast<const char*>(digest.data()), length});
}

Result<FileHash> sha256_of_file(const std::string& path) {
  auto failed = [&](std::string_view verb) {
    ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::refused;
    return fail(kind, fmt::format("{} {}: {}", verb, path, std::system_category().message(errno)));
  };
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return failed("open");
  Sha256 hash;
  FileHash out;
  std::string piece(1 << 20, '\0');
  while (true) {
    ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      auto error = failed("read");
      ::close(fd);
      return error;
    }
    if (got == 0) break;
    hash.add(std::string_view(piece).substr(0, static_cast<size_t>(got)));
    out.bytes += static_cast<uint64_t>(got);
  }
  ::close(fd);
  out.sha256 = hash.finish();
  return out;
}

}  // namespace lifeboat
