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

// Of a whole file, read from its beginning. Blocks; a large one belongs into `blocking`.
Result<std::string> sha256_of_file(const std::string& path);

}  // namespace lifeboat
