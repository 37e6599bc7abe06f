// How long a standby's replay has stood still with log of its own to go on with: held up by a query or a lock, by a setting, or by one
// record that takes long. To become writable it has to replay all that it has, so it would keep everybody waiting.
#pragma once

#include "core/member/server.hpp"

namespace lifeboat {

class ReplayWatch {
 public:
  void saw(const ServerLook& look, MonoTime now) {
    bool has_more = look.in_recovery && !look.replaying && look.written > look.replayed && !look.waits_for_log;
    if (!has_more || look.replayed != replayed_) moved_ = now;
    replayed_ = look.replayed;
    looked_ = now;
  }
  // As of the last look; zero before the first.
  Duration still() const { return to_duration(looked_ - moved_); }

 private:
  Lsn replayed_;
  MonoTime moved_{}, looked_{};
};

}  // namespace lifeboat
