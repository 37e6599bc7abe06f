// Who may do what in a cluster, and what acts in it by itself or reaches out of it. Rows that are back say nothing of these: what an
// attacker planted here comes back with them. Never a password, nor a hash of one.
#pragma once

#include <string>
#include <vector>

#include "core/data/describe.hpp"

namespace lifeboat {

struct RoleProfile {
  std::string name;
  std::vector<std::string>
      rights;  // superuser, createrole, login … and "member of NAME" of roles that may do much, directly or not
};
BOOST_DESCRIBE_STRUCT(RoleProfile, (), (name, rights))
constexpr auto field_docs(const RoleProfile*) {
  return std::to_array<FieldDoc>(
      {{"name", Need::required, "its name"}, {"rights", Need::optional, "attributes, and memberships that give much"}});
}

// Of ALTER ROLE … SET and ALTER DATABASE … SET: in force wherever that role connects, or to that database.
struct SettingProfile {
  std::string role;      // empty: every one
  std::string database;  // empty: every one
  std::string name;
  std::string value;  // a hash when the name has a dot: applications keep secrets there
};
BOOST_DESCRIBE_STRUCT(SettingProfile, (), (role, database, name, value))
constexpr auto field_docs(const SettingProfile*) {
  return std::to_array<FieldDoc>({{"role", Need::optional, "whose; every one's when empty"},
                                  {"database", Need::optional, "where; everywhere when empty"},
                                  {"name", Need::required, "of the setting"},
                                  {"value", Need::optional, "a hash when the setting is an application's own"}});
}

struct ActorProfile {
  // event trigger, job, subscription, foreign server, user mapping, foreign table, definer function, untrusted function: the last two act
  // as a superuser, or are in a language that can do anything
  std::string kind;
  std::string database;
  std::string name;
  std::string says;        // what a person wants to know of it
  std::string definition;  // a hash
  std::string reaches;     // a host; empty: none, or it was not shown
};
BOOST_DESCRIBE_STRUCT(ActorProfile, (), (kind, database, name, says, definition, reaches))
constexpr auto field_docs(const ActorProfile*) {
  return std::to_array<FieldDoc>({{"kind", Need::required, "event trigger, job, subscription and so on"},
                                  {"database", Need::optional, "where it is"},
                                  {"name", Need::required, "its name"},
                                  {"says", Need::optional, "when it acts and what it runs"},
                                  {"definition", Need::optional, "a hash of its definition"},
                                  {"reaches", Need::optional, "host that it connects to"}});
}

// What could not be looked at, and so cannot be called new.
struct UnseenProfile {
  std::string kind;      // empty: all of that database
  std::string database;  // empty: the cluster
  std::string why;
};
BOOST_DESCRIBE_STRUCT(UnseenProfile, (), (kind, database, why))
constexpr auto field_docs(const UnseenProfile*) {
  return std::to_array<FieldDoc>({{"kind", Need::optional, "of what; everything when empty"},
                                  {"database", Need::optional, "where; the whole cluster when empty"},
                                  {"why", Need::optional, "what came back"}});
}

struct AccessProfile {
  std::vector<RoleProfile> roles;
  std::vector<SettingProfile> settings;
  std::vector<ActorProfile> actors;
  std::vector<UnseenProfile> unseen;
};
BOOST_DESCRIBE_STRUCT(AccessProfile, (), (roles, settings, actors, unseen))
constexpr auto field_docs(const AccessProfile*) {
  return std::to_array<FieldDoc>({{"roles", Need::optional, "of the cluster"},
                                  {"settings", Need::optional, "of roles and databases"},
                                  {"actors", Need::optional, "what acts by itself or reaches out, in every database"},
                                  {"unseen", Need::optional, "what could not be looked at"}});
}

}  // namespace lifeboat
