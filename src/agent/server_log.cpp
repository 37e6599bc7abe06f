#include "agent/server_log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace lifeboat {

LogPlace end_of_log(const std::string& path) {
  struct stat there{};
  if (stat(path.c_str(), &there) != 0) return {};
  return {there.st_ino, there.st_size, false};
}

LogNews read_server_log(const std::string& path, LogPlace from, size_t most) {
  // Whoever may write in its folder could have put something there that never opens.
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return {from};
  struct stat there{};
  if (fstat(file, &there) != 0 || !S_ISREG(there.st_mode)) {
    close(file);
    return {from};
  }
  if (there.st_ino != from.file || there.st_size < from.offset) from = {there.st_ino, 0, false};
  std::string text(std::min<size_t>(most, static_cast<size_t>(there.st_size - from.offset)), '\0');
  ssize_t got = text.empty() ? 0 : pread(file, text.data(), text.size(), from.offset);
  close(file);
  if (got <= 0) return {from};
  text.resize(static_cast<size_t>(got));
  LogPart part = read_log_part(text, text.size() == most, from.inside_line);
  from.offset += static_cast<int64_t>(part.used);
  from.inside_line = part.inside_line;
  return {from, part.cancelled};
}

}  // namespace lifeboat
