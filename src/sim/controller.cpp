#include "sim/controller.hpp"

#include <fmt/format.h>

#include "core/base/mutants.hpp"
#include "core/ownership/transfer.hpp"

namespace lifeboat::sim {

using namespace ownership;

namespace {

// As in controller/databases.
constexpr Nanos kTick = 25_ms;
constexpr Nanos kSilence = 4_s;
constexpr Nanos kHereEvery = 400_ms;
// As in store/etcd.
constexpr Nanos kLeadLength = 2_s;
constexpr Duration kLeadLocal{2'000};
constexpr Duration kLeadMargin{200};
constexpr Duration kLeadPatience{30'000};
constexpr Duration kRecoveryPatience{std::chrono::hours(12)};
constexpr Duration kStepDownPatience{60'000};
constexpr Duration kFollowPatience{std::chrono::hours(12)};
constexpr Duration kAdoptPatience{600'000};
constexpr Duration kSureWithin{1'500};
constexpr Nanos kPersonsPatience = 40_s;
constexpr Nanos kReprotectPatience = 600_s;

}  // namespace

Controller::Controller(World& world, int index)
    : world_(world), index_(index), scope_(world.kernel, process()), executor_(world, *this, scope_) {
  scope_.spawn(live());
}

Controller::~Controller() { scope_.clear(); }

Task<> Controller::live() {
  Kernel& kernel = world_.kernel;
  while (true) {
    auto electing = be_elected();
    co_await std::move(electing);
    begin_to_lead();
    if (!alone()) scope_.spawn(keep_leading(lead_number_));
    while (leads()) {
      co_await Sleep(kernel, process(), kernel.now() + kTick);
      if (!leads()) break;
      drop_silent_links();
      say_here();
      feed(Tick{});
      executor_.look_at_the_time();
    }
    step_aside("its lease in the store has ended");
  }
}

// ---- the election

Task<> Controller::be_elected() {
  Kernel& kernel = world_.kernel;
  StoreModel& store = world_.store;
  do co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 30) * 1_ms);
  while (store.away);
  if (alone()) {
    ++lead_number_;
    co_return;
  }
  while (true) {
    MonoTime asked = local();
    co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 20) * 1_ms);
    bool free = kernel.now() >= store.lead.until;
    if (world_.reaches_store(index_) && free) {
      store.lead = {index_, store.lead.number + 1, kernel.now() + kLeadLength};
      uint64_t number = store.lead.number;
      world_.controller_effect(index_, "has been elected");
      co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 20) * 1_ms);
      lead_until_ = asked + kLeadLocal - kLeadMargin;
      lead_number_ = number;
      if (leads()) co_return;
      lead_number_ = 0;
    }
    // A watch wakes it, or it looks again after a while.
    bool watches = world_.random.chance(0.8);
    Nanos look = kernel.now() + world_.random.between(200, 1'000) * 1_ms;
    do co_await Sleep(kernel, process(), std::min(look, kernel.now() + 150_ms));
    while (kernel.now() < look && !(watches && kernel.now() >= store.lead.until));
  }
}

Task<> Controller::keep_leading(uint64_t number) {
  Kernel& kernel = world_.kernel;
  StoreModel::Lead& lead = world_.store.lead;
  while (leads() && lead_number_ == number) {
    co_await Sleep(kernel, process(), kernel.now() + kLeadLength / 4);
    MonoTime asked = local();
    co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 15) * 1_ms);
    if (!leads() || lead_number_ != number) co_return;
    if (!world_.reaches_store(index_)) continue;
    if (lead.number != number || kernel.now() >= lead.until) co_return step_aside("another one was elected");
    lead.until = kernel.now() + kLeadLength;
    lead_until_ = asked + kLeadLocal - kLeadMargin;
  }
}

void Controller::begin_to_lead() {
  if (world_.kernel.tells() && !alone()) world_.tell(fmt::format("c{} leads", index_));
  Past past = world_.store.now.past;
  for (WallTime at : world_.store.now.automatic)
    past.automatic_failovers.push_back(mono_at(at, time_of_day(), local()));
  state_ = initial_state(world_.ownership_config(), world_.store.now.term, world_.store.now.holder, local(),
                         std::move(past));
  world_.right_until(state_->term, clock().truth_of(state_->lease_until));
  executor_.take_up();
}

// What it knows is worth nothing from here on.
void Controller::step_aside(std::string_view why) {
  if (!state_) return;
  if (world_.kernel.tells()) world_.tell(fmt::format("c{} leads no more: {}", index_, why));
  lead_number_ = 0;
  state_.reset();
  for (auto& [id, call] : calls_) world_.kernel.cancel(call.deadline);
  calls_.clear();
  asked_.clear();
  renewals_.forget();
  executor_.step_aside();
  for (auto& [member, link] : std::exchange(links_, {})) world_.let_go(link, false);
}

// ---- links

// A dead link that TCP has not noticed.
void Controller::drop_silent_links() {
  std::vector<std::shared_ptr<Link>> silent;
  for (const auto& [member, link] : links_) {
    if (world_.kernel.now() - link->heard > kSilence) silent.push_back(link);
  }
  for (const auto& link : silent) world_.let_go(link, false);
}

void Controller::say_here() {
  if (world_.kernel.now() - spoke_ < kHereEvery) return;
  spoke_ = world_.kernel.now();
  for (const auto& [member, link] : links_) world_.send(link, false, HereMessage{});
}

void Controller::linked(const std::shared_ptr<Link>& link) {
  if (!state_) return world_.let_go(link, false);
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

void Controller::person_asks(Transfer wanted) {
  if (!state_ || state_->transfer) return;
  Nanos patience = wanted.kind == TransferKind::reprotect ? kReprotectPatience : kPersonsPatience;
  uint64_t id = ask(std::move(wanted), nullptr);
  world_.kernel.after(process(), patience, [this, id] { give_up(id); });
}

uint64_t Controller::ask(Transfer wanted, Told told) {
  wanted.id = next_transfer_++;
  asked_[wanted.id] = {wanted, world_.kernel.now(), std::move(told)};
  feed(TransferAsked{wanted});
  return wanted.id;
}

bool Controller::is_written_in(const std::string& to) const {
  return state_ && ownership::is_there(*state_, Transfer{.to = to}, local());
}

void Controller::give_up(uint64_t transfer) {
  if (asked_.erase(transfer) != 0) feed(TransferGivenUp{transfer});
}

void Controller::feed(const Input& input) {
  if (!state_) return;
  std::vector<Command> commands = step(*state_, input, local());
  for (const Command& command : commands) carry_out(command);
}

void Controller::carry_out(const Command& command) {
  using What = CommandDone::What;
  if (const auto* answer = std::get_if<AnswerRenew>(&command)) {
    renewals_.hold({*answer, clock().truth_of(state_->lease_until)});
    if (renewals_.asks()) scope_.spawn(answer_renewals());
  } else if (const auto* grant = std::get_if<MakeGrant>(&command)) {
    world_.chosen(*grant, *state_);
    world_.controller_effect(index_, "is about to grant");
    scope_.spawn(make_grant(*grant));
  } else if (const auto* lead = std::get_if<SendLead>(&command)) {
    world_.controller_effect(index_, "is about to order the lead");
    scope_.spawn(order_the_lead(*lead));
  } else if (const auto* record = std::get_if<RecordSync>(&command)) {
    scope_.spawn(record_sync(*record));
  } else if (const auto* sync = std::get_if<SendSync>(&command)) {
    auto link = links_.find(world_.member_index(sync->member));
    if (link != links_.end())
      world_.send(link->second, false, wire::SyncWith{kService, sync->member, sync->term, sync->set});
  } else if (const auto* look = std::get_if<AskLook>(&command)) {
    auto link = links_.find(world_.member_index(look->member));
    if (link != links_.end()) world_.send(link->second, false, wire::LookAgain{kService, look->member, look->mark});
  } else if (const auto* follow = std::get_if<SendFollow>(&command)) {
    call({.what = What::follow, .member = follow->order.member, .term = follow->order.term}, follow->order,
         kFollowPatience);
  } else if (const auto* down = std::get_if<SendStepDown>(&command)) {
    call({.what = What::step_down, .member = down->member, .term = down->term},
         wire::StepDown{kService, down->member, down->term}, kStepDownPatience);
  } else if (const auto* adopt = std::get_if<SendAdopt>(&command)) {
    call({.what = What::adopt, .member = adopt->member, .term = adopt->term},
         wire::Adopt{kService, adopt->member, adopt->restored, adopt->term}, kAdoptPatience);
  } else if (const auto* finish = std::get_if<FinishTransfer>(&command)) {
    auto asked = asked_.find(finish->id);
    if (asked == asked_.end()) return;
    Asked ended = std::move(asked->second);
    asked_.erase(asked);
    world_.transfer_ended(*finish, ended.wanted, ended.when);
    if (ended.told) ended.told(*finish);
  } else if (const auto* note = std::get_if<Note>(&command)) {
    // The store takes nothing from one that was deposed.
    bool is_recorded = alone() || world_.store.lead.number == lead_number_;
    if (tells_of_writes(note->kind) && is_recorded) took_writes(world_.store.now.past);
    world_.note(*note);
  }
}

// What it remembers of its election is not enough for what lets a member write: the store may have ended that before its time.
Task<bool> Controller::is_sure_to_lead(uint64_t lead) {
  Kernel& kernel = world_.kernel;
  const StoreModel& store = world_.store;
  if (alone()) co_return true;
  co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 12) * 1_ms);
  if (LIFEBOAT_BUG("renews-from-memory")) co_return leads() && lead_number_ == lead;
  if (!leads() || lead_number_ != lead || !world_.reaches_store(index_)) co_return false;
  if (store.lead.number != lead || kernel.now() >= store.lead.until) {
    step_aside("another one was elected");
    co_return false;
  }
  co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 12) * 1_ms);
  co_return leads() && lead_number_ == lead;
}

Task<> Controller::answer_renewals() {
  uint64_t lead = lead_number_;
  do {
    auto asking = is_sure_to_lead(lead);
    bool leads = co_await std::move(asking);
    // A later lead of this controller has questions of its own.
    if (!leads_since(lead)) co_return;
    for (const auto& [answer, right_until] : renewals_.may_be_said(leads)) {
      if (!answer.granted) world_.refused(answer);
      if (answer.granted) world_.right_until(answer.term, right_until);
      auto link = links_.find(world_.member_index(answer.member));
      if (link != links_.end())
        world_.send(link->second, false, wire::Renewed{kService, answer.term, answer.sent_ns, answer.granted});
    }
  } while (renewals_.asks());
}

Task<> Controller::order_the_lead(SendLead lead) {
  uint64_t number = lead_number_;
  Nanos until = clock().truth_of(state_->lease_until);
  CommandDone done{.what = CommandDone::What::lead, .member = lead.member, .term = lead.term};
  for (MonoTime begun = local(); leads_since(number) && local() < begun + kSureWithin;) {
    auto asking = is_sure_to_lead(number);
    if (!co_await std::move(asking)) continue;
    world_.right_until(lead.term, until);
    call(
        std::move(done),
        wire::Lead{kService, lead.member, lead.term, lead.as_of_ns, lead.at_least, lead.sync, lead.goes_on, lead.after},
        lead.patient ? kRecoveryPatience : kLeadPatience);
    co_return;
  }
  if (!leads_since(number)) co_return;
  done.error = "the store does not say whether this controller still leads";
  feed(done);
}

Task<Controller::Written> Controller::write_to_store(uint64_t lead, std::function<bool(bool late)> change) {
  Kernel& kernel = world_.kernel;
  StoreModel& store = world_.store;
  do co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 12) * 1_ms);
  while (((leads() && lead_number_ == lead) || LIFEBOAT_BUG("deposed-controller-writes")) &&
         !world_.reaches_store(index_));
  bool late = LIFEBOAT_BUG("deposed-controller-writes") && lead_number_ != lead;
  if ((!leads() || lead_number_ != lead) && !late) co_return Written::not_led;
  bool deposed = !alone() && (store.lead.number != lead || kernel.now() >= store.lead.until);
  if (deposed && !late) {
    step_aside("another one was elected");
    co_return Written::not_led;
  }
  bool unsure = !alone() && store.unsure && world_.random.chance(0.6);
  // What is not known to be written must not be built upon; the next leader reads what is there.
  bool lost = unsure && world_.random.chance(0.5);
  if (!lost && !change(late)) co_return Written::refused;
  if (!unsure) co_return Written::done;
  step_aside("a write had no answer");
  co_return Written::not_led;
}

Task<> Controller::make_grant(MakeGrant grant) {
  Kernel& kernel = world_.kernel;
  StoreModel& store = world_.store;
  uint64_t lead = lead_number_;
  uint64_t term = std::max(grant.expected_term, grant.floor) + 1;
  auto writing = write_to_store(lead, [&](bool late) {
    if (store.now.term != grant.expected_term && !late) return false;
    store.now.term = term;
    store.now.holder = grant.holder;
    was_granted(store.now.past, grant.goes_on, grant.sync);
    if (grant.automatic) {
      store.now.automatic.push_back(time_of_day());
      world_.made_by_itself();
    }
    world_.granted(store.now.term, store.now.holder);
    return true;
  });
  Written written = co_await std::move(writing);
  if (written == Written::refused) feed(GrantFailed{fmt::format("the recorded term is {}", store.now.term)});
  if (written != Written::done) co_return;
  world_.controller_effect(index_, "has recorded a grant");
  co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 10) * 1_ms);
  if (lead_number_ == lead) feed(GrantMade{term, grant.holder});
}

Task<> Controller::record_sync(RecordSync record) {
  Kernel& kernel = world_.kernel;
  StoreModel& store = world_.store;
  uint64_t lead = lead_number_;
  auto writing = write_to_store(lead, [&](bool) {
    if (store.now.term != record.expected_term) return false;
    store.now.past.sync_sets = record.sets;
    return true;
  });
  Written written = co_await std::move(writing);
  if (written == Written::refused) feed(SyncNotRecorded{});
  if (written != Written::done) co_return;
  co_await Sleep(kernel, process(), kernel.now() + world_.random.between(1, 10) * 1_ms);
  if (lead_number_ == lead) feed(SyncRecorded{record.expected_term, record.sets});
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
