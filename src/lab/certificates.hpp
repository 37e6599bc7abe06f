// Certificates for pgBackRest's servers: an authority of the lab's own, and one certificate a host, for its name and its address.
// In production an operator makes the same (docs/operators/backups.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat::lab {

struct Certificate {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

class Authority {
 public:
  static Result<Authority> create();
  Authority(Authority&& other) noexcept;
  Authority& operator=(Authority&& other) noexcept;
  ~Authority();

  std::string certificate() const;
  // Valid for a day more than any lab lives. `name` is who it is, `addresses` are where it may be reached.
  Result<Certificate> issue(const std::string& name, const std::vector<std::string>& addresses) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  explicit Authority(std::unique_ptr<State> state);
};

}  // namespace lifeboat::lab
