#include "agent/orphan_keeper.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "core/orphans/decoded.hpp"
#include "io/clock.hpp"
#include "io/file.hpp"

namespace lifeboat {

namespace fs = std::filesystem;
using namespace orphans;

namespace {

constexpr Duration kStopIsolated{60'000};
constexpr size_t kRowsAtATime = 500;
constexpr size_t kPiece = 256 * 1024;
// The lowest number PostgreSQL gives to what users create.
constexpr uint64_t kFirstOfUsers = 16384;

std::string lsn_text(Lsn at) { return ScalarText<Lsn>::format(at); }

// "000000020000000000000005": the timeline of a segment; 0 for other names.
uint64_t timeline_of_segment(const std::string& name) {
  if (name.size() != 24 || name.find_first_not_of("0123456789ABCDEF") != std::string::npos) return 0;
  return std::stoull(name.substr(0, 8), nullptr, 16);
}

}  // namespace

// What one saving finds out.
struct OrphanKeeper::Found {
  wire::OrphansSaved saved;
  std::vector<Stretch> stretches;  // of the log behind the fork
  std::map<uint64_t, CommitRecord> in_log;
  std::set<uint64_t> decoded;
  std::set<uint64_t> with_rows;
  std::map<std::string, TableFacts> facts;  // by database and table
};

// Appended to, then made durable.
struct OrphanKeeper::Files {
  explicit Files(std::string in) : folder(std::move(in)) {}

  Result<> open() {
    std::error_code problem;
    fs::remove_all(folder, problem);
    fs::create_directories(folder, problem);
    if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", folder, problem.message()));
    fs::permissions(fs::path(folder).parent_path(), fs::perms::owner_all, problem);
    fs::permissions(folder, fs::perms::owner_all, problem);
    for (auto& [name, stream] : streams) {
      stream.open(folder + "/" + name, std::ios::binary | std::ios::trunc);
      if (chmod((folder + "/" + name).c_str(), 0600) != 0 || !stream)
        return fail(ErrorKind::refused, fmt::format("{}/{} cannot be written", folder, name));
    }
    return {};
  }
  // False when something could not be written: the disk is full, most often.
  Result<> make_durable() {
    for (auto& [name, stream] : streams) {
      stream.close();
      std::string path = folder + "/" + name;
      int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
      bool safe = stream.good() && file >= 0 && fsync(file) == 0;
      if (file >= 0) close(file);
      if (!safe) return fail(ErrorKind::refused, path + " could not be made durable", "look whether the disk is full");
    }
    // The files' names are made durable with summary.json; those of the folders here.
    std::string orphans = fs::path(folder).parent_path();
    for (const std::string& parent : {orphans, fs::path(orphans).parent_path().string()}) {
      int directory = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      bool safe = directory >= 0 && fsync(directory) == 0;
      if (directory >= 0) close(directory);
      if (!safe) return fail(ErrorKind::refused, parent + " could not be made durable");
    }
    return {};
  }
  std::ofstream& changes() { return streams["changes.jsonl"]; }
  std::ofstream& sql() { return streams["replay.sql"]; }
  std::ofstream& log() { return streams["log.txt"]; }

  std::string folder;
  std::map<std::string, std::ofstream> streams = [] {
    std::map<std::string, std::ofstream> out;
    for (const char* name : {"changes.jsonl", "replay.sql", "log.txt"}) out.emplace(name, std::ofstream());
    return out;
  }();
};

// ---- what the log says

// The newest timeline that has log here, and how it came about.
Task<Result<Lineage>> OrphanKeeper::own_lineage() {
  std::string wal = server_.paths().data + "/pg_wal";
  uint64_t timeline = 0;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(wal, problem))
    timeline = std::max(timeline, timeline_of_segment(entry.path().filename()));
  if (timeline == 0) co_return fail(ErrorKind::not_found, fmt::format("{} holds no log", wal));
  std::string text;
  if (timeline > 1) {
    CO_TRY(text, read_file(fmt::format("{}/{:08X}.history", wal, timeline)));
  }
  co_return parse_lineage(timeline, text);
}

// Whether there are segments of the timeline at or behind the one that was not found.
bool OrphanKeeper::has_log_from(const std::string& said, uint64_t timeline) const {
  size_t quote = said.find("file \"");
  std::string missing = quote == std::string::npos ? std::string() : said.substr(quote + 6, 24);
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(server_.paths().data + "/pg_wal", problem)) {
    std::string name = entry.path().filename();
    if (timeline_of_segment(name) == timeline && name >= missing) return true;
  }
  return false;
}

Task<Result<>> OrphanKeeper::dump_log(const Stretch& stretch, std::string rmgr, std::string file, Deadline deadline) {
  std::vector<std::string> argv{"pg_waldump", "--path=" + server_.paths().data + "/pg_wal",
                                fmt::format("--timeline={}", stretch.timeline), "--start=" + lsn_text(stretch.begin),
                                "--rmgr=" + rmgr};
  if (stretch.end != kNoEnd) argv.push_back("--end=" + lsn_text(stretch.end));
  auto dumping = server_.run_tool(std::move(argv), deadline, file);
  auto dumped = co_await std::move(dumping);
  if (dumped) co_return Result<>{};
  if (dumped.error().kind != ErrorKind::refused) co_return std::unexpected(std::move(dumped).error());
  // It always ends with an error where the log ends.
  LogEnd end = log_end_of(dumped.error().what);
  if (end == LogEnd::reached) co_return Result<>{};
  // Nor is anything missing when the first segment behind the fork was never begun.
  if (end == LogEnd::missing && !has_log_from(dumped.error().what, stretch.timeline)) co_return Result<>{};
  co_return fail(ErrorKind::refused, fmt::format("the log from {} on timeline {} cannot be read: {}",
                                                 lsn_text(stretch.begin), stretch.timeline, dumped.error().what));
}

Task<Result<>> OrphanKeeper::read_log(Found& found, Deadline deadline) {
  std::string file = server_.paths().folder + "/wal-commits.txt";
  for (const Stretch& stretch : found.stretches) {
    unlink(file.c_str());
    auto dumping = dump_log(stretch, "Transaction", file, deadline);
    CO_TRY_VOID(co_await std::move(dumping));
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      auto commit = parse_commit(line);
      if (commit && commit->at >= stretch.begin) found.in_log[commit->xid] = *commit;
    }
  }
  unlink(file.c_str());
  co_return Result<>{};
}

// ---- decoding

bool OrphanKeeper::has_slots() const {
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(server_.paths().data + "/pg_replslot", problem)) {
    if (entry.path().filename().string().starts_with(kDecodingSlots)) return true;
  }
  return false;
}

namespace {

// A server that runs isolated for as long as this lives; stop() ends it in good order.
struct Isolated {
  std::unique_ptr<Guard> guard;
  std::shared_ptr<bool> ended = std::make_shared<bool>(false);

  Result<> start(PostgresServer& server) {
    TRY(guard, server.start_isolated([ended = ended](ServerEnd, int) { *ended = true; }));
    return {};
  }
  Task<Result<>> wait_until_answers(PostgresServer& server, Deadline deadline) {
    while (true) {
      auto asking =
          pg_query_once(server.isolated_params("postgres"), "SELECT 1", {}, deadline.at_most(Duration{1'000}));
      auto answer = co_await std::move(asking);
      if (answer) co_return Result<>{};
      if (*ended) co_return fail(ErrorKind::refused, "the old server did not start by itself alone");
      if (deadline.passed()) co_return std::unexpected(std::move(answer).error());
      co_await sleep_for(Duration{20});
    }
  }
  Task<> stop() {
    if (!guard) co_return;
    guard->signal_server(SIGINT);
    for (Deadline patience = Deadline::after(kStopIsolated); !*ended && !patience.passed();)
      co_await sleep_for(Duration{5});
    if (!*ended) guard->kill_now();
    guard.reset();
  }
};

Task<Result<TableFacts>> facts_of(PgConnection& connection, std::string table, Deadline deadline) {
  auto asking = connection.query(
      "SELECT a.attname, coalesce(a.attnum = ANY (i.indkey), false) AS in_key, a.attgenerated <> '' AS always, "
      "c.relreplident AS identity FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT "
      "a.attisdropped LEFT JOIN LATERAL (SELECT indkey::int2[] FROM pg_index WHERE indrelid = c.oid AND (indisprimary "
      "OR "
      "(indisreplident AND c.relreplident = 'i')) ORDER BY indisprimary DESC LIMIT 1) i ON true WHERE c.oid = "
      "to_regclass($1) ORDER BY a.attnum",
      {table}, deadline);
  CO_TRY(PgRows rows, co_await std::move(asking));
  TableFacts out;
  out.known = !rows.empty();
  for (size_t row = 0; row < rows.rows.size(); ++row) {
    if (rows.text(row, "in_key") == "t") out.key.push_back(rows.text(row, "attname"));
    if (rows.text(row, "always") == "t") out.always.push_back(rows.text(row, "attname"));
    out.identity = rows.text(row, "identity");
  }
  co_return out;
}

std::string remark_of(const std::string& table, const TableFacts& facts) {
  if (!facts.known) return fmt::format("{} is not there any more; its key is not known", table);
  if (facts.identity == "f") return {};
  if (facts.key.empty())
    return fmt::format(
        "{} has no primary key: which rows were changed or deleted is not in the log (REPLICA IDENTITY FULL "
        "would put it there)",
        table);
  return fmt::format(
      "{}: rows as they were before are not in the log, only their keys (REPLICA IDENTITY FULL would put them "
      "there)",
      table);
}

}  // namespace

Task<Result<>> OrphanKeeper::decode_all(Found& found, Files& files, Deadline deadline, Say say) {
  if (!has_slots()) co_return fail(ErrorKind::not_found, "no slot was kept here for reading them back");
  say("starts the old server alone to read back what only it has");
  Isolated isolated;
  CO_TRY_VOID(isolated.start(server_));
  auto answering = isolated.wait_until_answers(server_, deadline);
  Result<> done = co_await std::move(answering);
  std::vector<std::pair<std::string, std::string>> slots;
  if (done) {
    auto listing = pg_query_once(server_.isolated_params("postgres"),
                                 "SELECT slot_name, database, wal_status FROM pg_replication_slots WHERE slot_type = "
                                 "'logical' AND starts_with(slot_name, $1) ORDER BY slot_name",
                                 {std::string(kDecodingSlots)}, deadline.at_most(Duration{10'000}));
    auto rows = co_await std::move(listing);
    if (!rows) done = std::unexpected(std::move(rows).error());
    for (size_t row = 0; rows && row < rows->rows.size(); ++row)
      slots.emplace_back(rows->text(row, "slot_name"), rows->text(row, "database"));
  }
  // One database that cannot be read does not keep the others from being read.
  for (const auto& [slot, database] : slots) {
    auto decoding = decode_slot(found, files, slot, database, deadline);
    auto decoded = co_await std::move(decoding);
    if (!decoded)
      found.saved.remarks.push_back(
          fmt::format("database {} could not be read back: {}", database, decoded.error().text()));
  }
  auto stopping = isolated.stop();
  co_await std::move(stopping);
  co_return done;
}

Task<Result<>> OrphanKeeper::decode_slot(Found& found, Files& files, std::string slot, std::string database,
                                         Deadline deadline) {
  auto connecting = PgConnection::connect(server_.isolated_params(database), deadline.at_most(Duration{10'000}));
  CO_TRY(std::unique_ptr<PgConnection> log, co_await std::move(connecting));
  auto connecting_too = PgConnection::connect(server_.isolated_params(database), deadline.at_most(Duration{10'000}));
  CO_TRY(std::unique_ptr<PgConnection> catalogue, co_await std::move(connecting_too));
  auto beginning = log->query("BEGIN", {}, deadline);
  CO_TRY(PgRows begun, co_await std::move(beginning));
  auto declaring = log->query("DECLARE orphans NO SCROLL CURSOR FOR SELECT data FROM pg_logical_slot_peek_changes('" +
                                  slot + "', NULL, NULL, 'include-timestamp', '1', 'skip-empty-xacts', '0')",
                              {}, deadline);
  CO_TRY(PgRows declared, co_await std::move(declaring));
  uint64_t xid = 0;
  bool ours = false;  // the present transaction lies behind the fork
  bool connected = false;
  while (true) {
    auto fetching = log->query(fmt::format("FETCH {} FROM orphans", kRowsAtATime), {}, deadline);
    CO_TRY(PgRows rows, co_await std::move(fetching));
    if (rows.empty()) break;
    for (size_t row = 0; row < rows.rows.size(); ++row) {
      CO_TRY(Line line, parse_decoded(rows.text(row, "data")));
      if (const auto* begin = std::get_if<Begin>(&line)) {
        xid = begin->xid;
        ours = found.in_log.contains(xid);
        if (!ours) continue;
        if (!std::exchange(connected, true)) files.sql() << "\n\\connect " << sql_name(database) << "\n";
        files.sql() << fmt::format("\n-- transaction {}, committed at {}\nBEGIN;\n", xid, found.in_log[xid].time);
        continue;
      }
      if (!ours) continue;
      if (std::holds_alternative<Commit>(line)) {
        found.decoded.insert(xid);
        files.sql() << "COMMIT;\n";
        continue;
      }
      Kept kept;
      TableFacts facts;
      if (const auto* change = std::get_if<RowChange>(&line)) {
        auto known = found.facts.find(database + "\n" + change->table);
        if (known == found.facts.end()) {
          auto asking = facts_of(*catalogue, change->table, deadline);
          CO_TRY(TableFacts asked, co_await std::move(asking));
          known = found.facts.emplace(database + "\n" + change->table, std::move(asked)).first;
          std::string remark = remark_of(change->table, known->second);
          if (!remark.empty()) found.saved.remarks.push_back(std::move(remark));
        }
        facts = known->second;
        kept = kept_of(*change, facts);
      } else if (const auto* emptied = std::get_if<Truncated>(&line)) {
        kept.table = emptied->tables;
        kept.operation = "truncate";
      } else {
        kept.operation = "message";
        kept.text = std::get<Message>(line).text;
      }
      kept.database = database;
      kept.xid = xid;
      kept.committed_at = found.in_log[xid].time;
      found.with_rows.insert(xid);
      ++found.saved.changes;
      std::string table = kept.table.empty() ? "(message)" : kept.table;
      if (int64_t* count = found.saved.tables.find(table)) {
        ++*count;
      } else {
        found.saved.tables.add(table, 1);
      }
      files.changes() << to_text(encode(kept)) << "\n";
      files.sql() << statement_of(kept, facts) << "\n";
    }
  }
  co_return Result<>{};
}

// ---- what could not be decoded

// Which of the other transactions wrote rows of users at all, and how many in which files.
Task<Result<>> OrphanKeeper::sum_up_the_rest(Found& found, Files& files, Deadline deadline) {
  std::map<uint64_t, std::map<std::string, int64_t>> wrote;
  bool anything_left =
      std::ranges::any_of(found.in_log, [&](const auto& e) { return !found.decoded.contains(e.first); });
  // Rows carry the number of the subtransaction that wrote them.
  std::map<uint64_t, uint64_t> whole_of;
  for (const auto& [xid, commit] : found.in_log) {
    for (uint64_t part : commit.parts) whole_of[part] = xid;
  }
  std::string file = server_.paths().folder + "/wal-rows.txt";
  for (const Stretch& stretch : found.stretches) {
    for (const char* rmgr : {"Heap", "Heap2"}) {
      if (!anything_left) break;
      unlink(file.c_str());
      auto dumping = dump_log(stretch, rmgr, file, deadline);
      CO_TRY_VOID(co_await std::move(dumping));
      std::ifstream lines(file);
      for (std::string line; std::getline(lines, line);) {
        auto record = parse_heap(line);
        if (!record || record->file < kFirstOfUsers) continue;
        auto whole = whole_of.find(record->xid);
        uint64_t xid = whole == whole_of.end() ? record->xid : whole->second;
        if (found.decoded.contains(xid)) continue;
        ++wrote[xid][fmt::format("{} in file {} of database {}", record->what, record->file, record->database)];
      }
    }
  }
  unlink(file.c_str());
  for (const auto& [xid, commit] : found.in_log) {
    bool decoded = found.decoded.contains(xid);
    // One that was cut off in the middle is not decoded, however many of its rows are.
    bool in_part = !decoded && found.with_rows.contains(xid);
    std::string what = decoded && found.with_rows.contains(xid) ? "its changes are in changes.jsonl"
                       : !in_part && (decoded || !wrote.contains(xid))
                           ? "changed no table's rows (DDL, sequences, large objects, unlogged tables, maintenance)"
                           : "";
    if (what.empty()) {
      ++found.saved.undecoded;
      what = in_part ? "NOT DECODED but in part" : "NOT DECODED";
      for (const auto& [action, count] : wrote[xid]) what += fmt::format("; {} × {}", count, action);
    } else if (!found.with_rows.contains(xid)) {
      ++found.saved.without_rows;
    }
    files.log() << fmt::format("{} transaction {} committed at {}: {}\n", lsn_text(commit.at), xid, commit.time, what);
  }
  if (found.saved.without_rows > 0)
    found.saved.remarks.push_back(
        fmt::format("{} transactions changed no table's rows (DDL, sequences, large objects); what they did is not "
                    "given back, log.txt lists them",
                    found.saved.without_rows));
  co_return Result<>{};
}

// ---- a whole saving

Task<Result<std::optional<wire::OrphansSaved>>> OrphanKeeper::save(SourceHistory source, Deadline deadline, Say say) {
  Found found;
  wire::OrphansSaved& saved = found.saved;
  saved.service = service_;
  saved.member = server_.config().member;
  CO_TRY(Lineage theirs, parse_lineage(source.timeline, source.text));
  auto looking = own_lineage();
  auto mine = co_await std::move(looking);
  std::optional<Fork> fork = mine ? fork_of(*mine, theirs) : std::nullopt;
  Result<> log_read;
  if (fork) {
    found.stretches = behind(*mine, *fork);
    if (found.stretches.empty()) co_return std::nullopt;
    auto reading = read_log(found, deadline);
    log_read = co_await std::move(reading);
    if (log_read && found.in_log.empty()) co_return std::nullopt;
    saved.timeline = fork->timeline;
    saved.fork = fork->at;
  } else {
    log_read = fail(ErrorKind::not_found, mine ? "the histories have no beginning in common" : mine.error().text());
  }
  if (!log_read && log_read.error().kind == ErrorKind::timed_out) co_return std::unexpected(log_read.error());
  // Where the histories parted names a saving; where that is not known, the second does.
  saved.id = log_read
                 ? fmt::format("{}.{}.{}.{:X}", service_, saved.member, saved.timeline, saved.fork.value)
                 : fmt::format("{}.{}.unknown.{}", service_, saved.member,
                               std::chrono::duration_cast<std::chrono::seconds>(wall_now().time_since_epoch()).count());
  saved.folder = folder_of(saved.id);
  saved.transactions = static_cast<int64_t>(found.in_log.size());
  // One that was finished before an agent was started again is as good as a new one, while nothing was added to the log.
  if (auto text = read_file(saved.folder + "/summary.json"); text && log_read) {
    auto json = parse_json(*text);
    auto before = json ? decode<wire::OrphansSaved>(*json) : std::unexpected(DecodeProblems{});
    if (before && before->transactions == saved.transactions) co_return *before;
  }
  say(fmt::format("saves {} transactions that only it has", saved.transactions));
  Files files(saved.folder);
  CO_TRY_VOID(files.open());
  files.sql() << fmt::format(
      "-- Transactions that {} had committed and that were set aside.\n-- Review before you run this with psql.\n"
      "\\set ON_ERROR_STOP on\nSET standard_conforming_strings = on;\nSET client_encoding = 'UTF8';\n",
      saved.member);
  if (!log_read) {
    saved.remarks.push_back("how much was set aside cannot be told: " + log_read.error().text());
  } else {
    auto decoding = decode_all(found, files, deadline, say);
    auto decoded = co_await std::move(decoding);
    if (!decoded) saved.remarks.push_back("not decoded: " + decoded.error().text());
    auto summing = sum_up_the_rest(found, files, deadline);
    CO_TRY_VOID(co_await std::move(summing));
    saved.complete = saved.undecoded == 0;
    auto earlier = [](const auto& a, const auto& b) { return a.second.at < b.second.at; };
    const CommitRecord& last = std::ranges::max_element(found.in_log, earlier)->second;
    saved.first_commit = std::ranges::min_element(found.in_log, earlier)->second.time;
    saved.last_commit = last.time;
    // Positions of several timelines cannot be compared with another member's.
    bool one_timeline = found.stretches.size() == 1 && found.stretches.front().timeline == saved.timeline;
    if (one_timeline) saved.last = last.at;
  }
  auto syncing = blocking([&files] { return files.make_durable(); });
  CO_TRY_VOID(co_await std::move(syncing));
  CO_TRY_VOID(write_file_atomic(saved.folder + "/summary.json", to_pretty_text(encode(saved)) + "\n", 0600));
  co_return saved;
}

std::string OrphanKeeper::place_to_keep(const wire::OrphansSaved& saved) const {
  return fmt::format("{}.kept-{}", server_.paths().data, saved.id);
}

Result<> OrphanKeeper::kept(wire::OrphansSaved& saved) {
  saved.kept = place_to_keep(saved);
  return write_file_atomic(saved.folder + "/summary.json", to_pretty_text(encode(saved)) + "\n", 0600);
}

// ---- giving back

Task<Result<Json>> OrphanKeeper::read(wire::ReadOrphans what) {
  constexpr std::array<std::string_view, 4> kFiles = {"changes.jsonl", "replay.sql", "log.txt", "summary.json"};
  bool known = std::ranges::find(kFiles, what.file) != kFiles.end();
  bool plain = what.id.find('/') == std::string::npos && !what.id.starts_with('.');
  if (!known || !plain || what.offset < 0) co_return fail(ErrorKind::invalid_input, "there is no such file");
  std::string path = folder_of(what.id) + "/" + what.file;
  std::ifstream file(path, std::ios::binary);
  if (!file) co_return fail(ErrorKind::not_found, fmt::format("nothing was saved as {}", what.id));
  file.seekg(what.offset);
  std::string text(kPiece, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  bool end = file.eof() || file.peek() == std::ifstream::traits_type::eof();
  if (!end) {
    size_t line = text.rfind('\n');
    size_t cut = line == std::string::npos ? text.size() : line + 1;
    // Not in the middle of a character either.
    while (line == std::string::npos && cut > 0 && (static_cast<unsigned char>(text[cut - 1]) & 0xC0) == 0x80) --cut;
    if (line == std::string::npos && cut > 0) --cut;
    text.resize(cut);
  }
  int64_t next = what.offset + static_cast<int64_t>(text.size());
  co_return Json(JsonObject{{"text", text}, {"next", next}, {"end", end}});
}

Task<Result<Json>> OrphanKeeper::look_up(wire::LookUpRows what, Deadline deadline) {
  std::map<std::string, std::unique_ptr<PgConnection>> connections;
  JsonArray out;
  for (const wire::WantedRow& wanted : what.rows) {
    auto& connection = connections[wanted.database];
    if (!connection) {
      PgParams params = server_.isolated_params(wanted.database);
      params["host"] = server_.paths().socket;
      params["options"] += " -c statement_timeout=5000 -c lock_timeout=2000";
      auto connecting = PgConnection::connect(std::move(params), deadline.at_most(Duration{5'000}));
      CO_TRY(connection, co_await std::move(connecting));
    }
    std::string columns, where;
    std::vector<std::string> values;
    for (const std::string& name : wanted.columns)
      columns += fmt::format("{}{}::text", columns.empty() ? "" : ", ", sql_name(name));
    for (const auto& [name, value] : wanted.key) {
      if (!where.empty()) where += " AND ";
      if (value.is_string()) {
        values.emplace_back(value.get_string());
        where += fmt::format("{} = ${}", sql_name(name), values.size());
      } else {
        where += sql_name(name) + " IS NULL";
      }
    }
    auto asking = connection->query(fmt::format("SELECT {} FROM {} WHERE {} LIMIT 1", columns, wanted.table, where),
                                    std::move(values), deadline.at_most(Duration{6'000}));
    auto rows = co_await std::move(asking);
    if (!rows) {
      out.push_back(JsonObject{{"found", false}, {"error", rows.error().what}});
      if (!connection->usable()) connection.reset();
      continue;
    }
    JsonObject found{{"found", !rows->empty()}};
    JsonObject row;
    for (size_t index = 0; !rows->empty() && index < wanted.columns.size(); ++index) {
      const auto& value = rows->rows[0][index];
      row[wanted.columns[index]] = value ? Json(*value) : Json(nullptr);
    }
    found["values"] = std::move(row);
    out.push_back(std::move(found));
  }
  co_return Json(JsonObject{{"rows", out}});
}

}  // namespace lifeboat
