#include "core/expression/expression.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/base/similar.hpp"
#include "core/base/time.hpp"

namespace lifeboat {

struct Expression::Node {
  enum class Kind { value, path, not_, and_, or_, compare };
  Kind kind = Kind::value;
  size_t column = 1;
  Json value;
  std::vector<std::string> path;
  std::string op;
  std::shared_ptr<const Node> left;
  std::shared_ptr<const Node> right;
};

namespace {

using Node = Expression::Node;
using NodePtr = std::shared_ptr<const Node>;
using Parsed = std::expected<NodePtr, ExpressionProblem>;

constexpr size_t kLongest = 1'000;
constexpr int kDeepest = 32;

enum class TokenKind { end, word, number, text, op };

struct Token {
  TokenKind kind = TokenKind::end;
  std::string text;
  Json value;
  size_t column = 1;
};

std::unexpected<ExpressionProblem> problem(size_t column, std::string message, std::string suggestion = {}) {
  return std::unexpected(ExpressionProblem{column, std::move(message), std::move(suggestion)});
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::string shown(const Token& token) {
  return token.kind == TokenKind::end ? std::string("the end") : fmt::format("'{}'", token.text);
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::expected<std::vector<Token>, ExpressionProblem> all() {
    std::vector<Token> out;
    while (true) {
      while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
      Token token;
      token.column = at_ + 1;
      if (at_ == text_.size()) {
        out.push_back(std::move(token));
        return out;
      }
      auto read = next(token);
      if (!read) return std::unexpected(std::move(read).error());
      out.push_back(std::move(token));
    }
  }

 private:
  std::string_view text_;
  size_t at_ = 0;

  std::expected<void, ExpressionProblem> next(Token& token) {
    char c = text_[at_];
    if (c == '\'' || c == '"') return quoted(token, c);
    bool negative = c == '-' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    if (is_digit(c) || negative) return number(token);
    if (is_letter(c)) {
      word(token);
      return {};
    }
    for (std::string_view op : {"==", "!=", "<=", ">=", "<", ">", "(", ")"}) {
      if (!text_.substr(at_).starts_with(op)) continue;
      token.kind = TokenKind::op;
      token.text = op;
      at_ += op.size();
      return {};
    }
    if (c == '=') return problem(at_ + 1, "'=' is no comparison", "write ==");
    if (c == '&') return problem(at_ + 1, "'&' is no operator", "write and");
    if (c == '|') return problem(at_ + 1, "'|' is no operator", "write or");
    if (c == '!') return problem(at_ + 1, "'!' is no operator", "write not, or !=");
    if (c == '$') return problem(at_ + 1, "'$' has no meaning here", "write vars.NAME instead of ${NAME}");
    if (c < ' ' || c > '~') return problem(at_ + 1, "a character that has no meaning here");
    return problem(at_ + 1, fmt::format("'{}' has no meaning here", c));
  }

  std::expected<void, ExpressionProblem> quoted(Token& token, char quote) {
    size_t close = text_.find(quote, at_ + 1);
    if (close == std::string_view::npos) return problem(at_ + 1, "a quote that is never closed");
    std::string inner(text_.substr(at_ + 1, close - at_ - 1));
    token.kind = TokenKind::text;
    token.text = inner;
    token.value = Json(inner);
    at_ = close + 1;
    return {};
  }

  std::expected<void, ExpressionProblem> number(Token& token) {
    size_t end = at_ + 1;
    while (end < text_.size() && (is_digit(text_[end]) || is_letter(text_[end]) || text_[end] == '.')) ++end;
    std::string_view all = text_.substr(at_, end - at_);
    token.kind = TokenKind::number;
    token.text = all;
    double value = 0;
    auto [rest, error] = std::from_chars(all.data(), all.data() + all.size(), value);
    if (error == std::errc{} && rest == all.data() + all.size() && std::isfinite(value)) {
      token.value = Json(value);
    } else if (auto span = parse_duration(all)) {
      token.value = Json(to_seconds(*span));
    } else {
      return problem(at_ + 1, fmt::format("'{}' is neither a number nor a duration", all), "such as 0.5, 30s or 15m");
    }
    at_ = end;
    return {};
  }

  void word(Token& token) {
    size_t end = at_;
    // A '-' or a digit belongs to a word: steps are named so.
    while (end < text_.size() &&
           (is_letter(text_[end]) || is_digit(text_[end]) || text_[end] == '-' || text_[end] == '.'))
      ++end;
    token.kind = TokenKind::word;
    token.text = text_.substr(at_, end - at_);
    at_ = end;
  }
};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Parsed all() {
    auto root = either();
    if (!root) return root;
    if (now().kind != TokenKind::end) {
      return problem(now().column, fmt::format("expected and, or or the end, found {}", shown(now())));
    }
    return root;
  }

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;

  const Token& now() const { return tokens_[at_]; }
  bool at_word(std::string_view word) const { return now().kind == TokenKind::word && now().text == word; }

  Parsed both_sides(std::string_view word, Node::Kind kind, Parsed (Parser::*part)()) {
    auto left = (this->*part)();
    while (left && at_word(word)) {
      auto node = std::make_shared<Node>();
      node->kind = kind;
      node->column = tokens_[at_++].column;
      auto right = (this->*part)();
      if (!right) return right;
      node->left = *left;
      node->right = *right;
      left = NodePtr(node);
    }
    return left;
  }
  Parsed either() { return both_sides("or", Node::Kind::or_, &Parser::both); }
  Parsed both() { return both_sides("and", Node::Kind::and_, &Parser::negated); }

  Parsed negated() {
    if (!at_word("not")) return compared();
    if (depth_ >= kDeepest) return problem(now().column, "nested too deeply");
    auto node = std::make_shared<Node>();
    node->kind = Node::Kind::not_;
    node->column = tokens_[at_++].column;
    ++depth_;
    auto inner = negated();
    --depth_;
    if (!inner) return inner;
    node->left = *inner;
    return NodePtr(node);
  }

  Parsed compared() {
    auto left = value();
    if (!left || now().kind != TokenKind::op || now().text == "(" || now().text == ")") return left;
    auto node = std::make_shared<Node>();
    node->kind = Node::Kind::compare;
    node->op = now().text;
    node->column = tokens_[at_++].column;
    auto right = value();
    if (!right) return right;
    node->left = *left;
    node->right = *right;
    if (now().kind == TokenKind::op && now().text != ")" && now().text != "(") {
      return problem(now().column, "comparisons do not chain", "write a < b and b < c");
    }
    return NodePtr(node);
  }

  Parsed value() {
    const Token& token = now();
    if (token.kind == TokenKind::op && token.text == "(") return grouped();
    auto node = std::make_shared<Node>();
    node->column = token.column;
    if (token.kind == TokenKind::number || token.kind == TokenKind::text) {
      node->value = token.value;
    } else if (token.kind == TokenKind::word && (token.text == "true" || token.text == "false")) {
      node->value = Json(token.text == "true");
    } else if (at_word("null")) {
      node->value = Json(nullptr);
    } else if (token.kind == TokenKind::word && !at_word("and") && !at_word("or") && !at_word("not")) {
      auto path = split(token);
      if (!path) return std::unexpected(std::move(path).error());
      node->kind = Node::Kind::path;
      node->path = std::move(*path);
    } else {
      return problem(token.column, fmt::format("expected a value, found {}", shown(token)));
    }
    ++at_;
    return NodePtr(node);
  }

  Parsed grouped() {
    if (depth_ >= kDeepest) return problem(now().column, "nested too deeply");
    size_t opened = tokens_[at_++].column;
    ++depth_;
    auto inner = either();
    --depth_;
    if (!inner) return inner;
    if (now().kind != TokenKind::op || now().text != ")") {
      return problem(now().column,
                     fmt::format("expected ')' for the '(' at column {}, found {}", opened, shown(now())));
    }
    ++at_;
    return inner;
  }

  static std::expected<std::vector<std::string>, ExpressionProblem> split(const Token& token) {
    std::vector<std::string> path;
    std::string_view rest = token.text;
    while (true) {
      size_t dot = rest.find('.');
      path.emplace_back(rest.substr(0, dot));
      if (path.back().empty()) return problem(token.column, fmt::format("'{}' has an empty part", token.text));
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    bool step =
        path.size() >= 3 && path[0] == "steps" && ((path[2] == "status" && path.size() == 3) || path[2] == "data");
    bool var = path.size() >= 2 && path[0] == "vars";
    if (step || var) return path;
    std::string hint = path.size() == 1 ? fmt::format("'{}' in quotes, if it is text", token.text)
                                        : "steps.ID.status, steps.ID.data.KEY or vars.NAME";
    return problem(token.column, fmt::format("'{}' is nothing that can be asked for", token.text), std::move(hint));
  }
};

std::string in_words(const Json& value) {
  if (value.is_null()) return "nothing";
  std::string text = to_text(value);
  return text.size() > 60 ? text.substr(0, 57) + "..." : text;
}

std::string source_of(const Node& node) {
  if (node.kind != Node::Kind::path) return "the value";
  return fmt::format("{}", fmt::join(node.path, "."));
}

std::optional<double> as_number(const Json& value) {
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  return std::nullopt;
}

template <class T>
bool ordered(std::string_view op, const T& left, const T& right) {
  if (op == "==") return !(left < right) && !(right < left);
  if (op == "!=") return left < right || right < left;
  if (op == "<") return left < right;
  if (op == "<=") return !(right < left);
  if (op == ">") return right < left;
  return !(left < right);
}

Json value_of(const Node& node, const Expression::Lookup& lookup) {
  return node.kind == Node::Kind::path ? lookup(node.path) : node.value;
}

Result<bool> compare(const Node& node, const Json& left, const Json& right) {
  auto a = as_number(left);
  auto b = as_number(right);
  if (a && b) return ordered(node.op, *a, *b);
  if (left.is_string() && right.is_string()) {
    std::string_view one = left.get_string();
    std::string_view other = right.get_string();
    return ordered(node.op, one, other);
  }
  if (node.op == "==" || node.op == "!=") {
    bool comparable = left.is_null() || right.is_null() || left.kind() == right.kind();
    if (comparable) return (left == right) == (node.op == "==");
  }
  return fail(ErrorKind::invalid_input,
              fmt::format("column {}: cannot compare {} ({}) {} {} ({})", node.column, in_words(left),
                          source_of(*node.left), node.op, in_words(right), source_of(*node.right)));
}

Result<Json> evaluate(const Node& node, const Expression::Lookup& lookup);

Result<bool> truth(const Node& node, const Expression::Lookup& lookup) {
  TRY(Json value, evaluate(node, lookup));
  if (value.is_bool()) return value.get_bool();
  return fail(ErrorKind::invalid_input, fmt::format("column {}: {} is {}, neither true nor false", node.column,
                                                    source_of(node), in_words(value)));
}

Result<Json> evaluate(const Node& node, const Expression::Lookup& lookup) {
  switch (node.kind) {
    case Node::Kind::value:
    case Node::Kind::path: return value_of(node, lookup);
    case Node::Kind::not_: {
      TRY(bool inner, truth(*node.left, lookup));
      return Json(!inner);
    }
    case Node::Kind::and_:
    case Node::Kind::or_: {
      TRY(bool left, truth(*node.left, lookup));
      if (left == (node.kind == Node::Kind::or_)) return Json(left);
      TRY(bool right, truth(*node.right, lookup));
      return Json(right);
    }
    case Node::Kind::compare: {
      TRY(Json left, evaluate(*node.left, lookup));
      TRY(Json right, evaluate(*node.right, lookup));
      TRY(bool result, compare(node, left, right));
      return Json(result);
    }
  }
  return fail(ErrorKind::internal, "an expression of no known kind");
}

void collect(const Node& node, std::vector<ExpressionReference>& out) {
  if (node.kind == Node::Kind::path) out.push_back({node.column, node.path});
  if (node.left) collect(*node.left, out);
  if (node.right) collect(*node.right, out);
}

}  // namespace

std::string ExpressionProblem::text() const {
  std::string out = fmt::format("column {}: {}", column, message);
  return suggestion.empty() ? out : out + "; " + suggestion;
}

std::expected<Expression, ExpressionProblem> Expression::parse(std::string_view text) {
  if (text.size() > kLongest) return problem(kLongest, fmt::format("longer than {} characters", kLongest));
  auto tokens = Lexer(text).all();
  if (!tokens) return std::unexpected(std::move(tokens).error());
  auto root = Parser(std::move(*tokens)).all();
  if (!root) return std::unexpected(std::move(root).error());
  return Expression(std::move(*root));
}

Result<bool> Expression::holds(const Lookup& lookup) const { return truth(*root_, lookup); }

std::vector<ExpressionReference> Expression::references() const {
  std::vector<ExpressionReference> out;
  collect(*root_, out);
  return out;
}

std::vector<ExpressionProblem> check_expression(std::string_view text, std::span<const std::string> steps,
                                                std::span<const std::string> vars) {
  auto parsed = Expression::parse(text);
  if (!parsed) return {parsed.error()};
  std::vector<ExpressionProblem> out;
  for (const ExpressionReference& reference : parsed->references()) {
    bool step = reference.path[0] == "steps";
    std::span<const std::string> known = step ? steps : vars;
    const std::string& name = reference.path[1];
    if (std::ranges::find(known, name) != known.end()) continue;
    out.push_back({reference.column, fmt::format("there is no {} '{}'", step ? "step" : "variable", name),
                   did_you_mean(name, known)});
  }
  return out;
}

}  // namespace lifeboat
