// What tests of the ownership machine stand on: three members, the time, and a store that always works.
#pragma once

#include "core/ownership/machine.hpp"

namespace lifeboat::ownership {

inline MonoTime at(int64_t ms) { return MonoTime{std::chrono::milliseconds(ms)}; }

inline Config three_members(AutomaticFailover automatic = AutomaticFailover::same_region) {
  Config config;
  config.service = "main";
  config.members = {{"east-1", "east"}, {"east-2", "east"}, {"west-1", "west"}};
  config.first_primary = "east-1";
  config.lease = Duration{2000};
  config.automatic = automatic;
  return config;
}

// A small driver: keeps the time, feeds inputs and answers grants as a store that always works.
struct MachineWorld {
  State state;
  MonoTime now = at(10'000);
  std::vector<Command> last;
  bool agents_hear = true;
  bool store_answers = true;

  explicit MachineWorld(Config config = three_members(), uint64_t term = 0, std::string holder = {})
      : state(initial_state(std::move(config), term, std::move(holder), at(10'000))) {}

  void feed(const Input& input) {
    std::vector<Command> commands = step(state, input, now);
    for (const Command& command : commands) {
      last.push_back(command);
      if (const auto* grant = std::get_if<MakeGrant>(&command); grant != nullptr && store_answers)
        feed(GrantMade{std::max(grant->expected_term, grant->floor) + 1, grant->holder});
      // Agents that are there hear it at once.
      const auto* look = std::get_if<AskLook>(&command);
      if (look != nullptr && agents_hear) state.find(look->member)->report.heard = look->mark;
    }
  }
  // Time passes in ticks, as for a controller that runs; one that hears nothing for long knows that it stood still.
  void pass(int64_t ms) {
    for (; ms > 0; ms -= 100) {
      now += std::chrono::milliseconds(std::min<int64_t>(ms, 100));
      feed(Tick{});
    }
  }
  // So long the holder renews its right and says that it takes writes.
  void hold(int64_t ms) {
    for (; ms > 0; ms -= 100) {
      pass(100);
      feed(RenewAsked{state.holder, state.term, 0});
      report(state.holder, ServerState::primary, 1000, state.term);
    }
  }
  void report(const std::string& member, ServerState server, uint64_t written, uint64_t term = 0,
              std::string upstream = {}, uint64_t floor = 0, bool disk_full = false,
              std::optional<uint64_t> heard = std::nullopt) {
    MemberReport report;
    report.disk_full = disk_full;
    report.member = member;
    report.floor = floor;
    report.state = server;
    report.timeline = 1;
    report.written = Lsn{written};
    report.term = term;
    report.upstream = upstream;
    report.streaming = !upstream.empty();
    report.current_ms = report.streaming ? 0 : -1;
    report.primary_data = server == ServerState::stopped;
    report.heard = report.mark = heard.value_or(state.mark);
    feed(Reported{now.time_since_epoch().count(), report});
  }
  void ask(TransferKind kind, const std::string& to, const std::string& restored = {}) {
    feed(TransferAsked{Transfer{.id = 9, .kind = kind, .to = to, .restored = restored}});
  }
  template <class T>
  const T* find() const {
    for (const Command& command : last) {
      if (const auto* found = std::get_if<T>(&command)) return found;
    }
    return nullptr;
  }
  // A steady cluster: east-1 leads under term 1, the others stream from it.
  void settle() {
    for (const char* member : {"east-1", "east-2", "west-1"}) feed(AgentConnected{member});
    for (const char* member : {"east-1", "east-2", "west-1"}) report(member, ServerState::absent, 0);
    feed(CommandDone{CommandDone::What::lead, "east-1", state.term, true, false, {}, {{"timeline", 1}}});
    report("east-1", ServerState::primary, 1000, 1);
    for (const char* member : {"east-2", "west-1"}) {
      feed(CommandDone{CommandDone::What::follow, member, 1, true, false, {}, JsonObject{}});
      report(member, ServerState::standby, 1000, 0, "east-1");
    }
    last.clear();
  }
};

}  // namespace lifeboat::ownership
