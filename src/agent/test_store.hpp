// An object store with a key of its own for expiry, as tests of repositories name it.
#pragma once

#include "core/model/backups.hpp"

namespace lifeboat {

inline ObjectStore store_with_expiry_key() {
  return {.bucket = "b",
          .endpoint = "s3.test",
          .region = "eu-1",
          .key = {"id"},
          .key_secret = SecretRef{"key"},
          .expire_key = SecretRef{"expiry-id"},
          .expire_key_secret = SecretRef{"expiry-key"}};
}

}  // namespace lifeboat
