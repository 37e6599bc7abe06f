// Which restored copy a name stands for, and what an order finds there: its own copy, one of an older order, or room for a new one. Pure.
//
// A name is used again: a plan's step has the same one in every run. So a copy is known by the order that made it, and a finished one of
// another order is never taken for what is asked for now, since what was the end of the log then is not the end of the log today.
// One whose data were given to a member is left alone for good: the next copy gets a folder beside it, NAME-2 and so on. Members
// remember by that name whose data they have.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/error.hpp"
#include "core/data/json.hpp"

namespace lifeboat::recovery {

struct KnownCopy {
  std::string name;      // of its folder
  std::string asked_as;  // the name in the order
  std::string order;     // who ordered it, see wire::RestoreBegin
  std::string state;     // running, done, failed, adopted
  std::string wish;      // the order as text, without what does not count
};
// As restore.list tells of it.
KnownCopy known_copy(const Json& listed);

// The newest that was ordered by that name, else the one that is called so; null when there is none.
const KnownCopy* copy_called(std::span<const KnownCopy> copies, std::string_view name);

struct CopyChoice {
  std::string name;      // of the folder
  bool there = false;    // the very copy that is ordered: it is being made, or done
  bool give_up = false;  // a finished one of another order is in the way and goes
};
// `again`: whether a finished copy of another order is given up. Errors, all `conflict`: one of another order is being made, or done and
// is not given up; the data of the one that is ordered were given to a member.
Result<CopyChoice> choose_copy(std::span<const KnownCopy> copies, const KnownCopy& wanted, bool again);

}  // namespace lifeboat::recovery
