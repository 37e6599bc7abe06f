// How a database is made, beside what is in it: what CREATE DATABASE was told, and what ALTER DATABASE … SET puts into force in it.
// pg_dump leaves both out unless the database is to come back under its own name.
#pragma once

#include <string>
#include <vector>

#include "core/data/describe.hpp"

namespace lifeboat {

// Its value may be a secret of an application's: it stands beside the dump, which holds all data too, and nowhere else.
struct KeptSetting {
  std::string role;  // empty: every one
  std::string name;
  std::string value;  // as pg_db_role_setting has it
  bool operator==(const KeptSetting&) const = default;
};
BOOST_DESCRIBE_STRUCT(KeptSetting, (), (role, name, value))
constexpr auto field_docs(const KeptSetting*) {
  return std::to_array<FieldDoc>({{"role", Need::optional, "for whom in this database; everybody when empty"},
                                  {"name", Need::required, "of the setting"},
                                  {"value", Need::optional, "as the server keeps it"}});
}

struct DatabaseMade {
  std::string encoding;
  std::string provider;  // of its collations: c, i or b
  std::string collate, ctype;
  std::string locale;  // of ICU or the server itself; empty: the provider has none
  std::vector<KeptSetting> settings;
};
BOOST_DESCRIBE_STRUCT(DatabaseMade, (), (encoding, provider, collate, ctype, locale, settings))
constexpr auto field_docs(const DatabaseMade*) {
  return std::to_array<FieldDoc>({{"encoding", Need::required, "of its text"},
                                  {"provider", Need::optional, "of its collations: c, i or b"},
                                  {"collate", Need::optional, "order of its text"},
                                  {"ctype", Need::optional, "what counts as a letter"},
                                  {"locale", Need::optional, "of ICU, or of the server itself"},
                                  {"settings", Need::optional, "of ALTER DATABASE and ALTER ROLE IN DATABASE"}});
}

}  // namespace lifeboat
