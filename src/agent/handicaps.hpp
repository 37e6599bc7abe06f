// What would make a rewind or a failover fail or cost more on the day, found while the server is well: rights that pg_rewind needs
// (PostgreSQL 15 manual, pg_rewind: "GRANT EXECUTE ON function ..."), settings without which data cannot be rewound, logical slots
// that no standby has.
#pragma once

#include <string>
#include <string_view>

#include "core/ownership/report.hpp"
#include "io/postgres.hpp"

namespace lifeboat {

// One row for each of them: `handicap`, in words. Runs on a primary and on a standby.
std::string handicaps_sql(std::string_view replication_user);

std::vector<std::string> handicaps_in(const PgRows& rows);

}  // namespace lifeboat
