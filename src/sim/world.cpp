#include "sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/ownership/sync_sets.hpp"
#include "sim/agent.hpp"
#include "sim/controller.hpp"

namespace lifeboat::sim {

namespace {

constexpr Nanos kCalm = 150_s;  // all must be well by then after the faults

}  // namespace

World::World(const Setup& of, bool tell)
    : setup(of), kernel(tell), random(of.seed ^ 0x5EED), network(random, of.members + of.controllers) {
  auto some_clock = [&] {
    return Clock{random.between(1, 1'000'000) * 1_ms, 1 + (random.unit() * 2 - 1) * setup.drift};
  };
  for (int member = 0; member < setup.members; ++member) {
    hosts.push_back(std::make_unique<Host>(*this, member));
    hosts.back()->clock = some_clock();
  }
  agents.resize(static_cast<size_t>(setup.members));
  controllers.resize(static_cast<size_t>(setup.controllers));
  for (int controller = 0; controller < setup.controllers; ++controller) {
    controller_processes.push_back(kernel.add_process(fmt::format("controller c{}", controller)));
    controller_clocks.push_back(some_clock());
  }
  for (int a = 0; a < setup.members + setup.controllers; ++a) {
    for (int b = 0; b < setup.members + setup.controllers; ++b) {
      bool near = a % setup.regions == b % setup.regions;
      network.set_base(a, b, near ? 300'000 : random.between(1, 20) * 1_ms);
    }
  }
  network.loss = setup.loss;
  links_of_.resize(static_cast<size_t>(setup.members));
  may_replace_.assign(static_cast<size_t>(setup.members), false);
  days_off_.assign(static_cast<size_t>(setup.controllers), Duration{0});
  dies_at_effect_.assign(static_cast<size_t>(setup.members), 0);
  controller_dies_at_effect_.assign(static_cast<size_t>(setup.controllers), 0);
  storm_end_ = setup.storm;
}

World::~World() {
  // What is left of the coroutines goes before the kernel that they wait in.
  agents.clear();
  controllers.clear();
}

Outcome World::run() {
  outcome_.seed = setup.seed;
  if (!setup.fresh) {
    store.now.term = 1;
    store.now.holder = member_name(0);
    ownership::took_writes(store.now.past);
    store.granted[1] = store.now.holder;
    led_by_[1] = 0;
    for (auto& host : hosts) {
      host->disk.present = true;
      host->disk.where = {0, WalTree::kBegin};
      host->disk.checkpoint = WalTree::kBegin;
      host->disk.standby = host->index != 0;
      host->disk.upstream = host->index == 0 ? -1 : 0;
      host->disk.record = MemberRecord{1, 0, host->index == 0 ? "" : member_name(0)};
    }
  }
  for (int controller = 0; controller < setup.controllers; ++controller) start_controller(controller);
  for (int member = 0; member < setup.members; ++member) start_agent(member);
  for (const Fault& fault : setup.faults) kernel.at(0, fault.at, [this, &fault] { inject(fault); });
  kernel.after(0, setup.write_every, [this] { client_writes(); });
  kernel.at(0, storm_end_, [this] { calm_down(); });
  kernel.run(storm_end_ + kCalm + 10_s);
  outcome_.hash = kernel.hash();
  outcome_.simulated = kernel.now();
  outcome_.events = kernel.events();
  outcome_.story = kernel.story();
  return std::move(outcome_);
}

Outcome play(const Setup& setup, bool tell) {
  World world(setup, tell);
  return world.run();
}

int World::member_index(std::string_view name) const { return name.size() < 2 || name[0] != 'm' ? -1 : name[1] - '0'; }

bool World::reaches_store(int controller) const {
  if (store.away) return false;
  int reached = 0;
  for (int other = 0; other < setup.controllers; ++other)
    reached += network.open_both(place_of_controller(controller), place_of_controller(other));
  return reached * 2 > setup.controllers;
}

wire::ServerConfig World::config_of(int member) const {
  wire::ServerConfig config;
  config.member = member_name(member);
  for (int other = 0; other < setup.members; ++other)
    config.members.add(member_name(other), wire::Peer{member_name(other), 5432});
  config.lease_ms = setup.lease.count();
  config.first_primary = member == 0;
  if (setup.sync > 0) config.sync = ownership::first_sync_set(ownership_config(), config.member);
  return config;
}

ownership::Config World::ownership_config() const {
  ownership::Config config;
  config.service = kService;
  for (int member = 0; member < setup.members; ++member)
    config.members.push_back(
        {member_name(member), fmt::format("r{}", setup.region_of(member)), member != setup.excluded});
  config.first_primary = member_name(0);
  config.lease = setup.lease;
  config.automatic = setup.automatic;
  config.automatic_at_most = setup.automatic_at_most;
  config.loss_without_approval = setup.loss_allowed;
  config.sync_copies = setup.sync;
  if (setup.sync_region >= 0) config.sync_region = fmt::format("r{}", setup.sync_region);
  return config;
}

// ---- processes

void World::start_agent(int member) {
  auto at = static_cast<size_t>(member);
  if (agents[at] != nullptr || (calm_ && !setup.in_core(member))) return;
  // On a host that is frozen nothing is started.
  Host& host = *hosts[at];
  if (kernel.paused(host.server_process) && kernel.now() < host.thawed) {
    kernel.after(0, host.thawed - kernel.now(), [this, member] { start_agent(member); });
    return;
  }
  kernel.start(hosts[at]->agent_process);
  agents[at] = std::make_unique<Agent>(*this, member);
}

void World::kill_agent(int member) {
  auto at = static_cast<size_t>(member);
  if (agents[at] == nullptr) return;
  kernel.kill(hosts[at]->agent_process);
  // Agent and guard are two so that one of them is always there.
  bool frozen = hosts[at]->stuck();
  kernel.resume(hosts[at]->guard_process);
  if (frozen) kernel.pause(hosts[at]->guard_process, std::max(kernel.now(), hosts[at]->thawed - 25_ms));
  std::vector<std::shared_ptr<Link>> links = std::move(links_of_[at]);
  links_of_[at].clear();
  agents[at].reset();
  hosts[at]->agent_gone();
  for (auto& link : links) let_go(link, true);
}

void World::start_controller(int controller) {
  auto at = static_cast<size_t>(controller);
  if (controllers[at] != nullptr || (calm_ && !setup.in_core(place_of_controller(controller)))) return;
  kernel.start(controller_processes[at]);
  controllers[at] = std::make_unique<Controller>(*this, controller);
}

void World::kill_controller(int controller) {
  auto at = static_cast<size_t>(controller);
  if (controllers[at] == nullptr) return;
  kernel.kill(controller_processes[at]);
  controllers[at].reset();
  for (auto& links : links_of_) {
    for (auto& link : std::vector(links)) {
      if (link->controller == controller) let_go(link, false);
    }
  }
}

void World::agent_effect(int member, std::string_view what) {
  int& left = dies_at_effect_[static_cast<size_t>(member)];
  if (left == 0 || --left > 0) return;
  if (kernel.tells()) tell(fmt::format("FAULT  the agent of m{} dies where it {}", member, what));
  // Its objects are in use up the stack; they go when this event has ended.
  kernel.kill(hosts[static_cast<size_t>(member)]->agent_process);
  kernel.after(0, 0, [this, member] { kill_agent(member); });
  kernel.after(0, random.between(50, 3'000) * 1_ms, [this, member] { start_agent(member); });
  throw ProcessDied{};
}

void World::controller_effect(int controller, std::string_view what) {
  int& left = controller_dies_at_effect_[static_cast<size_t>(controller)];
  if (left == 0 || --left > 0) return;
  if (kernel.tells()) tell(fmt::format("FAULT  controller c{} dies where it {}", controller, what));
  kernel.kill(controller_processes[static_cast<size_t>(controller)]);
  kernel.after(0, 0, [this, controller] { kill_controller(controller); });
  kernel.after(0, random.between(50, 4'000) * 1_ms, [this, controller] { start_controller(controller); });
  throw ProcessDied{};
}

// ---- links

void World::dial(int member, int controller, std::function<void(std::shared_ptr<Link>)> done) {
  Place from = member, to = place_of_controller(controller);
  if (!network.open_both(from, to)) return;
  Nanos takes = 0;
  for (int round = 0; round < 3; ++round) takes += network.delay(from, to) + network.delay(to, from);
  ProcessId agent = hosts[static_cast<size_t>(member)]->agent_process;
  if (takes > 900_ms || kernel.paused(controller_processes[static_cast<size_t>(controller)])) return;
  Controller* other = controllers[static_cast<size_t>(controller)].get();
  if (other == nullptr || !other->ready()) {
    kernel.after(agent, network.delay(from, to) * 2, [done = std::move(done)] { done(nullptr); });
    return;
  }
  kernel.after(agent, takes, [this, member, controller, from, to, done = std::move(done)] {
    Controller* there = controllers[static_cast<size_t>(controller)].get();
    if (there == nullptr || !there->ready() || !network.open_both(from, to)) return done(nullptr);
    auto link = std::make_shared<Link>();
    link->member = member;
    link->controller = controller;
    link->id = next_link_++;
    link->heard = kernel.now();
    links_of_[static_cast<size_t>(member)].push_back(link);
    kernel.after(controller_processes[static_cast<size_t>(controller)], 0, [this, controller, link] {
      if (link->controller_end) controllers[static_cast<size_t>(controller)]->linked(link);
    });
    done(link);
  });
}

void World::send(const std::shared_ptr<Link>& link, bool to_controller, Message message) {
  Place agent = link->member, controller = place_of_controller(link->controller);
  Place from = to_controller ? agent : controller, to = to_controller ? controller : agent;
  ProcessId sender = to_controller ? hosts[static_cast<size_t>(agent)]->agent_process
                                   : controller_processes[static_cast<size_t>(link->controller)];
  Nanos there = kernel.ready(sender) + network.delay(from, to);
  if (setup.loose) {
    if (random.chance(setup.loss)) return;
    int copies = random.chance(0.05) ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) {
      Nanos late = random.chance(0.1) ? random.between(0, 1'500) * 1_ms : 0;
      ProcessId receiver = to_controller ? controller_processes[static_cast<size_t>(link->controller)]
                                         : hosts[static_cast<size_t>(agent)]->agent_process;
      kernel.at(receiver, there + late, [this, link, to_controller, from, to, message] {
        if (network.open(from, to)) deliver(link, to_controller, message);
      });
    }
    return;
  }
  Link::Way& way = to_controller ? link->up : link->down;
  if (!way.queue.empty()) there = std::max(there, way.queue.back().first);
  way.queue.emplace_back(there, std::move(message));
  if (!std::exchange(way.pumping, true)) pump_at(link, to_controller, there);
}

void World::pump_at(const std::shared_ptr<Link>& link, bool to_controller, Nanos when) {
  ProcessId receiver = to_controller ? controller_processes[static_cast<size_t>(link->controller)]
                                     : hosts[static_cast<size_t>(link->member)]->agent_process;
  kernel.at(receiver, when, [this, link, to_controller] { pump(link, to_controller); });
}

void World::pump(const std::shared_ptr<Link>& link, bool to_controller) {
  Link::Way& way = to_controller ? link->up : link->down;
  Place agent = link->member, controller = place_of_controller(link->controller);
  bool open = to_controller ? network.open(agent, controller) : network.open(controller, agent);
  bool both_ends = link->agent_end && link->controller_end;
  // A cut holds things up; the sender tries again and again, less often the longer it lasts.
  if (!open && both_ends) return pump_at(link, to_controller, kernel.now() + random.between(150, 500) * 1_ms);
  while (!way.queue.empty() && way.queue.front().first <= kernel.now()) {
    Message message = std::move(way.queue.front().second);
    way.queue.pop_front();
    deliver(link, to_controller, std::move(message));
  }
  way.pumping = !way.queue.empty();
  if (way.pumping) pump_at(link, to_controller, way.queue.front().first);
}

void World::deliver(const std::shared_ptr<Link>& link, bool to_controller, Message message) {
  kernel.mix(link->id * 2 + to_controller);
  kernel.mix(static_cast<uint64_t>(kernel.now()) + message.index());
  if (to_controller) {
    link->heard = kernel.now();
    Controller* controller = controllers[static_cast<size_t>(link->controller)].get();
    if (controller != nullptr && link->controller_end) controller->take(link, std::move(message));
  } else {
    Agent* agent = agents[static_cast<size_t>(link->member)].get();
    if (agent != nullptr && link->agent_end) agent->take(link, std::move(message));
  }
}

void World::let_go(const std::shared_ptr<Link>& link, bool by_agent) {
  bool& mine = by_agent ? link->agent_end : link->controller_end;
  if (!mine) return;
  mine = false;
  std::erase(links_of_[static_cast<size_t>(link->member)], link);
  if (by_agent) {
    if (Agent* agent = agents[static_cast<size_t>(link->member)].get()) agent->link_ended(link);
  } else if (Controller* controller = controllers[static_cast<size_t>(link->controller)].get()) {
    controller->link_ended(link);
  }
  say_goodbye(link, by_agent);
}

// The other end hears of it when the network lets it.
void World::say_goodbye(const std::shared_ptr<Link>& link, bool by_agent) {
  bool other_is_there = by_agent ? link->controller_end : link->agent_end;
  if (!other_is_there) return;
  Place agent = link->member, controller = place_of_controller(link->controller);
  bool open = by_agent ? network.open(agent, controller) : network.open(controller, agent);
  ProcessId other = by_agent ? controller_processes[static_cast<size_t>(link->controller)]
                             : hosts[static_cast<size_t>(agent)]->agent_process;
  Nanos takes = open ? network.delay(agent, controller) : 400_ms;
  kernel.after(other, takes, [this, link, by_agent, open] {
    if (open) return let_go(link, !by_agent);
    say_goodbye(link, by_agent);
  });
}

void World::tell_member(int from, int to, std::variant<wire::Keep, wire::Kept> message) {
  // Datagrams: nobody sends a lost one again, and one may come twice, the second time much later.
  if (!network.open(from, to) || (setup.loss > 0 && random.chance(setup.loss))) return;
  auto arrives_after = [&](Nanos takes) {
    kernel.after(hosts[static_cast<size_t>(to)]->agent_process, takes, [this, from, to, message] {
      Agent* agent = agents[static_cast<size_t>(to)].get();
      if (agent == nullptr || !network.open(from, to)) return;
      std::visit([agent](const auto& heard) { agent->hear(heard); }, message);
    });
  };
  arrives_after(network.delay(from, to));
  if (setup.loose && random.chance(0.05)) arrives_after(network.delay(from, to) + random.between(1, 3'000) * 1_ms);
}

// ---- what users do

// Writers stand everywhere, also beside each server, and try all servers: whoever takes writes is found.
void World::client_writes() {
  kernel.after(0, setup.write_every / 2 + static_cast<Nanos>(random.below(static_cast<uint64_t>(setup.write_every))),
               [this] { client_writes(); });
  for (auto& host : hosts) {
    if (host->can_acknowledge()) host->begin_write(next_write_++);
  }
}

// Of the newest term: one that has just thawed is not yet ended by its guard.
int World::writable_host(bool in_core) const {
  int found = -1;
  uint64_t term = 0;
  for (const auto& host : hosts) {
    if (!host->can_acknowledge() || host->term < term || (in_core && !setup.in_core(host->index))) continue;
    found = host->index;
    term = host->term;
  }
  return found;
}

// ---- after the faults

// The one that leads, if it listens.
Controller* World::some_controller() {
  auto at = static_cast<size_t>(setup.controllers == 1 ? 0 : std::max(0, store.lead.controller));
  bool listens = controllers[at] != nullptr && controllers[at]->ready() && !kernel.paused(controller_processes[at]);
  return listens ? controllers[at].get() : nullptr;
}

bool World::core_has_data() const {
  return std::ranges::any_of(hosts, [this](const auto& host) {
    return setup.in_core(host->index) && host->disk.present && !host->disk.spoiled &&
           host->disk.where.lsn >= host->disk.consistent_at;
  });
}

void World::calm_down() {
  calm_ = true;
  if (kernel.tells()) tell("all faults end");
  // Nobody can serve from data that a cut-off copy or rewind left behind.
  if (!core_has_data()) setup.core.clear();
  network.heal_all();
  network.loss = 0;
  setup.loose = false;
  store.away = store.unsure = false;
  std::ranges::fill(dies_at_effect_, 0);
  std::ranges::fill(controller_dies_at_effect_, 0);
  for (auto& host : hosts) {
    if (!setup.in_core(host->index)) continue;
    host->disk.full = false;
    host->disk.slow = 0;
    host->deaf = false;
    host->lie = -1;
    host->replay = Replay::goes_on;
    for (ProcessId process : {host->agent_process, host->guard_process, host->server_process}) kernel.resume(process);
    start_agent(host->index);
  }
  for (int controller = 0; controller < setup.controllers; ++controller) {
    if (!setup.in_core(place_of_controller(controller))) continue;
    kernel.resume(controller_processes[static_cast<size_t>(controller)]);
    start_controller(controller);
  }
  for (Place place = 0; place < setup.places(); ++place) {
    if (!setup.in_core(place)) befall(place, random.below(5));
  }
  calm_since_ = last_ask_ = kernel.now();
  kernel.after(0, 1_s, [this] { watch_recovery(); });
}

// What is outside the core stays as it is, and is dead, frozen, or cut off this way, that way or both from now on.
void World::befall(Place place, uint64_t fate) {
  if (kernel.tells()) tell(fmt::format("place {} is left to fate {}", place, fate));
  bool is_member = place < setup.members;
  auto controller = static_cast<size_t>(place - setup.members);
  if (fate == 0 && is_member) {
    kill_agent(place);
    hosts[static_cast<size_t>(place)]->crash();
  } else if (fate == 0) {
    kill_controller(static_cast<int>(controller));
  } else if (fate == 1 && is_member) {
    Host& host = *hosts[static_cast<size_t>(place)];
    for (ProcessId process : {host.agent_process, host.guard_process, host.server_process})
      kernel.pause(process, kNever);
  } else if (fate == 1) {
    kernel.pause(controller_processes[controller], kNever);
  }
  for (Place other = 0; other < setup.places(); ++other) {
    if (other == place) continue;
    if (fate == 2 || fate == 4) network.cut(place, other);
    if (fate == 3 || fate == 4) network.cut(other, place);
  }
}

bool World::all_is_well() const {
  int primary = writable_host(true);
  if (primary < 0) return false;
  const Host& leader = *hosts[static_cast<size_t>(primary)];
  if (store.now.holder != member_name(primary) || leader.term != store.now.term) return false;
  return std::ranges::all_of(hosts, [&](const auto& host) {
    return host->index == primary || !setup.in_core(host->index) ||
           (host->phase == Phase::recovery && host->connected && host->upstream == primary && host->answers());
  });
}

// A person who looks at it and asks for what is missing.
void World::watch_recovery() {
  bool run_is_open = run_watch.open() != nullptr;
  if (all_is_well() && !run_is_open) return kernel.stop();
  Nanos now = kernel.now();
  // Somebody had asked for the last data to be replaced, and what they were to be replaced by is gone for good.
  bool given_up = std::ranges::all_of(hosts, [this](const auto& host) {
    return !setup.in_core(host->index) || (host->disk.spoiled && may_replace_[static_cast<size_t>(host->index)]);
  });
  if (given_up && !core_has_data()) return kernel.stop();
  if (now - calm_since_ > kCalm) {
    std::string where;
    for (const auto& host : hosts) {
      where += fmt::format(" m{}: phase {} timeline {} at {:X} upstream {} connected {}{};", host->index,
                           static_cast<int>(host->phase), wal.timeline(host->disk.where), host->disk.where.lsn,
                           host->upstream, host->connected, host->disk.spoiled ? " spoiled" : "");
    }
    if (all_is_well()) where = " the run has not ended: " + run::fingerprint(*run_watch.open());
    violated(all_is_well()             ? "L2"
             : writable_host(true) < 0 ? "L1"
                                       : "L4",
             fmt::format("{} s after the last fault not all is well:{}", kCalm / 1_s, where));
    return kernel.stop();
  }
  kernel.after(0, 500_ms, [this] { watch_recovery(); });
  Controller* controller = some_controller();
  if (controller == nullptr || now - last_ask_ < 7_s) return;
  last_ask_ = now;
  ownership::Transfer wanted;
  bool nobody_writes = writable_host(true) < 0;
  wanted.kind = nobody_writes ? ownership::TransferKind::failover : ownership::TransferKind::reprotect;
  wanted.accept_loss = nobody_writes;
  asked_for(wanted);
  controller->person_asks(wanted);
}

}  // namespace lifeboat::sim
