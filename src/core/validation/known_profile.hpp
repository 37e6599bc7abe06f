// The last known profile of a database, as the journal has it for every controller: small enough for one write, and without a hash from
// which whoever reads the journal could guess a secret.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/validation/profile.hpp"

namespace lifeboat {

// What a profile is too large with, in the order in which it is left out: what was counted stays longest.
BOOST_DEFINE_ENUM_CLASS(ProfilePart, columns, objects, access, small_tables)

struct KnownProfile {
  DatabaseProfile profile;
  std::string key;  // says with which key its hashes were made; empty: it has none
  std::vector<ProfilePart> left_out;
};
BOOST_DESCRIBE_STRUCT(KnownProfile, (), (profile, key, left_out))
constexpr auto field_docs(const KnownProfile*) {
  return std::to_array<FieldDoc>({{"profile", Need::required, "what was counted"},
                                  {"key", Need::optional, "says with which key its hashes were made"},
                                  {"left_out", Need::optional, "what there was no room for"}});
}

// A hash that nobody can make who does not have the key. Empty: there is no key, and no hash is kept.
using KeyedHash = std::function<std::string(std::string_view)>;

// etcd takes 1.5 MiB in one write, in base64, and a journal is read as a whole.
constexpr size_t kLargestKnown = 400'000;

KnownProfile to_keep(DatabaseProfile profile, const KeyedHash& hash, size_t most = kLargestKnown);

// Both with the same parts and hashes of the same key, so that one can be judged against the other.
struct HeldAgainst {
  DatabaseProfile before, now;
  std::string not_compared;  // and why, for people; empty: nothing
};
HeldAgainst comparable(const KnownProfile& known, DatabaseProfile now, const KeyedHash& hash);

// "columns, objects"; empty when nothing is.
std::string parts_in_words(const std::vector<ProfilePart>& left_out);

using KnownProfiles = std::vector<std::shared_ptr<const KnownProfile>>;
// Of those, oldest first, the newest that is not younger than the data: what came after them says nothing of them. Null: there is none.
// Without a moment the newest of all.
std::shared_ptr<const KnownProfile> newest_of(const KnownProfiles& all, std::optional<WallTime> data_until);

// Who may do what, told and not judged: "since the profile of 2026-01-01T…: role mallory: is new, with superuser". Without a profile of
// before all that gives much is named.
std::string access_in_words(const KnownProfile* known, AccessProfile now, const KeyedHash& hash);

// Until when a restored copy can hold data, from what its host says of it: a profile of later may know of more. Nothing: it holds all that
// there was.
std::optional<WallTime> data_until(const Json& restored);

}  // namespace lifeboat
