// What lies beside a logical backup that a plan had taken: for whom, and what it took. Only backups with such a note are ever removed
// by a plan, and only by the service that had them taken.
#pragma once

#include <cstdint>
#include <string>

#include "core/data/describe.hpp"

namespace lifeboat {

struct DumpNote {
  std::string plan;
  std::string service;
  std::string order;  // what asked for it; one order is one backup, however often it is tried
  std::string from;   // the member, or host, that it was read from
  std::string format = "custom";
  double seconds = 0;
  int64_t tables = -1, rows = -1;
};
BOOST_DESCRIBE_STRUCT(DumpNote, (), (plan, service, order, from, format, seconds, tables, rows))
constexpr auto field_docs(const DumpNote*) {
  return std::to_array<FieldDoc>({{"plan", Need::required, "that had it taken"},
                                  {"service", Need::required, "whose database it is"},
                                  {"order", Need::required, "run and step, or the schedule"},
                                  {"from", Need::optional, "the member, or host, that it was read from"},
                                  {"format", Need::optional, "of pg_dump"},
                                  {"seconds", Need::optional, "that it took"},
                                  {"tables", Need::optional, "that were counted; -1: none was"},
                                  {"rows", Need::optional, "that were counted"}});
}

}  // namespace lifeboat
