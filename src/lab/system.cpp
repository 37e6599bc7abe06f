#include "lab/system.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lifeboat::lab {

void Fd::reset(int number) {
  if (number_ >= 0) ::close(number_);
  number_ = number;
}

int64_t boot_ns() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

int64_t deadline_in(Duration span) { return boot_ns() + span.count() * 1'000'000; }

int left_ms(int64_t deadline_ns) {
  int64_t left = (deadline_ns - boot_ns()) / 1'000'000;
  return static_cast<int>(std::clamp<int64_t>(left, 0, 3'600'000));
}

void pause_for(Duration span) {
  timespec wait{span.count() / 1000, (span.count() % 1000) * 1'000'000};
  while (nanosleep(&wait, &wait) != 0 && errno == EINTR) {
  }
}

Error os_error(std::string what) {
  int code = errno;
  ErrorKind kind = code == ENOENT                                                        ? ErrorKind::not_found
                   : code == EACCES || code == EPERM                                     ? ErrorKind::refused
                   : code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH ? ErrorKind::unreachable
                   : code == ETIMEDOUT                                                   ? ErrorKind::timed_out
                                                                                         : ErrorKind::internal;
  return Error{.kind = kind, .what = what + ": " + std::strerror(code)};
}

Result<void> write_file(const std::string& path, std::string_view text, mode_t mode) {
  Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file) return std::unexpected(os_error("cannot write " + path));
  fchmod(file.get(), mode);
  while (!text.empty()) {
    ssize_t wrote = write(file.get(), text.data(), text.size());
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(os_error("cannot write " + path));
    }
    text.remove_prefix(static_cast<size_t>(wrote));
  }
  return {};
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::unexpected(os_error("cannot read " + path));
  std::stringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

std::string tail_of(const std::string& path, size_t lines) {
  auto text = read_file(path);
  if (!text || text->empty()) return {};
  size_t at = text->size() - 1;
  while (at > 0 && lines > 0) {
    --at;
    if ((*text)[at] == '\n') --lines;
  }
  return text->substr(at == 0 ? 0 : at + 1);
}

Result<void> make_dirs(const std::string& path, mode_t mode) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), mode) == 0) {
      chmod(part.c_str(), mode);
    } else if (errno != EEXIST) {
      return std::unexpected(os_error("cannot create folder " + part));
    }
  }
  return {};
}

void remove_tree(const std::string& path) {
  std::error_code ignored;  // what is already gone is as it should be; a caller that cares looks afterwards
  std::filesystem::remove_all(path, ignored);
}

std::string lifeboat_program() {
  if (const char* other = std::getenv("LIFEBOAT_BINARY"); other != nullptr && *other != '\0') return other;
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed).string();
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : std::string();
  const char* from = std::getenv("PATH");
  std::stringstream folders(std::string(from == nullptr ? "" : from) +
                            ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string path = folder + "/" + name;
    if (!folder.empty() && access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

namespace {

[[noreturn]] void exec_program(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(words[0], words.data());
  dprintf(2, "cannot start %s: %s\n", words[0], std::strerror(errno));
  _exit(127);
}

}  // namespace

Result<std::string> run_program(const std::vector<std::string>& argv, const std::string& input, Duration within,
                                const std::function<void()>& in_child) {
  TRY(SocketPair pipe, socket_pair());
  pid_t pid = fork();
  if (pid < 0) return std::unexpected(os_error("cannot start " + argv[0]));
  if (pid == 0) {
    for (int target : {0, 1, 2}) dup2(pipe.there.get(), target);
    if (in_child) in_child();
    exec_program(argv);
  }
  pipe.there.reset();
  int64_t deadline = deadline_in(within);
  std::string output;
  std::string_view rest = input;
  bool input_open = true;
  while (true) {
    if (rest.empty() && input_open) {
      shutdown(pipe.here.get(), SHUT_WR);
      input_open = false;
    }
    pollfd wait{pipe.here.get(), static_cast<short>(POLLIN | (input_open ? POLLOUT : 0)), 0};
    int ready = poll(&wait, 1, left_ms(deadline));
    if (ready == 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      return fail(ErrorKind::timed_out, argv[0] + " did not end within " + format_span(within), {}, output);
    }
    if (input_open && (wait.revents & POLLOUT) != 0) {
      ssize_t sent = send(pipe.here.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) rest.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) rest = {};
    }
    if ((wait.revents & (POLLIN | POLLHUP)) != 0) {
      char chunk[4096];
      ssize_t got = read(pipe.here.get(), chunk, sizeof chunk);
      if (got > 0) output.append(chunk, static_cast<size_t>(got));
      if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) break;
    }
  }
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return fail(ErrorKind::refused, argv[0] + " failed: " + output);
}

Result<SocketPair> socket_pair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return std::unexpected(os_error("socketpair"));
  return SocketPair{Fd(ends[0]), Fd(ends[1])};
}

Result<void> JsonLines::send(const Json& value, Duration within) {
  std::string line = to_text(value) + "\n";
  std::string_view rest = line;
  int64_t deadline = deadline_in(within);
  while (!rest.empty()) {
    ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      rest.remove_prefix(static_cast<size_t>(sent));
      continue;
    }
    if (sent == 0 || (errno != EAGAIN && errno != EINTR)) return std::unexpected(os_error("the other side is gone"));
    pollfd wait{fd_.get(), POLLOUT, 0};
    if (poll(&wait, 1, left_ms(deadline)) == 0) return fail(ErrorKind::timed_out, "the other side does not read");
  }
  return {};
}

std::optional<Json> JsonLines::buffered() {
  size_t end = buffer_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  auto value = parse_json(std::string_view(buffer_).substr(0, end));
  buffer_.erase(0, end + 1);
  return value ? std::move(*value) : Json(nullptr);
}

void JsonLines::fill() {
  char chunk[8192];
  ssize_t got = recv(fd_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
  if (got > 0) buffer_.append(chunk, static_cast<size_t>(got));
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) eof_ = true;
}

std::optional<Json> JsonLines::receive(int64_t deadline_ns) {
  while (true) {
    if (auto value = buffered()) return value;
    if (closed()) return std::nullopt;
    pollfd wait{fd_.get(), POLLIN, 0};
    int ready = poll(&wait, 1, left_ms(deadline_ns));
    if (ready == 0) return std::nullopt;
    if (ready > 0) fill();
  }
}

}  // namespace lifeboat::lab
