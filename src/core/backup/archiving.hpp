// Whether a primary's archiving stands still, from what its agent says of it from moment to moment. While WAL is streamed nothing is lost by
// that, so the RPO does not tell; but what waits stays on the primary until its disk is full. Pure.
#pragma once

#include <string>

#include "core/backup/failing.hpp"
#include "core/backup/messages.hpp"

namespace lifeboat::backup {

class Archiving {
 public:
  // What the agent of `member`, the primary, said last; null when it has said nothing for a while, and then what was so stays so.
  void observe(const std::string& member, const wire::ArchiveReport* report, Duration rpo, MonoTime now);
  // In words; empty: it goes on.
  const std::string& trouble() const { return trouble_; }

 private:
  std::string member_;
  Failing moves_, works_;
  bool late_ = false;
  std::string trouble_;
};

}  // namespace lifeboat::backup
