// Checks that hold on good data, written as SQL, and what their answers mean.
//
// A file of checks is a list of statements that end with ';'. A statement holds when it returns
//   - no row at all (it selects what is wrong), or
//   - one row with one column that is true;
// everything else says that the data is not good, also a statement that the server refuses because a table or a column is
// gone, or because a page is damaged. A comment right before a statement is its name; `-- database: NAME` says
// where this statement and those behind it run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat::clean_point {

struct Check {
  std::string name;  // the comment before it, else the statement cut short
  std::string database;
  std::string sql;
  size_t line = 0;
};

// Errors: `invalid_input` with the line: a quote or comment that is not closed, a statement that changes something, no
// statement at all.
Result<std::vector<Check>> parse_checks(std::string_view text, const std::string& database);

// Where checks are asked that name no database: in the only one of users. `databases`: those of the cluster that take sessions.
// Errors: `invalid_input` when there are several.
Result<std::string> usual_database(const std::vector<std::string>& databases);

struct Answer {
  bool holds = false;
  std::string said;  // in short what came back, when it does not hold
};
// `rows` as text; a NULL is empty.
Answer judge_rows(const std::vector<std::string>& columns,
                  const std::vector<std::vector<std::optional<std::string>>>& rows);

// Whether anything tells good from bad: `left` checks do, those that are built in as well, when the ones named in `put_aside` answer now so,
// now so on the same data. Error: `invalid_input` when none is left, since every point would seem good then.
Result<> something_still_tells(const std::vector<std::string>& put_aside, size_t left);

// What a server's refusal means, by its SQLSTATE.
enum class Refusal {
  bad_data,     // what the check needs is gone or damaged: it does not hold
  wrong_check,  // the check cannot be asked on any data as it is written
  locked,       // a transaction that ends only later holds a lock: cannot be asked at this position
  undecided,    // nothing about the data: time, connection, room
};
Refusal refusal_of(std::string_view sqlstate);

}  // namespace lifeboat::clean_point
