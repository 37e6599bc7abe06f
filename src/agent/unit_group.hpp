// Instances of a service that this agent keeps running: `count` of them on ports from the first on, started again when they
// end, each judged by its health page.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "agent/protocol.hpp"
#include "io/http_client.hpp"
#include "io/task.hpp"

namespace lifeboat {

class UnitGroup {
 public:
  struct Hooks {
    std::function<void()> changed;
    std::function<void(const std::string& text)> log;
  };

  UnitGroup(Scope& scope, HttpClient& http, std::string service, wire::UnitConfig config, std::string folder,
            std::vector<std::string> program_folders, std::string run_as, Hooks hooks);
  // Ends all instances.
  ~UnitGroup();

  // Begins to keep the wanted number running: the one last asked for, or the configured one.
  void begin();
  // Replies {up, wanted} when that many answer well (or, for fewer, the others have ended).
  Task<Result<Json>> scale(int64_t count, Deadline deadline, std::function<void(std::string)> progress);
  int64_t up() const;
  // Takes over another configuration: its instances are started anew, one after the other.
  void reconfigure(const wire::UnitConfig& config);
  Task<> shut_down(Deadline deadline);

 private:
  struct Instance {
    pid_t pid = -1;
    bool healthy = false;
    MonoTime kill_at = MonoTime::max();  // asked to end; killed then
  };
  Scope& scope_;
  HttpClient& http_;
  std::string service_;
  wire::UnitConfig config_;
  std::string folder_;
  std::vector<std::string> program_folders_;
  std::string run_as_;
  Hooks hooks_;
  int64_t wanted_ = 0;
  bool ended_ = false;
  uint64_t generation_ = 0;                // of the configuration
  std::map<int64_t, Instance> instances_;  // by number, from 0

  std::string state_file() const { return folder_ + "/wanted"; }
  Task<> keep(int64_t number);
  Task<> judge();
  Task<> start_anew(uint64_t generation);
  static void ask_to_end(Instance& instance);
  Result<pid_t> start_one(int64_t number);
  void add_missing();
};

}  // namespace lifeboat
