// The plan's calendar of drills: when each was last held, and when it is due (core/rehearsal). What it knows are runs of their scenarios,
// and what people reported of drills elsewhere: a fold of the journal's stream "drills". Those that the plan lets start by themselves are
// started from here. In a drill there is no calendar.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actions/world.hpp"
#include "controller/executor.hpp"
#include "core/rehearsal/by_itself.hpp"
#include "core/rehearsal/held.hpp"
#include "store/store.hpp"

namespace lifeboat {

// What a person says of a drill that was held where this controller did not see it.
struct DrillDone {
  std::string by;
  std::string at;    // when; now when left out
  std::string text;  // what came of it
  Json report;       // of a drill in the lab
};
BOOST_DESCRIBE_STRUCT(DrillDone, (), (by, at, text, report))
constexpr auto field_docs(const DrillDone*) {
  return std::to_array<FieldDoc>({{"by", Need::required, "who says so"},
                                  {"at", Need::optional, "when it was held, UTC; now when left out"},
                                  {"text", Need::optional, "what came of it"},
                                  {"report", Need::optional, "the report that `lifeboat drill` wrote"}});
}

struct DrillHooks {
  std::function<std::vector<const run::RunState*>()> runs;  // all of them
  std::function<rehearsal::Around()> around;                // but for how long it has been calm
  std::function<Task<Result<std::string>>(OpenRequest request)> open_run;
  std::function<void(const std::string& line)> log;
};

class DrillBook {
 public:
  DrillBook(Store& store, World& world, Scope& scope, DrillHooks hooks);

  // Reads what the journal knows, and writes which drills are new in the plan. Runs must have been resumed.
  Task<Result<>> start();

  // [{name, title, run, every, in, automatic, standing, due_at, proven_at, open, last, text, todo}]; empty in a drill.
  JsonArray list() const;
  // Keeps that it was held, as the report says it. refused: the journal knows it by itself, or the report proves nothing;
  // conflict: this report was told already.
  Task<Result<Json>> done(std::string name, DrillDone said);
  // Starts the first that is due and may start by itself, if nothing has been in the way for a while; its run, or nothing.
  Task<std::string> start_what_is_due(MonoTime at, WallTime now);

 private:
  Store& store_;
  World& world_;
  Scope& scope_;
  DrillHooks hooks_;
  std::map<std::string, WallTime> planned_;                       // by drill and its scenario
  std::map<std::string, std::vector<rehearsal::Held>> reported_;  // by drill
  std::set<std::string> journals_;                                // of drills that were reported
  std::optional<MonoTime> calm_since_;

  void fold(const StoredEvent& event);
  rehearsal::Row row_of(const Drill& drill, WallTime now) const;
  Task<Result<>> write(std::string kind, JsonObject body);
  Task<> tick();
};

}  // namespace lifeboat
