#include "recovery/remove_copy.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;

Result<> remove_all_of(const fs::path& path) {
  std::error_code problem;
  fs::remove_all(path, problem);
  if (problem)
    return fail(ErrorKind::refused, fmt::format("{} cannot be removed: {}", path.string(), problem.message()));
  return {};
}

std::string going_of(const RestoreFolder& folder) { return folder.path + ".going"; }

}  // namespace

Result<> end_removal(const RestoreFolder& folder) { return remove_all_of(going_of(folder)); }

Result<> remove_copy(const RestoreFolder& folder, bool whole) {
  std::string going = going_of(folder);
  TRY_VOID(end_removal(folder));
  std::error_code problem;
  fs::rename(folder.data(), going, problem);
  if (problem == std::errc::no_such_file_or_directory && whole)
    return fail(ErrorKind::conflict, fmt::format("the data of {} were given to the member meanwhile", folder.path),
                "nothing of it was removed");
  if (problem && problem != std::errc::no_such_file_or_directory)
    return fail(ErrorKind::refused, fmt::format("{} cannot be moved away: {}", folder.data(), problem.message()));
  // Its mark goes last: a folder without one is nobody's, and no restore would take it.
  for (auto entry = fs::directory_iterator(folder.path, problem); entry != fs::end(entry); entry.increment(problem)) {
    if (entry->path() != fs::path(folder.journal())) TRY_VOID(remove_all_of(entry->path()));
  }
  TRY_VOID(remove_all_of(folder.path));
  return remove_all_of(going);
}

}  // namespace lifeboat::recovery
