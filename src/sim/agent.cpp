#include "sim/agent.hpp"

#include <fmt/format.h>

#include "core/member/member_impl.hpp"

template class lifeboat::MemberLogic<lifeboat::sim::MemberRim>;

namespace lifeboat::sim {

namespace {

constexpr Nanos kReportEvery = 100_ms;
constexpr Nanos kHereWithin = 1'600_ms;

}  // namespace

Task<> MemberRim::sleep_until(MonoTime at) {
  co_await Sleep(world.kernel, host.agent_process, host.clock.truth_of(at));
}

void MemberRim::post(std::function<void()> what) { world.kernel.after(host.agent_process, 0, std::move(what)); }

Task<std::optional<Result<>>> MemberRim::unless(Task<Result<>> work, Task<> stop) {
  return sim::unless(world.kernel, host.agent_process, std::move(work), std::move(stop));
}

Result<> MemberRim::keep(const MemberRecord& record) {
  if (host.disk.full) return fail(ErrorKind::refused, "no space left on device");
  world.agent_effect(host.index, "is about to keep its term");
  world.kept(host, record);
  host.disk.record = record;
  if (host.takes_writes() && record.leads > host.term) world.goes_on_under(host, record.leads);
  // The agent's one thread stands still until it is on the disk.
  if (host.disk.slow > 0) world.kernel.pause(host.agent_process, world.kernel.now() + host.disk.slow);
  world.agent_effect(host.index, "has kept its term");
  return {};
}

Agent::Agent(World& world, int member)
    : world_(world),
      host_(*world.hosts[static_cast<size_t>(member)]),
      scope_(world.kernel, host_.agent_process),
      server_(world, host_, world.config_of(member)),
      rim_{world, host_, scope_},
      logic_(rim_, server_, kService, hooks()) {
  scope_.spawn(begin(this));
}

Agent::~Agent() {
  ending_ = true;
  scope_.clear();
}

MemberLogic<MemberRim>::Hooks Agent::hooks() {
  MemberLogic<MemberRim>::Hooks out;
  out.renew = [this](const wire::Renew& renew) {
    if (link_ == nullptr) return;
    // A link that died without a word is made anew while there is still time.
    Nanos now = world_.kernel.now();
    Nanos lease = Nanos{world_.setup.lease.count()} * 1_ms;
    bool stood_still = now - asked_ > lease / 4;
    asked_ = now;
    if (unanswered_since_ < 0 || stood_still) unanswered_since_ = now;
    if (now - unanswered_since_ > lease * 2 / 5) return drop_link();
    world_.send(link_, true, renew);
  };
  out.release = [this](const wire::Release& release) {
    if (ending_) return;
    world_.agent_effect(host_.index, "gives its term back");
    if (link_ == nullptr) {
      releases_.push_back(release);
    } else {
      world_.send(link_, true, release);
    }
  };
  out.keep = [this](const wire::Keep& asked) {
    for (int other = 0; other < world_.setup.members; ++other) {
      if (other != host_.index) world_.tell_member(host_.index, other, asked);
    }
  };
  out.changed = [this] { report_soon(); };
  out.log = [this](const std::string& text) {
    if (world_.kernel.tells()) world_.tell(fmt::format("agent m{}: {}", host_.index, text));
  };
  return out;
}

Task<> Agent::begin(Agent* self) {
  auto beginning = self->logic_.begin();
  auto begun = co_await std::move(beginning);
  if (!begun && self->world_.kernel.tells()) self->world_.tell(begun.error().text());
  self->scope_.spawn(self->keep_link());
  self->scope_.spawn(self->report_regularly());
}

void Agent::hear(const wire::Keep& asked) {
  wire::Kept answer = logic_.keep(asked);
  if (answer.promised) {
    MonoTime until = rim_.now() + Duration{asked.length_ms};
    world_.promised(host_.index, asked.term, host_.clock.truth_of(until));
    world_.agent_effect(host_.index, "has promised");
  }
  world_.tell_member(host_.index, world_.member_index(asked.member), answer);
}

// ---- the link

Task<> Agent::keep_link() {
  Kernel& kernel = world_.kernel;
  while (true) {
    int controller = turn_++ % world_.setup.controllers;
    bool answered = false;
    world_.dial(host_.index, controller, [this, &answered](std::shared_ptr<Link> link) {
      link_ = std::move(link);
      answered = true;
    });
    Nanos begun = kernel.now();
    while (!answered && kernel.now() - begun < 1_s) co_await Sleep(kernel, host_.agent_process, kernel.now() + 5_ms);
    if (link_ != nullptr) {
      heard_ = kernel.now();
      unanswered_since_ = -1;
      if (kernel.tells()) world_.tell(fmt::format("agent m{}: linked to c{}", host_.index, controller));
      for (wire::Release& release : std::exchange(releases_, {})) world_.send(link_, true, release);
      logic_.linked();
      report_soon();
      while (link_ != nullptr) {
        Nanos before = kernel.now();
        co_await Sleep(kernel, host_.agent_process, before + 50_ms);
        // After it stood still, what waits for it is read first.
        if (kernel.now() - before > 150_ms) heard_ = kernel.now();
        if (link_ != nullptr && kernel.now() - heard_ > kHereWithin) drop_link();
      }
    }
    bool lasted = kernel.now() - begun > 5_s;
    pause_ = lasted ? 50_ms : std::min(pause_ * 2, world_.setup.controllers > 1 ? 200_ms : 500_ms);
    co_await Sleep(kernel, host_.agent_process, kernel.now() + pause_);
  }
}

void Agent::drop_link() {
  if (link_ == nullptr) return;
  auto link = std::exchange(link_, nullptr);
  world_.let_go(link, true);
}

void Agent::link_ended(const std::shared_ptr<Link>& link) {
  // What was not written yet and must not be lost goes first over the next one.
  for (auto& [when, message] : link->up.queue) {
    if (const auto* release = std::get_if<wire::Release>(&message)) releases_.push_back(*release);
  }
  if (link_ == link) link_ = nullptr;
}

void Agent::report_soon() {
  if (ending_ || std::exchange(report_due_, true)) return;
  world_.kernel.after(host_.agent_process, 1_ms, [this] { report(); });
}

void Agent::report() {
  report_due_ = false;
  if (link_ == nullptr) return;
  world_.send(link_, true, ReportMessage{rim_.now().time_since_epoch().count(), what_it_says()});
}

MemberReport Agent::what_it_says() const {
  MemberReport report = logic_.report();
  switch (host_.lie) {
    case 0: report.state = ServerState::stopped; break;
    case 1: report.streaming = false; break;
    case 2: report.written = Lsn{report.written.value + 1'000'000}; break;
    case 3: report.state = ServerState::primary; break;
    case 4: report.upstream.clear(); break;
    default: break;
  }
  return report;
}

Task<> Agent::report_regularly() {
  while (true) {
    co_await Sleep(world_.kernel, host_.agent_process, world_.kernel.now() + kReportEvery);
    report();
  }
}

// For the checker: until when the server must not be ended for want of a renewal.
void Agent::note_renewal(const wire::Renewed& answer) {
  Lease lease{.length = Duration{server_.config().lease_ms}};
  int64_t now = rim_.now().time_since_epoch().count();
  bool in_time = host_.guard.there && host_.guard.fence != kNoFence && now < host_.guard.fence;
  if (!answer.granted || !in_time || answer.sent_ns > now || answer.term != logic_.report().term) return;
  int64_t to = answer.sent_ns + std::chrono::nanoseconds(lease.length - lease.margin()).count();
  host_.guard.renewed_to = std::max(host_.guard.renewed_to, to);
}

void Agent::take(const std::shared_ptr<Link>& link, Message message) {
  if (link != link_) return;
  heard_ = world_.kernel.now();
  unanswered_since_ = -1;
  if (const auto* renewed = std::get_if<wire::Renewed>(&message)) {
    note_renewal(*renewed);
    return logic_.renewed(*renewed);
  }
  if (const auto* order = std::get_if<wire::SyncWith>(&message)) return logic_.sync_with(*order);
  if (const auto* asked = std::get_if<wire::LookAgain>(&message)) return logic_.look_again(asked->mark);
  if (auto* request = std::get_if<RequestMessage>(&message)) scope_.spawn(carry_out(std::move(*request), link_));
}

Task<> Agent::carry_out(RequestMessage request, std::shared_ptr<Link> over) {
  Server::Deadline deadline{rim_.now() + request.within};
  Result<Json> done = fail(ErrorKind::internal, "");
  if (const auto* lead = std::get_if<wire::Lead>(&request.order)) {
    auto leading = logic_.lead(*lead, deadline, [](const std::string&) {});
    done = co_await std::move(leading);
  } else if (const auto* follow = std::get_if<wire::Follow>(&request.order)) {
    auto following = logic_.follow(*follow, deadline, [](const std::string&) {});
    done = co_await std::move(following);
  } else if (const auto* adopt = std::get_if<wire::Adopt>(&request.order)) {
    auto adopting = logic_.adopt(*adopt, deadline, [](const std::string&) {});
    done = co_await std::move(adopting);
  } else {
    auto stepping = logic_.step_down(std::get<wire::StepDown>(request.order), deadline);
    done = co_await std::move(stepping);
  }
  world_.agent_effect(host_.index, "answers");
  ReplyMessage reply;
  reply.id = request.id;
  reply.ok = done.has_value();
  if (done) {
    reply.result = std::move(*done);
  } else {
    reply.kind = done.error().kind;
    reply.error = done.error().text();
  }
  // The next controller counts its requests anew, and would take the answer for that of another.
  if (link_ == over && link_ != nullptr) world_.send(link_, true, std::move(reply));
}

}  // namespace lifeboat::sim
