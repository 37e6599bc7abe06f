// PostgresServer's part in putting restored data in place of its own.
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/postgres_server.hpp"
#include "io/file.hpp"
#include "recovery/take_over.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

Json read_json(const std::string& path) {
  auto text = read_file(path);
  auto json = text ? parse_json(*text) : Result<Json>(fail(ErrorKind::not_found, ""));
  return json ? std::move(*json) : Json(nullptr);
}

Result<> sync_folder(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool fine = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (!fine) return fail(ErrorKind::refused, path + " cannot be synced");
  return {};
}

// A new name is on the disk when both folders are.
Result<> move_durably(const std::string& from, const std::string& to) {
  std::error_code problem;
  fs::rename(from, to, problem);
  if (problem) return fail(ErrorKind::refused, fmt::format("{} cannot become {}: {}", from, to, problem.message()));
  TRY_VOID(sync_folder(fs::path(to).parent_path().string()));
  return sync_folder(fs::path(from).parent_path().string());
}

}  // namespace

std::string PostgresServer::restore_at(const std::string& name) const {
  return restores_folder(fs::path(paths_.folder).parent_path().string(), config_.data_dir) + "/" + name;
}

std::string PostgresServer::aside(const std::string& why) const {
  return fmt::format("{}{}{:%Y%m%dT%H%M%SZ}-{}", paths_.data, kKeptAside, fmt::gmtime(std::time(nullptr)), why);
}

std::string PostgresServer::restored_name() const {
  Json mark = read_json(restored_file());
  // A copy of the data on another member has the file too, and is not meant.
  return text_or(mark, "member") == config_.member ? text_or(mark, "name") : std::string();
}

void PostgresServer::forget_restored_name() const { unlink(restored_file().c_str()); }

std::string PostgresServer::kept_aside() const { return text_or(read_json(restored_file()), "kept"); }

// Its own data have no name while they are set aside and the others are not there yet.
Result<> PostgresServer::clear_up_swap() const {
  if (access(swap_file().c_str(), F_OK) != 0) return {};
  std::string kept = text_or(read_json(swap_file()), "kept");
  bool in_between = !kept.empty() && access(paths_.data.c_str(), F_OK) != 0 && access(kept.c_str(), F_OK) == 0;
  if (in_between) TRY_VOID(move_durably(kept, paths_.data));
  unlink(swap_file().c_str());
  return {};
}

Task<Result<>> PostgresServer::prepare_put_back(std::string name, Deadline deadline) {
  std::string at = restore_at(name);
  // Written by whoever restored it; what was reached was held against server and log then.
  Json known = read_json(at + ".json");
  if (text_or(known, "state") != "done")
    co_return fail(ErrorKind::not_found, fmt::format("there is no finished restore '{}' here", name),
                   "restore it first, on the host of this member");
  const Json& reached = member(member(known, "restored"), "reached");
  auto lsn = ScalarText<Lsn>::parse(text_or(reached, "lsn"));
  auto timeline = static_cast<uint64_t>(int_or(reached, "timeline"));
  if (!lsn || timeline == 0) co_return fail(ErrorKind::internal, at + ".json does not say where its data end");
  recovery::RestoreFolder folder{at, run_as_};
  auto settling =
      recovery::make_ready(folder, fs::path(tool("postgres")).parent_path().string(), *lsn, timeline, deadline);
  CO_TRY(recovery::ReadyData ready, co_await std::move(settling));
  if (has_data()) {
    auto reading = control_data(deadline.at_most(Duration{5'000}));
    auto own = co_await std::move(reading);
    if (own && std::to_string(own->system_id) != ready.system_id)
      co_return fail(ErrorKind::refused,
                     fmt::format("the restored data are of another cluster ({}) than those here ({})", ready.system_id,
                                 own->system_id),
                     "restore from the repository of this database");
  }
  JsonObject mark{{"name", name},
                  {"member", config_.member},
                  {"lsn", ScalarText<Lsn>::format(ready.at)},
                  {"timeline", ready.timeline}};
  mark["kept"] = has_data() ? aside("before-" + name) : "";
  co_return write_owned(folder.data() + "/lifeboat.restored", to_text(mark));
}

Task<Result<>> PostgresServer::put_in_place(std::string name, Deadline deadline) {
  (void)deadline;  // two renames
  CO_TRY_VOID(make_folders());
  CO_TRY_VOID(clear_up());
  std::string fresh = restore_at(name) + "/data";
  Json mark = read_json(fresh + "/lifeboat.restored");
  if (text_or(mark, "name") != name)
    co_return fail(ErrorKind::refused, fmt::format("the data of restore {} were not made ready", name));
  std::string kept = text_or(mark, "kept");
  if (fs::exists(paths_.data) && kept.empty())
    co_return fail(ErrorKind::refused, paths_.data + " is there and holds no cluster", "look what it is");
  CO_TRY_VOID(write_file_atomic(swap_file(), to_text(JsonObject{{"name", name}, {"kept", kept}}), 0600));
  if (!kept.empty()) CO_TRY_VOID(move_durably(paths_.data, kept));
  auto moved = move_durably(fresh, paths_.data);
  if (!moved) {
    auto back = clear_up_swap();
    if (!back) co_return std::unexpected(std::move(back).error().with(moved.error().what));
    co_return std::unexpected(std::move(moved).error());
  }
  unlink(swap_file().c_str());
  unlink(spoiled_file().c_str());
  // What is kept is to be read, never to be started.
  if (!kept.empty()) chmod(kept.c_str(), 0500);
  co_return Result<>{};
}

}  // namespace lifeboat
