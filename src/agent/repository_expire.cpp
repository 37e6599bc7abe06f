// How a repository removes what is to go. Only here is the key used that may delete in an object store: it stands in a file that only
// root reads, for as long as the order takes. pgBackRest's server, which does what a member's certificate lets it, never has it.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/repository.hpp"
#include "core/backup/expiry.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

struct Gone {
  std::string path;
  explicit Gone(std::string file) : path(std::move(file)) {}
  ~Gone() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  Gone(const Gone&) = delete;
  Gone& operator=(const Gone&) = delete;
};

}  // namespace

bool Repository::has_expiry_key(int number) const { return backup::has_expiry_key(config_.backups, number); }

std::string Repository::expiry_file(int number) const {
  return fmt::format("{}.keep/expire-{}-{}.conf", paths_.folder, service_, number);
}

// A crash may have left them.
void Repository::remove_expiry_files() const {
  for (int number : {1, 2}) Gone left(expiry_file(number));
}

Task<Result<>> Repository::run_expiry(int number, bool keep_all, Deadline deadline) {
  bool guarded = number == 1 && guard_ && guard_->effective();
  std::vector<std::string> arguments{"expire"};
  if (!guarded && !has_expiry_key(number)) {
    auto running = run(std::move(arguments), config_of(number), false, deadline);
    CO_TRY_VOID(co_await std::move(running));
    co_return Result<>{};
  }
  // Root runs by a file that only root can have written.
  Gone file(expiry_file(number));
  std::string folder = fs::path(file.path).parent_path().string(), text = with_repository_only(number, expiry_text_);
  std::error_code problem;
  fs::create_directories(folder, problem);
  if (problem || chmod(folder.c_str(), 0700) != 0)
    co_return fail(ErrorKind::refused, folder + ": cannot be made a folder that nobody else reads");
  CO_TRY_VOID(write_file_atomic(file.path, keep_all ? without_retention(text) : text, 0600));
  auto running = run(std::move(arguments), file.path, geteuid() == 0, deadline);
  CO_TRY_VOID(co_await std::move(running));
  co_return Result<>{};
}

// An expiry removes what the index does not know, and the index can be written by whoever can write backups.
Task<Result<>> Repository::refuse_strays(int number, Deadline deadline) {
  if (!has_expiry_key(number)) co_return Result<>{};
  auto finding = find_strays(reader(number), deadline);
  CO_TRY(Strays strays, co_await std::move(finding));
  co_return none_lost(number, strays.whole);
}

Result<> Repository::none_lost(int number, const std::vector<std::string>& whole) const {
  if (whole.empty()) return {};
  return fail(ErrorKind::conflict,
              fmt::format("{} of {} would go with an expiry: whole in repository {}, and not in its index",
                          fmt::join(whole, ", "), service_, number),
              "the next backup puts one that was cut off at its very end into the index; else somebody changed the "
              "index: have the store give back an older version of backup.info");
}

// With a key that may not delete pgBackRest can neither remove what a backup left that was cut off, nor end one: before it puts it into
// the index it removes a link that no store has. Its expiry does both. Gives the labels of what came into the index.
Task<Result<std::vector<std::string>>> Repository::tidy(int number, Deadline deadline) {
  if (!has_expiry_key(number)) co_return std::vector<std::string>{};
  auto finding = find_strays(reader(number), deadline);
  CO_TRY(Strays strays, co_await std::move(finding));
  if (strays.whole.empty() && strays.unfinished.empty()) co_return std::vector<std::string>{};
  // What is newer than all that the index knows never got there; what is older was taken out of it.
  std::vector<std::string> lost;
  for (const std::string& label : strays.whole) {
    if (label < strays.newest_known) lost.push_back(label);
  }
  CO_TRY_VOID(none_lost(number, lost));
  auto tidying = run_expiry(number, true, deadline);
  CO_TRY_VOID(co_await std::move(tidying));
  auto looking = find_strays(reader(number), deadline);
  CO_TRY(Strays left, co_await std::move(looking));
  CO_TRY_VOID(none_lost(number, left.whole));
  if (!strays.unfinished.empty())
    log_(fmt::format("{} of {} was cut off, and is removed", fmt::join(strays.unfinished, ", "), service_));
  co_return strays.whole;
}

}  // namespace lifeboat
