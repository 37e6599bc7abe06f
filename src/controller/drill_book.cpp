#include "controller/drill_book.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controller/run_journal.hpp"
#include "core/base/similar.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {
namespace {

constexpr std::string_view kStream = "drills";
constexpr std::string_view kPlanned = "drill-planned";
constexpr std::string_view kHeld = "drill-held";
constexpr std::string_view kCalendar = "test calendar";
constexpr Duration kTick{60'000};

// With another scenario it is another drill.
std::string key_of(const std::string& name, const std::string& scenario) { return name + "/" + scenario; }
std::string key_of(const Drill& drill) { return key_of(drill.name.text, drill.run ? drill.run->text : ""); }

Json in_json(const rehearsal::Held& held) {
  return {{"at", format_wall(held.at)},
          {"fault", held.fault},
          {"passed", held.passed},
          {"source", held.source},
          {"text", held.text}};
}

Result<WallTime> moment_of(const std::string& text) {
  WallTime now = wall_now();
  if (text.empty()) return now;
  auto at = parse_wall(text);
  if (!at)
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no moment", Decoder::printable(text)),
                "such as 2026-11-28T03:00:00Z");
  if (*at > now) return fail(ErrorKind::invalid_input, fmt::format("{} has not come yet", text));
  return *at;
}

// What the person says, with the report where the drill has one.
Result<rehearsal::Held> held_as_said(const Drill& drill, const DrillDone& said) {
  TRY(WallTime at, moment_of(said.at));
  if (said.by.empty()) return fail(ErrorKind::invalid_input, "nobody is named who says so", "--by NAME");
  if (drill.run && drill.in == "production")
    return fail(ErrorKind::refused,
                fmt::format("{} is held in production: its runs stand in the journal", drill.name.text),
                rehearsal::how_to_hold(drill));
  if (!drill.run || drill.in != "lab")
    return rehearsal::Held{.at = at, .passed = true, .source = said.by, .text = said.text};
  if (!said.report.is_object())
    return fail(ErrorKind::invalid_input,
                fmt::format("{} is held in the lab: its report says what came of it", drill.name.text),
                rehearsal::how_to_hold(drill));
  TRY(rehearsal::Held held, rehearsal::held_in_report(drill, said.report, at, said.by));
  if (!said.text.empty()) held.text += "; " + said.text;
  return held;
}

}  // namespace

DrillBook::DrillBook(Store& store, World& world, Scope& scope, DrillHooks hooks)
    : store_(store), world_(world), scope_(scope), hooks_(std::move(hooks)) {}

Task<Result<>> DrillBook::start() {
  if (world_.drill || world_.plan.drills.empty()) co_return Result<>{};
  EventFilter filter{.stream = std::string(kStream)};
  CO_TRY(std::vector<StoredEvent> events, co_await read_all(store_, std::move(filter)));
  for (const StoredEvent& event : events) fold(event);
  bool automatic = false;
  for (const Drill& drill : world_.plan.drills) {
    automatic = automatic || drill.automatic;
    if (planned_.contains(key_of(drill))) continue;
    JsonObject body{{"drill", drill.name.text},
                    {"run", drill.run ? drill.run->text : ""},
                    {"text", fmt::format("the plan has the drill {}, {}", drill.name.text, drill.every)}};
    CO_TRY_VOID(co_await write(std::string(kPlanned), std::move(body)));
  }
  if (automatic) scope_.spawn("drills", tick());
  co_return Result<>{};
}

void DrillBook::fold(const StoredEvent& event) {
  std::string name = text_or(event.body, "drill");
  if (event.kind == kPlanned) planned_.emplace(key_of(name, text_or(event.body, "run")), event.at);
  auto at = parse_wall(text_or(event.body, "at"));
  if (event.kind != kHeld || !at) return;
  reported_[name].push_back({.at = *at,
                             .fault = text_or(event.body, "fault"),
                             .passed = bool_or(event.body, "passed"),
                             .source = text_or(event.body, "source"),
                             .text = text_or(event.body, "text")});
  if (std::string journal = text_or(event.body, "journal"); !journal.empty()) journals_.insert(std::move(journal));
}

rehearsal::Row DrillBook::row_of(const Drill& drill, WallTime now) const {
  std::vector<rehearsal::Held> held;
  if (auto reported = reported_.find(drill.name.text); reported != reported_.end()) held = reported->second;
  if (drill.in == "production" && drill.run) {
    for (const run::RunState* state : hooks_.runs()) {
      if (state->opened->scenario != drill.run->text) continue;
      if (auto one = rehearsal::held_in(*state)) held.push_back(std::move(*one));
    }
  }
  auto planned = planned_.find(key_of(drill));
  return rehearsal::judge(drill, planned == planned_.end() ? now : planned->second, held, now);
}

JsonArray DrillBook::list() const {
  JsonArray out;
  if (world_.drill) return out;
  WallTime now = wall_now();
  for (const Drill& drill : world_.plan.drills) {
    rehearsal::Row row = row_of(drill, now);
    out.push_back(JsonObject{{"name", drill.name.text},
                             {"title", drill.title},
                             {"run", drill.run ? drill.run->text : ""},
                             {"every", drill.every},
                             {"in", drill.in},
                             {"automatic", drill.automatic},
                             {"standing", enum_name(row.standing)},
                             {"due_at", format_wall(row.due)},
                             {"proven_at", row.proven ? format_wall(*row.proven) : ""},
                             {"open", JsonArray(row.open.begin(), row.open.end())},
                             {"last", row.last ? in_json(*row.last) : Json(nullptr)},
                             {"text", rehearsal::in_words(row)},
                             {"todo", rehearsal::how_to_hold(drill)}});
  }
  return out;
}

Task<Result<Json>> DrillBook::done(std::string name, DrillDone said) {
  std::vector<std::string> known;
  for (const Drill& drill : world_.plan.drills) known.push_back(drill.name.text);
  auto drill = std::ranges::find(world_.plan.drills, name, [](const Drill& one) { return one.name.text; });
  if (drill == world_.plan.drills.end())
    co_return fail(ErrorKind::not_found, fmt::format("the plan has no drill '{}'", Decoder::printable(name)),
                   did_you_mean(name, known));
  if (world_.drill) co_return fail(ErrorKind::refused, "this controller plays: it keeps no calendar");
  CO_TRY(rehearsal::Held held, held_as_said(*drill, said));
  std::string journal = rehearsal::journal_of_report(said.report);
  if (!journal.empty() && journals_.contains(journal))
    co_return fail(ErrorKind::conflict, "this report was told already", "give the report of another drill");
  Json body = in_json(held);
  body.as_object()["drill"] = name;
  body.as_object()["journal"] = journal;
  CO_TRY_VOID(co_await write(std::string(kHeld), std::move(body.as_object())));
  rehearsal::Row row = row_of(*drill, wall_now());
  co_return Json(JsonObject{{"passed", held.passed},
                            {"text", fmt::format("{} {}{}{}: {}", name, held.passed ? "passed" : "did not pass",
                                                 held.text.empty() ? "" : ", ", held.text, rehearsal::in_words(row))}});
}

Task<Result<>> DrillBook::write(std::string kind, JsonObject body) {
  body["boot_ns"] = boot_now().time_since_epoch().count();
  std::vector<NewEvent> events{{std::string(kStream), std::move(kind), std::move(body)}};
  CO_TRY(std::vector<StoredEvent> stored, co_await store_.append(std::move(events)));
  for (const StoredEvent& one : stored) fold(one);
  co_return Result<>{};
}

Task<> DrillBook::tick() {
  while (true) {
    co_await sleep_for(kTick);
    auto starting = start_what_is_due(boot_now(), wall_now());
    co_await std::move(starting);
  }
}

Task<std::string> DrillBook::start_what_is_due(MonoTime at, WallTime now) {
  rehearsal::Around around = hooks_.around();
  around.calm = Duration::max();
  bool calm = rehearsal::in_the_way(around).empty();
  if (!calm) calm_since_.reset();
  if (calm && !calm_since_) calm_since_ = at;
  around.calm = calm ? to_duration(at - *calm_since_) : Duration{0};
  if (!rehearsal::in_the_way(around).empty()) co_return "";
  for (const Drill& drill : world_.plan.drills) {
    rehearsal::Row row = row_of(drill, now);
    if (!rehearsal::wants_to_start(world_.plan, drill, row, now)) continue;
    OpenRequest request{.scenario = drill.run->text,
                        .profile = drill.profile ? drill.profile->text : "",
                        .by = std::string(kCalendar),
                        .reason = fmt::format("the drill {} is due: {}", drill.name.text, rehearsal::in_words(row)),
                        .cause = fmt::format("drill/{}", drill.name.text)};
    hooks_.log(request.reason);
    auto opening = hooks_.open_run(std::move(request));
    auto opened = co_await std::move(opening);
    // What keeps it from starting is looked at again when it has been calm for as long once more.
    calm_since_.reset();
    if (!opened) hooks_.log(fmt::format("the drill {} does not start: {}", drill.name.text, opened.error().text()));
    co_return opened ? *opened : "";
  }
  co_return "";
}

}  // namespace lifeboat
