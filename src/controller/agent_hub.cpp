#include "controller/agent_hub.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "agent/protocol.hpp"
#include "core/data/encode.hpp"
#include "core/isolation/isolation.hpp"
#include "io/crypto.hpp"

namespace lifeboat {
namespace {

constexpr Duration kHandshake{3'000};
constexpr Duration kWrite{3'000};
// How long after its start the controller waits for agents that are on their way back; they try at least every half second.
constexpr Duration kAgentsReturn{2'000};

Error lost_link(const std::string& host) {
  Error error;
  error.kind = ErrorKind::unknown_outcome;
  error.what = fmt::format("the link to the agent on {} was lost before it answered", host);
  error.hint = "what was asked may have been done; look before asking again";
  return error;
}

ErrorKind kind_from_text(std::string_view text) {
  for (ErrorKind kind : {ErrorKind::invalid_input, ErrorKind::not_found, ErrorKind::refused, ErrorKind::unreachable,
                         ErrorKind::timed_out, ErrorKind::unknown_outcome, ErrorKind::conflict, ErrorKind::unsupported,
                         ErrorKind::cancelled}) {
    if (to_string(kind) == text) return kind;
  }
  return ErrorKind::internal;
}

}  // namespace

struct AgentHub::Link {
  explicit Link(asio::any_io_executor executor, WebSocket connection)
      : socket(std::move(connection)), outgoing(std::move(executor)) {}

  struct Waiting {
    explicit Waiting(asio::any_io_executor executor) : wakeup(std::move(executor)) {}
    Wakeup wakeup;
    std::optional<Result<Json>> answer;
    ProgressLine progress;
  };

  std::string host;
  WebSocket socket;
  Wakeup outgoing;
  std::deque<std::string> queue;
  std::map<uint64_t, std::shared_ptr<Waiting>> waiting;
  std::map<std::string, int64_t> units;
  bool cut_off = false;
  bool ended = false;
};

AgentHub::AgentHub(asio::any_io_executor executor, Secrets& secrets, std::vector<std::string> hosts,
                   Callbacks callbacks)
    : executor_(executor),
      secrets_(secrets),
      hosts_(std::move(hosts)),
      callbacks_(std::move(callbacks)),
      writers_(executor, [this](std::string_view task, std::string_view what) {
        callbacks_.log(fmt::format("{}: {}", task, what));
      }) {}

AgentHub::~AgentHub() = default;

Task<Result<AgentHub::Known>> AgentHub::shake_hands(WebSocket& socket) {
  Deadline deadline = Deadline::after(kHandshake);
  CO_TRY(std::string hello_text, co_await socket.read(deadline));
  CO_TRY(Json hello, parse_json(hello_text));
  std::string host = text_or(hello, "agent"), agent_nonce = text_or(hello, "nonce");
  bool known =
      text_or(hello, "type") == "hello" && std::ranges::find(hosts_, host) != hosts_.end() && agent_nonce.size() >= 16;
  // The same answer for an unknown host and a wrong proof: a stranger learns nothing about which hosts there are.
  auto refused =
      fail(ErrorKind::refused, "an agent could not prove who it is", "check the token in its secrets folder");
  auto token = known ? secrets_.get("agent-" + host) : Result<std::string>(random_hex(32));
  if (!token) co_return std::unexpected(std::move(token).error());
  std::string nonce = random_hex(16);
  std::string both = host + "\n" + agent_nonce + "\n" + nonce;
  JsonObject challenge{
      {"type", "challenge"}, {"nonce", nonce}, {"proof", hmac_sha256_hex(*token, "controller\n" + both)}};
  CO_TRY_VOID(co_await socket.write(to_text(challenge), deadline));
  CO_TRY(std::string proof_text, co_await socket.read(deadline));
  CO_TRY(Json proof, parse_json(proof_text));
  bool proven = known && text_or(proof, "type") == "proof" &&
                equal_in_constant_time(text_or(proof, "proof"), hmac_sha256_hex(*token, "agent\n" + both));
  if (!proven) co_return refused;
  JsonObject welcome{{"type", "welcome"}};
  CO_TRY_VOID(co_await socket.write(to_text(welcome), deadline));
  co_return Known{std::move(host), bool_or(hello, "cut_off")};
}

Task<> AgentHub::serve(WebSocket socket) {
  auto known = co_await shake_hands(socket);
  if (!known) {
    callbacks_.log(fmt::format("{}: {}", socket.peer(), known.error().text()));
    co_return;
  }
  const std::string& host = known->host;
  if (auto old = links_.find(host); old != links_.end()) drop(old->second);
  auto link = std::make_shared<Link>(executor_, std::move(socket));
  link->host = host;
  link->cut_off = known->cut_off;
  links_[host] = link;
  auto write_messages = [](std::shared_ptr<Link> to) -> Task<> {
    while (!to->ended) {
      if (to->queue.empty()) co_await to->outgoing.wait_until(boot_now() + wire::kHereEvery);
      if (to->ended) co_return;
      if (to->queue.empty()) to->queue.push_back(to_text(JsonObject{{"type", wire::kHere}}));
      std::string message = std::move(to->queue.front());
      to->queue.pop_front();
      auto written = co_await to->socket.write(std::move(message), Deadline::after(kWrite));
      if (!written) to->socket.drop();
    }
  };
  writers_.spawn("link to " + host, write_messages(link));
  callbacks_.connected(host);
  co_await read_messages(link);
  drop(link);
}

Task<> AgentHub::read_messages(std::shared_ptr<Link> link) {
  while (!link->ended) {
    auto text = co_await link->socket.read(Deadline::after(isolation::kSilentAgent));
    if (!text) {
      callbacks_.log(fmt::format("agent {}: {}", link->host, text.error().text()));
      co_return;
    }
    auto message = parse_json(*text);
    if (!message || !message->is_object()) {
      callbacks_.log(fmt::format("agent {} sent what is no message; its link is ended", link->host));
      co_return;
    }
    take(link, *message);
  }
}

void AgentHub::take(const std::shared_ptr<Link>& link, const Json& message) {
  std::string type = text_or(message, "type");
  if (type == wire::Reply::kType) {
    auto waiting = link->waiting.find(static_cast<uint64_t>(int_or(message, "id")));
    if (waiting == link->waiting.end()) return;
    if (bool_or(message, "ok")) {
      waiting->second->answer = Result<Json>(member(message, "result"));
    } else {
      waiting->second->answer =
          fail(kind_from_text(text_or(message, "error_kind")), text_or(message, "error", "no reason given"),
               text_or(message, "hint"), link->host);
    }
    waiting->second->wakeup.notify();
  } else if (type == wire::Progress::kType) {
    auto waiting = link->waiting.find(static_cast<uint64_t>(int_or(message, "id")));
    if (waiting != link->waiting.end()) waiting->second->progress(text_or(message, "text").substr(0, 200));
  } else {
    if (type == wire::Report::kType && member(message, "units").is_object()) {
      for (const auto& [service, count] : member(message, "units").get_object())
        link->units[std::string(service)] = count.is_int64() ? count.get_int64() : 0;
    }
    if (type == wire::CutOff::kType) link->cut_off = bool_or(message, "stands");
    callbacks_.said(link->host, type, message);
  }
}

void AgentHub::drop(const std::shared_ptr<Link>& link) {
  if (link->ended) return;
  link->ended = true;
  link->outgoing.notify();
  link->socket.drop();
  for (auto& [id, waiting] : link->waiting) {
    if (!waiting->answer) waiting->answer = std::unexpected(lost_link(link->host));
    waiting->wakeup.notify();
  }
  auto current = links_.find(link->host);
  if (current != links_.end() && current->second == link) {
    links_.erase(current);
    callbacks_.lost(link->host);
  }
}

void AgentHub::send(const std::string& host, Json message) {
  auto found = links_.find(host);
  if (found == links_.end()) return;
  found->second->queue.push_back(to_text(message));
  found->second->outgoing.notify();
}

bool AgentHub::connected(std::string host) { return links_.contains(host); }

bool AgentHub::cut_off(const std::string& host) const {
  auto found = links_.find(host);
  return found != links_.end() && found->second->cut_off;
}

int64_t AgentHub::units_up(std::string host, std::string service) {
  auto found = links_.find(host);
  if (found == links_.end()) return -1;
  auto units = found->second->units.find(service);
  return units == found->second->units.end() ? -1 : units->second;
}

Task<> AgentHub::wait_for_return(std::string host, Deadline deadline) {
  MonoTime back_by = began_ + kAgentsReturn;
  while (!links_.contains(host) && boot_now() < back_by && !deadline.passed()) co_await sleep_for(Duration{10});
}

Task<Result<Json>> AgentHub::call(std::string host, std::string method, Json params, Deadline deadline,
                                  ProgressLine progress) {
  auto returning = wait_for_return(host, deadline);
  co_await std::move(returning);
  auto found = links_.find(host);
  if (found == links_.end()) {
    co_return fail(ErrorKind::unreachable, fmt::format("no agent of {} is connected", host),
                   fmt::format("start `lifeboat agent --host {}` there", host));
  }
  std::shared_ptr<Link> link = found->second;
  uint64_t id = next_request_++;
  auto waiting = std::make_shared<Link::Waiting>(executor_);
  waiting->progress = std::move(progress);
  link->waiting[id] = waiting;
  // Whoever stops waiting, by deadline or by being cancelled, leaves nothing behind.
  struct Forget {
    Link* link;
    uint64_t id;
    ~Forget() { link->waiting.erase(id); }
  } forget{link.get(), id};
  wire::Request request{id, std::move(method), std::move(params), deadline.left().count()};
  Json message = encode(request);
  message.as_object()["type"] = wire::Request::kType;
  send(host, std::move(message));
  while (!waiting->answer && !deadline.passed()) co_await waiting->wakeup.wait_until(deadline.at);
  if (waiting->answer) co_return *waiting->answer;
  Error error = lost_link(host);
  error.what = fmt::format("the agent on {} did not answer in time", host);
  co_return std::unexpected(std::move(error));
}

}  // namespace lifeboat
