// Errors are values with a story for a person: what was tried, where, what came back, what to do next.
// Exceptions are left to broken invariants and out-of-memory; exceptions of libraries are turned into
// values in io/, at the call.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeboat {

// What a caller would act on differently. `unknown_outcome` means that the request was sent and no answer
// came: neither success nor failure, so the effect must be observed before it is tried again.
enum class ErrorKind {
  invalid_input,    // what was asked makes no sense; trying again will not help
  not_found,        // the thing named does not exist
  refused,          // the other side understood and said no (rights, policy, state)
  unreachable,      // no connection could be made
  timed_out,        // the deadline passed before the request was sent
  unknown_outcome,  // the request was sent, no answer came
  conflict,         // someone else holds or changed it
  unsupported,      // a program or feature is missing here
  cancelled,        // the caller gave up
  internal,         // a defect of Lifeboat
};

std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string what;                  // what was tried and what came back: "connect to 10.1.0.3:5432: refused"
  std::string where;                 // host, or file:line:column; empty when `what` says it
  std::string hint;                  // what to do next, a sentence; may be empty
  std::vector<std::string> context;  // added on the way up, innermost first

  // The same error with one more line of context.
  Error with(std::string line) &&;
  // One line: context, what, where, hint.
  std::string text() const;
};

template <class T = void>
using Result = std::expected<T, Error>;

// An error ready to be returned: `return fail(ErrorKind::refused, "...")`.
std::unexpected<Error> fail(ErrorKind kind, std::string what, std::string hint = {}, std::string where = {});

}  // namespace lifeboat

#define LIFEBOAT_CONCAT_INNER(a, b) a##b
#define LIFEBOAT_CONCAT(a, b) LIFEBOAT_CONCAT_INNER(a, b)
#define LIFEBOAT_TRY_INNER(tmp, ret, decl, ...)          \
  auto tmp = (__VA_ARGS__);                              \
  if (!tmp) ret std::unexpected(std::move(tmp).error()); \
  decl = std::move(*tmp)

// TRY(auto value, expression): declares value, or returns the error to the caller. CO_TRY in coroutines.
#define TRY(decl, ...) LIFEBOAT_TRY_INNER(LIFEBOAT_CONCAT(try_, __LINE__), return, decl, __VA_ARGS__)
#define CO_TRY(decl, ...) LIFEBOAT_TRY_INNER(LIFEBOAT_CONCAT(try_, __LINE__), co_return, decl, __VA_ARGS__)
// For Result<void>: only passes the error on.
#define TRY_VOID(...) \
  if (auto try_void_ = (__VA_ARGS__); !try_void_) return std::unexpected(std::move(try_void_).error())
#define CO_TRY_VOID(...) \
  if (auto try_void_ = (__VA_ARGS__); !try_void_) co_return std::unexpected(std::move(try_void_).error())
