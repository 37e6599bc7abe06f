// This process where a lab's users stand.
#pragma once

#include <string>

#include "lab/system.hpp"

namespace lifeboat::lab {

// In the network of the lab's outside world while this lives.
class Outside {
 public:
  static Result<Outside> enter(const std::string& folder);
  Outside(Outside&&) = default;
  ~Outside();

 private:
  Outside() = default;
  Fd own_;
};

}  // namespace lifeboat::lab
