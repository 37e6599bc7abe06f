// One connection to each server of a list, kept only to ask it whether it takes writes: seldom while one does, many
// times a second while none does. A standby that is promoted is known within some 10 ms, without a new connection and
// its password check; a server that hangs is known by the silence of its scout.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "postgres_link.hpp"

namespace example {

class Scouts {
 public:
  // `tell(server, takes_writes)` is called on the scouts' own thread: true each time a server says that it takes
  // writes, false when it was lost or says that it is a standby.
  using Tell = std::function<void(size_t server, bool takes_writes)>;
  Scouts(const std::vector<Server>& servers, Tell tell);
  ~Scouts();
  Scouts(const Scouts&) = delete;
  Scouts& operator=(const Scouts&) = delete;

  // Asks all at once and goes on asking fast until one takes writes; answers to older questions no longer count.
  void hurry();

 private:
  enum class State { away, connecting, resting, asking };
  struct Scout {
    Connection connection;
    State state = State::away;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    Until since{};       // of the connecting or the question
    Until not_before{};  // of the next one
    int failures = 0;    // in a row
  };

  const std::vector<Server>& servers_;
  Tell tell_;
  std::vector<Scout> scouts_;
  std::atomic<bool> ending_ = false;
  std::atomic<bool> fast_ = true;
  std::atomic<Clock::rep> doubted_at_ = 0;
  int wake_ = -1;
  std::thread thread_;

  static std::chrono::milliseconds patience_with(const Scout& scout);
  void run();
  void begin_what_is_due(size_t index, Until now);
  void hear(size_t index);
  void understand(size_t index);
  void lose(size_t index);
};

}  // namespace example
