// Sees to it that no write which only one server has is lost unseen: keeps the slots for reading them back while the server
// leads, and before its data are given up for another's it has them saved and the controller take note of it.
//
// PostgresServer asks it from within rewind() and copy(), so there is no way around it for whoever decides.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/orphan_keeper.hpp"

namespace lifeboat {

class OrphanGuard {
 public:
  struct Hooks {
    std::function<void(const wire::OrphansSaved&)> send;  // to the controller; dropped while the link is down
    std::function<void(const std::string& text)> log;
  };

  OrphanGuard(PostgresServer& server, std::string service)
      : server_(server), service_(service), keeper_(server, std::move(service)) {}

  // Before anything else is done with the server.
  void begin(Scope& scope, Hooks hooks);
  void noted(const wire::OrphansNoted& noted) { noted_ = noted; }
  OrphanKeeper& keeper() { return keeper_; }

 private:
  PostgresServer& server_;
  std::string service_;
  OrphanKeeper keeper_;
  Hooks hooks_;
  wire::OrphansNoted noted_;     // the saving that the controller has noted last
  std::optional<bool> follows_;  // what the slots were last put in order for
  bool followed_ = false;        // it was seen as a standby since its slots were last put in order for a primary
  std::string receiver_;         // the process that receives from the upstream
  MonoTime receives_since_{};
  std::string said_;
  std::string databases_;  // that there were when the slots were put in order last

  void log(const std::string& text) const { hooks_.log(service_ + ": " + text); }
  Task<> look_after_slots();
  Task<> put_slots_in_order(bool follows);
  Task<bool> is_noted(wire::OrphansSaved saved, Deadline patience);
  Task<Result<std::string>> give_up(SourceHistory source, Deadline deadline);
};

}  // namespace lifeboat
