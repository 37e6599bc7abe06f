// The made-up world of one history: hosts, network, store, controllers, people who ask for things, faults; and what is checked
// of all that.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <variant>

#include "core/ownership/machine.hpp"
#include "sim/host.hpp"
#include "sim/network.hpp"
#include "sim/run_watch.hpp"
#include "sim/setup.hpp"

namespace lifeboat::sim {

inline const std::string kService = "main";

class Agent;
class Controller;

// ---- messages between agents and controllers

struct ReportMessage {
  int64_t boot_ns = 0;
  MemberReport report;
};
struct ReplyMessage {
  uint64_t id = 0;
  bool ok = false;
  ErrorKind kind = ErrorKind::internal;
  std::string error;
  Json result;
};
struct RequestMessage {
  uint64_t id = 0;
  Duration within{};
  std::variant<wire::Lead, wire::Follow, wire::StepDown, wire::Adopt> order;
};
// The controller has nothing to say, and is there.
struct HereMessage {};
using Message = std::variant<ReportMessage, ReplyMessage, RequestMessage, wire::Renew, wire::Release, wire::Renewed,
                             wire::SyncWith, wire::LookAgain, HereMessage>;

// One connection. Each end lets go of it by itself; what is on its way then is lost.
struct Link {
  int member = 0;
  int controller = 0;
  uint64_t id = 0;
  bool agent_end = true;
  bool controller_end = true;
  Nanos heard = 0;  // by the controller
  struct Way {
    std::deque<std::pair<Nanos, Message>> queue;  // when each is there at the earliest
    bool pumping = false;
  } up, down;
};

// Ownership as the store keeps it, and which controller leads. Where there are several controllers, a voter of the store stands
// beside each.
class StoreModel {
 public:
  // What a copy of it has.
  struct Contents {
    uint64_t term = 0;
    std::string holder;
    ownership::Past past = ownership::no_past();
    std::vector<WallTime> automatic;  // grants that nobody asked for: when, as whoever recorded them had it
    std::vector<run::Event> journal;  // of the run of a plan
    Nanos journal_grew = 0;           // the last time
  } now;
  bool away = false;
  bool unsure = false;
  struct Lead {
    int controller = -1;
    uint64_t number = 0;  // of this election; a write is refused under any other
    Nanos until = 0;
  } lead;
  std::map<uint64_t, std::string> granted;  // every grant ever, for the checker
};

struct Write {
  WalPlace at;
  Nanos when = 0;
  int server = 0;
  uint64_t term = 0;
  bool gone = false;  // known to have been set aside
  Nanos gone_at = 0;
};

class World {
 public:
  World(const Setup& setup, bool tell);
  ~World();
  Outcome run();

  Setup setup;
  Kernel kernel;
  Random random;
  WalTree wal;
  Network network;
  StoreModel store;
  RunWatch run_watch;
  std::vector<std::unique_ptr<Host>> hosts;
  std::vector<std::unique_ptr<Agent>> agents;            // null while dead
  std::vector<std::unique_ptr<Controller>> controllers;  // the same
  std::vector<ProcessId> controller_processes;
  std::vector<Clock> controller_clocks;
  std::map<std::string, WalPlace> restored;  // what lies ready on some host, by name: up to where

  std::string member_name(int index) const { return "m" + std::to_string(index); }
  int member_index(std::string_view name) const;
  Place place_of_controller(int controller) const { return setup.members + controller; }
  // As the machine of that controller has it.
  WallTime time_of_day(int controller) const {
    return WallTime(std::chrono::milliseconds(kernel.now() / 1_ms)) + days_off_[static_cast<size_t>(controller)];
  }
  // Whether a majority of the store's voters can be talked to from there.
  bool reaches_store(int controller) const;
  wire::ServerConfig config_of(int member) const;
  ownership::Config ownership_config() const;

  // ---- processes
  void start_agent(int member);
  void kill_agent(int member);
  void start_controller(int controller);
  void kill_controller(int controller);
  // An effect of the agent's: a place where it may die. Throws ProcessDied.
  void agent_effect(int member, std::string_view what);
  void controller_effect(int controller, std::string_view what);

  // ---- links
  // Comes back after the handshake, or with null when nobody answers.
  void dial(int member, int controller, std::function<void(std::shared_ptr<Link>)> done);
  void send(const std::shared_ptr<Link>& link, bool to_controller, Message message);
  void let_go(const std::shared_ptr<Link>& link, bool by_agent);
  // From agent to agent, without a controller.
  void tell_member(int from, int to, std::variant<wire::Keep, wire::Kept> message);

  // ---- what the checker is told
  void writable_changed();
  void writable_began(Host& host, bool promoted);
  void acknowledged(Host& host, uint32_t id, const WalPlace& at);
  void right_until(uint64_t term, Nanos truth);
  void extend_right(uint64_t term, Nanos truth);
  void granted(uint64_t term, const std::string& holder);
  // A member will not take over before `truth`, for the sake of whoever writes under this term.
  void promised(int member, uint64_t term, Nanos truth);
  void chosen(const ownership::MakeGrant& grant, const ownership::State& state);
  void refused(const ownership::AnswerRenew& answer);
  void kept(const Host& host, const MemberRecord& record);
  void started(const Host& host);
  void fenced(const Host& host);
  void replaces(Host& host, const WalPlace& source, std::string_view how);
  void histories_mixed(const Host& host, const Host& source, std::string_view how);
  void number_reused(const Host& host, uint32_t timeline);
  void transfer_ended(const ownership::FinishTransfer& finished, const ownership::Transfer& asked, Nanos asked_at);
  void reprotected(const Json& result, int primary);
  void put_back(const ownership::Transfer& asked, Nanos asked_at);
  void note(const ownership::Note& note);
  void made_by_itself();
  void goes_on_under(Host& host, uint64_t term);
  void violated(std::string rule, std::string text);

  // A person, or a run that people agreed to, asks for it: what follows is not unasked.
  void asked_for(const ownership::Transfer& wanted);
  // Some of them answer after a while.
  void ask_people(const run::ApprovalAsked& question);

  bool stormy() const { return kernel.now() < storm_end_; }
  int writable_host(bool in_core = false) const;
  void tell(std::string line) { kernel.tell(std::move(line)); }

 private:
  Outcome outcome_;
  Nanos storm_end_ = 0;
  uint64_t next_link_ = 1;
  uint32_t next_write_ = 1;
  std::vector<Write> writes_;                          // acknowledged
  std::map<uint64_t, Nanos> right_end_;                // by term; by grant, renewals or the promises of all others
  std::map<uint64_t, Nanos> lease_end_;                // the same, without promises
  std::map<uint64_t, std::map<int, Nanos>> promises_;  // by term and member: until when
  std::map<uint64_t, int> led_by_;
  int last_led_ = -1;  // whoever took writes last, and on which timeline
  uint32_t last_led_on_ = 0;
  uint64_t newest_written_ = 0;  // highest term anybody took writes under
  std::vector<bool> may_replace_;
  std::vector<Duration> days_off_;  // how far the time of day of each controller's machine is off
  std::vector<int> dies_at_effect_;
  std::vector<int> controller_dies_at_effect_;
  Nanos last_writable_ = 0;
  int last_writer_ = -1;
  bool calm_ = false;
  Nanos calm_since_ = 0;
  Nanos last_ask_ = 0;
  Nanos accepted_loss_ = 0;
  std::map<std::string, Nanos>
      put_back_granted_;     // when a member was granted the right for the data that were put back
  bool move_asked_ = false;  // a person asked for another primary once
  int moved_unasked_ = 0;
  std::vector<std::vector<std::shared_ptr<Link>>> links_of_;

  void inject(const Fault& fault);
  void cut_for(Place from, Place to, Nanos length);
  void isolate(const std::vector<Place>& inside, Nanos length);
  void swizzle(Nanos length);
  void restore_store(StoreModel::Contents copy);
  void revoke_lead(const Fault& fault);
  void person_asks(const Fault& fault, const Host& host);
  WalPlace older_place(const Host& host, bool lately);
  void open_run(const Fault& fault, const Host& host);
  void person_says(run::Input input);
  void meddle(const Fault& fault);
  void look_after_run();
  void calm_down();
  void befall(Place place, uint64_t fate);
  void watch_recovery();
  void client_writes();
  void pump(const std::shared_ptr<Link>& link, bool to_controller);
  void pump_at(const std::shared_ptr<Link>& link, bool to_controller, Nanos when);
  void say_goodbye(const std::shared_ptr<Link>& link, bool by_agent);
  void writable_ended(const Host& host);
  void check_what_is_lost(const Host& host);
  bool hosts_frozen() const;
  void deliver(const std::shared_ptr<Link>& link, bool to_controller, Message message);
  bool core_has_data() const;
  bool all_is_well() const;
  Controller* some_controller();
};

}  // namespace lifeboat::sim
