// An agent of the made-up world: core/member over a model of a server, and the link to whichever controller answers.
#pragma once

#include <deque>
#include <memory>

#include "core/member/member.hpp"
#include "sim/world.hpp"

namespace lifeboat::sim {

// What core/member asks of the world it runs in.
struct MemberRim {
  template <class T = void>
  using Task = sim::Task<T>;
  using Deadline = Server::Deadline;
  using Server = sim::Server;

  World& world;
  Host& host;
  Scope& scope;

  MonoTime now() const { return host.clock.read(world.kernel.now()); }
  Task<> sleep_until(MonoTime at);
  void spawn(const std::string&, Task<> task) { scope.spawn(std::move(task)); }
  void post(std::function<void()> what);
  Task<std::optional<Result<>>> unless(Task<Result<>> work, Task<> stop);
  std::optional<MemberRecord> recall() const { return host.disk.record; }
  Result<> keep(const MemberRecord& record);
};

}  // namespace lifeboat::sim

extern template class lifeboat::MemberLogic<lifeboat::sim::MemberRim>;

namespace lifeboat::sim {

class Agent {
 public:
  Agent(World& world, int member);
  ~Agent();

  void take(const std::shared_ptr<Link>& link, Message message);
  void link_ended(const std::shared_ptr<Link>& link);
  void hear(const wire::Keep& asked);
  void hear(const wire::Kept& answer) { logic_.kept(answer); }
  bool linked() const { return link_ != nullptr; }

 private:
  World& world_;
  Host& host_;
  Scope scope_;
  Server server_;
  MemberRim rim_;
  MemberLogic<MemberRim> logic_;
  std::shared_ptr<Link> link_;
  std::deque<wire::Release> releases_;  // not sent while there was a link
  Nanos heard_ = 0;
  Nanos asked_ = 0;              // its last renewal
  Nanos unanswered_since_ = -1;  // the first renewal since the controller last said anything
  int turn_ = 0;
  Nanos pause_ = 50_ms;
  bool report_due_ = false;
  bool ending_ = false;

  MemberLogic<MemberRim>::Hooks hooks();
  static Task<> begin(Agent* self);
  Task<> keep_link();
  Task<> report_regularly();
  void report();
  MemberReport what_it_says() const;
  void report_soon();
  void note_renewal(const wire::Renewed& answer);
  void drop_link();
  Task<> carry_out(RequestMessage request, std::shared_ptr<Link> over);
};

}  // namespace lifeboat::sim
