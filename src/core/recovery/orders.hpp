// Which orders of people about copies of one database go on beside each other, and which of them somebody means who says stop. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat::recovery {

struct OrderUnderWay {
  std::string what;    // restore, adopt, forensics, clean-point, stop
  std::string name;    // of the copy; empty for a look
  std::string by;      // who ordered it
  bool swaps = false;  // a copy is taking the database's place: half of that would be worse than all or nothing
};

// A look changes nothing: it has no name of its own, and is named by what it does.
bool is_look(std::string_view what);

// Whether an order may begin beside those. What changes the database's place is done by one at a time, and each look once; a look bars no
// restore, and nothing bars a stop. Errors: `conflict`, with how the other one is ended.
Result<> may_begin(std::string_view what, const std::string& service, std::span<const OrderUnderWay> under_way);

// Which of those a stop ends, by their places in the list: the copy of that name, the look of that kind, or all when no name is given.
// Errors: `refused` when one of them swaps.
Result<std::vector<size_t>> meant_by_stop(const std::string& name, std::span<const OrderUnderWay> under_way);

}  // namespace lifeboat::recovery
