#include "database.hpp"

#include <algorithm>
#include <cstdio>

namespace example {
namespace {

using namespace std::chrono_literals;

constexpr int kMostConnections = 8;
// A password check costs both sides some milliseconds of work; all waiting requests at once would starve the server.
constexpr int kMostConnecting = 2;
constexpr auto kConnectWithin = 400ms;
// A server that hangs or is cut off is given up after this, so that the rest of a request's time is another one's.
constexpr auto kStatementWithin = 1000ms;

}  // namespace

Database::Database(const std::string& url)
    : servers_(servers_of(url)),
      scouts_(servers_, [this](size_t server, bool takes_writes) { heard(server, takes_writes); }) {}

void Database::heard(size_t server, bool takes_writes) {
  std::lock_guard lock(mutex_);
  if (takes_writes && !writable_) {
    writable_ = server;
    changed_.notify_all();
  } else if (!takes_writes && writable_ == server) {
    lost_writable();
  }
}

// With the mutex held.
void Database::lost_writable() {
  writable_.reset();
  ++generation_;
  idle_.clear();
  open_ = 0;
  connecting_ = 0;
  scouts_.hurry();
}

std::optional<Database::Lease> Database::take(Until until) {
  std::unique_lock lock(mutex_);
  while (Clock::now() < until) {
    if (writable_ && !idle_.empty()) {
      Lease lease{std::move(idle_.back()), generation_};
      idle_.pop_back();
      return lease;
    }
    if (!writable_ || open_ >= kMostConnections || connecting_ >= kMostConnecting) {
      changed_.wait_until(lock, until);
      continue;
    }
    size_t server = *writable_;
    uint64_t generation = generation_;
    ++open_;
    ++connecting_;
    lock.unlock();
    Connection connection = connect(servers_[server], std::min(until, Clock::now() + kConnectWithin));
    lock.lock();
    if (generation == generation_) --connecting_;
    if (connection && generation == generation_) {
      changed_.notify_one();
      return Lease{std::move(connection), generation};
    }
    if (generation != generation_) continue;
    --open_;
    scouts_.hurry();
    changed_.wait_until(lock, std::min(until, Clock::now() + 10ms));
  }
  return std::nullopt;
}

void Database::give_back(Lease lease) {
  std::lock_guard lock(mutex_);
  if (lease.generation != generation_) return;
  idle_.push_back(std::move(lease.connection));
  changed_.notify_one();
}

void Database::drop(Lease lease, bool server_is_lost) {
  std::lock_guard lock(mutex_);
  if (lease.generation != generation_) return;
  --open_;
  if (server_is_lost) {
    lost_writable();
  } else {
    scouts_.hurry();
  }
  changed_.notify_one();
}

std::optional<Rows> Database::query(const std::string& sql, const std::vector<std::string>& params,
                                    std::chrono::milliseconds within) {
  Until until = Clock::now() + within;
  while (Clock::now() < until) {
    std::optional<Lease> lease = take(until);
    if (!lease) return std::nullopt;
    Outcome outcome =
        carry_out(lease->connection.get(), sql, params, std::min<Until>(until, Clock::now() + kStatementWithin));
    switch (outcome.ended) {
      case Ended::well: give_back(std::move(*lease)); return std::move(outcome.rows);
      case Ended::wrong:
        std::fprintf(stderr, "a statement failed: %s", outcome.problem.c_str());
        give_back(std::move(*lease));
        return std::nullopt;
      case Ended::lost: drop(std::move(*lease), true); break;
      case Ended::late:
        // It may only be slow; its scout tells whether it is gone.
        drop(std::move(*lease), false);
        break;
    }
  }
  return std::nullopt;
}

}  // namespace example
