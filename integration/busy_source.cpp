#include "busy_source.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "io/file.hpp"
#include "io/run_in_test.hpp"
#include "recovery/folder.hpp"

namespace lifeboat::recovery {

namespace fs = std::filesystem;

std::string name_of(Stored stored) {
  switch (stored) {
    case Stored::compressed: return "compressed";
    case Stored::plain: return "plain";
    case Stored::encrypted: return "encrypted";
  }
  return "";
}

std::string text_of(const std::string& path) { return read_file(path, size_t{64} << 20).value_or(""); }

BusySource::BusySource(std::vector<Stored> repositories) : repositories_(std::move(repositories)) { problem = build(); }

BusySource::~BusySource() {
  if (top.empty()) return;
  run({kBin + "/pg_ctl", "-D", top + "/pg", "-m", "immediate", "-w", "stop"});
  std::error_code ignored;
  fs::remove_all(top, ignored);
}

std::string BusySource::config_for(const std::string& repository, Stored stored, const std::string& key) const {
  std::string path = repository + ".conf";
  std::ofstream out(path);
  out << "[global]\nrepo1-path=" << repository << "\nlog-level-file=off\nlog-path=" << top << "/log\nlock-path=" << top
      << "/lock\nspool-path=" << top << "/spool\nstart-fast=y\narchive-async=y\nprocess-max=2\ncompress-type="
      << (stored == Stored::plain ? "none" : "zst") << "\n";
  if (stored == Stored::encrypted) out << "repo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=" << key << "\n";
  out << "[m]\npg1-path=" << top << "/pg\npg1-socket-path=" << top << "\npg1-port=5432\n";
  return path;
}

std::string BusySource::copy_of_repository(const std::string& name, Stored stored) const {
  fs::copy(repository(stored), top + "/" + name, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  run({"/bin/chown", "-R", "postgres", top + "/" + name}, true);
  return top + "/" + name;
}

std::string BusySource::middle_segment(const std::string& repository) const {
  uint64_t number = segment_of(middle, uint64_t{16} << 20);
  std::string name = segment_name(1, number, uint64_t{16} << 20);
  for (const auto& entry : fs::recursive_directory_iterator(repository + "/archive/m")) {
    if (entry.path().filename().string().starts_with(name + "-")) return entry.path().string();
  }
  return {};
}

ProcessResult BusySource::run(std::vector<std::string> argv, bool as_root) {
  asio::io_context context(1);
  ProcessSpec spec;
  spec.argv = std::move(argv);
  if (!as_root) spec.user = "postgres";
  spec.directory = "/";
  auto result = run_in_test(context, run_process(std::move(spec), Deadline::after(kLong)), kLong);
  return result ? *result : ProcessResult{.exit_code = 1000, .err = result.error().text()};
}

PgRows BusySource::ask(const std::string& socket, const std::string& sql) {
  asio::io_context context(1);
  PgParams params{{"host", socket}, {"port", "5432"}, {"dbname", "postgres"}, {"user", "postgres"}};
  auto rows = run_in_test(context, pg_query_once(params, sql, {}, Deadline::after(Duration{30'000})), kLong);
  if (!rows) throw std::runtime_error(rows.error().text());
  return *rows;
}

std::vector<int64_t> BusySource::ids(const std::string& folder) {
  PgRows rows = ask(folder + "/socket", "SELECT id::text AS text FROM ledger ORDER BY ledger.id");
  std::vector<int64_t> out;
  for (size_t row = 0; row < rows.rows.size(); ++row) out.push_back(std::atoll(rows.text(row, "text").c_str()));
  return out;
}

Result<Restored> BusySource::restore(RestoreRequest request) {
  asio::io_context context(1);
  return run_in_test(context, recovery::restore(std::move(request), {}, Deadline::after(kLong)), kLong);
}

void BusySource::clear(const std::string& folder) {
  if (folder.empty()) return;
  end_processes_at(folder + "/data", kBin + "/postgres", Duration{5'000});
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

std::string BusySource::build() {
  if (geteuid() != 0) return "needs root";
  for (const std::string& program : {kBin + "/postgres", std::string("pgbackrest"), std::string("unshare")}) {
    if (find_program(program).empty()) return program + " is not installed";
  }
  char folder[] = "/var/tmp/lifeboat-restore-XXXXXX";
  if (mkdtemp(folder) == nullptr) return "no temporary folder";
  top = folder;
  const passwd* account = getpwnam("postgres");
  if (account == nullptr || chown(folder, account->pw_uid, account->pw_gid) != 0) return "there is no user postgres";
  for (const char* name : {"/log", "/lock", "/spool", "/side"}) run({"/bin/mkdir", top + name});
  std::string push;
  for (Stored stored : repositories_) {
    run({"/bin/mkdir", repository(stored)});
    std::string config = config_for(repository(stored), stored);
    // A process that goes on in the background is one repository's; what several are sent waits for each.
    push += fmt::format("{}pgbackrest --config={} --stanza=m{} archive-push %p", push.empty() ? "" : " && ", config,
                        repositories_.size() > 1 ? " --no-archive-async" : "");
  }
  auto each = [&](const std::vector<std::string>& more) -> std::string {
    for (Stored stored : repositories_) {
      std::vector<std::string> argv{"pgbackrest", "--config=" + config_for(repository(stored), stored), "--stanza=m"};
      argv.insert(argv.end(), more.begin(), more.end());
      if (auto done = run(std::move(argv)); done.exit_code != 0) return more.back() + ": " + done.out + done.err;
    }
    return {};
  };
  if (auto made = run({kBin + "/initdb", "-D", top + "/pg", "-k", "-U", "postgres", "--auth=trust"});
      made.exit_code != 0)
    return "initdb: " + made.err;
  std::ofstream(top + "/pg/postgresql.conf", std::ios::app)
      << "listen_addresses=''\nunix_socket_directories='" << top << "'\narchive_mode=on\narchive_command='" << push
      << "'\ntrack_commit_timestamp=on\nfsync=off\nmax_wal_size=1GB\n";
  if (auto started = run({kBin + "/pg_ctl", "-D", top + "/pg", "-l", top + "/pg.log", "-w", "start"});
      started.exit_code != 0)
    return "pg_ctl: " + started.err + text_of(top + "/pg.log");
  if (std::string wrong = each({"stanza-create"}); !wrong.empty()) return wrong;
  // What is judged lies in a tablespace of its own, beside the data folder.
  ask(top, fmt::format("CREATE TABLESPACE side LOCATION '{}/side'", top));
  ask(top, "CREATE TABLE ledger (id bigserial PRIMARY KEY, filler text) TABLESPACE side");
  ask(top, "CREATE TABLE noise AS SELECT g AS id, repeat(md5(g::text), 8) AS t FROM generate_series(1, 40000) g");
  std::ofstream(top + "/script") << "INSERT INTO ledger (filler) VALUES (repeat('x', 1500));\n";
  auto busy = [&](const char* seconds) {
    return run({kBin + "/pgbench", "-h", top, "-U", "postgres", "-n", "-c", "4", "-T", seconds, "-f", top + "/script",
                "postgres"});
  };
  if (std::string wrong = each({"--type=full", "backup"}); !wrong.empty()) return wrong;
  earliest = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) + std::chrono::seconds{1};
  if (auto pgbench = busy("3"); pgbench.exit_code != 0) return "pgbench: " + pgbench.err;
  PgRows at = ask(top, "SELECT pg_current_wal_insert_lsn()::text AS lsn, (SELECT count(*) FROM ledger)::text AS count");
  middle = ScalarText<Lsn>::parse(at.text(0, "lsn")).value_or(Lsn{});
  middle_count = std::atoll(at.text(0, "count").c_str());
  ask(top, "SELECT pg_create_restore_point('halfway')");
  if (auto pgbench = busy("3"); pgbench.exit_code != 0) return "pgbench: " + pgbench.err;
  PgRows rows = ask(top,
                    "SELECT id::text, xmin::text AS xid, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * "
                    "1000000)::bigint::text AS micros FROM ledger ORDER BY 3, 1");
  for (size_t row = 0; row < rows.rows.size(); ++row)
    ledger.push_back({std::atoll(rows.text(row, "id").c_str()),
                      std::strtoull(rows.text(row, "xid").c_str(), nullptr, 10),
                      Moment{std::chrono::microseconds{std::atoll(rows.text(row, "micros").c_str())}}});
  std::string last = ask(top, "SELECT pg_walfile_name(pg_switch_wal()) AS name").text(0, "name");
  if (ledger.size() < 1000) return "the source was not busy: " + std::to_string(ledger.size()) + " commits";
  // A stop waits for the archiver.
  run({kBin + "/pg_ctl", "-D", top + "/pg", "-m", "fast", "-w", "stop"});
  for (Stored stored : repositories_) {
    bool there = false;
    for (const auto& entry : fs::recursive_directory_iterator(repository(stored) + "/archive/m"))
      there = there || entry.path().filename().string().starts_with(last + "-");
    if (!there) return last + " was not archived";
  }
  return {};
}

}  // namespace lifeboat::recovery
