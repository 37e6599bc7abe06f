// Real servers for tests, on loopback: a process that dies with its object, and ports that nobody uses.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/test_ports.hpp"

namespace lifeboat {

// `argv[0]` may differ from the program: redis-check-rdb is a redis-server when it is called one.
class TestProcess {
 public:
  TestProcess() = default;
  TestProcess(std::string program, std::vector<std::string> argv, std::string log) {
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ == 0) {
      // Ends with the test, however that ends.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      dup2(out, STDOUT_FILENO);
      dup2(out, STDERR_FILENO);
      execv(program.c_str(), words.data());
      _exit(127);
    }
  }
  ~TestProcess() { kill_now(); }
  TestProcess(TestProcess&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  TestProcess& operator=(TestProcess&& other) noexcept {
    kill_now();
    pid_ = std::exchange(other.pid_, 0);
    return *this;
  }

  void signal(int number) const {
    if (pid_ > 0) kill(pid_, number);
  }
  // SIGKILL, and waits until it is gone.
  void kill_now() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

// Looks every 10 ms until the condition holds; false when it did not within the time.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds within = std::chrono::milliseconds{10'000}) {
  auto end = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  return true;
}

inline bool have_program(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

}  // namespace lifeboat
