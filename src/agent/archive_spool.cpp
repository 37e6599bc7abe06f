#include "agent/archive_spool.hpp"

#include <algorithm>
#include <filesystem>

#include "io/file.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

// A server whose archiver has failed asks again after a minute.
constexpr Duration kAsksAgain{120'000};
constexpr size_t kSaidMost = 400;

// The first line is a number, and the rest is what a person needs, on one line.
std::string words_of(const std::string& content) {
  std::string text = content.substr(std::min(content.find('\n'), content.size() - 1) + 1, kSaidMost);
  std::ranges::replace(text, '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

std::string newest_error(const std::string& folder) {
  std::string out;
  fs::file_time_type newest = fs::file_time_type::min();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() != ".error") continue;
    auto written = entry.last_write_time(ignored);
    auto content = read_file(entry.path().string());
    if (!content || content->empty() || written < newest) continue;
    newest = written;
    out = words_of(*content);
  }
  return out;
}

}  // namespace

const std::string& ArchiveSpool::look(const std::string& folder, const std::string& stanza, bool waits, MonoTime now) {
  std::string found = waits ? newest_error(folder + "/archive/" + stanza + "/out") : std::string();
  if (!found.empty()) {
    said_ = std::move(found);
    seen_ = now;
  } else if (!waits || now - seen_ > kAsksAgain) {
    said_.clear();
  }
  return said_;
}

}  // namespace lifeboat
