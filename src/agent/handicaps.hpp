// What would make a rewind or a failover fail or cost more on the day, found while the server is well: rights that pg_rewind needs
// (PostgreSQL 15 manual, pg_rewind: "GRANT EXECUTE ON function ..."), settings without which data cannot be rewound, logical slots
// that no standby has. And what would end a primary that hears no controller: members that do not reach each other.
#pragma once

#include <string>
#include <string_view>

#include "core/ownership/report.hpp"
#include "io/postgres.hpp"

namespace lifeboat {

// One row for each of them: `handicap`, in words. Runs on a primary and on a standby.
std::string handicaps_sql(std::string_view replication_user);

std::vector<std::string> handicaps_in(const PgRows& rows);

// For as long as something is so its words stay the same.
std::string neighbour_is_silent(const std::string& member, int64_t port);
std::string line_is_shut(const std::string& why);

}  // namespace lifeboat
