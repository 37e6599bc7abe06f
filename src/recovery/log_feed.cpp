#include "recovery/log_feed.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "recovery/segment_proof.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

// Segments with one call: few, so that replay has something soon; many cost less each.
constexpr size_t kBatch = 16;
// How far ahead of replay is fetched when the target is expected to lie further on than it was thought.
constexpr size_t kAhead = 32;
// No more than this waits unreplayed, whatever is expected: the disk is for the data.
constexpr uint64_t kMostAheadBytes = uint64_t{6} << 30;

// All of it has to be on the disk in the end, and nobody waits for that yet (sync_file_range(2)). A hint: what it cannot do, the sync
// at the end does.
void begin_write_back(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
  close(file);
}

}  // namespace

LogFeed::LogFeed(asio::any_io_executor executor, Plan plan) : plan_(std::move(plan)), wakeup_(std::move(executor)) {
  for (const WalSegment& segment : plan_.log)
    names_.push_back(segment_name(segment.timeline, segment.number, plan_.catalogue.segment_bytes));
}

size_t LogFeed::wanted() const {
  size_t want = plan_.expected;
  if (replayed_segment_ > 0 && !plan_.log.empty()) {
    uint64_t first = plan_.log.front().number;
    uint64_t at = replayed_segment_ > first ? replayed_segment_ - first : 0;
    want = std::max<size_t>(want, at + kAhead);
    want = std::min<size_t>(want, at + kMostAheadBytes / plan_.catalogue.segment_bytes);
  } else {
    want = std::min<size_t>(want, kMostAheadBytes / plan_.catalogue.segment_bytes);
  }
  return std::min(want, names_.size());
}

void LogFeed::break_at(size_t index, std::string why) {
  broken_ = Broken{plan_.log[index].number, names_[index], std::move(why)};
}

Task<Result<>> LogFeed::fetch_batch(size_t count, Deadline deadline) {
  FetchLog what;
  // One process leaves the other processors to the copy.
  what.processes = laying_ ? 2 : 1;
  what.control_folder = plan_.control_folder;
  std::string folder = fetched_log_folder(plan_.repository);
  size_t first = fetched_;
  for (size_t index = first; index < first + count; ++index) {
    // What an earlier try has fetched is proved below like everything else.
    if (access((folder + "/" + names_[index]).c_str(), F_OK) != 0) what.segments.push_back(names_[index]);
  }
  FetchedLog got;
  if (!what.segments.empty()) {
    auto fetching = fetch_log(plan_.repository, what, deadline);
    auto answer = co_await std::move(fetching);
    if (!answer && !laying_) {
      // Without a data folder pgBackRest may not know which cluster is meant: once more when there is one.
      control_failed_ = true;
      co_return Result<>{};
    }
    if (!answer) co_return std::unexpected(std::move(answer).error());
    got = std::move(*answer);
  }
  for (size_t index = first; index < first + count && !broken_; ++index) {
    const std::string& name = names_[index];
    auto told = std::ranges::find_if(got.damaged, [&](const std::string& text) { return text.starts_with(name); });
    if (told != got.damaged.end()) {
      break_at(index, told->substr(std::min(told->size(), name.size() + 2)));
    } else if (std::ranges::find(got.absent, name) != got.absent.end()) {
      break_at(index, "it is not in the archive any more");
    } else {
      std::string path = folder + "/" + name;
      auto proving = blocking([path, segment = plan_.log[index], bytes = plan_.catalogue.segment_bytes] {
        begin_write_back(path);
        return fault_of(path, segment, bytes);
      });
      std::string fault = co_await std::move(proving);
      if (fault.empty()) {
        ++fetched_;
      } else {
        unlink(path.c_str());
        break_at(index, std::move(fault));
      }
    }
  }
  co_return lay();
}

Result<> LogFeed::lay() {
  if (!laying_) return {};
  std::string folder = fetched_log_folder(plan_.repository);
  for (; laid_ < fetched_; ++laid_) {
    std::error_code problem;
    fs::rename(folder + "/" + names_[laid_], plan_.log_folder + "/" + names_[laid_], problem);
    if (problem)
      return fail(ErrorKind::refused, fmt::format("{} cannot be laid down: {}", names_[laid_], problem.message()));
  }
  return {};
}

Result<> LogFeed::data_is_there(const std::string& data) {
  laying_ = true;
  control_failed_ = false;
  plan_.control_folder = data;
  auto laid = lay();
  wakeup_.notify();
  return laid;
}

void LogFeed::replayed(uint64_t segment) {
  if (segment <= replayed_segment_) return;
  replayed_segment_ = segment;
  wakeup_.notify();
}

void LogFeed::stop() {
  stopped_ = true;
  wakeup_.notify();
}

Task<Result<>> LogFeed::run(Deadline deadline) {
  while (!stopped_ && !broken_ && fetched_ < names_.size()) {
    size_t want = wanted();
    if (fetched_ < want && !control_failed_) {
      auto fetching = fetch_batch(std::min(kBatch, want - fetched_), deadline);
      auto fetched = co_await std::move(fetching);
      if (!fetched) {
        ended_ = true;
        co_return fetched;
      }
      continue;
    }
    if (deadline.passed()) break;
    auto waiting = wakeup_.wait_until(deadline.at);
    co_await std::move(waiting);
  }
  ended_ = true;
  co_return Result<>{};
}

}  // namespace lifeboat::recovery
