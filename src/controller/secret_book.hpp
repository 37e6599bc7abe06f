// Which generation of each secret counts. A fold of the journal's stream "secrets": it names secrets and numbers, never a value.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "actions/world.hpp"
#include "io/secrets.hpp"
#include "store/store.hpp"

namespace lifeboat {

class SecretBook : public Credentials {
 public:
  // `changed` is called after a secret was renewed.
  SecretBook(Store& store, Secrets& secrets, std::function<void()> changed)
      : store_(store), secrets_(secrets), changed_(std::move(changed)) {}

  // Reads what the journal knows. Must be over before a secret is used that can be renewed.
  Task<Result<>> start();

  std::string renewed_by(std::string secret) override;
  Task<Result<void>> renewed(std::string secret, std::string run) override;

 private:
  Store& store_;
  Secrets& secrets_;
  std::function<void()> changed_;
  std::map<std::string, std::string> by_run_;

  void fold(const StoredEvent& event);
};

}  // namespace lifeboat
