// The time in which something is looked for, as people give it.
#pragma once

#include <string>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/recovery/moment.hpp"

namespace lifeboat::recovery {

struct TimeSpan {
  Moment from{};
  Moment to{};
};

// `to` empty: `now`. `from` empty: `back` before the end. Errors: `invalid_input` for what is no moment with a zone, and for an end
// that is not behind the begin.
Result<TimeSpan> parse_span(const std::string& from, const std::string& to, Duration back, Moment now);

}  // namespace lifeboat::recovery
