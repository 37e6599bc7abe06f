// Which store the controllers share, as the plan says it.
#pragma once

#include <optional>
#include <string>

#include "core/data/describe.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

BOOST_DEFINE_ENUM_CLASS(StoreKind, sqlite, etcd)

// A member of etcd with a vote.
struct Voter {
  Identifier host;
  int port = 2379;
  int peer_port = 2380;
};
BOOST_DESCRIBE_STRUCT(Voter, (), (host, port, peer_port))
constexpr auto field_docs(const Voter*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "the host it runs on"},
      {"port", Need::optional, "port for clients (2379)"},
      {"peer_port", Need::optional, "port for other voters (2380)"},
  });
}

struct Controllers {
  StoreKind store = StoreKind::sqlite;
  Duration lease{3'000};
  OrderedMap<Voter> voters;
  bool tls = false;
  std::string ca_file;
  std::string user;
  std::optional<SecretRef> password;
};
BOOST_DESCRIBE_STRUCT(Controllers, (), (store, lease, voters, tls, ca_file, user, password))
constexpr auto field_docs(const Controllers*) {
  return std::to_array<FieldDoc>({
      {"store", Need::optional,
       "sqlite (default): one controller, its journal in a file; etcd: several controllers of which one leads"},
      {"lease", Need::optional,
       "how long a leading controller that etcd hears nothing of goes on counting as leader (3s)"},
      {"voters", Need::optional,
       "members of etcd, by region: one in each of three or five, so that losing any one loses no majority"},
      {"tls", Need::optional, "etcd is asked by https"},
      {"ca_file", Need::optional, "file of the authority that signed etcd's certificates"},
      {"user", Need::optional, "user of etcd"},
      {"password", Need::optional, "secret with the user's password"},
  });
}

}  // namespace lifeboat
