#include "core/backup/expiry.hpp"

#include <gtest/gtest.h>

namespace lifeboat::backup {
namespace {

ObjectStore s3() {
  ObjectStore store;
  store.bucket = "b";
  store.key = {"id"};
  store.key_secret = SecretRef{"key"};
  store.expire_key = SecretRef{"expiry-id"};
  store.expire_key_secret = SecretRef{"expiry-key"};
  return store;
}

TEST(ExpiryKey, IsTakenForWhereThereIsOneAndNowhereElse) {
  Backups backups;
  backups.store = s3();
  backups.second = SecondRepository{.path = "/more", .cipher_pass = {}, .store = s3()};
  backups.second->store->expire_key.reset();
  backups.second->store->expire_key_secret.reset();
  EXPECT_TRUE(has_expiry_key(backups, 1));
  EXPECT_FALSE(has_expiry_key(backups, 2));
  Backups expires = with_expiry_keys(backups);
  EXPECT_EQ(expires.store->key.name, "expiry-id");
  EXPECT_EQ(expires.store->key_secret->name, "expiry-key");
  EXPECT_EQ(expires.second->store->key.name, "id");
  EXPECT_EQ(expires.second->store->key_secret->name, "key");
  EXPECT_FALSE(has_expiry_key(Backups{}, 1)) << "a folder has no keys";
}

TEST(ExpiryKey, OfAzureTheAccountStays) {
  Backups backups;
  backups.store = s3();
  backups.store->kind = ObjectStoreKind::azure;
  EXPECT_NE(expiry_key_flaw(*backups.store), "");
  backups.store->expire_key.reset();
  EXPECT_EQ(expiry_key_flaw(*backups.store), "");
  Backups expires = with_expiry_keys(backups);
  EXPECT_EQ(expires.store->key.name, "id");
  EXPECT_EQ(expires.store->key_secret->name, "expiry-key");
}

TEST(ExpiryKey, OfS3HasTwoPartsAndIsAnotherThanTheOrdinaryOne) {
  EXPECT_EQ(expiry_key_flaw(s3()), "");
  ObjectStore store = s3();
  store.expire_key.reset();
  EXPECT_NE(expiry_key_flaw(store), "");
  store = s3();
  store.expire_key_secret.reset();
  EXPECT_NE(expiry_key_flaw(store), "");
  store.expire_key.reset();
  EXPECT_EQ(expiry_key_flaw(store), "") << "none is given at all";
  store = s3();
  store.expire_key = store.key;
  EXPECT_NE(expiry_key_flaw(store), "");
  store = s3();
  store.expire_key_secret = store.key_secret;
  EXPECT_NE(expiry_key_flaw(store), "");
}

TEST(NotInIndex, AreBackupsOnlyAndOnlyThoseThatTheIndexLacks) {
  std::vector<std::string> names{"20261101-010101F",
                                 "20261101-010101F_20261102-010101D",
                                 "20261101-010101F_20261103-010101I",
                                 "backup.info",
                                 "backup.info.copy",
                                 "backup.history",
                                 "20261101-010101X",
                                 "20261101-0101F1F",
                                 "20261101-010101F_20261103-010101F"};
  EXPECT_EQ(not_in_index(names, {"20261101-010101F"}),
            (std::vector<std::string>{"20261101-010101F_20261102-010101D", "20261101-010101F_20261103-010101I"}));
}

}  // namespace
}  // namespace lifeboat::backup
