// Silent corruption: pages of a data folder whose checksum is wrong, by table, and the newest backup that has none.
#pragma once

#include <string>
#include <vector>

#include "core/forensics/names.hpp"
#include "core/recovery/catalogue.hpp"
#include "io/pgbackrest.hpp"

namespace lifeboat::recovery {

struct DamagedPage {
  std::string path;  // below the data folder
  forensics::FileRef file;
  uint32_t block = 0;
  std::string table;  // or index; empty when the catalogue does not tell
};

struct PageReport {
  uint64_t files = 0;
  uint64_t pages = 0;
  std::vector<DamagedPage> damaged;  // the first kMostListed
  uint64_t damaged_pages = 0;
};
inline constexpr size_t kMostListed = 10'000;

// Reads every page of every relation; blocks for as long as the disk takes. A server may run: a page found wrong is read
// again, since it may have been on its way to the disk. Errors: `not_found` (no data folder), `unsupported` (the cluster
// has no checksums), `refused` (rights).
Result<PageReport> verify_pages(std::string data_folder);
Json to_json(const PageReport& report);
std::string in_words(const PageReport& report);
// "12 of 3456 pages are damaged, in public.orders, index public.orders_pkey"
std::string in_a_line(const PageReport& report);

// Everything of a stanza, with a scratch folder of its own. Page errors of a set that nobody checked for them are not known.
Task<Result<Catalogue>> look_at_repository(PgBackRest repository, Deadline deadline);

}  // namespace lifeboat::recovery
