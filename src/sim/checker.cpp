// What must hold in every history. The rules are numbered as in docs/reliability.md.
#include <fmt/format.h>

#include <algorithm>

#include "core/ownership/reflex.hpp"
#include "sim/controller.hpp"
#include "sim/world.hpp"

namespace lifeboat::sim {

namespace {

// A report under way, and the look before it, make what the controller knows of the primary this much older.
constexpr Nanos kKnowledgeSlack = 2_s;

}  // namespace

void World::violated(std::string rule, std::string text) {
  if (kernel.tells()) tell(fmt::format("VIOLATION {}: {}", rule, text));
  outcome_.violations.push_back(
      {std::move(rule), fmt::format("at {:.3f} s: {}", static_cast<double>(kernel.now()) / 1e9, text)});
  kernel.stop();
}

void World::granted(uint64_t term, const std::string& holder) {
  if (kernel.tells()) tell(fmt::format("store: term {} is granted to {}", term, holder));
  kernel.mix(term);
  kernel.mix(holder);
  if (setup.profile == Profile::noise && kernel.now() > kNoiseBegins)
    violated("N1", fmt::format("term {} is granted to {}, and nothing but noise was there", term, holder));
  auto [entry, fresh] = store.granted.emplace(term, holder);
  // Terms may have been left out.
  auto before = entry == store.granted.begin() ? store.granted.end() : std::prev(entry);
  bool unasked = before != store.granted.end() && before->second != holder && !move_asked_;
  // Back from who never led: that move is undone, and was counted when it began.
  bool undone = unasked && newest_written_ < before->first && before != store.granted.begin() &&
                std::prev(before)->second == holder;
  if (unasked && !undone && ++moved_unasked_ > setup.automatic_at_most)
    violated("S23", fmt::format("the primary moved {} times and nobody asked; {} are the limit", moved_unasked_,
                                setup.automatic_at_most));
  // S2: the right of the one before has ended, or nothing of its server is left.
  auto right = before == store.granted.end() ? lease_end_.end() : lease_end_.find(before->first);
  const Host* old =
      before == store.granted.end() ? nullptr : hosts[static_cast<size_t>(member_index(before->second))].get();
  bool still_writes = old != nullptr && before->second != holder && old->term == before->first && old->takes_writes();
  if (still_writes && right != lease_end_.end() && kernel.now() < right->second)
    violated("S2", fmt::format("term {} is granted to {} while m{} may still write under term {}", term, holder,
                               old->index, before->first));
  if (!fresh) violated("T1", fmt::format("term {} was granted to {} and again to {}", term, entry->second, holder));
}

namespace {
bool replay_goes_on(const MemberReport& report) {
  return report.replay_still_ms < 5'000 && report.replay_delay.empty();
}
}  // namespace

// S6 and S7: what is promoted unasked is what the plan lets be, is there, and has the most of what is known. Judged by what
// the controller has heard, and by rules of its own.
void World::chosen(const ownership::MakeGrant& grant, const ownership::State& state) {
  const ownership::Member* member = state.find(grant.holder);
  if (member == nullptr) return;
  // Who wants a restored history has accepted what it lacks; not that others lack it too.
  bool puts_back = state.transfer && state.transfer->kind == ownership::TransferKind::restore;
  if (puts_back && !state.transfer->undone) put_back_granted_[grant.holder] = kernel.now();
  // It goes on under a newer term than a restored store knows.
  bool adopted = member->report.term == state.floor && state.floor > state.term;
  if (adopted) return;
  if (grant.holder == state.holder) {
    bool never_led = !state.transfer && member->report.state == ServerState::stopped && !member->report.primary_data;
    if (never_led)
      violated("S7", fmt::format("{} goes on as if it had everything, and it was never promoted", grant.holder));
    return;
  }
  if (!state.holder.empty() && member_index(grant.holder) == setup.excluded)
    return violated("S7", fmt::format("{} is chosen, and the plan excludes it", grant.holder));
  if (move_asked_ || state.holder.empty()) return;
  bool by_reflex = state.transfer && state.transfer->kind == ownership::TransferKind::reflex;
  if (by_reflex && member->report.disk_full)
    return violated("S7", fmt::format("{} is chosen, and its disk is full", grant.holder));
  auto region = [this](const std::string& name) { return setup.region_of(member_index(name)); };
  bool near_only = setup.automatic == AutomaticFailover::same_region;
  if (setup.automatic == AutomaticFailover::none)
    return violated("S28", fmt::format("{} is chosen unasked, and the plan wants a person", grant.holder));
  if (near_only && region(grant.holder) != region(state.holder))
    return violated("S28", fmt::format("{} is chosen unasked, and it is in another region", grant.holder));
  auto heard_of = [&](const ownership::Member& one) {
    return one.connected && one.reported && state.last_input - one.last_report <= std::chrono::seconds(1);
  };
  const MemberReport& report = member->report;
  if (!heard_of(*member))
    return violated("S6", fmt::format("{} is chosen, and it was not heard of for a second", grant.holder));
  bool rests = report.state == ServerState::stopped && report.primary_data;
  // Whose switchover is undone goes on as soon as the last of its processes is gone.
  bool takes_back = state.transfer && state.transfer->kind == ownership::TransferKind::switchover &&
                    state.transfer->from == grant.holder && report.state == ServerState::changing;
  if (report.state != ServerState::standby && !rests && !takes_back)
    return violated("S7", fmt::format("{} is chosen while it is {}", grant.holder, enum_name(report.state)));
  if (report.replay_paused) return violated("S7", fmt::format("{} is chosen with its replay paused", grant.holder));
  if (!replay_goes_on(report)) return violated("S7", fmt::format("{} is chosen with its replay held up", grant.holder));
  // What was sent to it last may have come since it reported: it leads with all that the old primary ended with, or not at all.
  bool hands_over = state.transfer && state.transfer->kind == ownership::TransferKind::switchover &&
                    state.transfer->at_least.value != 0;
  if (hands_over) return;
  for (const ownership::Member& other : state.members) {
    const MemberReport& its = other.report;
    bool eligible = other.config.name != state.holder && heard_of(other) && its.state == ServerState::standby &&
                    !ownership::could_not_lately(other, state.last_input) && !its.replay_paused &&
                    replay_goes_on(its) && !its.disk_full && member_index(other.config.name) != setup.excluded &&
                    (!near_only || region(other.config.name) == region(state.holder));
    bool later = its.timeline > report.timeline;
    bool more = later || (its.timeline == report.timeline && its.written > report.written && !rests);
    if (eligible && more)
      return violated(
          "S7", fmt::format("{} is chosen with {:X} of timeline {}, and {} has {:X} of timeline {}", grant.holder,
                            report.written.value, report.timeline, other.config.name, its.written.value, its.timeline));
  }
}

// S24: a right that has not ended is not taken away from who uses it.
void World::refused(const ownership::AnswerRenew& answer) {
  const Host& host = *hosts[static_cast<size_t>(member_index(answer.member))];
  auto right = right_end_.find(answer.term);
  bool newest = !store.granted.empty() && store.granted.rbegin()->first == answer.term;
  bool holds = newest && host.takes_writes() && host.term == answer.term;
  if (holds && right != right_end_.end() && kernel.now() < right->second)
    violated("S24",
             fmt::format("m{} asks to keep term {}, which has not ended, and hears no", host.index, answer.term));
}

// S8: what was seen is never forgotten.
void World::kept(const Host& host, const MemberRecord& record) {
  if (host.disk.record && record.floor < host.disk.record->floor)
    violated("S8", fmt::format("m{} saw term {} and keeps {} as the highest", host.index, host.disk.record->floor,
                               record.floor));
}

// S7: neither the old history nor the new one, and no promotion would notice.
void World::started(const Host& host) {
  if (host.disk.spoiled)
    violated("S7", fmt::format("m{} is started on what a rewind that was cut off left behind", host.index));
}

void World::fenced(const Host& host) {
  int64_t now = host.clock.read(kernel.now()).time_since_epoch().count();
  if (now < host.guard.renewed_to)
    violated("N1", fmt::format("m{} is fenced {:.3f} s before the end of a right that was renewed", host.index,
                               static_cast<double>(host.guard.renewed_to - now) / 1e9));
}

void World::right_until(uint64_t term, Nanos truth) {
  Nanos& end = lease_end_[term];
  end = std::max(end, truth);
  extend_right(term, truth);
}

void World::extend_right(uint64_t term, Nanos truth) {
  Nanos& end = right_end_[term];
  end = std::max(end, truth);
}

// S24: a primary that was replaced is promised nothing by those who know.
void World::promised(int member, uint64_t term, Nanos truth) {
  const Host& host = *hosts[static_cast<size_t>(member)];
  uint64_t known = std::max(host.takes_writes() ? host.term : 0, host.disk.record ? host.disk.record->floor : 0);
  if (known > term)
    violated("S24", fmt::format("m{} knows of term {} and promises the primary of term {} not to take over", member,
                                known, term));
  auto& by = promises_[term];
  by[member] = std::max(by[member], truth);
  if (std::cmp_less(by.size(), setup.members - 1)) return;
  Nanos all = kNever;
  for (const auto& [who, until] : by) all = std::min(all, until);
  extend_right(term, all);
}

void World::writable_changed() {
  for (const auto& host : hosts) {
    if (host->last_took_writes && !host->takes_writes()) writable_ended(*host);
    host->last_took_writes = host->takes_writes();
  }
}

// S3: whoever took writes under a term has stopped before the granting side takes the term for over.
void World::writable_ended(const Host& host) {
  Nanos now = kernel.now();
  bool thawing = now <= host.thawed;
  auto right = right_end_.find(host.term);
  bool in_time = right != right_end_.end() && now <= right->second;
  if (kernel.tells()) tell(fmt::format("m{} takes no more writes (term {})", host.index, host.term));
  last_writable_ = now;
  last_writer_ = host.index;
  if (setup.profile == Profile::noise && now > kNoiseBegins)
    violated("N1", fmt::format("m{} stopped taking writes, and nothing but noise was there", host.index));
  if (!in_time && !thawing)
    violated("S3",
             fmt::format("m{} took writes under term {} until {:.3f} s after its right ended", host.index, host.term,
                         static_cast<double>(now - (right == right_end_.end() ? 0 : right->second)) / 1e9));
}

void World::writable_began(Host& host, bool promoted) {
  Nanos now = kernel.now();
  kernel.mix(host.term * 64 + static_cast<uint64_t>(host.index));
  if (kernel.tells())
    tell(fmt::format("m{} takes writes under term {}, timeline {} at {:X}", host.index, host.term,
                     wal.timeline(host.disk.where), host.disk.where.lsn));
  host.last_took_writes = true;
  if (promoted) ++outcome_.promotions;
  if (host.term == 0) return violated("S2", fmt::format("m{} takes writes without a term", host.index));
  auto granted_to = store.granted.find(host.term);
  if (granted_to == store.granted.end() || granted_to->second != member_name(host.index))
    return violated("S2", fmt::format("m{} takes writes under term {}, which is not its own", host.index, host.term));
  // Frozen while it started: its guard has the first word.
  if (now <= host.thawed) {
    kernel.after(0, host.thawed - now + 1, [this, &host, term = host.term] {
      if (host.takes_writes() && host.term == term) writable_began(host, false);
    });
    return;
  }
  for (const auto& other : hosts) {
    bool writes_too = other->index != host.index && other->takes_writes();
    // A server that is frozen writes nothing; when it thaws, its guard has the first word.
    if (writes_too && !other->stuck() && now > other->thawed)
      return violated("S1", fmt::format("m{} (term {}) and m{} (term {}) take writes at the same time", other->index,
                                        other->term, host.index, host.term));
  }
  if (host.term < newest_written_)
    return violated("S8", fmt::format("m{} takes writes under term {} after term {} was in use", host.index, host.term,
                                      newest_written_));
  // S24: who promised the primary of an older term to stay a standby stays one.
  for (const auto& [term, by] : promises_) {
    auto its_own = by.find(host.index);
    if (term < host.term && its_own != by.end() && now < its_own->second)
      return violated("S24", fmt::format("m{} takes writes under term {} and promised the primary of term {} not to",
                                         host.index, host.term, term));
  }
  // Numbers of timelines tell which history is the later one only as long as nobody goes on with one that was left.
  uint32_t timeline = wal.timeline(host.disk.where);
  if (last_led_ >= 0 && last_led_ != host.index && timeline <= last_led_on_)
    return violated("S11", fmt::format("m{} takes writes on timeline {}, and m{} has led on {} since", host.index,
                                       timeline, last_led_, last_led_on_));
  last_led_ = host.index;
  last_led_on_ = timeline;
  newest_written_ = host.term;
  may_replace_[static_cast<size_t>(host.index)] = false;
  check_what_is_lost(host);
}

// S9 in sync mode, S7 else: a history that is given up takes no more with it than it may.
void World::check_what_is_lost(const Host& host) {
  auto lately = [&](Nanos when) { return when != 0 && kernel.now() - when < 60_s; };
  auto by_wish = put_back_granted_.find(member_name(host.index));
  bool accepted = lately(accepted_loss_) || (by_wish != put_back_granted_.end() && lately(by_wish->second));
  Nanos allowed = std::chrono::nanoseconds(setup.loss_allowed).count();
  // What a primary wrote that was not heard of any more is bounded by its lease.
  Nanos unheard = std::chrono::nanoseconds(setup.lease).count();
  // How long it took to write what is lost, in each stretch that somebody led.
  std::map<uint64_t, std::pair<Nanos, Nanos>> lost;
  for (Write& write : writes_) {
    if (write.gone || wal.holds(host.disk.where, write.at)) continue;
    if (setup.sync > 0 && !accepted)
      return violated("S9", fmt::format("a write that m{} acknowledged at {:.3f} s in sync mode is not on m{}",
                                        write.server, static_cast<double>(write.when) / 1e9, host.index));
    write.gone = true;
    write.gone_at = kernel.now();
    ++outcome_.lost;
    auto [stretch, fresh] = lost.emplace(write.term, std::pair(write.when, write.when));
    stretch->second.second = write.when;
  }
  Nanos lacks = 0;
  for (const auto& [term, stretch] : lost) lacks += stretch.second - stretch.first;
  if (!accepted && lacks > allowed + unheard + kKnowledgeSlack)
    violated("S7", fmt::format("m{} lacks {:.1f} s of writes; {:.1f} s may be lost without a person", host.index,
                               static_cast<double>(lacks) / 1e9, static_cast<double>(allowed) / 1e9));
}

void World::goes_on_under(Host& host, uint64_t term) {
  host.term = term;
  newest_written_ = std::max(newest_written_, term);
}

void World::acknowledged(Host& host, uint32_t id, const WalPlace& at) {
  Nanos now = kernel.now();
  kernel.mix(id);
  if (now <= host.thawed && host.thawed != 0) {
    ++outcome_.after_thaw;
    return;
  }
  ++outcome_.acknowledged;
  auto right = right_end_.find(host.term);
  if (right == right_end_.end() || now > right->second)
    return violated(
        "S3", fmt::format("m{} acknowledges a write under term {}, whose right has ended", host.index, host.term));
  if (host.term < newest_written_)
    return violated("S1", fmt::format("m{} acknowledges a write under term {} while term {} is in use", host.index,
                                      host.term, newest_written_));
  writes_.push_back({at, now, host.index, host.term, false, 0});
}

// S14: data that hold acknowledged writes which nobody else has are given up only when somebody asked for it.
void World::replaces(Host& host, const WalPlace& source, std::string_view how) {
  if (may_replace_[static_cast<size_t>(host.index)]) return;
  for (const Write& write : writes_) {
    if (!wal.holds(host.disk.where, write.at) || wal.holds(source, write.at)) continue;
    bool elsewhere = std::ranges::any_of(hosts, [&](const auto& other) {
      return other->index != host.index && other->disk.present && wal.holds(other->disk.where, write.at);
    });
    if (elsewhere) continue;
    return violated("S14", fmt::format("m{} is {} unasked, and with it goes the only copy of an acknowledged write",
                                       host.index, how));
  }
}

void World::histories_mixed(const Host& host, const Host& source, std::string_view how) {
  violated("S11", fmt::format("m{} {} m{}: both are on timeline {}, and their histories differ", host.index, how,
                              source.index, wal.timeline(host.disk.where)));
}

void World::number_reused(const Host& host, uint32_t timeline) {
  violated("S11", fmt::format("m{} begins timeline {}, and another history has that number", host.index, timeline));
}

void World::transfer_ended(const ownership::FinishTransfer& finished, const ownership::Transfer& asked,
                           Nanos asked_at) {
  if (kernel.tells())
    tell(fmt::format("transfer {} ends: {}", finished.id, finished.error ? finished.error->text() : "done"));
  if (finished.error) return;
  int primary = writable_host();
  // What a controller can know is as old as a lease.
  Nanos since = std::min(asked_at, kernel.now() - Nanos{setup.lease.count()} * 1_ms - 1_s);
  bool wrote_lately = primary >= 0 || last_writable_ >= since;
  bool moved = asked.kind != ownership::TransferKind::reprotect;
  if (moved && !wrote_lately && !hosts_frozen())
    return violated("S15", "a transfer is told to be done, and nobody takes writes");
  if (asked.kind == ownership::TransferKind::reprotect) return reprotected(finished.result, primary);
  if (asked.kind == ownership::TransferKind::restore && primary == member_index(asked.to))
    return put_back(asked, asked_at);
  // What one that has just thawed gave up when it began to take writes is looked at only after its guard has had the first word.
  bool looked_at = primary >= 0 && kernel.now() > hosts[static_cast<size_t>(primary)]->thawed;
  if (asked.kind != ownership::TransferKind::switchover || !looked_at) return;
  for (const Write& write : writes_) {
    if ((write.gone && write.gone_at < asked_at) ||
        wal.holds(hosts[static_cast<size_t>(primary)]->disk.where, write.at))
      continue;
    const WalPlace& place = hosts[static_cast<size_t>(primary)]->disk.where;
    return violated(
        "S10", fmt::format("a switchover lost a write that m{} had acknowledged at {:.3f} s ({:X} of timeline {}; "
                           "m{} has {:X} of timeline {})",
                           write.server, static_cast<double>(write.when) / 1e9, write.at.lsn, wal.timeline(write.at),
                           primary, place.lsn, wal.timeline(place)));
  }
}

// S15: what was put back is what users see: all of it, and of what was written before the wish nothing else.
void World::put_back(const ownership::Transfer& asked, Nanos asked_at) {
  const Host& host = *hosts[static_cast<size_t>(member_index(asked.to))];
  const WalPlace& place = restored.at(asked.restored);
  if (!wal.holds(host.disk.where, place))
    return violated("S15",
                    fmt::format("restore {} is told to be done, and m{} does not have it", asked.restored, host.index));
  for (const Write& write : writes_) {
    if (write.when < asked_at && !wal.holds(place, write.at) && wal.holds(host.disk.where, write.at))
      return violated("S15", fmt::format("restore {} is told to be done, and a write of {:.3f} s behind it is there",
                                         asked.restored, static_cast<double>(write.when) / 1e9));
  }
}

// L4: whom a reprotect calls a standby has the primary's history.
void World::reprotected(const Json& result, int primary) {
  if (primary < 0 || !result.is_object()) return;
  for (const auto& [name, text] : result.as_object()) {
    int member = member_index(std::string(name));
    if (member < 0 || !text.is_string() || text.as_string() != "streams from " + member_name(primary)) continue;
    const Host& standby = *hosts[static_cast<size_t>(member)];
    if (standby.phase == Phase::recovery &&
        !wal.holds(hosts[static_cast<size_t>(primary)]->disk.where, standby.disk.where))
      return violated("L4",
                      fmt::format("m{} is told to stream from m{}, and their histories have parted", member, primary));
  }
}

bool World::hosts_frozen() const {
  return std::ranges::any_of(hosts, [](const auto& host) { return host->takes_writes() && host->stuck(); });
}

void World::note(const ownership::Note& note) {
  if (kernel.tells()) tell(fmt::format("controller: {}: {}", note.kind, note.text));
}

// S23: no cascade, whoever counts.
void World::made_by_itself() {
  if (std::cmp_greater(store.now.automatic.size(), setup.automatic_at_most))
    violated("S23", fmt::format("{} automatic failovers, {} are the limit", store.now.automatic.size(),
                                setup.automatic_at_most));
}

}  // namespace lifeboat::sim
