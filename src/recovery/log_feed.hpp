// Fetches the log ahead of replay and lays it where the server looks for it. Each segment is proved by the checksum in its name in
// the archive before it gets there; the first that is damaged or absent ends the feed, since nothing behind it can be replayed.
//
// Runs beside the copy of the files (then segments wait in a folder of their own: the copy clears the data folder) and beside
// replay, which it follows so that neither the disk fills with log that is not needed nor replay ever waits.
#pragma once

#include <string>
#include <vector>

#include "core/recovery/catalogue.hpp"
#include "io/pgbackrest.hpp"

namespace lifeboat::recovery {

class LogFeed {
 public:
  struct Plan {
    PgBackRest repository;
    Catalogue catalogue;          // which cluster, and how large a segment is
    std::vector<WalSegment> log;  // in order, without a break
    size_t expected = 0;          // of these, what the target is expected to need
    std::string control_folder;
    std::string log_folder;  // pg_wal of the data folder
    std::string user;
  };
  LogFeed(asio::any_io_executor executor, Plan plan);

  // Until all of the log is fetched, or one segment cannot be had, or stop(). Errors: the tool itself failed.
  Task<Result<>> run(Deadline deadline);
  void stop();

  // The data folder is whole: what is fetched is laid into pg_wal from now on, and what waits is laid now. The data folder
  // tells from now on which cluster it is.
  Result<> data_is_there(const std::string& data);
  // How far replay has come; keeps the feed ahead of it.
  void replayed(uint64_t segment);

  struct Broken {
    uint64_t segment = 0;
    std::string name;
    std::string why;
  };
  const std::optional<Broken>& broken() const { return broken_; }
  size_t laid() const { return laid_; }        // segments that are where the server finds them
  size_t fetched() const { return fetched_; }  // of these and those that wait
  bool ended() const { return ended_; }        // nothing more will come
  const std::string& name_of(size_t index) const { return names_[index]; }
  const WalSegment& segment(size_t index) const { return plan_.log[index]; }
  size_t size() const { return names_.size(); }

 private:
  Plan plan_;
  std::vector<std::string> names_;
  Wakeup wakeup_;
  size_t fetched_ = 0, laid_ = 0;
  uint64_t replayed_segment_ = 0;
  bool laying_ = false, stopped_ = false, ended_ = false, control_failed_ = false;
  std::optional<Broken> broken_;

  size_t wanted() const;
  Task<Result<>> fetch_batch(size_t count, Deadline deadline);
  Result<> lay();
  void break_at(size_t index, std::string why);
};

}  // namespace lifeboat::recovery
