// One message between members of a database, as it goes over the network: HMAC-SHA256 (32 bytes) over the rest, which is a JSON
// object {service, from, to, type, body}. The key is made of the replication password, which only the members and the
// controllers know. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.hpp"
#include "core/data/json.hpp"

namespace lifeboat {

inline constexpr size_t kMemberDatagramMost = 1200;  // goes through every network in one piece

struct MemberDatagram {
  std::string from;
  std::string type;
  Json body;
};

// Puts one together and signs it.
std::string member_datagram(const std::string& password, const std::string& service, const std::string& from,
                            const std::string& to, std::string_view type, Json body);

// Takes one apart. Errors: `refused` when it is not signed with this password, or is meant for another service or member;
// `invalid_input` when it is too long or malformed.
Result<MemberDatagram> read_member_datagram(const std::string& password, const std::string& service,
                                            const std::string& to, std::string_view datagram);

}  // namespace lifeboat
