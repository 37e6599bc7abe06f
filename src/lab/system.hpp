// The operating system as the lab needs it: owned file descriptors, files, programs run to their end, and lines of JSON
// over a socket. Everything blocks and takes a bound in time; the lab's processes are single-threaded and poll.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/data/json.hpp"

namespace lifeboat::lab {

// A file descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }
  void reset(int number = -1);

 private:
  int number_ = -1;
};

// CLOCK_BOOTTIME in nanoseconds, the clock that witnesses and controllers write down too.
int64_t boot_ns();
// boot_ns() of `span` from now.
int64_t deadline_in(Duration span);
// Milliseconds until then for poll(2), never negative.
int left_ms(int64_t deadline_ns);
void pause_for(Duration span);

// errno in words, after "what: ".
Error os_error(std::string what);

Result<void> write_file(const std::string& path, std::string_view text, mode_t mode);
// Whole content of a file; small files only.
Result<std::string> read_file(const std::string& path);
// The last lines of a log, for an error message; empty when there is none.
std::string tail_of(const std::string& path, size_t lines);
// mkdir -p with that mode for what is created, whatever the umask.
Result<void> make_dirs(const std::string& path, mode_t mode);
// Everything below and the folder itself. Symbolic links are removed, not followed.
void remove_tree(const std::string& path);

// Path of the program that is running; LIFEBOAT_BINARY names another (tests, whose program is not lifeboat).
std::string lifeboat_program();
// Full path of a program on PATH or in the usual sbin folders; empty when it is not installed.
std::string find_program(const std::string& name);

// Runs a program to its end and gives what it wrote (output and errors together). Anything but exit code 0, or the bound
// in time passed (the program is killed), is an Error. `in_child` runs between fork and exec.
Result<std::string> run_program(const std::vector<std::string>& argv, const std::string& input, Duration within,
                                const std::function<void()>& in_child = {});

// A socketpair whose ends are closed on exec.
struct SocketPair {
  Fd here;
  Fd there;
};
Result<SocketPair> socket_pair();

// One JSON value per line, over a stream socket or pipe.
class JsonLines {
 public:
  JsonLines() = default;
  explicit JsonLines(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }
  bool closed() const { return !fd_ || eof_; }
  void close() { fd_.reset(); }
  Result<void> send(const Json& value, Duration within = Duration{5000});
  // The next value if a whole line is here or comes before the deadline; nothing at the deadline or at the end.
  std::optional<Json> receive(int64_t deadline_ns);
  // A value already read.
  std::optional<Json> buffered();
  // Reads what is there without waiting.
  void fill();

 private:
  Fd fd_;
  std::string buffer_;
  bool eof_ = false;
};

}  // namespace lifeboat::lab
