#include "scouts.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace example {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnectWithin = 300ms;
constexpr auto kAnswerWithin = 800ms;
// After each failure in a row both are doubled, up to three times: a server that cannot keep up is not helped by asking it more often.
constexpr auto kRetry = 40ms;
constexpr int kMostDoublings = 3;
// Each try costs a server a process, also one that it refuses: not before this many times what the last one took.
constexpr int kRetryPause = 10;
// While it is not known who takes writes; not before ten times what the last answer took.
constexpr auto kFast = 10ms;
constexpr int kFastPause = 10;
constexpr auto kCalm = 500ms;

}  // namespace

Scouts::Scouts(const std::vector<Server>& servers, Tell tell)
    : servers_(servers),
      tell_(std::move(tell)),
      scouts_(servers.size()),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

Scouts::~Scouts() {
  ending_ = true;
  hurry();
  thread_.join();
  close(wake_);
}

void Scouts::hurry() {
  doubted_at_ = Clock::now().time_since_epoch().count();
  fast_ = true;
  uint64_t one = 1;
  // A full counter wakes as well as a new count does.
  [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof one);
}

void Scouts::run() {
  while (!ending_) {
    Until now = Clock::now();
    Until next = now + kCalm;
    std::vector<pollfd> watched{{wake_, POLLIN, 0}};
    for (size_t index = 0; index < scouts_.size(); ++index) {
      begin_what_is_due(index, now);
      Scout& scout = scouts_[index];
      bool waits = scout.state == State::connecting || scout.state == State::asking;
      next = std::min(next, waits ? scout.since + patience_with(scout) : scout.not_before);
      bool writes = scout.state == State::connecting && scout.next == PGRES_POLLING_WRITING;
      int socket = scout.connection ? PQsocket(scout.connection.get()) : -1;
      watched.push_back({socket, static_cast<short>(writes ? POLLOUT : POLLIN), 0});
    }
    poll(watched.data(), watched.size(), left_ms(next) + 1);
    if (watched[0].revents != 0) {
      uint64_t count = 0;
      [[maybe_unused]] ssize_t got = read(wake_, &count, sizeof count);
      for (Scout& scout : scouts_) {
        if (scout.state == State::resting) scout.not_before = {};
      }
    }
    for (size_t index = 0; index < scouts_.size(); ++index) {
      if (watched[index + 1].revents != 0) hear(index);
    }
  }
}

std::chrono::milliseconds Scouts::patience_with(const Scout& scout) {
  return scout.state == State::asking ? kAnswerWithin : kConnectWithin * (1 << scout.failures);
}

void Scouts::begin_what_is_due(size_t index, Until now) {
  Scout& scout = scouts_[index];
  bool waits = scout.state == State::connecting || scout.state == State::asking;
  if (waits && now - scout.since > patience_with(scout)) lose(index);
  if (now < scout.not_before) return;
  if (scout.state == State::away) {
    scout.connection = begin_connection(servers_[index]);
    scout.state = State::connecting;
    scout.next = PGRES_POLLING_WRITING;
    scout.since = now;
    if (!scout.connection || PQstatus(scout.connection.get()) == CONNECTION_BAD) lose(index);
  } else if (scout.state == State::resting) {
    scout.since = now;
    scout.state = State::asking;
    bool sent =
        PQsendQuery(scout.connection.get(), "SELECT pg_is_in_recovery()") == 1 && PQflush(scout.connection.get()) == 0;
    if (!sent) lose(index);
  }
}

void Scouts::hear(size_t index) {
  Scout& scout = scouts_[index];
  if (scout.state == State::connecting) {
    scout.next = PQconnectPoll(scout.connection.get());
    if (scout.next == PGRES_POLLING_FAILED) return lose(index);
    if (scout.next != PGRES_POLLING_OK) return;
    PQsetnonblocking(scout.connection.get(), 1);
    scout.state = State::resting;
    scout.not_before = {};
    return;
  }
  // Something from a server that was not asked is its farewell, or the end of the connection.
  if (!scout.connection || PQconsumeInput(scout.connection.get()) == 0) return lose(index);
  if (scout.state == State::asking && PQisBusy(scout.connection.get()) == 0) understand(index);
}

void Scouts::understand(size_t index) {
  Scout& scout = scouts_[index];
  bool answered = false, standby = true;
  for (PGresult* result = PQgetResult(scout.connection.get()); result != nullptr;
       result = PQgetResult(scout.connection.get())) {
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
      answered = true;
      standby = std::string_view(PQgetvalue(result, 0, 0)) != "f";
    }
    PQclear(result);
  }
  if (!answered) return lose(index);
  scout.failures = 0;
  scout.state = State::resting;
  bool counts = standby || scout.since.time_since_epoch().count() >= doubted_at_;
  if (!standby && counts) fast_ = false;
  Until now = Clock::now();
  auto soon = std::clamp<Clock::duration>((now - scout.since) * kFastPause, kFast, kCalm);
  scout.not_before = now + (fast_ ? soon : Clock::duration(kCalm));
  if (counts) tell_(index, !standby);
}

void Scouts::lose(size_t index) {
  Scout& scout = scouts_[index];
  Until now = Clock::now();
  bool never_came = scout.state == State::connecting;
  scout.connection.reset();
  scout.state = State::away;
  Clock::duration pause = kRetry * (1 << scout.failures);
  if (never_came) pause = std::max(pause, std::min<Clock::duration>((now - scout.since) * kRetryPause, kCalm));
  scout.not_before = now + pause;
  scout.failures = std::min(scout.failures + 1, kMostDoublings);
  tell_(index, false);
}

}  // namespace example
