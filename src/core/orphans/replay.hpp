// What would happen if the changes that were set aside were made again on the database as it is now. Nothing is changed: the
// present rows are looked up, and the changes are judged one after the other as if each had been made.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/orphans/decoded.hpp"

namespace lifeboat::orphans {

BOOST_DEFINE_ENUM_CLASS(Verdict,
                        applies,        // the row is as the change found it, as far as that is known
                        already_there,  // the row is as the change leaves it
                        conflict,       // somebody has written the row since, or it is not there
                        cannot_tell)    // the change does not name its row

struct Judged {
  Verdict verdict = Verdict::cannot_tell;
  std::string why;
};

using Row = std::map<std::string, std::optional<std::string>>;

// What names a row: database, table and key. Nothing when the change does not name one.
std::optional<std::string> row_name(const Kept& change, const TextMap<Json>& key);
// The keys whose rows must be known to judge this change: of the row before, and after when the key changes.
std::vector<TextMap<Json>> keys_of(const Kept& change);

// `rows`: by row_name, the present row or nothing when there is none. Takes the change over into `rows` unless it conflicts.
Judged judge(const Kept& change, std::map<std::string, std::optional<Row>>& rows);

}  // namespace lifeboat::orphans
