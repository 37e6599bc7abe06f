#include "core/backup/expiry.hpp"

#include <algorithm>

namespace lifeboat::backup {
namespace {

// "20261101-010101".
bool is_stamp(std::string_view text) {
  constexpr size_t kDash = 8;
  if (text.size() != 15 || text[kDash] != '-') return false;
  return std::ranges::count_if(text, [](char c) { return c >= '0' && c <= '9'; }) == 14;
}

void take_expiry_key(std::optional<ObjectStore>& store) {
  if (!store || !has_expiry_key(*store)) return;
  if (store->expire_key) store->key = *store->expire_key;
  store->key_secret = store->expire_key_secret;
}

}  // namespace

const ObjectStore* store_of(const Backups& backups, int number) {
  if (number == 1) return backups.store ? &*backups.store : nullptr;
  return backups.second && backups.second->store ? &*backups.second->store : nullptr;
}

bool has_expiry_key(const ObjectStore& store) { return store.expire_key_secret.has_value(); }

bool has_expiry_key(const Backups& backups, int number) {
  const ObjectStore* store = store_of(backups, number);
  return store != nullptr && has_expiry_key(*store);
}

std::string expiry_key_flaw(const ObjectStore& store) {
  if (!store.expire_key && !store.expire_key_secret) return {};
  if (store.kind == ObjectStoreKind::azure && store.expire_key) return "of azure the account is the same for expiry";
  if (!store.expire_key_secret) return "the expiry key itself is missing";
  if (store.kind == ObjectStoreKind::s3 && !store.expire_key) return "the id of the expiry key is missing";
  if (store.expire_key_secret == store.key_secret || store.expire_key == store.key)
    return "the expiry key is the one that everything else is done with";
  return {};
}

Backups with_expiry_keys(Backups backups) {
  take_expiry_key(backups.store);
  if (backups.second) take_expiry_key(backups.second->store);
  return backups;
}

bool is_backup_label(std::string_view name) {
  constexpr size_t kFull = 16, kWhole = 33;
  if (name.size() != kFull && name.size() != kWhole) return false;
  if (!is_stamp(name.substr(0, kFull - 1)) || name[kFull - 1] != 'F') return false;
  if (name.size() == kFull) return true;
  return name[kFull] == '_' && is_stamp(name.substr(kFull + 1, kFull - 1)) &&
         (name.back() == 'D' || name.back() == 'I');
}

std::vector<std::string> not_in_index(const std::vector<std::string>& names, const std::vector<std::string>& index) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (is_backup_label(name) && std::ranges::find(index, name) == index.end()) out.push_back(name);
  }
  return out;
}

}  // namespace lifeboat::backup
