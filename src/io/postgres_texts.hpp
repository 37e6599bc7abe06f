// Which columns hold what people wrote, for those who look whether it was encrypted.
#pragma once

#include <string_view>

namespace lifeboat {

// For `a.atttypid IN (…)`.
constexpr std::string_view kTextTypes =
    "'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype";

}  // namespace lifeboat
