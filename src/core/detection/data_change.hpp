// From looks at the tables of a primary to a signal that somebody encrypts or rewrites the data. Pure: what the server counted and
// the time come in, reasons in words come out.
//
// Two things are told apart from a busy day. Rows are changed or deleted far faster than those of this table usually are; that is
// seen at once, and over when it is over. Texts look encrypted in a column where they did not at first; that stays as long as they
// are there. Pages whose checksum is wrong are the third: somebody wrote behind the server's back.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"

namespace lifeboat::detection {

// Of a sample of a column: how many texts there were (empty ones left out), and how many of them look encrypted.
struct ColumnCount {
  int64_t texts = 0;
  int64_t encrypted = 0;
  double share() const { return texts <= 0 ? 0 : static_cast<double>(encrypted) / static_cast<double>(texts); }
};
BOOST_DESCRIBE_STRUCT(ColumnCount, (), (texts, encrypted))
constexpr auto field_docs(const ColumnCount*) {
  return std::to_array<FieldDoc>({{"texts", Need::required, "texts in the sample"},
                                  {"encrypted", Need::required, "those of them that look encrypted"}});
}

struct TableLook {
  int64_t rows = 0;     // about how many there are
  int64_t updated = 0;  // since this server began to count
  int64_t deleted = 0;  // since then
  bool sampled = false;
  TextMap<ColumnCount> columns;  // those that hold texts, when it was sampled
};
BOOST_DESCRIBE_STRUCT(TableLook, (), (rows, updated, deleted, sampled, columns))
constexpr auto field_docs(const TableLook*) {
  return std::to_array<FieldDoc>({{"rows", Need::required, "about how many rows it has"},
                                  {"updated", Need::required, "rows updated since the server began to count"},
                                  {"deleted", Need::required, "rows deleted since then"},
                                  {"sampled", Need::optional, "whether its texts were looked at"},
                                  {"columns", Need::optional, "texts of its columns"}});
}

// One look at a database. Counts only: nothing of what users wrote is in it.
struct DataSeen {
  std::string member;
  TextMap<TableLook> tables;       // by schema.table
  int64_t checksum_failures = -1;  // since this server began to count; -1: it does not count
};
BOOST_DESCRIBE_STRUCT(DataSeen, (), (member, tables, checksum_failures))
constexpr auto field_docs(const DataSeen*) {
  return std::to_array<FieldDoc>({{"member", Need::required, "member that was looked at"},
                                  {"tables", Need::optional, "its largest tables"},
                                  {"checksum_failures", Need::optional, "pages that were found damaged"}});
}

struct DataBounds {
  Duration within{60'000};
  double rewritten = 0.3;  // of a table's rows
  double encrypted = 0.1;  // of a column's texts, more than at first
};

// What is usual for columns, by schema.table.column.
using TextBaseline = std::map<std::string, ColumnCount>;
Json to_json(const TextBaseline& baseline);
// Adds what to_json() wrote; later ones replace earlier ones.
void read_baseline(const Json& from, TextBaseline& into);

class DataWatch {
 public:
  // `usual`: what earlier watches of these data took for usual.
  DataWatch(DataBounds bounds, TextBaseline usual) : bounds_(bounds), usual_(std::move(usual)) {}

  // Gives the columns for which it has just learnt what is usual; whoever watches after this one must be told.
  TextBaseline take(const DataSeen& seen, MonoTime now);
  // Why the data are thought to be under attack, the gravest first; empty: they are not.
  std::vector<std::string> reasons() const;
  // Whether there has been no reason for ten windows of looks without a gap.
  bool calm() const;
  // People have looked: what is there now is usual from now on. Gives the columns for which that is something else.
  TextBaseline accept();

 private:
  struct Point {
    MonoTime at{};
    double rows = 0;
    int64_t changed = 0;  // in all, of which
    int64_t deleted = 0;
    std::optional<int64_t> in_window;  // changed in the window that ends here, when it was watched for so long
  };
  struct Table {
    MonoTime seen_at{};
    int64_t updated = 0;  // what the server said last
    int64_t deleted = 0;
    double rows = 0;
    std::deque<Point> points;     // the first is where the newest window begins
    std::optional<double> usual;  // the most that a window before the newest had, fading
    MonoTime usual_at{};
    std::string sudden;                        // what is unusual about the newest window, in words
    std::map<std::string, ColumnCount> texts;  // as last seen
  };
  DataBounds bounds_;
  TextBaseline usual_;
  std::map<std::string, Table> tables_;
  std::string member_;
  std::optional<MonoTime> last_;
  std::optional<MonoTime> calm_since_;
  int64_t failures_ = -1;
  int64_t failures_first_ = -1;

  void count_rows(const std::string& name, Table& table, const TableLook& look, bool anew, MonoTime now);
  void judge_rows(const std::string& name, Table& table, MonoTime now);
  void look_at_texts(const std::string& name, Table& table, const TableLook& look, TextBaseline& learnt);
  const ColumnCount* usual_where_encrypted(const std::string& column, const ColumnCount& now) const;
};

}  // namespace lifeboat::detection
