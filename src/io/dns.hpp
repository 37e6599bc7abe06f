// DNS as a failover needs it: ask for the addresses of a name, and change them by dynamic update (RFC 2136) signed with
// TSIG (RFC 8945, hmac-sha256). An update is a compare-and-set: it names the addresses that must be there now, so two
// people or machines cannot overwrite each other unseen. The MAC of the answer is verified: a forged "done" is none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/task.hpp"

namespace lifeboat {

struct DnsServer {
  std::string address;  // IP, or a name that resolves
  int port = 53;
};

struct DnsAnswer {
  std::vector<std::string> addresses;  // IPv4, sorted; empty when the name has none
  Duration ttl{};                      // the smallest of the answer
  bool authoritative = false;          // AA
  std::string rcode;                   // "NOERROR", "NXDOMAIN", "SERVFAIL" …
};

// Asks for the A records of `name` over UDP (again every 400 ms until the deadline; TCP when the answer is cut short).
// SERVFAIL, NXDOMAIN and so on are answers, not errors. Errors: `unreachable`, `timed_out`.
Task<Result<DnsAnswer>> query_a(DnsServer server, std::string name, bool recursive, Deadline deadline);

struct TsigKey {
  std::string name;    // "dr-key."; empty: the update is not signed
  std::string secret;  // base64
};

struct DnsUpdate {
  std::string zone;
  std::string name;
  Duration ttl{};
  std::vector<std::string> expected;  // must be exactly the addresses now; empty: the name must have none
  std::vector<std::string> wanted;    // never empty
};

// Replaces the A records of a name, all or nothing, over TCP. Errors: `conflict` when the present addresses are not the
// expected ones, `refused` for rights and keys (NOTAUTH, REFUSED, BADSIG, BADKEY, BADTIME), `unknown_outcome` when no
// answer came or it is not signed as it must be. A server ignores an A record next to a CNAME silently: read back.
Task<Result<void>> update_a_record(DnsServer server, DnsUpdate update, TsigKey key, Deadline deadline);

}  // namespace lifeboat
