// The language of `if` and `halt_if`: comparisons over what steps found out and the values of the plan.
//
//   steps.assess.data.lag_s > 30s and not vars.accept_loss
//   steps.confirm.status == 'done' or (vars.to == 'west')
//
// Values: numbers, 'text' or "text", true, false, null, durations (30s, 15m: a number of seconds), paths
// `steps.ID.status`, `steps.ID.data.KEY…` (a number picks from a list) and `vars.NAME`.
// Operators, weakest first: or, and, not, then one of == != < <= > >=. Parentheses group.
//
// Pure and total: at most 1,000 characters and 32 levels; no loops, no calls. A value of the wrong kind where true or
// false, or two things of one kind, are needed is an error, never quietly false.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/json.hpp"

namespace lifeboat {

struct ExpressionProblem {
  size_t column = 1;       // counted from 1, in bytes
  std::string message;     // "expected a value, found 'and'"
  std::string suggestion;  // may be empty

  // "column 7: expected a value, found 'and'".
  std::string text() const;
};

// A path that the expression reads: {"steps", "assess", "data", "lag_s"}.
struct ExpressionReference {
  size_t column = 1;
  std::vector<std::string> path;
};

class Expression {
 public:
  // The value at a path; null when there is none.
  using Lookup = std::function<Json(std::span<const std::string> path)>;

  static std::expected<Expression, ExpressionProblem> parse(std::string_view text);

  // Whether it holds. invalid_input, in words, when the values found do not fit.
  Result<bool> holds(const Lookup& lookup) const;

  // Everything it reads, in order.
  std::vector<ExpressionReference> references() const;

  struct Node;

 private:
  explicit Expression(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

// For whoever loads a plan: what is wrong with `text` as a condition of a step. Syntax; unknown steps and variables
// (with did-you-mean); paths that are neither steps.ID.status, steps.ID.data… nor vars.NAME.
std::vector<ExpressionProblem> check_expression(std::string_view text, std::span<const std::string> steps,
                                                std::span<const std::string> vars);

}  // namespace lifeboat
