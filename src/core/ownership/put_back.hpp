// The steps by which the right to write goes to a member whose data are put back from a backup, because a person wants that
// history: whatever the others have, and whoever has more.
//
// A standby puts the restored data in place while the old primary goes on, so that nothing has been stopped if it cannot; the primary
// itself, when it is the one, after it has stopped. Then the old primary steps down in good order; where it cannot be asked, the end of its
// right is waited for. What the others have stays with them until somebody asks for their reprotection.
#pragma once

#include <string>

#include "core/base/error.hpp"
#include "core/ownership/state.hpp"

namespace lifeboat::ownership {

struct PutBackStep {
  enum class What {
    wait,
    adopt,      // the member is to put the restored data in place
    step_down,  // the holder is to stop writing
    grant,      // the member may take writes
    there,      // it takes writes on these data already
    undo,       // the old primary stopped for it, and the member is gone: that one goes on
    refuse,     // nothing was changed
  } what = What::wait;
  ErrorKind kind = ErrorKind::refused;
  std::string why;  // for people: what is waited for, or why not
  std::string hint;
};

// What comes next for the transfer of kind `restore` that is under way and waits.
PutBackStep next_put_back(const State& state, MonoTime now);

}  // namespace lifeboat::ownership
