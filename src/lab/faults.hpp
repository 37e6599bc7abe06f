// What can be broken in a lab, and its healing. Every fault is one entry of a table: a name, what its target is, how it
// is put in and how it is healed.
//
//   kill-region REGION     everything in it dies at once          heal: its hosts start again with the data they have
//   cut-region REGION      nothing gets in or out, silently       heal: the network is back
//   kill-host HOST         everything on it dies at once          heal: it starts again
//   kill-process HOST/NAME one program of a host dies             heal: it starts again
//   kill-server [MEMBER]   a PostgreSQL server's first process dies
//   stop-server [MEMBER]   a PostgreSQL server's processes stop   heal: they go on
//
// MEMBER is a member of a database ("SERVICE/MEMBER" when there are several databases); left out: who may write now.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lab/world.hpp"

namespace lifeboat::lab {

struct FaultKind {
  std::string_view name;
  std::string_view target;  // region, host, process or server
  std::string_view meaning;
  bool needs_namespaces = false;
};
std::span<const FaultKind> fault_kinds();

// What was hit: `at_ns` is CLOCK_BOOTTIME just before it.
struct FaultDone {
  int64_t at_ns = 0;
  std::string target;
};
Result<FaultDone> inject(LabWorld& world, const std::string& name, const std::string& target);
// Heals the faults of that name (all when empty) and target (any when empty). Returns how many.
Result<int> heal(LabWorld& world, const std::string& name, const std::string& target);

}  // namespace lifeboat::lab
