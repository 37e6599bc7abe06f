#include "recovery/end_server.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "io/process.hpp"
#include "io/task.hpp"

namespace lifeboat::recovery {
namespace {

constexpr Duration kEndsByItself{2'000};
constexpr Duration kSweep{3'000};

}  // namespace

bool end_server_at(const std::string& data, const std::string& postgres) {
  std::vector<pid_t> all = processes_at(data, postgres);
  for (pid_t pid : all) kill(pid, SIGQUIT);
  for (Deadline end = Deadline::after(kEndsByItself); !all.empty() && !end.passed(); all = processes_at(data, postgres))
    usleep(1'000);
  return end_processes_at(data, postgres, kSweep);
}

}  // namespace lifeboat::recovery
