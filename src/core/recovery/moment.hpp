// A moment of a database's history, to the microsecond: as exact as PostgreSQL's commit times are. Always UTC here.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>

#include "core/data/scalars.hpp"

namespace lifeboat {

using Moment = std::chrono::sys_time<std::chrono::microseconds>;

// Reads "2024-01-01 14:30:00+00", with 'T' or a blank, with or without a fraction (at most microseconds), the zone as "Z",
// "UTC", "+00", "+0530" or "+05:30". A moment without a zone is refused: what it means would depend on the host that reads it.
template <>
struct ScalarText<Moment> {
  static constexpr std::string_view kName = "moment with a zone";
  static constexpr std::string_view kPattern =
      "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)? "
      "?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)$";
  static std::expected<Moment, std::string> parse(std::string_view text);
  // "2024-01-01T14:30:00.123456Z"; the fraction is left out when it is zero.
  static std::string format(const Moment& value);
};

// "2024-01-01 14:30:00.123456+00": what PostgreSQL and pgBackRest read without doubt.
std::string moment_for_postgres(Moment at);
// "2024-01-01 14:30:00.123 UTC", for people; the fraction is left out when it is zero.
std::string moment_in_words(Moment at);

}  // namespace lifeboat
