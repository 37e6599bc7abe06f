// A controller of the made-up world: it is elected as store/etcd elects, and feeds the ownership machine as
// controller/databases does while it leads.
#pragma once

#include <map>
#include <memory>

#include "sim/world.hpp"

namespace lifeboat::sim {

class Controller {
 public:
  Controller(World& world, int index);
  ~Controller();

  // Whether it leads, and has read who holds what.
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
  uint64_t lead_number_ = 0;  // of its election; 0: none
  MonoTime lead_until_{};
  Nanos spoke_ = 0;
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
  bool alone() const { return world_.setup.controllers == 1; }
  bool leads() const { return lead_number_ != 0 && (alone() || local() < lead_until_); }
  Task<> live();
  Task<> be_elected();
  Task<> keep_leading(uint64_t number);
  void begin_to_lead();
  void step_aside(std::string_view why);
  void say_here();
  void drop_silent_links();
  Task<> make_grant(ownership::MakeGrant grant);
  Task<> record_sync(ownership::RecordSync record);
  void feed(const ownership::Input& input);
  void carry_out(const ownership::Command& command);
  template <class Order>
  void call(ownership::CommandDone done, Order order, Duration within);
  void call_ends(uint64_t id, bool ok, bool unknown, std::string error, Json result);
};

}  // namespace lifeboat::sim
