#include "database.hpp"

#include <algorithm>
#include <cstdio>

namespace example {
namespace {

using namespace std::chrono_literals;

constexpr int kMostConnections = 8;
// A password check costs both sides some milliseconds of work; all waiting requests at once would starve the server.
constexpr int kMostConnecting = 2;
// Twice as long after each that took too long, up to three times: the server may only have much to do.
constexpr auto kConnectWithin = 400ms;
constexpr int kMostDoublings = 3;
constexpr auto kRetry = 10ms;
// A server that hangs or is cut off is given up after this, so that the rest of a request's time is another one's.
constexpr auto kStatementWithin = 1000ms;

}  // namespace

Database::Database(const std::string& url)
    : servers_(servers_of(url)),
      scouts_(servers_, [this](size_t server, bool takes_writes) { heard(server, takes_writes); }) {
  for (int opener = 0; opener < kMostConnecting; ++opener) openers_.emplace_back([this] { open_connections(); });
}

Database::~Database() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    ++generation_;
  }
  changed_.notify_all();
  for (std::thread& opener : openers_) opener.join();
}

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
  failures_ = 0;
  scouts_.hurry();
}

// With the mutex held. One is there before anybody asks for it.
bool Database::wants_connection() const {
  bool needed = open_ == 0 || waiting_ > static_cast<int>(idle_.size()) + connecting_;
  return writable_ && open_ < kMostConnections && needed;
}

void Database::open_connections() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || wants_connection(); });
    if (ending_) return;
    size_t server = *writable_;
    uint64_t generation = generation_;
    auto patience = kConnectWithin * (1 << std::min(failures_, kMostDoublings));
    ++open_;
    ++connecting_;
    lock.unlock();
    auto is_wanted = [this, generation] {
      std::lock_guard look(mutex_);
      return generation == generation_;
    };
    Connection connection = connect(servers_[server], Clock::now() + patience, is_wanted);
    lock.lock();
    if (generation != generation_) continue;
    --connecting_;
    if (connection) {
      failures_ = 0;
      idle_.push_back(std::move(connection));
      changed_.notify_all();
      continue;
    }
    --open_;
    ++failures_;
    scouts_.hurry();
    changed_.wait_for(lock, kRetry, [this] { return ending_; });
  }
}

std::optional<Database::Lease> Database::take(Until until) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  if (wants_connection()) changed_.notify_all();
  bool there = changed_.wait_until(lock, until, [this] { return writable_ && !idle_.empty(); });
  --waiting_;
  if (!there) return std::nullopt;
  Lease lease{std::move(idle_.back()), generation_};
  idle_.pop_back();
  return lease;
}

void Database::give_back(Lease lease) {
  std::lock_guard lock(mutex_);
  if (lease.generation != generation_) return;
  idle_.push_back(std::move(lease.connection));
  changed_.notify_all();
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
  changed_.notify_all();
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
