#include "lab/evidence_look.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/split.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

namespace {

namespace fs = std::filesystem;

constexpr Duration kWithin{60'000};
constexpr mode_t kAnyWrite = 0222;

struct Files {
  size_t count = 0;
  size_t writable = 0;  // folders too
};

Result<Files> files_below(const std::string& kept) {
  Files out;
  auto look = [&out](const fs::path& path) {
    struct stat about{};
    if (lstat(path.c_str(), &about) != 0 || S_ISLNK(about.st_mode)) return;
    if (S_ISREG(about.st_mode)) ++out.count;
    if ((about.st_mode & kAnyWrite) != 0) ++out.writable;
  };
  std::error_code problem;
  look(kept);
  for (auto walk = fs::recursive_directory_iterator(kept, problem); walk != fs::end(walk); walk.increment(problem))
    look(walk->path());
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", kept, problem.message()));
  return out;
}

Result<std::string> hash_of(const std::string& file) {
  TRY(std::string said, run_program({"sha256sum", file}, "", kWithin));
  return said.substr(0, said.find(' '));
}

struct Look {
  Files files;
  size_t checked = 0;
};

Result<void> look(const std::string& kept, const std::string& manifest, const std::string& reported, Look& out) {
  TRY(out.files, files_below(kept));
  TRY(std::string hash, hash_of(manifest));
  if (!reported.empty() && hash != reported)
    return fail(ErrorKind::conflict, fmt::format("{} has another hash than was reported of it", manifest));
  // A line for each file, behind the first one, which sha256sum takes for a comment.
  TRY(std::string listed,
      run_program({"/bin/sh", "-c", "grep -vc '^#' < \"$1\" || true", "sh", manifest}, "", kWithin));
  size_t lines = std::strtoull(listed.c_str(), nullptr, 10);
  if (lines != out.files.count)
    return fail(ErrorKind::conflict,
                fmt::format("{} names {} files, and {} are there", manifest, lines, out.files.count));
  auto in_folder = [&kept] {
    if (chdir(kept.c_str()) != 0) _exit(126);
  };
  if (lines > 0) {
    TRY_VOID(run_program({"sha256sum", "--check", "--strict", "--quiet", manifest}, "", kWithin, in_folder));
  }
  out.checked = lines;
  if (out.files.writable > 0)
    return fail(ErrorKind::conflict, fmt::format("{} files or folders in {} may be written", out.files.writable, kept));
  return {};
}

}  // namespace

Json look_at_evidence(const std::string& kept, const std::string& manifest, const std::string& reported_sha256) {
  Look found;
  auto looked = look(kept, manifest, reported_sha256, found);
  return JsonObject{{"files", found.files.count},
                    {"checked", found.checked},
                    {"writable", found.files.writable},
                    {"problem", looked ? std::string() : looked.error().text()}};
}

}  // namespace lifeboat::lab
