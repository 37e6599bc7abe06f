// Removes what a restore left on this host.
#pragma once

#include "core/base/error.hpp"
#include "recovery/folder.hpp"

namespace lifeboat::recovery {

// The folder of a copy whose server has ended, with all that is in it; blocks for as long as that takes. Its data leave the folder first, by
// one rename: whoever gives them to a member at this very moment has them already, and then a copy that was `whole` is left as it is,
// or finds them gone. Cut off, it is done again; what is left in the folder then is still marked as a restore's own. Errors: `conflict` (a member has
// its data), `refused` (what the file system says).
Result<> remove_copy(const RestoreFolder& folder, bool whole);
// What a removal that was cut off left beside the folder; nothing most often.
Result<> end_removal(const RestoreFolder& folder);

}  // namespace lifeboat::recovery
