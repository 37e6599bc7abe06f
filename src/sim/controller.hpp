// A controller of the made-up world: the ownership machine, fed as controller/databases feeds it.
#pragma once

#include <map>
#include <memory>

#include "sim/world.hpp"

namespace lifeboat::sim {

class Controller {
 public:
  Controller(World& world, int index);
  ~Controller();

  // Whether it takes part: it has read who holds what.
  bool ready() const { return state_.has_value(); }
  const ownership::State* state() const { return state_ ? &*state_ : nullptr; }
  void linked(const std::shared_ptr<Link>& link);
  void link_ended(const std::shared_ptr<Link>& link);
  void take(const std::shared_ptr<Link>& link, Message message);
  // A person's wish; given up after a while.
  void ask(ownership::Transfer wanted);
  MonoTime local() const { return clock().read(world_.kernel.now()); }

 private:
  World& world_;
  int index_;
  Scope scope_;
  std::optional<ownership::State> state_;
  std::map<int, std::shared_ptr<Link>> links_;
  struct Call {
    ownership::CommandDone done;
    int member = 0;
    uint64_t link = 0;
    Kernel::Timer deadline;
  };
  std::map<uint64_t, Call> calls_;
  std::map<uint64_t, std::pair<ownership::Transfer, Nanos>> asked_;  // and when
  uint64_t next_call_ = 1;
  uint64_t next_transfer_ = 1;

  const Clock& clock() const { return world_.controller_clocks[static_cast<size_t>(index_)]; }
  ProcessId process() const { return world_.controller_processes[static_cast<size_t>(index_)]; }
  Task<> live();
  void drop_silent_links();
  Task<> make_grant(ownership::MakeGrant grant);
  void feed(const ownership::Input& input);
  void carry_out(const ownership::Command& command);
  template <class Order>
  void call(ownership::CommandDone done, Order order, Duration within);
  void call_ends(uint64_t id, bool ok, bool unknown, std::string error, Json result);
};

}  // namespace lifeboat::sim
