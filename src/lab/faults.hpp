// What can be broken in a lab, and its healing. Every fault is one entry of a table: a name, what its target is, how it
// is put in and how it is healed.
//
//   kill-region REGION        everything in it dies at once         heal: its hosts start again with the data they have
//   kill-workload REGION      as kill-region, but controllers and their store live
//   cut-region REGION         nothing gets in or out, silently      heal: the network is back
//   kill-host HOST            everything on it dies at once         heal: it starts again
//   kill-process HOST/NAME    one program of a host dies            heal: it starts again
//   kill-node [HOST]          as kill-host
//   freeze-node [HOST]        everything on it stops at once        heal: everything goes on, servers first
//   cut-node [HOST]           nothing gets in or out, silently      heal: the network is back
//   cut-node-one-way [HOST]   nothing gets in; what it sends arrives (HOST:out: the other way round)
//   cut-pair [HOST+HOST]      these two do not reach each other; both reach all others
//   flap-node [HOST]          cut off and back, again and again, for shorter and longer than a lease
//   kill-agent [HOST]         the agent dies, its server goes on    (it is started anew, as a service manager would)
//   stop-agent [HOST]         the agent stops, its server goes on   heal: it goes on
//   kill-guard [MEMBER]       the guard of a server dies
//   kill-server [MEMBER]      a PostgreSQL server's first process dies
//   stop-server [MEMBER]      a PostgreSQL server's processes stop  heal: they go on
//   slow-disk [MEMBER]        each fsync of a server takes long     heal: no longer
//   full-disk [HOST]          its disk has no room left; only where a lab has small disks    heal: room again
//   drop-table [TABLE]        a table of a database is dropped      (nothing to heal: a recovery brings it back)
//   mass-delete [TABLE]       all rows of a table are deleted
//   corrupt-pages [TABLE]     bytes change in the primary's files of a table and its index
//   lost-datadir [DATABASE]   the data directories of all members of a database are gone
//   ransomware [TABLE]        an attacker encrypts its rows for minutes    heal: no longer
//   kill-control              every controller and every voter of their store dies    heal: they start again
//   kill-store                every voter of their store dies, controllers live       heal: they start again
//   stop-store                every voter of their store stops, controllers live      heal: they go on
//
// MEMBER is a member of a database ("SERVICE/MEMBER" when there are several databases); a HOST of a database may be named by
// its member too. Left out: who may write now.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lab/world.hpp"

namespace lifeboat::lab {

struct FaultKind {
  std::string_view name;
  std::string_view target;  // region, host, process, node, pair or server; "all" takes no name
  std::string_view meaning;
  bool needs_namespaces = false;
  // It need not end in a run: doing nothing, or going on with the same server, may be the right answer.
  bool may_pass = false;
  // No controller leads while it is in.
  bool silences_controllers = false;
  // The lab must have been made with small disks.
  bool needs_small_disks = false;
  // Most often all servers go on: only somebody who looks at the data notices, and asks for the recovery.
  bool of_the_data = false;
  // Of these, one that a signal of the plan is to notice by itself.
  bool noticed = false;
  // And that goes for the backups too.
  bool of_the_backups = false;
};
std::span<const FaultKind> fault_kinds();
// Null when there is none of that name.
const FaultKind* find_fault(std::string_view name);
// For an error message and for help.
std::string fault_names();

// What was hit: `at_ns` is CLOCK_BOOTTIME just before it.
struct FaultDone {
  int64_t at_ns = 0;
  std::string target;
  Json detail;  // of a fault of the data: what it did
};
Result<FaultDone> inject(LabWorld& world, const std::string& name, const std::string& target);
// Heals the faults of that name (all when empty) and target (any when empty). Returns how many.
Result<int> heal(LabWorld& world, const std::string& name, const std::string& target);

// Faults that come and go: whether any is in, and the changes that are due. Called by the keeper, every 20 ms.
bool changes_by_itself(const LabWorld& world);
Result<void> change_due_faults(LabWorld& world);

}  // namespace lifeboat::lab
