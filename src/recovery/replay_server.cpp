#include "recovery/replay_server.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "io/file.hpp"
#include "io/process.hpp"
#include "recovery/end_server.hpp"
#include "recovery/settings.hpp"

namespace lifeboat::recovery {
namespace {

// How long the request to promote is on its way, and when one who sleeps is woken again.
constexpr Duration kRequestArrives{10};
constexpr Duration kWakeAgain{100};

constexpr std::string_view kLook =
    "SELECT r.rec, CASE WHEN r.rec THEN pg_get_wal_replay_pause_state() = 'paused' ELSE false END AS paused,"
    " coalesce(CASE WHEN r.rec THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, '0/0')::text AS lsn,"
    " (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint::text AS micros,"
    " EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event = "
    "'RecoveryRetrieveRetryInterval') AS waiting"
    " FROM (SELECT pg_is_in_recovery() AS rec) r";

// A process that stands still while this lives.
class HeldUp {
 public:
  explicit HeldUp(pid_t pid) : pid_(pid) { kill(pid_, SIGSTOP); }
  ~HeldUp() { kill(pid_, SIGCONT); }
  HeldUp(const HeldUp&) = delete;
  HeldUp& operator=(const HeldUp&) = delete;

 private:
  pid_t pid_;
};

}  // namespace

ReplayServer::ReplayServer(RestoreFolder folder, std::string postgres, std::string superuser)
    : folder_(std::move(folder)), postgres_(std::move(postgres)), superuser_(std::move(superuser)) {}

ReplayServer::~ReplayServer() { kill_now(); }

Result<> ReplayServer::start() {
  ProcessSpec spec;
  std::vector<std::string> server{postgres_, "-D", folder_.data(), "-c", "config_file=" + folder_.settings()};
  if (geteuid() == 0) {
    const passwd* account = getpwnam(folder_.user.c_str());
    if (account == nullptr) return fail(ErrorKind::unsupported, fmt::format("there is no user '{}'", folder_.user));
    spec.argv = {"unshare",
                 "--net",
                 "--",
                 "setpriv",
                 fmt::format("--reuid={}", account->pw_uid),
                 fmt::format("--regid={}", account->pw_gid),
                 "--init-groups",
                 "--"};
  } else {
    spec.argv = {"unshare", "--user", "--net", "--map-current-user", "--"};
  }
  spec.argv.insert(spec.argv.end(), server.begin(), server.end());
  spec.directory = folder_.data();
  spec.output_file = folder_.server_log();
  auto started = start_process(spec);
  if (!started) return std::unexpected(std::move(started).error().with("start the restored server, cut off"));
  process_ = *started;
  return {};
}

bool ReplayServer::runs() {
  if (process_ < 0) return false;
  int status = 0;
  if (waitpid(process_, &status, WNOHANG) == 0) return true;
  process_ = -1;
  connection_.reset();
  return false;
}

Task<Result<PgRows>> ReplayServer::ask(std::string sql, Deadline deadline) {
  if (!connection_ || !connection_->usable()) {
    connection_.reset();
    PgParams params{{"host", folder_.socket()},
                    {"port", std::to_string(kPort)},
                    {"dbname", "postgres"},
                    {"user", superuser_},
                    {"application_name", "lifeboat restore"},
                    {"options", fmt::format("{} -c search_path=pg_catalog", kNoLibraries)}};
    auto connecting = PgConnection::connect(std::move(params), deadline);
    CO_TRY(connection_, co_await std::move(connecting));
  }
  auto asking = connection_->query(std::move(sql), {}, deadline);
  auto answer = co_await std::move(asking);
  co_return answer;
}

Task<Result<std::optional<ReplayLook>>> ReplayServer::look(Deadline deadline) {
  // It says so itself while it cannot be asked; until its socket is there nobody says anything.
  if (access((fmt::format("{}/.s.PGSQL.{}", folder_.socket(), kPort)).c_str(), F_OK) != 0)
    co_return std::optional<ReplayLook>();
  auto asking = ask(std::string(kLook), deadline);
  auto rows = co_await std::move(asking);
  // It does not take connections yet, or is too busy to answer: whoever waits has a deadline and looks whether it lives.
  if (!rows) co_return std::optional<ReplayLook>();
  ReplayLook out;
  out.in_recovery = rows->text(0, "rec") == "t";
  out.paused = rows->text(0, "paused") == "t";
  out.waiting = rows->text(0, "waiting") == "t";
  out.replayed = ScalarText<Lsn>::parse(rows->text(0, "lsn")).value_or(Lsn{});
  if (!rows->is_null(0, "micros"))
    out.last_commit = Moment{std::chrono::microseconds{std::atoll(rows->text(0, "micros").c_str())}};
  co_return std::optional(out);
}

void ReplayServer::reload() {
  if (process_ > 0) kill(process_, SIGHUP);
}

Task<Result<>> ReplayServer::pause(Deadline deadline) {
  auto asking = ask("SELECT pg_wal_replay_pause()", deadline);
  auto asked = co_await std::move(asking);
  if (!asked) co_return std::unexpected(std::move(asked).error());
  while (true) {
    auto looking = look(deadline);
    CO_TRY(auto seen, co_await std::move(looking));
    if (seen && seen->paused) co_return Result<>{};
    if (deadline.passed() || !runs())
      co_return fail(ErrorKind::timed_out, "the restored server did not pause: " + last_words());
    co_await sleep_for(Duration{5});
  }
}

Task<Result<>> ReplayServer::promote(Deadline deadline) {
  auto asking = ask("SELECT pg_promote(false)", deadline);
  auto asked = co_await std::move(asking);
  if (!asked) co_return std::unexpected(std::move(asked).error().with("promote"));
  // A paused startup process looks for the request once a second, unless it is woken. The request comes to it by way of the server's
  // first process and may not be there yet; then it is woken again.
  for (MonoTime wake_at = boot_now() + kRequestArrives;;) {
    if (boot_now() >= wake_at) {
      auto waking = wake(deadline);
      co_await std::move(waking);
      wake_at = boot_now() + kWakeAgain;
    }
    auto looking = ask("SELECT pg_is_in_recovery() AS rec", deadline);
    auto seen = co_await std::move(looking);
    if (seen && seen->text(0, "rec") == "f") co_return Result<>{};
    if (deadline.passed() || !runs())
      co_return fail(ErrorKind::unknown_outcome, "the promotion did not end in time: " + last_words());
    co_await sleep_for(Duration{5});
  }
}

// It is woken when a pause ends, so one is ended and begun anew. Were it quick enough to see the pause end, it would end recovery by the
// longer way, with a checkpoint; so it is held up meanwhile, and looks when the pause has begun again.
Task<> ReplayServer::wake(Deadline deadline) {
  auto asking = ask("SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'startup'", deadline);
  auto found = co_await std::move(asking);
  if (!found || found->empty()) co_return;
  pid_t startup = std::atoi(found->text(0, "pid").c_str());
  std::vector<pid_t> own = descendants_of(process_);
  if (std::ranges::find(own, startup) == own.end()) co_return;
  HeldUp held(startup);
  auto waking = ask("SELECT pg_wal_replay_resume(), pg_wal_replay_pause()", deadline);
  auto woken = co_await std::move(waking);
  // Refused when it has seen the request meanwhile.
  (void)woken;
}

void ReplayServer::let_go() {
  process_ = -1;
  connection_.reset();
}

void ReplayServer::kill_now() {
  if (process_ < 0) return;
  connection_.reset();
  // Until the server itself runs, its process is that of the programs that cut it off. None of its helpers may go on into what the next
  // try copies.
  kill(process_, SIGQUIT);
  end_server_at(folder_.data(), postgres_);
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

namespace {

// Says nothing of why a server ended: what comes before replay, and what follows the reason.
bool is_beside_the_point(std::string_view line) {
  constexpr std::array<std::string_view, 7> kUsual{"is starting up",
                                                   "waiting for WAL",
                                                   "exited with exit code",
                                                   "terminating any other active server processes",
                                                   "shutting down due to startup process failure",
                                                   "LOG:  shutting down",
                                                   "database system is shut down"};
  return line.empty() ||
         std::ranges::any_of(kUsual, [&](std::string_view usual) { return line.find(usual) != line.npos; });
}

}  // namespace

std::string ReplayServer::last_words() const {
  auto log = read_file(folder_.server_log(), size_t{256} << 20);
  if (!log) return "it left no log";
  std::vector<std::string> lines;
  for (size_t at = 0; at < log->size();) {
    size_t end = std::min(log->find('\n', at), log->size());
    std::string line = log->substr(at, end - at);
    at = end + 1;
    if (!is_beside_the_point(line)) lines.push_back(std::move(line));
  }
  std::string out;
  for (size_t index = lines.size() > 4 ? lines.size() - 4 : 0; index < lines.size(); ++index)
    out += (out.empty() ? "" : " | ") + lines[index];
  return out;
}

}  // namespace lifeboat::recovery
