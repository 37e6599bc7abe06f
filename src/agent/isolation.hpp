// This host cut off from the network while an attack goes on: nothing comes in and nothing goes out but what the agent and its
// controllers say to each other. Servers go on running, so that memory and disks stay as they are.
//
// The rules stand in the kernel, in a table of nftables of their own, and do not end with the agent. A file among the agent's data says
// that they are wanted; an agent that starts puts them in again before anything else, for after a reboot they are gone.
//
// A host that its controllers do not reach either could never be let back in. So the agent takes the isolation back by itself when no
// controller is heard through it for a while; once one was heard, it stays until it is asked to end.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/protocol.hpp"
#include "core/isolation/isolation.hpp"
#include "io/task.hpp"

namespace lifeboat {

inline constexpr std::string_view kIsolationTable = "lifeboat_isolation";

// What `nft -f -` takes to close the network to all but these controllers ("ADDRESS:PORT"), in one transaction, whatever was there before.
// Errors: `unsupported` when one is given by name (a closed network answers nobody's question for an address), `refused` when one
// runs on this host, `invalid_input` for what is neither.
Result<std::string> isolation_rules(const std::vector<std::string>& controllers);
// What opens it; no error when it is open.
std::string rejoin_rules();

class Isolation {
 public:
  struct Hooks {
    std::function<void(const std::string& text)> log;
    std::function<void()> changed;  // what stands() says
  };

  Isolation(Scope& scope, std::string agent_folder, std::vector<std::string> controllers, Hooks hooks);

  // Closes the network again if it is to be closed. Before the link is made and before anything is started.
  Task<> restore();
  // A controller said something.
  void heard() { heard_ = boot_now(); }

  // The network is to be closed, as far as the agent was told.
  bool stands() const { return wanted().has_value(); }

  static bool knows(const std::string& method) { return method.starts_with("network."); }
  Task<Result<Json>> carry_out(std::string method, Json params);

 private:
  // Why the network is closed, as the file says it.
  struct Wanted {
    std::string why;
    std::string since;
    bool proven = false;  // a controller was heard through it
  };
  Scope& scope_;
  std::string file_;
  std::vector<std::string> controllers_;
  Hooks hooks_;
  bool changing_ = false;
  std::optional<MonoTime> heard_;
  std::optional<MonoTime> unproven_since_;  // closed, and no controller was heard since

  std::optional<Wanted> wanted() const;
  void remember(const Wanted& wanted) const;
  void forget() const;

  Task<Result<>> load_isolation();
  Task<Result<>> close(std::string why);
  Task<Result<>> open();
  Task<Result<bool>> closed();
  // Until a controller was heard through it or it was taken back.
  Task<Result<>> watch();
  Task<> watch_alone();
};

}  // namespace lifeboat
