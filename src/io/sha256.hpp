// SHA-256 of what comes in pieces. The one-shot form is in crypto.hpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/error.hpp"

namespace lifeboat {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(std::string_view piece);
  // Lower-case hex. Nothing may be added afterwards.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of a whole file, read from its beginning, and its length. Blocks; a large one belongs into `blocking`.
struct FileHash {
  std::string sha256;
  uint64_t bytes = 0;
};
Result<FileHash> sha256_of_file(const std::string& path);

}  // namespace lifeboat
