#include "core/recovery/time_span.hpp"

#include <fmt/format.h>

namespace lifeboat::recovery {
namespace {

Result<Moment> moment_of(const std::string& text, const char* option) {
  auto at = ScalarText<Moment>::parse(text);
  if (!at)
    return fail(ErrorKind::invalid_input, fmt::format("{} '{}': {}", option, text, at.error()),
                "a moment has a date, a time and a zone: \"2024-01-01 14:30:00+00\"");
  return *at;
}

}  // namespace

Result<TimeSpan> parse_span(const std::string& from, const std::string& to, Duration back, Moment now) {
  TimeSpan out{.from = {}, .to = now};
  if (!to.empty()) {
    TRY(out.to, moment_of(to, "--to"));
  }
  out.from = out.to - back;
  if (!from.empty()) {
    TRY(out.from, moment_of(from, "--from"));
  }
  if (out.from >= out.to)
    return fail(ErrorKind::invalid_input,
                fmt::format("the time to look at ends at {} and begins only at {}", moment_in_words(out.to),
                            moment_in_words(out.from)),
                "give --from before --to");
  return out;
}

}  // namespace lifeboat::recovery
