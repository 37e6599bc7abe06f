#include "core/validation/profile.hpp"

#include <algorithm>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {

int64_t DatabaseProfile::rows() const {
  int64_t sum = 0;
  for (const TableProfile& table : tables) sum += table.rows;
  return sum;
}

const TableProfile* DatabaseProfile::table(std::string_view name) const {
  auto found = std::ranges::find(tables, name, &TableProfile::name);
  return found == tables.end() ? nullptr : &*found;
}

std::string profile_text(const DatabaseProfile& profile) { return to_pretty_text(encode(profile)) + "\n"; }

Result<DatabaseProfile> read_profile(std::string_view text) {
  TRY(Json json, parse_json(text));
  auto profile = decode<DatabaseProfile>(json);
  if (!profile) return std::unexpected(to_error(profile.error(), "this is no profile of a database"));
  return std::move(*profile);
}

}  // namespace lifeboat
