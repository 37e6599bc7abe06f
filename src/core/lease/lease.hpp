// The holder's side of an ownership lease: until when this member may write, on its own clock. Pure.
//
// The lease counts from when a renewal was *sent*; the granting side counts from when it was received, so it always ends
// later there. Writing stops `margin` before the end here: by then the server has been killed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/base/time.hpp"

namespace lifeboat {

struct Lease {
  Duration length{0};
  uint64_t term = 0;   // 0: none is held
  uint64_t floor = 0;  // the highest term ever seen; an older grant is refused
  MonoTime until{};    // end of the right

  Duration margin() const { return std::max(length / 4, Duration{200}); }
  // When the server must be dead if nothing better is heard.
  MonoTime fence_at() const { return until - margin(); }
  Duration renew_every() const { return std::max(length / 10, Duration{50}); }
  bool held(MonoTime now) const { return term != 0 && now < fence_at(); }
};

// Takes a grant that counts from `as_of`. False, and nothing changed, when the term was seen before or the right is over
// already.
inline bool take_grant(Lease& lease, uint64_t term, MonoTime as_of, MonoTime now) {
  if (term <= lease.floor) return false;
  Lease next = lease;
  next.term = term;
  next.floor = term;
  next.until = as_of + lease.length;
  if (as_of > now || !next.held(now)) return false;
  lease = next;
  return true;
}

// A renewal that was sent at `sent` was granted. Answers that come out of order never shorten the right.
inline void take_renewal(Lease& lease, uint64_t term, MonoTime sent, MonoTime now) {
  if (term == 0 || term != lease.term || sent > now || !lease.held(now)) return;
  lease.until = std::max(lease.until, sent + lease.length);
}

// Nothing may be written any more; the term is not coming back.
inline void drop(Lease& lease) {
  lease.term = 0;
  lease.until = MonoTime{};
}

}  // namespace lifeboat
