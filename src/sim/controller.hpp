// A controller of the made-up world: it is elected as store/etcd elects, and feeds the ownership machine as
// controller/databases does while it leads.
#pragma once

#include <map>
#include <memory>

#include "core/ownership/held_answers.hpp"
#include "sim/executor.hpp"
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
  // A person's wish; given up after a while. Dropped while another one is being granted.
  void person_asks(ownership::Transfer wanted);
  // Its number. `told` hears how it ended, unless the controller steps aside before.
  using Told = std::function<void(const ownership::FinishTransfer&)>;
  uint64_t ask(ownership::Transfer wanted, Told told);
  void give_up(uint64_t transfer);
  Executor& executor() { return executor_; }
  MonoTime local() const { return clock().read(world_.kernel.now()); }
  WallTime time_of_day() const { return world_.time_of_day(index_); }
  ProcessId process() const { return world_.controller_processes[static_cast<size_t>(index_)]; }

  Nanos truth_of(MonoTime at) const { return clock().truth_of(at); }

  // ---- for what it does while it leads
  // Whether the database is known to take writes on that member or in that region.
  bool is_written_in(const std::string& to) const;
  uint64_t lead_number() const { return lead_number_; }
  // Whether it is not known to have been deposed since that election.
  bool leads_since(uint64_t lead) const { return lead_number_ == lead && lead != 0; }
  enum class Written { done, refused, not_led };
  // One transaction of the leader; `change` is true when it took place. Whoever is not the leader, or does not know whether it was
  // written, has stepped aside.
  Task<Written> write_to_store(uint64_t lead, std::function<bool(bool late)> change);
  void effect(std::string_view what) { world_.controller_effect(index_, what); }

 private:
  World& world_;
  int index_;
  Scope scope_;
  Executor executor_;
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
  struct Asked {
    ownership::Transfer wanted;
    Nanos when = 0;
    Told told;
  };
  std::map<uint64_t, Asked> asked_;
  struct Renewal {
    ownership::AnswerRenew answer;
    Nanos right_until = 0;
  };
  ownership::HeldAnswers<Renewal> renewals_;
  uint64_t next_call_ = 1;
  uint64_t next_transfer_ = 1;

  const Clock& clock() const { return world_.controller_clocks[static_cast<size_t>(index_)]; }
  bool alone() const { return world_.setup.controllers == 1; }
  bool leads() const { return lead_number_ != 0 && (alone() || local() < lead_until_); }
  Task<> live();
  Task<> be_elected();
  Task<> keep_leading(uint64_t number);
  void begin_to_lead();
  void step_aside(std::string_view why);
  void say_here();
  void drop_silent_links();
  // Asks the store whether it still leads: true if it did at some moment after the question.
  Task<bool> is_sure_to_lead(uint64_t lead);
  Task<> answer_renewals();
  Task<> order_the_lead(ownership::SendLead lead);
  Task<> make_grant(ownership::MakeGrant grant);
  Task<> record_sync(ownership::RecordSync record);
  void feed(const ownership::Input& input);
  void carry_out(const ownership::Command& command);
  template <class Order>
  void call(ownership::CommandDone done, Order order, Duration within);
  void call_ends(uint64_t id, bool ok, bool unknown, std::string error, Json result);
};

}  // namespace lifeboat::sim
