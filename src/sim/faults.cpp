// What each kind of fault does to the world.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/agent.hpp"
#include "sim/controller.hpp"
#include "sim/world.hpp"

namespace lifeboat::sim {

void World::cut_for(Place from, Place to, Nanos length) {
  if (from == to) return;
  network.cut(from, to);
  kernel.after(0, length, [this, from, to] {
    if (!calm_) network.heal(from, to);
  });
}

void World::isolate(const std::vector<Place>& inside, Nanos length) {
  int places = setup.members + setup.controllers;
  for (Place a : inside) {
    for (Place b = 0; b < places; ++b) {
      if (std::ranges::find(inside, b) != inside.end()) continue;
      cut_for(a, b, length);
      cut_for(b, a, length);
    }
  }
}

// One after the other is cut off, and they come back in another order.
void World::swizzle(Nanos length) {
  std::vector<Place> some;
  for (Place place = 0; place < setup.members + setup.controllers; ++place) {
    if (random.chance(0.6)) some.push_back(place);
  }
  for (Place place : some) {
    Nanos begin = static_cast<Nanos>(random.below(static_cast<uint64_t>(length)));
    Nanos end = begin + static_cast<Nanos>(random.below(static_cast<uint64_t>(length)));
    kernel.after(0, begin, [this, place, lasts = end - begin] {
      if (!calm_) isolate({place}, lasts);
    });
  }
}

// As `lifeboat store restore` does, with every controller stopped. What the journal forgot nobody counts any more.
void World::restore_store(StoreModel::Contents copy) {
  for (int controller = 0; controller < setup.controllers; ++controller) kill_controller(controller);
  if (kernel.tells()) tell(fmt::format("the store is put back to term {} of {}", copy.term, copy.holder));
  moved_unasked_ -= static_cast<int>(store.now.automatic.size() - copy.automatic.size());
  ownership::left_terms_out(copy.past, copy.term + 100);
  // What each run that has not ended is told.
  if (!copy.journal.empty() && !std::holds_alternative<run::RunFinished>(copy.journal.back().body)) {
    const run::Event& last = copy.journal.back();
    copy.journal.push_back({run::RunRestored{"the journal was put back"}, last.at, last.wall});
  }
  run_watch.restored(copy.journal);
  store.now = std::move(copy);
  store.lead = {-1, store.lead.number + 1, 0};
}

void World::inject(const Fault& fault) {
  if (calm_) return;
  if (kernel.tells()) tell("FAULT  " + in_words(fault));
  Host& host = *hosts[static_cast<size_t>(fault.a % setup.members)];
  Nanos end = kernel.now() + fault.length;
  switch (fault.kind) {
    case FaultKind::kill_server: return host.server_died();
    case FaultKind::hang_server: return kernel.pause(host.server_process, end);
    case FaultKind::kill_agent:
      kill_agent(host.index);
      kernel.after(0, random.between(50, 2'000) * 1_ms, [this, index = host.index] { start_agent(index); });
      return;
    case FaultKind::stop_agent:
      // Agent and guard are two so that one of them is always there; both at once is a frozen host.
      if (!kernel.paused(host.guard_process)) kernel.pause(host.agent_process, end);
      return;
    case FaultKind::kill_guard: return host.kill_guard();
    case FaultKind::stop_guard:
      if (!kernel.paused(host.agent_process) && agents[static_cast<size_t>(host.index)] != nullptr)
        kernel.pause(host.guard_process, end);
      return;
    case FaultKind::freeze_node:
      for (ProcessId process : {host.agent_process, host.guard_process, host.server_process})
        kernel.pause(process, end);
      host.thawed = std::max(host.thawed, end + 25_ms);
      return;
    case FaultKind::crash_node:
      kill_agent(host.index);
      host.crash();
      host.thawed = std::min(host.thawed, kernel.now());  // what ran when it was frozen is gone
      kernel.after(0, fault.length, [this, index = host.index] {
        // Its clock counts from its start.
        Host& back = *hosts[static_cast<size_t>(index)];
        if (agents[static_cast<size_t>(index)] == nullptr)
          back.clock.offset = random.between(0, 3'000) * 1_ms - Clock::scaled(kernel.now(), back.clock.rate);
        start_agent(index);
      });
      return;
    case FaultKind::cut_both:
      cut_for(fault.a, fault.b, fault.length);
      cut_for(fault.b, fault.a, fault.length);
      return;
    case FaultKind::cut_one_way: return cut_for(fault.a, fault.b, fault.length);
    case FaultKind::isolate: return isolate({host.index}, fault.length);
    case FaultKind::isolate_region: {
      std::vector<Place> inside;
      for (Place place = 0; place < setup.places(); ++place) {
        if (setup.region_of(place) == setup.region_of(host.index)) inside.push_back(place);
      }
      return isolate(inside, fault.length);
    }
    case FaultKind::isolate_controller:
      return isolate({place_of_controller(fault.b % setup.controllers)}, fault.length);
    case FaultKind::swizzle: return swizzle(fault.length);
    case FaultKind::slow_network: {
      Nanos extra = random.between(20, 900) * 1_ms;
      if (fault.n != 0) extra = std::min(extra, fault.length);
      network.slow(fault.a, fault.b, extra);
      kernel.after(0, fault.length, [this, fault, extra] {
        if (!calm_) network.slow(fault.a, fault.b, -extra);
      });
      return;
    }
    case FaultKind::crash_controller: {
      int controller = fault.b % setup.controllers;
      kill_controller(controller);
      kernel.after(0, fault.length, [this, controller] { start_controller(controller); });
      return;
    }
    case FaultKind::lose_controllers:
      for (int controller = 0; controller < setup.controllers; ++controller) {
        kill_controller(controller);
        kernel.after(0, fault.length, [this, controller] { start_controller(controller); });
      }
      return;
    case FaultKind::pause_controller:
      return kernel.pause(controller_processes[static_cast<size_t>(fault.b % setup.controllers)], end);
    case FaultKind::slow_disk: {
      host.disk.slow = random.between(20, 1'500) * 1_ms;
      kernel.after(0, fault.length, [&host] { host.disk.slow = 0; });
      return;
    }
    case FaultKind::full_disk:
      host.disk.full = true;
      kernel.after(0, fault.length, [&host] { host.disk.full = false; });
      return;
    case FaultKind::hold_up_replay:
      host.replay = std::array{Replay::paused, Replay::stands_still, Replay::delayed}[static_cast<size_t>(fault.n % 3)];
      host.replay_stands_at = host.disk.where.lsn;
      kernel.after(0, fault.length + (host.replay == Replay::stands_still ? 9_s : 0),
                   [&host] { host.replay = Replay::goes_on; });
      return;
    case FaultKind::deaf_standby:
      host.deaf = true;
      kernel.after(0, fault.length, [&host] { host.deaf = false; });
      return;
    case FaultKind::crash_at: dies_at_effect_[static_cast<size_t>(host.index)] = fault.n; return;
    case FaultKind::crash_controller_at:
      controller_dies_at_effect_[static_cast<size_t>(fault.b % setup.controllers)] = fault.n;
      return;
    case FaultKind::store_away:
      store.away = true;
      kernel.after(0, fault.length, [this] { store.away = false; });
      return;
    case FaultKind::store_unsure:
      store.unsure = true;
      kernel.after(0, fault.length, [this] { store.unsure = false; });
      return;
    case FaultKind::step_clock:
      days_off_[static_cast<size_t>(fault.b % setup.controllers)] += std::chrono::milliseconds(fault.n);
      return;
    case FaultKind::revoke_lead: return revoke_lead(fault);
    case FaultKind::restore_store:
      kernel.after(0, fault.length, [this, copy = store.now, away = fault.n * 100_ms] {
        restore_store(copy);
        for (int controller = 0; controller < setup.controllers; ++controller)
          kernel.after(0, away, [this, controller] { start_controller(controller); });
      });
      return;
    case FaultKind::lie: host.lie = fault.n; return;
    case FaultKind::ask_switchover:
    case FaultKind::ask_failover:
    case FaultKind::ask_reprotect:
    case FaultKind::ask_restore: return person_asks(fault, host);
    case FaultKind::open_run: return open_run(fault, host);
    case FaultKind::meddle: return meddle(fault);
  }
}

void World::revoke_lead(const Fault& fault) {
  if (setup.controllers == 1 || store.lead.controller < 0) return;
  int primary = writable_host();
  for (int other = 0; other < setup.controllers; ++other) {
    if (other == store.lead.controller) continue;
    for (Place place : {place_of_controller(store.lead.controller), primary}) {
      if (place < 0) continue;
      cut_for(place, place_of_controller(other), fault.length);
      cut_for(place_of_controller(other), place, fault.length);
    }
  }
  kernel.after(0, fault.n * 60_ms, [this, number = store.lead.number] {
    if (store.lead.number == number) store.lead.until = std::min(store.lead.until, kernel.now());
  });
}

void World::asked_for(const ownership::Transfer& wanted) {
  if (wanted.kind == ownership::TransferKind::reprotect) {
    for (int member = 0; member < setup.members; ++member) {
      if (wanted.to.empty() || member == member_index(wanted.to)) may_replace_[static_cast<size_t>(member)] = true;
    }
    return;
  }
  move_asked_ = true;
  if (wanted.kind == ownership::TransferKind::restore) {
    may_replace_[static_cast<size_t>(member_index(wanted.to))] = true;
    return;
  }
  if (wanted.kind == ownership::TransferKind::failover && wanted.accept_loss) accepted_loss_ = kernel.now();
}

// Up to which some backup of its history was restored.
WalPlace World::older_place(const Host& host, bool lately) {
  uint64_t least = WalTree::kBegin, most = host.disk.where.lsn;
  if (lately) least = std::max(least, most - std::min<uint64_t>(most, 500));
  uint64_t back =
      random.chance(0.7) ? random.below(std::min<uint64_t>(most - least, 4'000) + 1) : random.below(most - least + 1);
  return wal.on_way(host.disk.where, most - back / 100 * 100);
}

void World::person_asks(const Fault& fault, const Host& host) {
  Controller* controller = some_controller();
  if (controller == nullptr) return;
  ownership::Transfer wanted;
  wanted.to = member_name(host.index);
  if (fault.kind == FaultKind::ask_switchover) {
    wanted.kind = ownership::TransferKind::switchover;
  } else if (fault.kind == FaultKind::ask_failover) {
    wanted.kind = ownership::TransferKind::failover;
    wanted.accept_loss = fault.n % 2 == 0;
  } else if (fault.kind == FaultKind::ask_restore) {
    if (!host.disk.present || host.disk.spoiled) return;
    wanted.kind = ownership::TransferKind::restore;
    wanted.restored = fmt::format("r{}", restored.size() + 1);
    restored[wanted.restored] = older_place(host, fault.n == kToLately);
  } else {
    wanted.kind = ownership::TransferKind::reprotect;
    if (fault.n % 2 == 0) wanted.to.clear();
    wanted.pages = fault.n == 3;
  }
  asked_for(wanted);
  controller->person_asks(wanted);
}

// ---- the run of a plan

void World::open_run(const Fault& fault, const Host& host) {
  Controller* controller = some_controller();
  if (controller == nullptr) return;
  PlanOfRun plan;
  plan.to = fault.n % 2 == 0 ? member_name(host.index) : fmt::format("r{}", setup.region_of(host.index));
  plan.failover = fault.n / 2 % 2 == 0;
  plan.accept_loss = plan.failover && fault.n / 4 == 0;
  controller->executor().open(plan_to_run(plan));
  kernel.after(0, 2_s, [this] { look_after_run(); });
}

void World::person_says(run::Input input) {
  if (Controller* controller = some_controller()) controller->executor().hear(std::move(input));
}

void World::ask_people(const run::ApprovalAsked& question) {
  for (const char* person : kPeople) {
    if (random.chance(0.3)) continue;
    int times = random.chance(0.2) ? 2 : 1;
    for (int time = 0; time < times; ++time) {
      kernel.after(0, random.between(200, 6'000) * 1_ms, [this, step = question.step, person] {
        if (random.chance(0.04)) return person_says(run::input::Decline{step, person, "not now"});
        person_says(run::input::Approve{step, person});
      });
    }
  }
}

void World::meddle(const Fault& fault) {
  if (run_watch.open() == nullptr) return;
  switch (fault.n) {
    case 0: return person_says(run::input::Abort{"ann", "not needed", false});
    case 1: return person_says(run::input::Abort{"ann", "not needed", true});
    case 2: return person_says(run::input::CancelStep{"move", "bob", "it takes too long"});
    case 3: return person_says(run::input::CancelStep{"point-users", "bob", "it takes too long"});
    default: return person_says(run::input::Pause{"cid", "let me look"});
  }
}

// A person who helps a run on that waits for people. A store that is put back may open one again that had ended.
void World::look_after_run() {
  kernel.after(0, random.between(1'500, 4'000) * 1_ms, [this] { look_after_run(); });
  const run::RunState* state = run_watch.open();
  if (state == nullptr) return;
  if (state->paused) return person_says(run::input::Resume{"ann"});
  if (!state->blocking.empty()) {
    const std::string& step = state->opened->steps[*state->blocking.begin()].id;
    if (random.chance(0.7)) return person_says(run::input::Retry{step, "ann"});
    return person_says(run::input::Skip{step, "ann", "it can wait"});
  }
  // Nobody has answered, or whoever was asked was not heard.
  bool long_ago = kernel.now() - store.now.journal_grew > 8_s;
  for (size_t active : state->active) {
    const run::StepState& step = state->steps[active];
    if (long_ago && step.status == run::StepStatus::asking) ask_people(*step.question);
  }
}

}  // namespace lifeboat::sim
