#include "core/forensics/record.hpp"

#include <fmt/format.h>

#include <charconv>

namespace lifeboat::forensics {
namespace {

using std::string_view;

bool eat(string_view& text, string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

void skip_blanks(string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

template <class T>
bool eat_number(string_view& text, T& into, int base = 10) {
  skip_blanks(text);
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), into, base);
  if (problem != std::errc{}) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool eat_lsn(string_view& text, Lsn& into) {
  uint32_t high = 0, low = 0;
  if (!eat_number(text, high, 16) || !eat(text, "/") || !eat_number(text, low, 16)) return false;
  into.value = uint64_t{high} << 32 | low;
  return true;
}

// The first number after `word`, whatever stands between them ("off 9", "ntuples: 13,").
template <class T>
bool number_after(string_view text, string_view word, T& into, int base = 10) {
  size_t at = text.find(word);
  if (at == text.npos) return false;
  text.remove_prefix(at + word.size());
  while (!text.empty() && (text.front() == ' ' || text.front() == ':')) text.remove_prefix(1);
  return eat_number(text, into, base);
}

constexpr uint32_t kDefaultTablespace = 1663;
constexpr uint32_t kGlobalTablespace = 1664;

// "1663/5/1249"
bool eat_file(string_view& text, FileRef& into) {
  return eat_number(text, into.tablespace) && eat(text, "/") && eat_number(text, into.database) && eat(text, "/") &&
         eat_number(text, into.node);
}

// ", blkref #0: rel 1663/5/2608 fork fsm blk 2 FPW, blkref #1: …"
void read_block(string_view text, Record& out) {
  size_t at = text.find("blkref #0: rel ");
  if (at == text.npos) return;
  text.remove_prefix(at + 15);
  FileRef file;
  if (!eat_file(text, file)) return;
  out.file = file;
  skip_blanks(text);
  out.main_fork = !text.starts_with("fork ");
  size_t blk = text.find("blk ");
  if (blk == text.npos) return;
  text.remove_prefix(blk + 4);
  eat_number(text, out.block);
  out.image = text.starts_with(" FPW");
}

// "2026-11-27 23:48:41.784664 UTC": pg_waldump is run with TZ=UTC.
bool eat_time(string_view& text, std::optional<Moment>& into) {
  size_t end = text.find(" UTC");
  if (end == text.npos || end > 40) return false;
  auto at = ScalarText<Moment>::parse(text.substr(0, end + 4));
  text.remove_prefix(end + 4);
  if (!at) return false;
  into = *at;
  return true;
}

void read_paths(string_view list, std::vector<FileRef>& into) {
  while (!list.empty()) {
    skip_blanks(list);
    size_t end = std::min(list.find(' '), list.size());
    if (auto file = parse_path(list.substr(0, end))) into.push_back(*file);
    list.remove_prefix(end);
  }
}

// "2/16384/16391 …": kind, database, number; kind 2 is a relation.
void read_dropped(string_view list, std::vector<ObjectRef>& into) {
  constexpr uint32_t kRelation = 2;
  while (!list.empty()) {
    FileRef one;
    if (!eat_file(list, one)) return;
    if (one.tablespace == kRelation) into.push_back({one.database, one.node});
    skip_blanks(list);
  }
}

void read_numbers(string_view list, std::vector<uint32_t>& into) {
  uint32_t value = 0;
  while (!list.empty()) {
    while (!list.empty() && (list.front() < '0' || list.front() > '9')) list.remove_prefix(1);
    if (!eat_number(list, value)) return;
    into.push_back(value);
  }
}

// "<time>; rels: …; dropped stats: …; subxacts: …; inval msgs: …"
bool read_end(string_view text, Record& out) {
  if (!eat_time(text, out.at)) return false;
  while (eat(text, "; ")) {
    size_t end = std::min(text.find(';'), text.size());
    string_view part = text.substr(0, end);
    text.remove_prefix(end);
    if (eat(part, "rels: ")) {
      read_paths(part, out.files);
    } else if (eat(part, "dropped stats: ")) {
      read_dropped(part, out.objects);
    } else if (eat(part, "subxacts: ")) {
      read_numbers(part, out.children);
    }
  }
  return true;
}

void read_transaction(string_view text, Record& out) {
  bool prepared_before = false;
  What end = What::other;
  if (eat(text, "COMMIT_PREPARED ") || eat(text, "COMMIT PREPARED ")) {
    prepared_before = true, end = What::committed;
  } else if (eat(text, "ABORT_PREPARED ") || eat(text, "ABORT PREPARED ")) {
    prepared_before = true, end = What::aborted;
  } else if (eat(text, "COMMIT ")) {
    end = What::committed;
  } else if (eat(text, "ABORT ")) {
    end = What::aborted;
  } else {
    if (text.starts_with("PREPARE ")) out.what = What::prepared;
    return;
  }
  if (prepared_before && (!eat_number(text, out.xid) || !eat(text, ": "))) return;
  if (read_end(text, out)) out.what = end;
}

// Flags of a deletion.
constexpr uint32_t kTakenBack = 0x08;

void read_heap(string_view text, Record& out) {
  if (text.starts_with("INSERT")) {
    out.what = What::inserted;
    out.rows = 1;
  } else if (text.starts_with("DELETE")) {
    uint32_t flags = 0;
    number_after(text, "0x", flags, 16);
    out.what = (flags & kTakenBack) != 0 ? What::taken_back : What::deleted;
    out.rows = 1;
  } else if (text.starts_with("UPDATE") || text.starts_with("HOT_UPDATE")) {
    out.what = What::updated;
    out.rows = 1;
  } else if (text.starts_with("INPLACE")) {
    out.what = What::inplace;
  } else if (text.starts_with("TRUNCATE")) {
    out.what = What::truncated;
    std::vector<uint32_t> numbers;
    size_t at = text.find(" relids");
    if (at != text.npos) read_numbers(text.substr(at), numbers);
    for (uint32_t oid : numbers) out.objects.push_back({0, oid});
  }
  read_block(text, out);
}

void read_heap2(string_view text, Record& out) {
  if (text.starts_with("MULTI_INSERT")) {
    out.what = What::inserted;
    string_view rest = text.substr(text.find(' ') + 1);
    if (!eat_number(rest, out.rows)) number_after(text, "ntuples", out.rows);
  }
  read_block(text, out);
}

void read_storage(string_view text, Record& out) {
  bool created = eat(text, "CREATE ");
  if (!created && !eat(text, "TRUNCATE ")) return;
  string_view path = text.substr(0, std::min(text.find(' '), text.size()));
  if (path.find('_', path.rfind('/')) != path.npos && path.find('/') != path.npos) out.main_fork = false;
  out.file = parse_path(path);
  if (!out.file) return;
  out.what = created ? What::file_created : What::file_cut;
  number_after(text, " to ", out.rows);
}

void read_standby(string_view text, Record& out) {
  if (eat(text, "LOCK ")) {
    uint32_t oid = 0, database = 0;
    if (number_after(text, "xid ", out.xid) && number_after(text, "db ", database) && number_after(text, "rel ", oid)) {
      out.what = What::locked;
      out.objects.push_back({database, oid});
    }
  } else if (text.starts_with("RUNNING_XACTS") && number_after(text, "oldestRunningXid", out.oldest)) {
    out.what = What::running;
  }
}

void read_database(string_view text, Record& out) {
  if (!eat(text, "DROP dir")) return;
  while (!text.empty() && (text.front() < '0' || text.front() > '9')) text.remove_prefix(1);
  FileRef folder;
  if (!eat_number(text, folder.tablespace) || !eat(text, "/") || !eat_number(text, folder.database)) return;
  out.what = What::database_dropped;
  out.file = folder;
}

void read_xlog(string_view text, Record& out) {
  if (text.starts_with("FPI")) {
    out.what = text.starts_with("FPI_FOR_HINT") ? What::other : What::page_image;
    read_block(text, out);
    for (size_t at = text.find("blkref #"); at != text.npos; at = text.find("blkref #", at + 1)) ++out.rows;
  } else if (eat(text, "RESTORE_POINT ")) {
    out.what = What::named_point;
    out.name = text.substr(0, std::min(text.find(" ;"), text.size()));
  }
}

}  // namespace

std::string to_string(const FileRef& file) {
  return fmt::format("{}/{}/{}", file.tablespace, file.database, file.node);
}

std::optional<FileRef> parse_path(string_view path) {
  FileRef file;
  if (eat(path, "global/")) {
    file.tablespace = kGlobalTablespace;
  } else if (eat(path, "base/")) {
    file.tablespace = kDefaultTablespace;
    if (!eat_number(path, file.database) || !eat(path, "/")) return std::nullopt;
  } else if (eat(path, "pg_tblspc/")) {
    if (!eat_number(path, file.tablespace) || !eat(path, "/")) return std::nullopt;
    path.remove_prefix(std::min(path.find('/'), path.size()));
    if (!eat(path, "/") || !eat_number(path, file.database) || !eat(path, "/")) return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (!eat_number(path, file.node)) return std::nullopt;
  return file;
}

std::optional<Record> parse_line(string_view line) {
  if (!eat(line, "rmgr: ")) return std::nullopt;
  size_t gap = line.find(' ');
  if (gap == line.npos) return std::nullopt;
  string_view manager = line.substr(0, gap);
  size_t length = line.find("len (rec/tot):", gap);
  if (length == line.npos) return std::nullopt;
  line.remove_prefix(length + 14);
  Record out;
  uint32_t without_images = 0;
  if (!eat_number(line, without_images) || !eat(line, "/") || !eat_number(line, out.bytes) || !eat(line, ", tx:") ||
      !eat_number(line, out.xid) || !eat(line, ", lsn: ") || !eat_lsn(line, out.lsn) || !eat(line, ", prev ") ||
      !eat_lsn(line, out.prev) || !eat(line, ", desc: "))
    return std::nullopt;
  if (manager == "Heap") {
    read_heap(line, out);
  } else if (manager == "Heap2") {
    read_heap2(line, out);
  } else if (manager == "Transaction") {
    read_transaction(line, out);
  } else if (manager == "Storage") {
    read_storage(line, out);
  } else if (manager == "Standby") {
    read_standby(line, out);
  } else if (manager == "Database") {
    read_database(line, out);
  } else if (manager == "XLOG") {
    read_xlog(line, out);
  } else if (manager == "RelMap") {
    out.what = What::map_changed;
  }
  return out;
}

}  // namespace lifeboat::forensics
