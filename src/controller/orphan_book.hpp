// Writes that only one member of a database had, as its agent saved them before its history was given up. Each saving is written
// into the journal once, and only then is the agent told so: until then it gives nothing up. The rows themselves stay on the
// member's host and are read from there, piece by piece.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "agent/protocol.hpp"
#include "controller/agent_hub.hpp"
#include "store/store.hpp"

namespace lifeboat {

class OrphanBook {
 public:
  static constexpr std::string_view kKind = "orphans-saved";  // in the stream "database/SERVICE"

  OrphanBook(Store& store, const Plan& plan, AgentHub& hub, Databases& databases, Scope& scope)
      : store_(store), plan_(plan), hub_(hub), databases_(databases), scope_(scope) {}

  // orphans-saved messages; others are ignored. Malformed ones and those about members on other hosts are dropped.
  void agent_said(const std::string& host, const std::string& type, const Json& message);

  // All savings that stand in the journal, oldest first, as wire::OrphansSaved.
  Task<Result<JsonArray>> list();
  // A piece of one of its files: {text, next, end}.
  Task<Result<Json>> read(std::string id, std::string file, int64_t offset);
  // Rows as they are now on the member that leads: {rows}. Nothing is changed.
  Task<Result<Json>> look_up(wire::LookUpRows rows);

 private:
  Store& store_;
  const Plan& plan_;
  AgentHub& hub_;
  Databases& databases_;
  Scope& scope_;
  std::set<std::string> noting_;  // under way
  std::set<std::string> noted_;   // stand in the journal

  std::string host_of(const std::string& service, const std::string& member) const;
  // A complete saving of another member that holds everything this one does; empty: there is none.
  Task<Result<std::string>> same_as(wire::OrphansSaved saved);
  Task<> note(std::string host, wire::OrphansSaved saved);
  Task<Result<>> write(wire::OrphansSaved saved);
  Task<Result<std::optional<wire::OrphansSaved>>> find(std::string id);
};

// What of it a person reads first.
std::string in_words(const wire::OrphansSaved& saved);

}  // namespace lifeboat
