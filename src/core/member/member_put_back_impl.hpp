// Restored data in place of a member's own. Part of member_impl.hpp.
#pragma once

namespace lifeboat {
namespace member_times {

// What was restored is replayed to its point when it is put in place; this is for starting it.
inline constexpr Duration kRestoredStarts{60'000};
// Between two tries to write down that restored data are in place.
inline constexpr Duration kWritesDownAgain{500};

}  // namespace member_times

// The data are a standby's that follows nobody: only an order to lead, or a reprotect, changes what they are.
template <class Rim>
auto MemberLogic<Rim>::adopt(wire::Adopt order, Deadline deadline, Progress progress) -> Task<Result<Json>> {
  auto clearing = wait_for_way();
  co_await std::move(clearing);
  const std::string doing = "takes the data of restore " + order.name;
  // An order that comes twice is answered the same twice.
  while (doing_ == doing && !passed(deadline)) co_await sleep_for(Duration{15});
  if (!doing_.empty()) co_return fail(ErrorKind::conflict, fmt::format("{} is busy: {}", order.member, doing_));
  if (order.term < lease_.floor)
    co_return fail(ErrorKind::refused,
                   fmt::format("term {} is older than {}, which it has seen", order.term, lease_.floor));
  if (lease_.term != 0 || role_ == Role::primary)
    co_return fail(ErrorKind::refused, fmt::format("{} may write under term {}", order.member, lease_.term),
                   "it must step down first");
  MonoTime begun = now();
  Busy busy(*this, doing, true);
  bool there = server_.has_data() && server_.marked_standby() && server_.restored_name() == order.name;
  if (!there) {
    auto putting = put_in_place(order.name, deadline, progress);
    CO_TRY_VOID(co_await std::move(putting));
  }
  upstream_.clear();
  restored_ = order.name;
  put_back_ = true;
  put_back_at_ = now();
  auto kept = remember(0);
  // Its own data have gone, and these do not lead before a person has asked for it: a no would leave nobody who writes, where no other
  // member has any. Somebody may make room on the disk.
  if (!kept) progress("waits until that can be written down: " + kept.error().what);
  while (!kept && !passed(deadline)) {
    co_await sleep_for(member_times::kWritesDownAgain);
    kept = remember(0);
  }
  CO_TRY_VOID(std::move(kept));
  parked_ = false;
  if (!server_.running()) CO_TRY_VOID(start_standby());
  Deadline started = at_most(deadline, member_times::kRestoredStarts);
  while (true) {
    auto looking = server_.look(after(member_times::kLookWithin));
    auto seen = co_await std::move(looking);
    if (seen && seen->in_recovery && !seen->replaying) {
      seen_ = std::move(*seen);
      break;
    }
    if (!server_.running() || passed(started)) {
      reason_ = "the restored data could not be started";
      co_return fail(ErrorKind::refused, seen ? reason_ : fmt::format("{}: {}", reason_, seen.error().what));
    }
    co_await sleep_for(Duration{15});
  }
  log(fmt::format("has the data of restore {}, which end at {} of timeline {}", order.name,
                  ScalarText<Lsn>::format(seen_->written), seen_->timeline));
  co_return Json(JsonObject{{"lsn", ScalarText<Lsn>::format(seen_->written)},
                            {"timeline", seen_->timeline},
                            {"kept", server_.kept_aside()},
                            {"seconds", to_seconds(now() - begun)}});
}

// Whatever fails before the restored data have their place, its own are what they were.
template <class Rim>
auto MemberLogic<Rim>::put_in_place(const std::string& name, Deadline deadline, Progress progress) -> Task<Result<>> {
  progress("makes the restored data ready");
  auto preparing = server_.prepare_put_back(name, deadline);
  CO_TRY_VOID(co_await std::move(preparing));
  if (server_.running()) {
    stopping_ = true;
    auto stopping = server_.stop(at_most(deadline, Duration{10'000}));
    if (auto stopped = co_await std::move(stopping); !stopped) log(stopped.error().text());
    while (server_.running()) co_await sleep_for(Duration{1});
  }
  progress("puts them in place");
  auto putting = server_.put_in_place(name, deadline);
  auto put = co_await std::move(putting);
  if (put) co_return put;
  reason_ = put.error().text();
  if (standby_can_start()) rim_.spawn("restart " + service_, restart_standby());
  if (!server_.marked_standby()) rim_.spawn("position " + service_, read_position());
  co_return put;
}

// It leads on these data, or has what its upstream has.
template <class Rim>
void MemberLogic<Rim>::no_longer_put_back(uint64_t leads) {
  put_back_ = false;
  if (auto kept = remember(leads); !kept) {
    put_back_ = true;
    return log(kept.error().text());
  }
  server_.forget_restored_name();
}

}  // namespace lifeboat
