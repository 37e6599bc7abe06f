// Commits whose wait for a standby was cut short, as the server's log tells them.
#include "agent/postgres_server.hpp"
#include "io/clock.hpp"

namespace lifeboat {

// What the log holds so far is of another server.
void PostgresServer::count_waits_anew() {
  waits_ = WaitCount();
  log_place_ = end_of_log(paths_.log);
  ++starts_;
}

Task<> PostgresServer::count_cancelled_waits() {
  uint64_t start = starts_;
  if (start == 0) co_return;
  auto reading = blocking([path = paths_.log, from = log_place_] { return read_server_log(path, from); });
  LogNews news = co_await std::move(reading);
  if (start != starts_) co_return;
  log_place_ = news.next;
  waits_.found(news.cancelled, wall_now());
}

// Where nobody is waited for there is nothing to tell.
Task<> PostgresServer::ask_whether_waits_are_told(Deadline deadline) {
  if (config_.sync.copies == 0) co_return waits_.not_counted("");
  auto asking =
      ask("SELECT current_setting('log_min_messages') AS level, current_setting('log_destination') AS destination,"
          " current_setting('logging_collector') AS collector, current_setting('lc_messages') AS words",
          deadline);
  auto rows = co_await std::move(asking);
  if (!rows || rows->empty()) co_return;
  waits_.not_counted(why_waits_not_counted(rows->text(0, "level"), rows->text(0, "destination"),
                                           rows->text(0, "collector"), rows->text(0, "words")));
}

}  // namespace lifeboat
