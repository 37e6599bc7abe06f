// Which set lies before a transaction: a repository knows times and positions of its sets, not numbers of transactions. The log at
// the end of each set tells which number came next.
#pragma once

#include <string_view>

#include "core/recovery/catalogue.hpp"
#include "io/pgbackrest.hpp"
#include "recovery/point.hpp"

namespace lifeboat::recovery {

// The number that follows every transaction seen in what pg_waldump printed; 0 when it shows none.
uint64_t next_xid_in(std::string_view waldump);

struct XidSearch {
  PgBackRest repository;
  Catalogue catalogue;
  std::string control_folder;
  std::string tool;  // pg_waldump
  uint64_t xid = 0;
};
// The label of the newest of the catalogue's sets at whose end the transaction had not begun: its commit is certainly behind
// that. Errors: `refused` when there is none.
Task<Result<std::string>> set_before_xid(XidSearch search, Deadline deadline);

}  // namespace lifeboat::recovery
