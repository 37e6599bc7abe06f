#include "agent/evidence.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/postgres_files.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/sha256.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestManifest = size_t{256} << 20;

void take_write_away(const fs::path& path) {
  struct stat about{};
  if (lstat(path.c_str(), &about) != 0 || S_ISLNK(about.st_mode)) return;
  chmod(path.c_str(), about.st_mode & 07555);
}

}  // namespace

std::vector<std::string> kept_for(const std::string& data) {
  std::vector<std::string> out;
  std::error_code ignored;
  fs::path of(data);
  std::string begin = of.filename().string() + std::string(kKeptAside);
  for (const auto& entry : fs::directory_iterator(of.parent_path(), ignored)) {
    if (entry.path().filename().string().starts_with(begin) && entry.is_directory(ignored))
      out.push_back(entry.path().string());
  }
  std::ranges::sort(out);
  return out;
}

Result<> write_manifest(const std::string& kept) {
  if (access(manifest_of(kept).c_str(), F_OK) == 0) return {};
  std::vector<fs::path> files;
  std::error_code problem;
  for (auto walk = fs::recursive_directory_iterator(kept, problem); walk != fs::end(walk); walk.increment(problem)) {
    std::error_code ignored;
    bool is_file = walk->is_regular_file(ignored) && !walk->is_symlink(ignored);
    if (is_file) files.push_back(walk->path());
    take_write_away(walk->path());
  }
  if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", kept, problem.message()));
  take_write_away(kept);
  std::ranges::sort(files);
  std::string text;
  uint64_t bytes = 0;
  for (const fs::path& file : files) {
    auto hash = sha256_of_file(file.string());
    if (!hash) return std::unexpected(std::move(hash).error());
    bytes += hash->bytes;
    text += fmt::format("{}  {}\n", hash->sha256, fs::relative(file, kept, problem).string());
  }
  text = fmt::format("# {} files, {} bytes, below {}\n", files.size(), bytes, kept) + text;
  return write_file_atomic(manifest_of(kept), text, 0400);
}

Json evidence_in_json(const std::string& kept) {
  JsonObject out{{"kept", kept}, {"manifest", manifest_of(kept)}, {"done", false}};
  auto text = read_file(manifest_of(kept), kLargestManifest);
  if (!text) return out;
  unsigned long long files = 0, bytes = 0;
  std::sscanf(text->c_str(), "# %llu files, %llu bytes", &files, &bytes);
  out["sha256"] = sha256_hex(*text);
  out["files"] = files;
  out["bytes"] = bytes;
  out["done"] = true;
  return out;
}

}  // namespace lifeboat
