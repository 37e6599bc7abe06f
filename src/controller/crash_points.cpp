#include "controller/crash_points.hpp"

#include <signal.h>
#include <unistd.h>

#include <fmt/format.h>

#include "io/file.hpp"

namespace lifeboat {

void CrashPoints::pass(std::string_view step, std::string_view when) const {
  if (path_.empty()) return;
  auto text = read_file(path_);
  if (!text) return;
  std::string line = fmt::format("{} {}\n", step, when);
  std::string all = "\n" + *text;
  size_t found = all.find("\n" + line);
  if (found == std::string::npos) return;
  all.erase(found + 1, line.size());
  if (!write_file_atomic(path_, std::string_view(all).substr(1))) return;
  kill(getpid(), SIGKILL);
}

}  // namespace lifeboat
