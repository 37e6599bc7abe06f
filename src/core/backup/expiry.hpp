// With which key backups in an object store are expired, and what an expiry would take away unasked. Pure.
//
// Whoever breaks into a database's host can have the repository's host do with its ordinary key what that key may do. So a store may
// be given a second one for expiry alone, which no server ever has.
#pragma once

#include <string>
#include <vector>

#include "core/model/backups.hpp"

namespace lifeboat::backup {

// The store of repository `number`, 1 or 2; null: it stands in a folder, or there is none.
const ObjectStore* store_of(const Backups& backups, int number);
bool has_expiry_key(const ObjectStore& store);
bool has_expiry_key(const Backups& backups, int number);
// What is wrong with how an expiry key is named, in words; empty: nothing.
std::string expiry_key_flaw(const ObjectStore& store);
// The same repositories, reached with the expiry keys where there are any.
Backups with_expiry_keys(Backups backups);

bool is_backup_label(std::string_view name);
// Which of the names in a repository's folder are backups that its index does not know. An expiry removes these whatever the
// retention says.
std::vector<std::string> not_in_index(const std::vector<std::string>& names, const std::vector<std::string>& index);

}  // namespace lifeboat::backup
