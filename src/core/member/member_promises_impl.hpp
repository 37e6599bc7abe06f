// What members promise each other while no controller answers. Part of member_impl.hpp.
#pragma once

namespace lifeboat {

// Without a controller nothing is granted to anybody; what is left to fear is an order that was given before, or one of a controller
// that this member cannot hear. Whoever promised refuses those. A promise is asked for only when all would answer: one that is
// given and does not arrive would only keep the others from taking over.
template <class Rim>
void MemberLogic<Rim>::ask_to_be_kept() {
  auto unanswered = now() - renewed_at_;
  bool asks = unanswered >= lease_.length * member_times::kAloneAskAfterPercent / 100;
  if (role_ != Role::primary || (!asks && now() < told_others_ + member_times::kTellOthersEvery)) return;
  bool alone = unanswered >= lease_.length * member_times::kAloneAfterPercent / 100;
  int64_t length = alone && all_neighbours_answer() ? lease_.length.count() : 0;
  tell_others(length);
}

template <class Rim>
int64_t MemberLogic<Rim>::left_of_right() const {
  return lease_.term == 0 ? 0 : std::max<int64_t>(0, to_duration(lease_.until - now()).count());
}

template <class Rim>
void MemberLogic<Rim>::tell_others(int64_t promise_wanted_ms) {
  told_others_ = now();
  uint64_t term = lease_.term != 0 ? lease_.term : lease_.floor;
  hooks_.keep(wire::Keep{service_, server_.config().member, term, promise_wanted_ms, now().time_since_epoch().count(),
                         left_of_right()});
}

// Another member knows a newer term, perhaps from controllers that this one does not hear: after two regions were given up for lost
// and one went on alone, those of the lost ones still know only of before.
template <class Rim>
void MemberLogic<Rim>::learn_term(uint64_t term, const std::string& from) {
  if (term <= lease_.floor) return;
  lease_.floor = term;
  if (auto kept = remember(0); !kept) log(kept.error().text());
  if (lease_.term != 0) fence_now(fmt::format("{} knows of term {}", from, term), false);
}

template <class Rim>
void MemberLogic<Rim>::note_claim(const std::string& member, uint64_t term, int64_t left_ms) {
  Claim& claim = claims_[member];
  if (left_ms > 0 && term >= claim.term) claim = {term, now() + Duration{left_ms}};
}

template <class Rim>
std::string MemberLogic<Rim>::who_holds_a_newer_term(uint64_t than) const {
  for (const auto& [name, claim] : claims_) {
    // One below a newer term that was seen since is over.
    bool counts = claim.term > than && claim.term >= lease_.floor;
    if (counts && now() < claim.until) return fmt::format("{} holds term {}", name, claim.term);
  }
  return {};
}

template <class Rim>
bool MemberLogic<Rim>::all_neighbours_answer() const {
  // What was asked while a controller still answered says nothing of now.
  MonoTime late = std::max(renewed_at_, now() - lease_.length * member_times::kAloneAfterPercent / 100);
  for (const auto& [name, peer] : server_.config().members) {
    if (name == server_.config().member) continue;
    auto neighbour = neighbours_.find(name);
    if (neighbour == neighbours_.end() || MonoTime{std::chrono::nanoseconds(neighbour->second.answered_ns)} < late)
      return false;
  }
  return server_.config().members.size() > 1;
}

template <class Rim>
wire::Kept MemberLogic<Rim>::keep(const wire::Keep& asked) {
  bool known = server_.config().members.contains(asked.member);
  if (known && asked.left_ms > 0) {
    note_claim(asked.member, asked.term, asked.left_ms);
    learn_term(asked.term, asked.member);
  }
  wire::Kept answer{
      service_,    server_.config().member, asked.term, asked.length_ms, asked.sent_ns, false, lease_.floor,
      lease_.term, left_of_right()};
  bool newer_is_known = asked.term < lease_.floor || lease_.term != 0;
  // A promise is no longer than this member would be bound by after a restart.
  bool fits = asked.length_ms >= 0 && Duration{asked.length_ms} <= lease_.length && known;
  if ((newer_is_known && !LIFEBOAT_BUG("promises-an-old-primary")) || !fits) return answer;
  if (asked.length_ms > 0) {
    MonoTime before = promised_until_;
    promised_until_ = std::max(promised_until_, now() + Duration{asked.length_ms});
    bool floor_is_new = asked.term > lease_.floor;
    if (floor_is_new) lease_.floor = asked.term;
    if ((!promise_is_kept_ || floor_is_new) && !remember(0)) {
      promised_until_ = before;
      return answer;
    }
    if (before < now()) {
      log(fmt::format("promises {}, which hears no controller, not to take over", asked.member));
      hooks_.changed();
    }
  }
  answer.promised = true;
  return answer;
}

template <class Rim>
std::optional<int64_t> MemberLogic<Rim>::promised_by_all() const {
  std::optional<int64_t> all;
  for (const auto& [name, peer] : server_.config().members) {
    if (name == server_.config().member) continue;
    auto neighbour = neighbours_.find(name);
    bool promised = neighbour != neighbours_.end() && neighbour->second.promised_ns != 0;
    if (!promised && LIFEBOAT_BUG("one-promise-is-enough")) continue;
    if (!promised) return std::nullopt;
    all = std::min(all.value_or(neighbour->second.promised_ns), neighbour->second.promised_ns);
  }
  return all;
}

template <class Rim>
void MemberLogic<Rim>::kept(const wire::Kept& answer) {
  if (!server_.config().members.contains(answer.member)) return;
  note_claim(answer.member, answer.holds, answer.left_ms);
  learn_term(answer.floor, answer.member);
  if (answer.term != lease_.term || lease_.term == 0) return;
  if (!answer.promised) {
    neighbours_.erase(answer.member);
    return;
  }
  bool all_answered = all_neighbours_answer();
  Neighbour& neighbour = neighbours_[answer.member];
  neighbour.answered_ns = std::max(neighbour.answered_ns, answer.sent_ns);
  // The last of them was heard, perhaps late in the lease.
  if (!all_answered && all_neighbours_answer()) ask_to_be_kept();
  if (answer.length_ms < lease_.length.count()) return;
  neighbour.promised_ns = std::max(neighbour.promised_ns, answer.sent_ns);
  auto all = promised_by_all();
  if (!all) return;
  take_renewal(lease_, answer.term, MonoTime{std::chrono::nanoseconds(*all)}, now());
  server_.set_fence(lease_.fence_at());
  if (!std::exchange(alone_, true))
    log("no controller answers; it goes on as all other members promise not to take over");
}

}  // namespace lifeboat
