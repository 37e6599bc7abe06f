#include "agent/orphan_guard.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "agent/decoding_slots.hpp"

namespace lifeboat {
namespace {

// A server that has begun to lead or to follow is noticed within this.
constexpr Duration kLookEvery{1'000};
constexpr Duration kLookWithin{1'000};
// How often the slots are advanced; between two times they hold a little more log than they must.
constexpr Duration kAdvanceEvery{10'000};
// One whose history has parted from its upstream's receives for moments only, again and again, and still has what is to be given back.
constexpr Duration kSteady{10'000};
constexpr Duration kSlotsWithin{120'000};
constexpr Duration kNoteAgain{1'000};
constexpr Duration kNoteWithin{60'000};
// The old primary itself comes back at about the same time as those that followed it, and reads back what they cannot.
constexpr Duration kSameWithin{10'000};

}  // namespace

void OrphanGuard::begin(Scope& scope, Hooks hooks) {
  hooks_ = std::move(hooks);
  server_.before_giving_up(
      [this](SourceHistory source, Deadline deadline) { return give_up(std::move(source), deadline); });
  scope.spawn("orphans " + service_, look_after_slots());
}

Task<> OrphanGuard::look_after_slots() {
  MonoTime due{};
  while (true) {
    co_await sleep_for(kLookEvery);
    if (!server_.running()) continue;
    auto asking = server_.ask(
        "SELECT pg_is_in_recovery() AS rec, string_agg(oid::text, ' ' ORDER BY oid) AS databases, (SELECT pid::text "
        "FROM "
        "pg_stat_wal_receiver WHERE status = 'streaming') AS receiver FROM pg_database",
        Deadline::after(kLookWithin));
    auto answer = co_await std::move(asking);
    if (!answer || answer->empty()) continue;
    bool follows = answer->text(0, "rec") == "t";
    std::string receiver = answer->text(0, "receiver");
    if (receiver != std::exchange(receiver_, receiver)) receives_since_ = boot_now();
    followed_ = followed_ || follows;
    bool steady = !receiver.empty() && boot_now() - receives_since_ >= kSteady;
    if (follows && !steady) continue;
    // A database that was just created has no slot, and what is written there could not be given back.
    bool same = std::exchange(databases_, answer->text(0, "databases")) == answer->text(0, "databases");
    bool in_order = follows_ == follows && followed_ == follows && (follows || (same && boot_now() < due));
    if (in_order) continue;
    due = boot_now() + kAdvanceEvery;
    auto ordering = put_slots_in_order(follows);
    co_await std::move(ordering);
  }
}

// Slots from before a promotion decode a history that is not this one any more, so they are made anew.
Task<> OrphanGuard::put_slots_in_order(bool follows) {
  std::string said;
  if (follows) {
    auto dropping = drop_decoding_slots(server_, Deadline::after(kSlotsWithin));
    auto dropped = co_await std::move(dropping);
    if (dropped) follows_ = true;
    if (!dropped) said = "slots of its time as primary are left: " + dropped.error().text();
  } else {
    auto keeping = keep_decoding_slots(server_, followed_, Deadline::after(kSlotsWithin));
    auto kept = co_await std::move(keeping);
    if (kept) follows_ = followed_ = false;
    said = kept ? fmt::format("{}", fmt::join(*kept, "; ")) : kept.error().text();
  }
  if (said != std::exchange(said_, said) && !said.empty()) log(said);
}

// Gives where the old data must be kept; empty: they may be rewound.
Task<Result<std::string>> OrphanGuard::give_up(SourceHistory source, Deadline deadline) {
  noted_ = {};
  auto saving = keeper_.save(std::move(source), deadline, [this](std::string text) { log(text); });
  CO_TRY(std::optional<wire::OrphansSaved> saved, co_await std::move(saving));
  if (!saved) co_return std::string();
  log(fmt::format("{} transactions were committed here alone; saved as {}", saved->transactions, saved->id));
  for (const std::string& remark : saved->remarks) log(remark);
  if (!saved->complete && !keeper_.has_slots()) {
    saved->waits = true;
    auto asking = is_noted(*saved, deadline.at_most(kSameWithin));
    if (co_await std::move(asking)) {
      log(fmt::format("all of them are in {} too", noted_.same_as));
      co_return std::string();
    }
    saved->waits = false;
  }
  if (!saved->complete) CO_TRY_VOID(keeper_.kept(*saved));
  // They stand in the journal before anything of them is given up here.
  auto noting = is_noted(*saved, deadline.at_most(kNoteWithin));
  if (!co_await std::move(noting))
    co_return fail(ErrorKind::refused,
                   fmt::format("the controller has not taken note of {}, so nothing is rewound", saved->id));
  co_return saved->complete || !noted_.same_as.empty() ? std::string() : saved->kept;
}

// Says it again and again until the controller answers.
Task<bool> OrphanGuard::is_noted(wire::OrphansSaved saved, Deadline patience) {
  while (!patience.passed()) {
    hooks_.send(saved);
    for (Deadline again = Deadline::after(kNoteAgain); !again.passed();) {
      if (noted_.id == saved.id) co_return true;
      co_await sleep_for(Duration{5});
    }
  }
  co_return false;
}

}  // namespace lifeboat
