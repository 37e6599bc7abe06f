#include "store/sqlite/journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "store/chain.hpp"

namespace lifeboat::sqlite {
namespace {

constexpr int64_t kVersion = 1;

constexpr const char* kTables = R"(
  CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, stream TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    hash TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS events_by_stream ON events (stream, seq);
  CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ownership (
    service TEXT PRIMARY KEY, term INTEGER NOT NULL, holder TEXT NOT NULL) WITHOUT ROWID;
)";

int64_t to_ms(WallTime at) { return at.time_since_epoch().count(); }
WallTime from_ms(int64_t at) { return WallTime(std::chrono::milliseconds(at)); }

}  // namespace

Result<void> Journal::open(const std::string& path) {
  TRY_VOID(database_.open(path));
  TRY_VOID(create_or_check());
  return load_head();
}

Result<void> Journal::open_to_read(const std::string& path) {
  TRY_VOID(database_.open_to_read(path));
  return load_head();
}

Result<void> Journal::create_or_check() {
  int64_t version = 0;
  {
    Query query(database_, "PRAGMA user_version");
    TRY(bool row, query.step());
    if (row) version = query.number(0);
  }
  if (version > kVersion) {
    return fail(ErrorKind::invalid_input,
                fmt::format("the journal is of version {}, this program knows up to {}", version, kVersion),
                "use the newer Lifeboat that wrote it");
  }
  TRY_VOID(database_.execute(kTables));
  return database_.execute("PRAGMA user_version=1");
}

Result<void> Journal::load_head() {
  head_ = 0;
  head_hash_ = chain_root();
  Query query(database_, "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1");
  TRY(bool row, query.step());
  if (row) {
    head_ = static_cast<uint64_t>(query.number(0));
    head_hash_ = query.text(1);
  }
  Query recorded(database_, "SELECT value FROM about WHERE name = 'head'");
  TRY(bool known, recorded.step());
  uint64_t remembered = known ? std::strtoull(recorded.text(0).c_str(), nullptr, 10) : 0;
  // New events never take the numbers of events that were cut off: verify() keeps showing the gap.
  if (remembered > head_) head_ = remembered;
  return {};
}

Result<void> Journal::begin() {
  begun_head_ = head_;
  begun_hash_ = head_hash_;
  return database_.execute("BEGIN IMMEDIATE");
}

Result<void> Journal::commit() {
  if (head_ != begun_head_) {
    Query query(database_, "INSERT OR REPLACE INTO about (name, value) VALUES ('head', ?)");
    TRY_VOID(query.bind(fmt::format("{} {}", head_, head_hash_)).run());
  }
  return database_.execute("COMMIT");
}

void Journal::roll_back() {
  // When COMMIT itself failed SQLite may have rolled back already; either way nothing of the transaction remains.
  auto ended = database_.execute("ROLLBACK");
  static_cast<void>(ended);
  head_ = begun_head_;
  head_hash_ = begun_hash_;
}

Result<void> Journal::mark() {
  marked_head_ = head_;
  marked_hash_ = head_hash_;
  return database_.execute("SAVEPOINT part");
}

Result<void> Journal::keep_mark() { return database_.execute("RELEASE part"); }

void Journal::drop_mark() {
  // Fails only when the whole transaction is gone, which the commit that follows reports.
  auto undone = database_.execute("ROLLBACK TO part; RELEASE part");
  static_cast<void>(undone);
  head_ = marked_head_;
  head_hash_ = marked_hash_;
}

Result<std::vector<StoredEvent>> Journal::append(const std::vector<NewEvent>& events, WallTime at) {
  std::vector<StoredEvent> out;
  out.reserve(events.size());
  for (const NewEvent& event : events) {
    std::string body = to_canonical_text(event.body);
    uint64_t seq = head_ + 1;
    std::string hash = chain_hash(head_hash_, seq, at, event.stream, event.kind, body);
    Query query(database_, "INSERT INTO events (seq, at, stream, kind, body, hash) VALUES (?, ?, ?, ?, ?, ?)");
    query.bind(static_cast<int64_t>(seq)).bind(to_ms(at)).bind(event.stream).bind(event.kind).bind(body).bind(hash);
    TRY_VOID(query.run());
    head_ = seq;
    head_hash_ = hash;
    out.push_back({seq, at, event.stream, event.kind, event.body, std::move(hash)});
  }
  return out;
}

Result<std::vector<StoredEvent>> Journal::read(const EventFilter& filter) {
  std::string sql = "SELECT seq, at, stream, kind, body, hash FROM events WHERE seq > ?";
  if (!filter.stream.empty()) sql += " AND stream = ?";
  // The first text after all that begin with the prefix: its last byte, counted up. Names of streams are ASCII.
  std::string after_prefix = filter.stream_prefix;
  if (!after_prefix.empty()) {
    after_prefix.back() = static_cast<char>(after_prefix.back() + 1);
    sql += " AND stream >= ? AND stream < ?";
  }
  sql += " ORDER BY seq LIMIT ?";
  Query query(database_, sql);
  query.bind(static_cast<int64_t>(filter.after));
  if (!filter.stream.empty()) query.bind(filter.stream);
  if (!after_prefix.empty()) query.bind(filter.stream_prefix).bind(after_prefix);
  query.bind(static_cast<int64_t>(filter.limit));
  std::vector<StoredEvent> out;
  while (true) {
    TRY(bool row, query.step());
    if (!row) return out;
    auto body = parse_json(query.text(4));
    if (!body) {
      return fail(ErrorKind::invalid_input,
                  fmt::format("event {} of the journal cannot be read: {}", query.number(0), body.error().what),
                  "verify the journal");
    }
    out.push_back({static_cast<uint64_t>(query.number(0)), from_ms(query.number(1)), query.text(2), query.text(3),
                   std::move(*body), query.text(5)});
  }
}

Result<ChainReport> Journal::verify() {
  ChainReport report;
  std::string previous = chain_root();
  auto broken = [&](uint64_t seq, std::string reason) {
    report.broken_at = seq;
    report.reason = std::move(reason);
    return report;
  };
  Query query(database_, "SELECT seq, at, stream, kind, body, hash FROM events ORDER BY seq");
  while (true) {
    TRY(bool row, query.step());
    if (!row) break;
    auto seq = static_cast<uint64_t>(query.number(0));
    uint64_t expected = report.events + 1;
    if (seq != expected) {
      return broken(expected, fmt::format("event {} is missing; the next one there is {}", expected, seq));
    }
    std::string hash = chain_hash(previous, seq, from_ms(query.number(1)), query.text(2), query.text(3), query.text(4));
    if (hash != query.text(5)) {
      return broken(seq, fmt::format("event {} or its hash was changed after it was written", seq));
    }
    previous = std::move(hash);
    ++report.events;
    report.head = previous;
  }
  Query head(database_, "SELECT value FROM about WHERE name = 'head'");
  TRY(bool known, head.step());
  std::string expected = report.events == 0 ? "" : fmt::format("{} {}", report.events, report.head);
  std::string recorded = known ? head.text(0) : "";
  if (recorded != expected) {
    return broken(report.events + 1, fmt::format("the journal ends with event {}, but its head was recorded as '{}'",
                                                 report.events, recorded));
  }
  report.whole = true;
  return report;
}

Result<uint64_t> Journal::next_number(const std::string& counter) {
  Query query(database_,
              "INSERT INTO counters (name, value) VALUES (?, 1) "
              "ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value");
  TRY(bool row, query.bind(counter).step());
  if (!row) return fail(ErrorKind::internal, "the counter gave no number");
  auto value = static_cast<uint64_t>(query.number(0));
  TRY_VOID(query.run());
  return value;
}

Result<OwnershipRecord> Journal::ownership(const std::string& service) {
  Query query(database_, "SELECT term, holder FROM ownership WHERE service = ?");
  TRY(bool row, query.bind(service).step());
  if (!row) return OwnershipRecord{};
  return OwnershipRecord{static_cast<uint64_t>(query.number(0)), query.text(1)};
}

Result<OwnershipRecord> Journal::grant(const std::string& service, uint64_t expected_term, const std::string& holder,
                                       const NewEvent& journal, WallTime at, uint64_t floor) {
  TRY(OwnershipRecord current, ownership(service));
  if (current.term != expected_term) {
    return fail(ErrorKind::conflict, fmt::format("the term of {} is {}, not {}", service, current.term, expected_term),
                "someone else changed it; look again before deciding");
  }
  OwnershipRecord next{std::max(current.term, floor) + 1, holder};
  Query query(database_,
              "INSERT INTO ownership (service, term, holder) VALUES (?, ?, ?) "
              "ON CONFLICT (service) DO UPDATE SET term = excluded.term, holder = excluded.holder");
  TRY_VOID(query.bind(service).bind(static_cast<int64_t>(next.term)).bind(holder).run());
  TRY(auto written, append({journal}, at));
  return next;
}

Result<StoreContents> Journal::copy() {
  // One transaction: a controller may write meanwhile.
  TRY_VOID(database_.execute("BEGIN"));
  auto read_all = [this]() -> Result<StoreContents> {
    StoreContents out;
    EventFilter all;
    all.limit = std::numeric_limits<int64_t>::max();
    TRY(out.events, read(all));
    Query counters(database_, "SELECT name, value FROM counters");
    while (true) {
      TRY(bool row, counters.step());
      if (!row) break;
      out.counters[counters.text(0)] = static_cast<uint64_t>(counters.number(1));
    }
    Query owners(database_, "SELECT service, term, holder FROM ownership");
    while (true) {
      TRY(bool row, owners.step());
      if (!row) return out;
      out.owners[owners.text(0)] = {static_cast<uint64_t>(owners.number(1)), owners.text(2)};
    }
  };
  auto out = read_all();
  TRY_VOID(database_.execute("ROLLBACK"));
  return out;
}

Result<void> Journal::restore(const StoreContents& contents) {
  if (head_ != 0)
    return fail(ErrorKind::conflict, fmt::format("the store is not empty: it holds {} events", head_),
                "move its file away first");
  for (const StoredEvent& event : contents.events) {
    Query query(database_, "INSERT INTO events (seq, at, stream, kind, body, hash) VALUES (?, ?, ?, ?, ?, ?)");
    query.bind(static_cast<int64_t>(event.seq)).bind(to_ms(event.at)).bind(event.stream).bind(event.kind);
    TRY_VOID(query.bind(to_canonical_text(event.body)).bind(event.hash).run());
    head_ = event.seq;
    head_hash_ = event.hash;
  }
  for (const auto& [name, value] : contents.counters) {
    Query query(database_, "INSERT INTO counters (name, value) VALUES (?, ?)");
    TRY_VOID(query.bind(name).bind(static_cast<int64_t>(value)).run());
  }
  for (const auto& [service, owner] : contents.owners) {
    Query query(database_, "INSERT INTO ownership (service, term, holder) VALUES (?, ?, ?)");
    TRY_VOID(query.bind(service).bind(static_cast<int64_t>(owner.term)).bind(owner.holder).run());
  }
  return {};
}

}  // namespace lifeboat::sqlite
