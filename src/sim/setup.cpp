#include "sim/setup.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/data/describe.hpp"

namespace lifeboat::sim {

namespace {

struct Weighed {
  FaultKind kind;
  int weight;
};

constexpr Weighed kSafetyFaults[] = {
    {FaultKind::kill_server, 10},     {FaultKind::hang_server, 6},
    {FaultKind::kill_agent, 8},       {FaultKind::stop_agent, 8},
    {FaultKind::kill_guard, 4},       {FaultKind::stop_guard, 5},
    {FaultKind::freeze_node, 8},      {FaultKind::crash_node, 8},
    {FaultKind::cut_both, 8},         {FaultKind::cut_one_way, 8},
    {FaultKind::isolate, 10},         {FaultKind::isolate_region, 5},
    {FaultKind::swizzle, 4},          {FaultKind::slow_network, 5},
    {FaultKind::crash_controller, 8}, {FaultKind::pause_controller, 6},
    {FaultKind::slow_disk, 4},        {FaultKind::full_disk, 3},
    {FaultKind::hold_up_replay, 6},   {FaultKind::deaf_standby, 5},
    {FaultKind::crash_at, 10},        {FaultKind::crash_controller_at, 6},
    {FaultKind::ask_switchover, 8},   {FaultKind::ask_failover, 3},
    {FaultKind::ask_reprotect, 6},    {FaultKind::isolate_controller, 6},
    {FaultKind::lose_controllers, 5}, {FaultKind::store_away, 4},
    {FaultKind::store_unsure, 6},
};

FaultKind some_fault(Random& random) {
  int all = 0;
  for (const Weighed& entry : kSafetyFaults) all += entry.weight;
  auto luck = static_cast<int>(random.below(static_cast<uint64_t>(all)));
  for (const Weighed& entry : kSafetyFaults) {
    if ((luck -= entry.weight) < 0) return entry.kind;
  }
  return FaultKind::kill_server;
}

}  // namespace

std::string_view name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::kill_server: return "kill server";
    case FaultKind::hang_server: return "stop server";
    case FaultKind::kill_agent: return "kill agent";
    case FaultKind::stop_agent: return "stop agent";
    case FaultKind::kill_guard: return "kill guard";
    case FaultKind::stop_guard: return "stop guard";
    case FaultKind::freeze_node: return "freeze node";
    case FaultKind::crash_node: return "crash node";
    case FaultKind::cut_both: return "cut both ways";
    case FaultKind::cut_one_way: return "cut one way";
    case FaultKind::isolate: return "isolate node";
    case FaultKind::isolate_region: return "isolate region";
    case FaultKind::isolate_controller: return "isolate controller";
    case FaultKind::swizzle: return "swizzle-clog";
    case FaultKind::slow_network: return "slow network";
    case FaultKind::crash_controller: return "crash controller";
    case FaultKind::lose_controllers: return "lose all controllers";
    case FaultKind::pause_controller: return "pause controller";
    case FaultKind::slow_disk: return "slow disk";
    case FaultKind::full_disk: return "full disk";
    case FaultKind::hold_up_replay: return "hold up replay";
    case FaultKind::deaf_standby: return "deaf standby";
    case FaultKind::crash_at: return "agent dies at an effect";
    case FaultKind::crash_controller_at: return "controller dies at an effect";
    case FaultKind::store_away: return "store away";
    case FaultKind::store_unsure: return "store unsure";
    case FaultKind::step_clock: return "set the clock of controller";
    case FaultKind::revoke_lead: return "the store revokes the leader's lease";
    case FaultKind::restore_store: return "restore the store from a copy made now";
    case FaultKind::ask_switchover: return "ask for a switchover";
    case FaultKind::ask_failover: return "ask for a failover";
    case FaultKind::ask_reprotect: return "ask for standbys";
    case FaultKind::ask_restore: return "put the data back and ask for it";
    case FaultKind::open_run: return "open a run";
    case FaultKind::meddle: return "meddle with the run";
    case FaultKind::lie: return "lie";
  }
  return "?";
}

std::string in_words(const Fault& fault) {
  std::string out = fmt::format("{:.3f} s  {}", static_cast<double>(fault.at) / 1e9, name_of(fault.kind));
  switch (fault.kind) {
    case FaultKind::cut_both:
    case FaultKind::cut_one_way:
    case FaultKind::slow_network: out += fmt::format(" {} -> {}", fault.a, fault.b); break;
    case FaultKind::step_clock: out += fmt::format(" {} by {} ms", fault.b, fault.n); break;
    case FaultKind::crash_at:
    case FaultKind::crash_controller_at: out += fmt::format(" {}, number {}", fault.a, fault.n); break;
    default: out += fmt::format(" {}", fault.a);
  }
  if (fault.length > 0) out += fmt::format(" for {:.3f} s", static_cast<double>(fault.length) / 1e9);
  return out;
}

namespace {

// Which machines there are and how they are set up.
void lay_out(Setup& setup, Random& random) {
  setup.members = static_cast<int>(random.one_of({2, 3, 3, 3, 3, 4}));
  setup.regions = random.one_of({1, 2, 2, 3});
  setup.controllers = random.one_of({1, 3, 3});
  setup.lease = Duration{random.one_of({1'000, 2'000, 2'000, 3'000, 5'000})};
  setup.automatic = random.one_of({AutomaticFailover::any, AutomaticFailover::any, AutomaticFailover::any,
                                   AutomaticFailover::same_region, AutomaticFailover::none});
  setup.automatic_at_most = random.one_of({1, 2, 10});
  setup.loss_allowed = Duration{random.one_of({900'000, 900'000, 1'000, 3'000})};
  setup.sync = setup.members == 2 && random.chance(0.5) ? 1 : 0;
  setup.fresh = random.chance(0.03);
  setup.drift = random.one_of({0.0, 0.0, 0.001, 0.01});
  setup.loss = random.one_of({0.0, 0.0, 0.0, 0.01, 0.05});
  setup.loose = random.chance(0.1);
}

void brew_storm(Setup& setup, Random& random) {
  setup.storm = random.between(6'000, 22'000) * 1_ms;
  auto places = static_cast<uint64_t>(setup.places());
  int faults = random.one_of({1, 2, 3, 4, 5, 6, 8, 12});
  // Most come at any time; some follow close on the one before, where they meet what it set in motion.
  Nanos last = 0;
  for (int count = 0; count < faults; ++count) {
    Fault fault;
    fault.kind = some_fault(random);
    bool close = last > 0 && random.chance(0.4);
    fault.at = close ? last + random.between(0, 2'500) * 1_ms + random.between(0, 999'999)
                     : random.between(3'000, setup.storm / 1_ms) * 1_ms;
    last = fault.at;
    fault.length = random.one_of({200_ms, 900_ms, 2_s, 4_s, 8_s}) * random.between(50, 150) / 100;
    fault.a = static_cast<int>(random.below(static_cast<uint64_t>(setup.members)));
    fault.b = static_cast<int>(random.below(places));
    fault.n = static_cast<int>(random.between(1, 8));
    bool between_places = fault.kind == FaultKind::cut_both || fault.kind == FaultKind::cut_one_way ||
                          fault.kind == FaultKind::slow_network;
    if (between_places) fault.a = static_cast<int>(random.below(places));
    // Something has to happen to the primary after that.
    if (fault.kind == FaultKind::hold_up_replay) fault.at /= 2;
    setup.faults.push_back(fault);
  }
}

// A rewind that is cut off: the first primary dies, its reprotection is asked for, and in the middle of that its agent dies; or the server
// that it is rewound to, whose successor has another history, while the order is on its way.
void cut_off_a_rewind(Setup& setup, Random& random) {
  auto some = [&](int64_t least, int64_t most) {
    return random.between(least, most) * 1_ms + random.between(1, 999'999);
  };
  Fault dies{.kind = FaultKind::kill_server, .at = some(4'000, 9'000)};
  Fault asked{.kind = FaultKind::ask_reprotect, .at = dies.at + some(1'000, 6'000)};
  dies.n = asked.n = static_cast<int>(random.between(1, 8));
  setup.faults.insert(setup.faults.end(), {dies, asked});
  Fault cut{.kind = FaultKind::crash_at, .at = asked.at - 1_ms, .n = static_cast<int>(random.between(1, 6))};
  if (random.chance(0.5)) {
    cut = {.kind = FaultKind::kill_server, .at = asked.at + some(-300, 300)};
    cut.a = static_cast<int>(random.between(1, setup.members - 1));
    for (int controller = 0; controller < setup.controllers; ++controller)
      setup.faults.push_back(
          {FaultKind::slow_network, asked.at - 1_s + controller, 3_s, 0, setup.members + controller, 1});
  }
  setup.faults.push_back(cut);
  setup.storm = std::max(setup.storm, asked.at + 2_s);
}

// Two that meet seldom by chance: a person acts right after all controllers were started anew, and a server dies on its way to
// the lead that a person gave it.
void add_pair(Setup& setup, Random& random) {
  Nanos at = random.between(3'000, setup.storm / 1_ms) * 1_ms + random.between(0, 999'999);
  Fault first{.at = at}, second;
  first.a = second.a = static_cast<int>(random.below(static_cast<uint64_t>(setup.members)));
  first.n = second.n = static_cast<int>(random.between(1, 8));
  if (random.chance(0.5)) {
    first.kind = FaultKind::lose_controllers;
    first.length = random.between(100, 600) * 1_ms;
    second.kind = FaultKind::ask_failover;
    second.at = at + first.length + random.between(50, 900) * 1_ms + 1;
  } else {
    first.kind = FaultKind::ask_switchover;
    second.kind = FaultKind::kill_server;
    second.at = at + random.between(1, 500) * 1_ms + 1;
  }
  setup.faults.push_back(first);
  setup.faults.push_back(second);
}

// Controllers are out of reach for about as long as a lease, so that what was said to them before comes when it has ended.
void hold_news_up(Setup& setup, Random& random) {
  Nanos at = random.between(3'000, setup.storm / 1_ms) * 1_ms + random.between(0, 999'999);
  for (int controller = 0; controller < setup.controllers; ++controller) {
    Nanos length = Nanos{setup.lease.count()} * 1_ms * random.between(90, 180) / 100;
    setup.faults.push_back({FaultKind::isolate_controller, at + controller + 1, length, 0, controller, 0});
  }
}

// The lease of the leading controller is revoked before its time, as etcd has done it. That one does not hear of it, because it has
// lost the store, and the primary hears it alone.
void revoke_the_lead(Setup& setup, Random& random) {
  Nanos at = random.between(3'000, setup.storm / 1_ms) * 1_ms + random.between(0, 999'999);
  // With a long lease its margin covers what the leader goes on saying.
  setup.lease = std::min(setup.lease, Duration{random.one_of({1'000, 1'000, 2'000, 5'000})});
  Nanos length = Nanos{setup.lease.count()} * 1_ms * random.between(110, 250) / 100;
  setup.faults.push_back({FaultKind::revoke_lead, at, length, 0, 0, static_cast<int>(random.between(0, 6))});
}

// A copy of the store is put back after what was done since is forgotten; some of it goes wrong after that too.
void add_restore(Setup& setup, Random& random) {
  Nanos at = random.between(1'000, setup.storm / 1_ms) * 1_ms + random.between(0, 999'999);
  Nanos length = random.between(500, 12'000) * 1_ms;
  setup.faults.push_back({FaultKind::restore_store, at, length, 0, 0, static_cast<int>(random.between(1, 8))});
}

// A primary is fenced because its agent stands still, another member is told to follow it all the same and stands still with that
// order in hand, and when it goes on the primary's data have been put back.
void hold_an_order_up(Setup& setup, Random& random, size_t put_back) {
  // With all of them, nobody is there to take over meanwhile, and it is the first primary that is wanted.
  bool all = random.chance(0.5);
  Fault& asked = setup.faults[put_back];
  if (all) asked.a = 0;
  int wanted = asked.a;
  Nanos lease = Nanos{setup.lease.count()} * 1_ms;
  Nanos still = lease + random.between(200, 2'000) * 1_ms;
  // It goes on just before that; often so shortly that the grant for which it was waited is still in flight.
  Nanos since = random.between(0, all && random.chance(0.4) ? 100 : 900) * 1_ms;
  // By then it is primary, and has standbys.
  if (all) asked.at = std::max<Nanos>(asked.at, lease + 3_s + still + since);
  Nanos put_back_at = asked.at;
  Nanos begins = std::max<Nanos>(put_back_at - still - since, 1'500_ms);
  setup.faults.push_back({FaultKind::stop_agent, begins, still, wanted, 0, 0});
  int other = (wanted + static_cast<int>(random.between(1, setup.members - 1))) % setup.members;
  // All stand still when they have told that the fenced one sends them nothing, and before they are asked whether to take over.
  Nanos after = all ? lease * random.between(68, 92) / 100 : lease + random.between(0, 800) * 1_ms;
  Nanos holds = begins + after + random.between(1, 999'999);
  Nanos until = std::max(holds, put_back_at) + random.between(1'000, 5'000) * 1_ms;
  for (int member = 0; member < setup.members; ++member) {
    if (member == other || (all && member != wanted))
      setup.faults.push_back({FaultKind::stop_agent, holds + member, until - holds, member, 0, 0});
    // Then that one alone may have what was written last.
    if (all && member != wanted && member != other)
      setup.faults.push_back({FaultKind::deaf_standby, begins - 1_s + member, until - begins + 1_s, member, 0, 0});
  }
}

// What a member says reaches no controller any more while it goes on writing what it is sent; the primary's data are put back, and the
// member's server dies with the order to follow in hand.
void lose_sight(Setup& setup, Random& random, size_t put_back) {
  setup.faults[put_back].n = kToLately;
  Nanos put_back_at = setup.faults[put_back].at;
  int other = (setup.faults[put_back].a + static_cast<int>(random.between(1, setup.members - 1))) % setup.members;
  Nanos begins = put_back_at + random.between(-500, 50) * 1_ms;
  Nanos length = random.between(2, 7) * 1_s;
  for (int controller = 0; controller < setup.controllers; ++controller)
    setup.faults.push_back(
        {FaultKind::cut_one_way, begins + controller + 1, length, other, setup.members + controller, 0});
  Nanos dies = put_back_at + random.between(1'000, 3'500) * 1_ms + random.between(1, 999'999);
  setup.faults.push_back({FaultKind::kill_server, dies, 0, other, 0, 0});
}

// A person has the data put back; what else goes wrong then is drawn close to it.
void add_put_back(Setup& setup, Random& random) {
  Nanos at = random.between(4'000, std::max<int64_t>(setup.storm / 1_ms, 5'000)) * 1_ms + random.between(0, 999'999);
  auto member = [&] { return static_cast<int>(random.between(0, setup.members - 1)); };
  int wanted = member();
  size_t put_back = setup.faults.size();
  setup.faults.push_back({FaultKind::ask_restore, at, 0, wanted, 0, static_cast<int>(random.between(0, 7))});
  auto soon = [&] { return at + random.between(1, 3'000) * 1_ms + random.between(0, 999'999); };
  if (random.chance(0.3))
    setup.faults.push_back({FaultKind::crash_at, at, 0, wanted, 0, static_cast<int>(random.between(1, 12))});
  if (random.chance(0.3))
    setup.faults.push_back({FaultKind::crash_node, soon(), random.between(1, 6) * 1_s, member(), 0, 0});
  if (random.chance(0.2))
    setup.faults.push_back(
        {FaultKind::crash_controller_at, at, 0, 0, member(), static_cast<int>(random.between(1, 5))});
  if (random.chance(0.2))
    setup.faults.push_back({FaultKind::isolate, soon(), random.between(1, 6) * 1_s, member(), 0, 0});
  if (random.chance(0.2)) setup.faults.push_back({FaultKind::ask_restore, soon(), 0, member(), 0, 3});
  if (random.chance(0.3)) setup.faults.push_back({FaultKind::ask_reprotect, soon(), 0, member(), 0, 1});
  if (random.chance(0.6)) hold_an_order_up(setup, random, put_back);
  if (random.chance(0.6)) lose_sight(setup, random, put_back);
  for (const Fault& fault : setup.faults) setup.storm = std::max(setup.storm, fault.at + 1_s);
}

// A run of a plan, with controllers that die in the middle of it and people who change their minds.
void add_run(Setup& setup, Random& random) {
  Nanos at = random.between(3'000, setup.storm / 1_ms) * 1_ms + random.between(0, 999'999);
  auto some = [&] { return static_cast<int>(random.below(static_cast<uint64_t>(setup.places()))); };
  setup.faults.push_back({FaultKind::open_run, at, 0, static_cast<int>(random.between(0, setup.members - 1)), 0,
                          static_cast<int>(random.between(0, 7))});
  auto soon = [&] { return at + random.between(1, 12'000) * 1_ms + random.between(0, 999'999); };
  for (int64_t deaths = random.between(0, 3); deaths > 0; --deaths)
    setup.faults.push_back(
        {FaultKind::crash_controller_at, soon(), 0, 0, some(), static_cast<int>(random.between(1, 8))});
  if (random.chance(0.3))
    setup.faults.push_back({FaultKind::meddle, soon(), 0, 0, 0, static_cast<int>(random.between(0, 5))});
  for (const Fault& fault : setup.faults) setup.storm = std::max(setup.storm, fault.at + 1_s);
}

// The time of day of controllers' machines is wrong from the start or is set meanwhile: by what an NTP client steps, or by hours, as where a
// time zone was taken for another one. No two differ by as much as the time for which automatic failovers count.
void set_clocks(Setup& setup, Random& random) {
  for (int controller = 0; controller < setup.controllers; ++controller) {
    bool by_hours = random.chance(0.5);
    for (int64_t steps = random.between(0, 3); steps > 0; --steps) {
      int64_t by = random.one_of({1'500, 30'000, 600'000});
      if (std::exchange(by_hours, false)) by = random.between(1, 11) * 3'600'000;
      if (random.chance(0.5)) by = -by;
      Nanos at = random.chance(0.3) ? 0 : random.between(1'000, setup.storm / 1_ms) * 1_ms;
      setup.faults.push_back(
          {FaultKind::step_clock, at + random.between(1, 999'999), 0, 0, controller, static_cast<int>(by)});
    }
  }
}

// Enough for a core: one member, and controllers that are a majority. Nothing in the plan forbids it to serve.
void choose_core(Setup& setup, Random& random) {
  setup.automatic = AutomaticFailover::any;
  setup.automatic_at_most = 1'000;
  setup.fresh = false;
  setup.loss_allowed = Duration{900'000};
  std::vector<int> members, controllers;
  for (int place = 0; place < setup.places(); ++place) (place < setup.members ? members : controllers).push_back(place);
  auto take_some = [&](std::vector<int>& from, size_t at_least) {
    size_t wanted = at_least + random.below(from.size() - at_least + 1);
    for (size_t taken = 0; taken < wanted; ++taken) {
      auto at = from.begin() + static_cast<std::ptrdiff_t>(random.below(from.size()));
      setup.core.push_back(*at);
      from.erase(at);
    }
    return wanted;
  };
  // Who is waited for must be there in the end.
  if (take_some(members, 1) != static_cast<size_t>(setup.members)) setup.sync = 0;
  take_some(controllers, controllers.size() / 2 + 1);
  std::ranges::sort(setup.core);
}

// What a healthy system sees in ten minutes: a packet lost now and then, delays, stalls of up to a third of its lease, and
// one standby that says what is not so.
void make_noise(Setup& setup, Random& random) {
  setup.members = 3;
  setup.fresh = setup.loose = false;
  setup.drift = std::min(setup.drift, 0.001);
  setup.loss = random.one_of({0.0, 0.001, 0.005});
  setup.lease = Duration{random.one_of({2'000, 2'000, 3'000, 5'000})};
  setup.write_every = 1_s;
  setup.storm = 600_s;
  Nanos lease = Nanos{setup.lease.count()} * 1_ms;
  for (Nanos at = kNoiseBegins; at < setup.storm; at += random.between(2'000, 20'000) * 1_ms) {
    Fault fault;
    fault.kind = random.one_of({FaultKind::freeze_node, FaultKind::stop_agent, FaultKind::stop_guard,
                                FaultKind::hang_server, FaultKind::pause_controller, FaultKind::slow_disk,
                                FaultKind::slow_network, FaultKind::hold_up_replay, FaultKind::deaf_standby});
    fault.at = at;
    // The lease that hangs on it: the database's, or the controllers' own of two seconds.
    bool controllers = fault.kind == FaultKind::pause_controller;
    fault.length = random.between(1, (controllers ? std::min(lease, 2_s) : lease) / 3 / 1_ms) * 1_ms;
    fault.a = static_cast<int>(random.below(static_cast<uint64_t>(setup.members)));
    fault.b = static_cast<int>(random.below(static_cast<uint64_t>(setup.places())));
    fault.n = 1;
    setup.faults.push_back(fault);
  }
  Nanos away = random.between(60, 500) * 1_s + random.between(1, 999) * 1'000;
  // A primary that loses all controllers has what is left of its lease to hear from the others: one stall more is half as long.
  for (Fault& fault : setup.faults) {
    if (fault.at > away - lease && fault.at < away + lease) fault.length /= 2;
  }
  setup.faults.push_back({FaultKind::lose_controllers, away, random.between(5, 90) * 1_s, 0, 0, 0});
  setup.faults.push_back({FaultKind::lie, kNoiseBegins + random.between(1, 999) * 1'000, setup.storm,
                          static_cast<int>(random.between(1, 2)), 0, static_cast<int>(random.between(0, 4))});
}

}  // namespace

Setup setup_from(uint64_t seed, Profile profile) {
  Random random(seed);
  Setup setup;
  setup.seed = seed;
  setup.profile = profile;
  lay_out(setup, random);
  Random replication(seed ^ 0x51C5);
  if (setup.members > 2 && replication.chance(0.4)) setup.sync = setup.members == 4 && replication.chance(0.3) ? 2 : 1;
  if (setup.sync > 0 && setup.regions > 1 && replication.chance(0.3))
    setup.sync_region = static_cast<int>(replication.below(static_cast<uint64_t>(setup.regions)));
  if (profile == Profile::liveness) choose_core(setup, random);
  if (profile == Profile::noise) {
    make_noise(setup, random);
  } else {
    brew_storm(setup, random);
    Random pairs(seed ^ 0x9A1B);
    if (pairs.chance(0.06)) add_pair(setup, pairs);
    if (profile == Profile::safety && pairs.chance(0.04)) add_restore(setup, pairs);
    if (profile == Profile::safety && pairs.chance(0.04)) hold_news_up(setup, pairs);
    Random leads(seed ^ 0x1EAD);
    if (setup.controllers > 1 && leads.chance(0.06)) revoke_the_lead(setup, leads);
    Random rewinds(seed ^ 0x51C7);
    if (rewinds.chance(0.05)) cut_off_a_rewind(setup, rewinds);
    Random back(seed ^ 0x2D15);
    if (back.chance(0.15)) add_put_back(setup, back);
    Random runs(seed ^ 0x7B3D);
    if (runs.chance(0.12)) add_run(setup, runs);
  }
  // Drawn apart, so that a seed's other choices stay what they are.
  Random plan(seed ^ 0xE8C1);
  if (profile == Profile::safety && setup.members > 2 && plan.chance(0.15))
    setup.excluded = static_cast<int>(plan.between(1, setup.members - 1));
  Random days(seed ^ 0xDA7E);
  if (days.chance(0.2)) set_clocks(setup, days);
  // No two come at the same nanosecond, so any order of equals will do.
  std::ranges::sort(setup.faults, {}, &Fault::at);
  return setup;
}

}  // namespace lifeboat::sim
