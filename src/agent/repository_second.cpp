// What a repository does with its second one. Nothing here may keep the first from anything: it has a loop of its own, since a store that
// does not answer takes its time, and its errors are told and never handed on as the first's.
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/repository.hpp"
#include "core/backup/second.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr Duration kLookEvery{60'000};
constexpr Duration kReadWithin{60'000};
constexpr Duration kPushWithin{30'000};

const recovery::Catalogue* pointer(const std::optional<recovery::Catalogue>& catalogue) {
  return catalogue ? &*catalogue : nullptr;
}

bool has(const std::optional<recovery::Catalogue>& catalogue, const std::string& label) {
  return catalogue && std::ranges::find(catalogue->sets, label, &recovery::BackupSet::label) != catalogue->sets.end();
}

}  // namespace

// Where only root may make folders, pgBackRest's user needs one of its own.
void Repository::make_second_folder() {
  const SecondRepository& second = *config_.backups.second;
  if (second.store || fs::exists(second.path)) return;
  std::error_code problem;
  fs::create_directories(second.path, problem);
  const passwd* account = geteuid() == 0 ? getpwnam(run_as_.c_str()) : nullptr;
  bool given = account == nullptr || chown(second.path.c_str(), account->pw_uid, account->pw_gid) == 0;
  if (problem || !given || chmod(second.path.c_str(), 0750) != 0)
    tell_second(fmt::format("{} cannot be made and given to {}", second.path, run_as_));
}

Task<> Repository::look_after_second() {
  while (true) {
    co_await sleep_for(kLookEvery);
    if (!two() || !report_.ready || !report_.problem.empty() || !report_.busy.empty()) continue;
    auto looking = look_second(Deadline::after(kReadWithin));
    auto looked = co_await std::move(looking);
    if (!looked || !report_.busy.empty()) continue;
    auto archiving = archive_owed(Deadline::after(kPushWithin));
    co_await std::move(archiving);
  }
}

Task<Result<>> Repository::look_second(Deadline deadline) {
  auto reading = read_catalogue(reader(2), deadline.at_most(kReadWithin));
  auto catalogue = co_await std::move(reading);
  if (!catalogue && catalogue.error().kind != ErrorKind::not_found) {
    tell_second(catalogue.error().text());
    co_return std::unexpected(std::move(catalogue).error());
  }
  second_.reset();
  if (catalogue) second_ = std::move(*catalogue);
  tell_second({});
  co_return Result<>{};
}

void Repository::tell_second(const std::string& unread) {
  std::string wrong = !unread.empty() ? unread : backup::second_lacks(pointer(catalogue_), pointer(second_));
  for (const std::string& also : {second_failed_, report_.held.empty() ? unusual_in(second_) : std::string()}) {
    if (!also.empty() && also != wrong) wrong += (wrong.empty() ? "" : "; ") + also;
  }
  report_.second = wrong.empty() ? wrong : "repository 2: " + wrong;
}

Task<Result<Json>> Repository::take_second(wire::BackupTake order, Deadline deadline, Progress progress) {
  auto before = second_;
  CO_TRY_VOID(order_files(2, order.sources));
  // It may have been out of reach when the first one's was made. Done again without harm.
  std::vector<std::string> arguments{"stanza-create"};
  auto making = run(std::move(arguments), paths_.order_config(service_), false, deadline);
  CO_TRY_VOID(co_await std::move(making));
  auto taking = back_up(2, std::move(order), deadline, std::move(progress));
  CO_TRY_VOID(co_await std::move(taking));
  auto looking = look_second(deadline);
  CO_TRY_VOID(co_await std::move(looking));
  JsonArray fresh;
  if (second_) {
    for (const recovery::BackupSet& set : second_->sets) {
      if (!has(before, set.label)) fresh.push_back(encode(set));
    }
  }
  auto expiring = expire_second(deadline);
  CO_TRY(JsonArray expired, co_await std::move(expiring));
  co_return Json(JsonObject{{"sets", std::move(fresh)}, {"expired", std::move(expired)}, {"problem", ""}});
}

// Held by what holds the first, too: a repository that was added lately may know nothing but what is wrong.
Task<Result<JsonArray>> Repository::expire_second(Deadline deadline) {
  JsonArray expired;
  if (!report_.held.empty() || !unusual_in(second_).empty()) co_return expired;
  auto before = second_;
  auto refusing = refuse_strays(2, deadline);
  CO_TRY_VOID(co_await std::move(refusing));
  auto running = run_expiry(2, false, deadline);
  CO_TRY_VOID(co_await std::move(running));
  auto looking = look_second(deadline);
  CO_TRY_VOID(co_await std::move(looking));
  if (!before) co_return expired;
  for (const recovery::BackupSet& set : before->sets) {
    if (!has(second_, set.label)) expired.push_back(Json(set.label));
  }
  co_return expired;
}

Task<Result<Json>> Repository::verify_second(Deadline deadline) {
  auto verifying = verify_repository(reader(2), deadline);
  CO_TRY(VerifyReport found, co_await std::move(verifying));
  auto looking = look_second(deadline);
  CO_TRY_VOID(co_await std::move(looking));
  JsonArray problems;
  for (const std::string& line : found.findings) problems.push_back(Json("repository 2: " + line));
  std::string lacks = backup::second_lacks(pointer(catalogue_), pointer(second_));
  if (!lacks.empty()) problems.push_back(Json("repository 2: " + lacks));
  co_return Json(JsonObject{{"problems", std::move(problems)}, {"text", found.text}});
}

// The stream keeps these files until they stand there.
Task<> Repository::archive_owed(Deadline deadline) {
  while (!owed_.empty() && !deadline.passed()) {
    std::string name = owed_.front();
    auto pushing = archive_file(2, stream_.folder() + "/" + name, deadline);
    auto pushed = co_await std::move(pushing);
    if (!pushed) {
      tell_second(pushed.error().text());
      co_return;
    }
    std::erase(owed_, name);
    stream_.archived(name);
  }
}

}  // namespace lifeboat
