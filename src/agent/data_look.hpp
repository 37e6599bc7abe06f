// Looks at the users' tables of a server that takes writes, for core/detection/data_change: how many rows changed, and how many texts of
// a sample look encrypted. Only counts leave the host.
//
// The server must not feel it: one connection, gone after each look, that only reads, waits for no lock, and is cut off
// after some seconds. A look that failed is left out.
#pragma once

#include <functional>
#include <string>

#include "agent/database_member.hpp"
#include "agent/protocol.hpp"

namespace lifeboat {

class DataLooks {
 public:
  struct Hooks {
    std::function<void(const wire::DataLook&)> send;
    std::function<void(const std::string& text)> log;
  };

  // `member` outlives it.
  DataLooks(DatabaseMember& member, std::string service, Hooks hooks);

  // Looks from now on, as often as it is told to, until the scope ends.
  void begin(Scope& scope);
  // Zero: not at all.
  void every(Duration between) { every_ = between; }

 private:
  DatabaseMember& member_;
  std::string service_;
  Hooks hooks_;
  Duration every_{};
  size_t turn_ = 0;  // the table whose texts are sampled first
  MonoTime quiet_until_{};

  Task<> keep_looking();
  Task<Result<detection::DataSeen>> look(Deadline deadline);
  Task<> sample(PgConnection& connection, const PgRows& tables, detection::DataSeen& seen, Deadline deadline);
  void tell(const Error& trouble);
};

}  // namespace lifeboat
