#include "core/clean_point/checks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

namespace lifeboat::clean_point {
namespace {

constexpr size_t kLongestName = 70;
constexpr size_t kLongestAnswer = 200;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

std::string shortened(std::string_view text, size_t most) {
  std::string out;
  for (char c : text) {
    bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  if (out.size() > most) out = out.substr(0, most - 3) + "...";
  return out;
}

// Cuts a text of SQL into statements; knows quotes, dollar quotes and comments, since a ';' may stand in any of them.
class Cutter {
 public:
  Cutter(std::string_view text, std::string database) : text_(text), database_(std::move(database)) {}

  Result<std::vector<Check>> cut() {
    while (at_ < text_.size()) TRY_VOID(step());
    TRY_VOID(end_statement());
    if (checks_.empty())
      return fail(ErrorKind::invalid_input, "the file holds no check",
                  "write statements that return no row, or one row with true, on good data");
    return std::move(checks_);
  }

 private:
  bool looking_at(std::string_view word) const { return text_.substr(at_).starts_with(word); }

  Result<> skip_to(std::string_view end, std::string_view what) {
    size_t found = text_.find(end, at_);
    if (found == text_.npos)
      return fail(ErrorKind::invalid_input, fmt::format("line {}: {} is not closed", line_at(at_), what));
    take(found + end.size() - at_);
    return {};
  }
  void take(size_t count) {
    if (!statement_begun_ && count > 0) begin();
    statement_ += text_.substr(at_, count);
    at_ += count;
  }
  void begin() {
    statement_begun_ = true;
    begun_at_ = at_;
  }
  size_t line_at(size_t position) const {
    return 1 + static_cast<size_t>(std::ranges::count(text_.substr(0, position), '\n'));
  }

  void line_comment() {
    size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view comment = trimmed(text_.substr(at_ + 2, end - at_ - 2));
    constexpr std::string_view kDatabase = "database:";
    at_ = end;
    if (statement_begun_) return;
    if (comment.starts_with(kDatabase)) {
      database_ = trimmed(comment.substr(kDatabase.size()));
    } else if (!comment.empty()) {
      name_ = comment;
    }
  }

  Result<> step() {
    char c = text_[at_];
    if (looking_at("--")) {
      line_comment();
      return {};
    }
    if (looking_at("/*")) {
      size_t end = text_.find("*/", at_ + 2);
      if (end == text_.npos)
        return fail(ErrorKind::invalid_input, fmt::format("line {}: a comment is not closed", line_at(at_)));
      at_ = end + 2;
      return {};
    }
    if (c == '\'' || c == '"') {
      take(1);
      return skip_to(std::string(1, c), "a quote");
    }
    if (c == '$') {
      size_t end = text_.find('$', at_ + 1);
      std::string_view tag = end == text_.npos ? std::string_view() : text_.substr(at_, end - at_ + 1);
      bool is_tag = !tag.empty() && std::ranges::all_of(tag.substr(1, tag.size() - 2), [](unsigned char letter) {
        return std::isalnum(letter) != 0 || letter == '_';
      });
      if (!is_tag) {
        take(1);
        return {};
      }
      take(tag.size());
      return skip_to(tag, "a dollar quote");
    }
    if (c == ';') {
      ++at_;
      return end_statement();
    }
    if (!statement_begun_ && std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at_;
      return {};
    }
    take(1);
    return {};
  }

  Result<> end_statement() {
    std::string sql(trimmed(statement_));
    size_t line = line_at(begun_at_);
    std::string name = std::exchange(name_, {});
    statement_.clear();
    statement_begun_ = false;
    if (sql.empty()) return {};
    std::string first;
    for (char c : sql) {
      if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
      first += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    constexpr std::string_view kReading[] = {"select", "with", "table", "values", ""};
    if (std::ranges::find(kReading, first) == std::end(kReading))
      return fail(ErrorKind::invalid_input, fmt::format("line {}: a check only asks, '{}' does more", line, first),
                  "begin it with SELECT, WITH, TABLE or VALUES");
    if (name.empty()) name = shortened(sql, kLongestName);
    checks_.push_back({std::move(name), database_, std::move(sql), line});
    return {};
  }

  std::string_view text_;
  std::string database_;
  size_t at_ = 0;
  std::string statement_, name_;
  bool statement_begun_ = false;
  size_t begun_at_ = 0;
  std::vector<Check> checks_;
};

}  // namespace

Result<std::vector<Check>> parse_checks(std::string_view text, const std::string& database) {
  return Cutter(text, database).cut();
}

Result<std::string> usual_database(const std::vector<std::string>& databases) {
  // Every cluster has this one, and hardly anybody's tables are in it.
  constexpr std::string_view kOwn = "postgres";
  std::vector<std::string> of_users;
  for (const std::string& name : databases)
    if (name != kOwn) of_users.push_back(name);
  if (of_users.empty()) return std::string(kOwn);
  if (of_users.size() == 1) return of_users.front();
  return fail(ErrorKind::invalid_input,
              fmt::format("the cluster has {} databases of users and the checks do not say which: {}", of_users.size(),
                          shortened(fmt::format("{}", fmt::join(of_users, ", ")), kLongestAnswer)),
              "--database NAME, or a line `-- database: NAME` before the checks");
}

Answer judge_rows(const std::vector<std::string>& columns,
                  const std::vector<std::vector<std::optional<std::string>>>& rows) {
  if (rows.empty()) return {true, {}};
  bool one_value = rows.size() == 1 && columns.size() == 1;
  if (one_value && (rows[0][0] == "t" || rows[0][0] == "true")) return {true, {}};
  if (one_value && !rows[0][0]) return {false, "unknown (NULL)"};
  if (one_value && (rows[0][0] == "f" || rows[0][0] == "false")) return {false, "false"};
  std::string said = fmt::format("{}{} row{}, the first: ", rows.size(), rows.size() >= 100 ? " or more" : "",
                                 rows.size() == 1 ? "" : "s");
  for (size_t index = 0; index < columns.size() && index < rows[0].size(); ++index)
    said += fmt::format("{}{}={}", index == 0 ? "" : ", ", columns[index], rows[0][index].value_or("NULL"));
  return {false, shortened(said, kLongestAnswer)};
}

Result<> something_still_tells(const std::vector<std::string>& put_aside, size_t left) {
  if (left > 0) return {};
  if (put_aside.empty())
    return fail(ErrorKind::invalid_input, "there is no check that tells good data from bad",
                "say what holds on good data; those for indexes need the extension amcheck in the database");
  return fail(
      ErrorKind::invalid_input,
      fmt::format("no check is left that tells good data from bad: '{}' answer{} now so, now so on the same data",
                  fmt::join(put_aside, "', '"), put_aside.size() == 1 ? "s" : ""),
      "ask for nothing but the data: no time of day, nothing random");
}

Refusal refusal_of(std::string_view sqlstate) {
  if (sqlstate == "55P03") return Refusal::locked;
  // undefined table, column, function, object, schema, database; data and index corruption; values that do not fit.
  for (std::string_view gone : {"42P01", "42703", "42883", "42704", "3F000", "3D000", "XX001", "XX002", "58P01"}) {
    if (sqlstate == gone) return Refusal::bad_data;
  }
  if (sqlstate.starts_with("22") || sqlstate.starts_with("21")) return Refusal::bad_data;
  if (sqlstate.starts_with("42") || sqlstate == "25006") return Refusal::wrong_check;
  return Refusal::undecided;
}

}  // namespace lifeboat::clean_point
