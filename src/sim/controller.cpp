#include "sim/controller.hpp"

#include <fmt/format.h>

namespace lifeboat::sim {

using namespace ownership;

namespace {

// As in controller/databases.
constexpr Nanos kTick = 25_ms;
constexpr Nanos kSilence = 4_s;
constexpr Duration kLeadPatience{30'000};
constexpr Duration kStepDownPatience{60'000};
constexpr Duration kFollowPatience{std::chrono::hours(12)};
constexpr Nanos kPersonsPatience = 40_s;

}  // namespace

Controller::Controller(World& world, int index) : world_(world), index_(index), scope_(world.kernel, process()) {
  scope_.spawn(live());
}

Controller::~Controller() { scope_.clear(); }

Task<> Controller::live() {
  Kernel& kernel = world_.kernel;
  do co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 30) * 1_ms);
  while (world_.store.away);
  Past past;
  past.ever_written = world_.store.ever_written;
  for (Nanos at : world_.store.automatic) past.automatic_failovers.push_back(clock().read(at));
  state_ = initial_state(world_.ownership_config(), world_.store.term, world_.store.holder, local(), std::move(past));
  world_.right_until(state_->term, clock().truth_of(state_->lease_until));
  while (true) {
    co_await Sleep(kernel, process(), kernel.now() + kTick);
    drop_silent_links();
    feed(Tick{});
  }
}

// A dead link that TCP has not noticed.
void Controller::drop_silent_links() {
  std::vector<std::shared_ptr<Link>> silent;
  for (const auto& [member, link] : links_) {
    if (world_.kernel.now() - link->heard > kSilence) silent.push_back(link);
  }
  for (const auto& link : silent) world_.let_go(link, false);
}

void Controller::linked(const std::shared_ptr<Link>& link) {
  if (auto old = links_.find(link->member); old != links_.end()) {
    auto replaced = old->second;
    world_.let_go(replaced, false);
    link_ended(replaced);
  }
  links_[link->member] = link;
  feed(AgentConnected{world_.member_name(link->member)});
}

void Controller::link_ended(const std::shared_ptr<Link>& link) {
  std::vector<uint64_t> cut;
  for (const auto& [id, call] : calls_) {
    if (call.link == link->id) cut.push_back(id);
  }
  auto current = links_.find(link->member);
  bool was_current = current != links_.end() && current->second == link;
  if (was_current) links_.erase(current);
  if (was_current) feed(AgentLost{world_.member_name(link->member)});
  for (uint64_t id : cut) call_ends(id, false, true, "the link was lost before it answered", {});
}

void Controller::take(const std::shared_ptr<Link>& link, Message message) {
  auto current = links_.find(link->member);
  if (current == links_.end() || current->second != link) return;
  if (auto* report = std::get_if<ReportMessage>(&message)) {
    feed(Reported{report->boot_ns, std::move(report->report)});
  } else if (const auto* renew = std::get_if<wire::Renew>(&message)) {
    feed(RenewAsked{renew->member, renew->term, renew->sent_ns});
  } else if (const auto* release = std::get_if<wire::Release>(&message)) {
    feed(Released{release->member, release->term, release->reason, release->server_failed});
  } else if (auto* reply = std::get_if<ReplyMessage>(&message)) {
    bool unknown = reply->kind == ErrorKind::unknown_outcome || reply->kind == ErrorKind::timed_out;
    call_ends(reply->id, reply->ok, !reply->ok && unknown, std::move(reply->error), std::move(reply->result));
  }
}

void Controller::ask(Transfer wanted) {
  if (!state_ || state_->transfer) return;
  wanted.id = next_transfer_++;
  asked_[wanted.id] = {wanted, world_.kernel.now()};
  world_.kernel.after(process(), kPersonsPatience, [this, id = wanted.id] {
    if (asked_.erase(id) != 0) feed(TransferGivenUp{id});
  });
  feed(TransferAsked{wanted});
}

void Controller::feed(const Input& input) {
  if (!state_) return;
  std::vector<Command> commands = step(*state_, input, local());
  for (const Command& command : commands) carry_out(command);
}

void Controller::carry_out(const Command& command) {
  using What = CommandDone::What;
  if (const auto* answer = std::get_if<AnswerRenew>(&command)) {
    if (answer->granted) world_.right_until(answer->term, clock().truth_of(state_->lease_until));
    auto link = links_.find(world_.member_index(answer->member));
    if (link != links_.end())
      world_.send(link->second, false, wire::Renewed{kService, answer->term, answer->sent_ns, answer->granted});
  } else if (const auto* grant = std::get_if<MakeGrant>(&command)) {
    world_.controller_effect(index_, "is about to grant");
    scope_.spawn(make_grant(*grant));
  } else if (const auto* lead = std::get_if<SendLead>(&command)) {
    world_.controller_effect(index_, "is about to order the lead");
    world_.right_until(lead->term, clock().truth_of(state_->lease_until));
    call({.what = What::lead, .member = lead->member, .term = lead->term},
         wire::Lead{kService, lead->member, lead->term, lead->as_of_ns, lead->at_least, lead->goes_on}, kLeadPatience);
  } else if (const auto* follow = std::get_if<SendFollow>(&command)) {
    call({.what = What::follow, .member = follow->member, .term = follow->term},
         wire::Follow{kService, follow->member, follow->upstream, follow->term, follow->keep_data}, kFollowPatience);
  } else if (const auto* down = std::get_if<SendStepDown>(&command)) {
    call({.what = What::step_down, .member = down->member, .term = down->term},
         wire::StepDown{kService, down->member, down->term}, kStepDownPatience);
  } else if (const auto* finish = std::get_if<FinishTransfer>(&command)) {
    auto asked = asked_.find(finish->id);
    if (asked == asked_.end()) return;
    auto [wanted, since] = asked->second;
    asked_.erase(asked);
    world_.transfer_ended(*finish, wanted, since);
  } else if (const auto* note = std::get_if<Note>(&command)) {
    world_.store.ever_written =
        world_.store.ever_written || note->kind == "promoted" || note->kind == "holder-writable";
    world_.note(*note);
  }
}

Task<> Controller::make_grant(MakeGrant grant) {
  Kernel& kernel = world_.kernel;
  StoreModel& store = world_.store;
  co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 12) * 1_ms);
  while (store.away) co_await Sleep(kernel, process(), kernel.now() + 20_ms);
  if (store.term != grant.expected_term) {
    feed(GrantFailed{fmt::format("the recorded term is {}", store.term)});
    co_return;
  }
  ++store.term;
  store.holder = grant.holder;
  if (grant.automatic) {
    store.automatic.push_back(kernel.now());
    world_.made_by_itself();
  }
  world_.granted(store.term, store.holder);
  uint64_t term = store.term;
  world_.controller_effect(index_, "has recorded a grant");
  co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 10) * 1_ms);
  feed(GrantMade{term, grant.holder});
}

template <class Order>
void Controller::call(CommandDone done, Order order, Duration within) {
  int member = world_.member_index(done.member);
  auto link = links_.find(member);
  if (link == links_.end()) {
    // Told after this input has been dealt with, as an awaiting coroutine would.
    world_.kernel.after(process(), 0, [this, done = std::move(done)]() mutable {
      done.error = "no agent is connected";
      feed(done);
    });
    return;
  }
  uint64_t id = next_call_++;
  Call& call = calls_[id];
  call.done = std::move(done);
  call.member = member;
  call.link = link->second->id;
  Nanos span = std::chrono::nanoseconds(within).count();
  call.deadline =
      world_.kernel.after(process(), span, [this, id] { call_ends(id, false, true, "no answer in time", {}); });
  world_.send(link->second, false, RequestMessage{id, within, std::move(order)});
}

void Controller::call_ends(uint64_t id, bool ok, bool unknown, std::string error, Json result) {
  auto found = calls_.find(id);
  if (found == calls_.end()) return;
  Call call = std::move(found->second);
  world_.kernel.cancel(call.deadline);
  calls_.erase(found);
  call.done.ok = ok;
  call.done.unknown = unknown;
  call.done.error = std::move(error);
  call.done.result = std::move(result);
  feed(call.done);
}

}  // namespace lifeboat::sim
