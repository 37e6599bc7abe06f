#include "recovery/wal_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "core/forensics/bytes.hpp"
#include "core/forensics/wal_record.hpp"
#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using forensics::number_at;
using recovery::parse_segment_name;
using recovery::segment_name;

constexpr size_t kNameLength = 24;
constexpr size_t kHeaderLength = 40;

// XLOG_PAGE_MAGIC of each major version.
int version_of(uint16_t magic) {
  switch (magic) {
    case 0xD101: return 12;
    case 0xD106: return 13;
    case 0xD10D: return 14;
    case 0xD110: return 15;
    case 0xD113: return 16;
    case 0xD116: return 17;
    default: return 0;
  }
}

bool is_hex(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789ABCDEF") == text.npos; }

// "000000010000000000000003", also with ".partial" or "-<checksum>" behind it. What is compressed has a suffix.
enum class NameKind { none, plain, partial, compressed };
NameKind kind_of(std::string_view name) {
  if (name.size() < kNameLength || !is_hex(name.substr(0, kNameLength))) return NameKind::none;
  std::string_view rest = name.substr(kNameLength);
  if (rest.empty()) return NameKind::plain;
  if (rest == ".partial") return NameKind::partial;
  constexpr size_t kChecksum = 41;
  if (rest.front() == '-' && rest.size() >= kChecksum) rest.remove_prefix(kChecksum);
  if (rest.empty()) return NameKind::plain;
  for (std::string_view suffix : {".gz", ".zst", ".lz4", ".bz2", ".xz"}) {
    if (rest == suffix) return NameKind::compressed;
  }
  return NameKind::none;
}

}  // namespace

struct WalFolder::Handle {
  uint64_t timeline = 0, number = 0;
  int file = -1;
  ~Handle() {
    if (file >= 0) close(file);
  }
};

WalFolder::WalFolder() = default;
WalFolder::WalFolder(WalFolder&& other) noexcept = default;
WalFolder& WalFolder::operator=(WalFolder&& other) noexcept = default;

WalFolder::~WalFolder() {
  if (view_.empty()) return;
  std::error_code ignored;
  fs::remove_all(view_, ignored);
}

Result<> WalFolder::read_header(const std::string& path, std::string_view name) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail(ErrorKind::refused, fmt::format("{}: {}", path, std::strerror(errno)));
  char bytes[kHeaderLength] = {};
  ssize_t got = pread(file, bytes, sizeof bytes, 0);
  close(file);
  std::string_view header(bytes, got < 0 ? 0 : static_cast<size_t>(got));
  int version = version_of(number_at<uint16_t>(header, 0));
  constexpr uint16_t kLongHeader = 2;
  if (version == 0 || (number_at<uint16_t>(header, 2) & kLongHeader) == 0)
    return fail(ErrorKind::invalid_input,
                fmt::format("{} does not begin as a segment of PostgreSQL 12 to 17 does", path));
  auto system = number_at<uint64_t>(header, 24);
  auto size = number_at<uint32_t>(header, 32);
  if (system_ != 0 && (system != system_ || size != segment_bytes_))
    return fail(ErrorKind::invalid_input, fmt::format("{} is of another cluster than the others", path),
                "give a folder with the log of one cluster");
  constexpr uint32_t kLeast = 1u << 20;
  if (size < kLeast || (size & (size - 1)) != 0)
    return fail(ErrorKind::invalid_input, fmt::format("{}: its header is damaged", path));
  // A segment that the server keeps under a coming name still holds what it held before.
  auto number = parse_segment_name(name, size);
  if (!number || number_at<uint64_t>(header, 8) != number->number * size)
    return fail(ErrorKind::not_found, fmt::format("{} does not hold what its name says", path));
  system_ = system;
  segment_bytes_ = size;
  version_ = std::max(version_, version);
  return {};
}

Result<> WalFolder::scan(const std::string& folder) {
  std::error_code problem;
  std::vector<std::pair<std::string, std::string>> found;  // name, path
  for (auto walk = fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink, problem);
       !problem && walk != fs::end(walk); walk.increment(problem)) {
    if (walk->is_directory() && (walk->path().filename() == "archive_status" || walk.depth() > 3))
      walk.disable_recursion_pending();
    std::error_code ignored;
    if (!walk->is_regular_file(ignored)) continue;
    std::string name = walk->path().filename();
    if (name.size() == 16 && name.ends_with(".history") && is_hex(std::string_view(name).substr(0, 8))) {
      uint64_t timeline = 0;
      std::from_chars(name.data(), name.data() + 8, timeline, 16);
      if (auto text = read_file(walk->path())) histories_[timeline] = std::move(*text);
      continue;
    }
    NameKind kind = kind_of(name);
    if (kind == NameKind::compressed) ++compressed_;
    if (kind == NameKind::plain || kind == NameKind::partial) found.emplace_back(name, walk->path());
  }
  if (problem) return fail(ErrorKind::not_found, fmt::format("{}: {}", folder, problem.message()));
  std::ranges::sort(found);
  std::optional<Error> first;
  for (const auto& [name, path] : found) {
    auto header = read_header(path, std::string_view(name).substr(0, kNameLength));
    if (!header) {
      // Also those that the server keeps for later use: they hold zeroes, or what they held before.
      if (!first) first = header.error();
      continue;
    }
    auto parsed = parse_segment_name(std::string_view(name).substr(0, kNameLength), segment_bytes_);
    if (parsed) files_.try_emplace({parsed->timeline, parsed->number}, path);  // the whole one sorts before .partial
  }
  if (!files_.empty()) return {};
  if (first) return std::unexpected(*first);
  if (compressed_ > 0)
    return fail(ErrorKind::invalid_input, fmt::format("{} holds {} compressed segments", folder, compressed_),
                "name the repository with --repository and --stanza, or decompress them");
  return fail(ErrorKind::not_found, fmt::format("{} holds no segment of a write-ahead log", folder),
              "a segment has a name of 24 hexadecimal digits");
}

void WalFolder::add_runs(uint64_t timeline, Lsn begin, Lsn end) {
  std::optional<uint64_t> before;
  if (!runs_.empty()) before = runs_.back().last;
  uint64_t last_needed = end == orphans::kNoEnd ? UINT64_MAX : end.value / segment_bytes_;
  for (auto at = files_.lower_bound({timeline, begin.value / segment_bytes_});
       at != files_.end() && at->first.first == timeline && at->first.second <= last_needed; ++at) {
    uint64_t number = at->first.second;
    bool follows = !runs_.empty() && runs_.back().timeline == timeline && runs_.back().last + 1 == number;
    if (!follows && before && number > *before + 1)
      gaps_.push_back(fmt::format("the log from {} to {} is missing: what happened there is not known",
                                  segment_name(timeline, *before + 1, segment_bytes_),
                                  segment_name(timeline, number - 1, segment_bytes_)));
    if (!follows) {
      Lsn from{std::max(begin.value, number * segment_bytes_)};
      runs_.push_back({timeline, number, number, from, {}});
    }
    runs_.back().last = number;
    runs_.back().end = Lsn{std::min(end.value, (number + 1) * segment_bytes_)};
    before = number;
  }
}

void WalFolder::find_runs() {
  uint64_t newest = files_.rbegin()->first.first;
  auto history = histories_.find(newest);
  auto lineage = orphans::parse_lineage(newest, history == histories_.end() ? "" : history->second);
  if (lineage && (newest == 1 || history != histories_.end())) {
    for (const orphans::Stretch& stretch : *lineage) add_runs(stretch.timeline, stretch.begin, stretch.end);
    return;
  }
  std::optional<uint64_t> done;
  for (const auto& [key, path] : files_) {
    if (done != key.first) add_runs(key.first, Lsn{}, orphans::kNoEnd);
    done = key.first;
  }
  if (files_.begin()->first.first != newest)
    gaps_.push_back(fmt::format("{:08X}.history is missing: where timeline {} began is not known", newest, newest));
}

Result<WalFolder> WalFolder::open(const std::string& folder) {
  WalFolder out;
  TRY_VOID(out.scan(folder));
  out.find_runs();
  if (out.runs_.empty())
    return fail(ErrorKind::not_found, fmt::format("{} holds no log of the newest timeline's history", folder));
  std::string pattern = (fs::temp_directory_path() / "lifeboat-log-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr)
    return fail(ErrorKind::refused, fmt::format("{}: {}", pattern, std::strerror(errno)));
  out.view_ = pattern;
  for (const auto& [key, path] : out.files_) {
    std::error_code problem;
    fs::create_symlink(fs::absolute(path), out.view_ + "/" + segment_name(key.first, key.second, out.segment_bytes_),
                       problem);
    if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", out.view_, problem.message()));
  }
  return out;
}

std::string WalFolder::segment(uint64_t timeline, uint64_t number) const {
  return segment_name(timeline, number, segment_bytes_);
}

std::string WalFolder::record(uint64_t timeline, Lsn lsn, uint32_t total) const {
  auto read = [&](Lsn at, uint64_t count) {
    uint64_t number = at.value / segment_bytes_;
    if (open_ == nullptr || open_->timeline != timeline || open_->number != number || open_->file < 0) {
      open_ = std::make_unique<Handle>();
      open_->timeline = timeline;
      open_->number = number;
      auto found = files_.find({timeline, number});
      if (found != files_.end()) open_->file = ::open(found->second.c_str(), O_RDONLY | O_CLOEXEC);
    }
    std::string out(count, '\0');
    ssize_t got =
        open_->file < 0 ? -1 : pread(open_->file, out.data(), count, static_cast<off_t>(at.value % segment_bytes_));
    out.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return out;
  };
  return forensics::record_bytes(lsn, total, segment_bytes_, read);
}

}  // namespace lifeboat
