// Names of tables for forensics, from a server that answers or from the files of one that does not run: its data folder, or
// that of a copy restored from an earlier backup. Files also tell the names of tables dropped lately, until their rows are
// cleaned away.
#pragma once

#include <string>
#include <vector>

#include "core/forensics/names.hpp"
#include "io/postgres.hpp"
#include "io/task.hpp"

namespace lifeboat {

// "host=… port=… user=…" as libpq writes it (quotes for values with blanks). A password comes by PGPASSFILE or PGPASSWORD.
Result<PgParams> parse_connection(const std::string& words);

// Asks every database that takes connections; what could not be asked is named in `notes`. Reads only.
Task<Result<>> names_from_server(PgParams params, forensics::NameBook& names, std::vector<std::string>& notes,
                                 Deadline deadline);

// Blocking. Rows as they stand in the files: a running server's may be behind by what it has not written yet.
Result<> names_from_files(const std::string& data_folder, forensics::NameBook& names);

}  // namespace lifeboat
