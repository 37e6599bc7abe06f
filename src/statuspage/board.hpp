// What the public has been told: updates, grouped into incidents, kept in one file that is replaced whole. Pure but for
// load and save.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/data/json.hpp"

namespace lifeboat::statuspage {

struct Update {
  std::string id;  // what the sender calls it, hashed: the public has no use for names of runs
  WallTime at{};
  std::string state;  // investigating, identified, monitoring, resolved
  std::string title;
  std::string text;
  bool drill = false;
};

struct Incident {
  std::vector<Update> updates;  // oldest first, at least one
  bool over() const { return updates.back().state == "resolved"; }
  bool drill() const;  // every update of it was one of a drill
  WallTime since() const { return updates.front().at; }
  std::string title() const;  // the newest that was given
};

class Board {
 public:
  // Keeps this many updates; older ones are forgotten.
  static constexpr size_t kMost = 500;

  // An absent file is an empty board; a broken one is an error, since overwriting it would hide what was said.
  static Result<Board> load(const std::string& file);
  Result<void> save(const std::string& file) const;

  bool has(const std::string& id) const;
  void add(Update update);
  const std::vector<Update>& updates() const { return updates_; }
  // Oldest first. An update after a resolved one, or the first real one after a drill's (and the other way round),
  // begins a new incident.
  std::vector<Incident> incidents() const;
  // The incident that is not over: a real one before one of a drill.
  std::optional<Incident> current() const;

  // As /api/v1/status gives it: headline, state, since, drill, updates (newest first).
  Json to_json(std::string_view title) const;

 private:
  std::vector<Update> updates_;
};

// Reads what a sender posted; `invalid_input` says what is wrong with it.
Result<Update> read_update(const Json& body, WallTime at);
// The id as the public sees it.
std::string public_id(std::string_view id);
// One sentence: the state, for the title of the page and the headline in JSON.
std::string headline(const Board& board);

}  // namespace lifeboat::statuspage
