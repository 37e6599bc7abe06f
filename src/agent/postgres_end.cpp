// How a server ends: PostgresServer's end_writes, stop, kill_now and end_stranger.
#include <errno.h>
#include <signal.h>

#include <fstream>

#include "agent/postgres_server.hpp"
#include "io/clock.hpp"
#include "io/priority.hpp"
#include "io/process.hpp"

namespace lifeboat {
namespace {

constexpr Duration kArchiverEnds{100};

}  // namespace

void PostgresServer::ask_to_stop() {
  kept_.clear();
  end_archiving();
  // While it ends nobody is served; it takes a dozen processes one after the other.
  let_go_first(guard_->server(), true);
  guard_->signal_server(SIGINT);
}

// Written when every session is gone and the record of the shutdown is on disk; from then on the postmaster starts no other (xlog.c,
// CreateCheckPoint). The state stands in the same place of pg_control in all versions from 8.4 on.
bool PostgresServer::log_has_ended() const {
  constexpr std::streamoff kStateAt = 16;
  constexpr int32_t kShutDown = 1;
  std::ifstream control(paths_.data + "/global/pg_control", std::ios::binary);
  int32_t state = 0;
  control.seekg(kStateAt).read(reinterpret_cast<char*>(&state), sizeof state);
  return control && state == kShutDown;
}

Task<Result<>> PostgresServer::end_writes(Deadline deadline) {
  if (!running()) co_return Result<>{};
  // One that says so before it was asked says nothing by it.
  bool can_be_told = !log_has_ended();
  ask_to_stop();
  while (running() && !deadline.passed()) {
    if (can_be_told && log_has_ended()) co_return Result<>{};
    co_await sleep_for(Duration{3});
  }
  if (!running()) co_return Result<>{};
  if (!kill_now()) co_return fail(ErrorKind::unknown_outcome, "the server did not stop, and could not be killed");
  co_return fail(ErrorKind::timed_out, "the server did not stop in time and was killed");
}

Task<Result<>> PostgresServer::stop(Deadline deadline) {
  if (!running()) co_return Result<>{};
  ask_to_stop();
  bool archiver_left = config_.archive.stanza.empty();
  MonoTime begun = boot_now();
  while (running() && !deadline.passed()) {
    co_await sleep_for(Duration{3});
    if (archiver_left || boot_now() - begun < kArchiverEnds || !running()) continue;
    // It was in the middle of a segment. That one is archived when the server is back, or by whoever has the stream.
    archiver_left = true;
    for (pid_t child : processes_at(paths_.data, find_program("pgbackrest"))) kill(child, SIGTERM);
  }
  if (!running()) co_return Result<>{};
  kill_now();
  co_return fail(ErrorKind::timed_out, "the server did not stop in time and was killed");
}

bool PostgresServer::kill_now() {
  kept_.clear();
  return guard_ == nullptr || guard_->kill_now();
}

bool PostgresServer::end_stranger() {
  std::ifstream lock(paths_.data + "/postmaster.pid");
  pid_t pid = 0;
  // Most often it is that of a server which is gone.
  if (!(lock >> pid) || pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH)) return false;
  std::string program = tool("postgres");
  if (processes_at(paths_.data, program).empty()) return false;
  end_processes_at(paths_.data, program, Duration{0});
  return true;
}

void PostgresServer::forget_process() {
  kept_.clear();
  guard_.reset();
}

}  // namespace lifeboat
