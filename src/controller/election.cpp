#include "controller/election.hpp"

#include <fmt/format.h>

#include "agent/protocol.hpp"

namespace lifeboat {
namespace {

constexpr Duration kLook{1'000};
constexpr Duration kAfterProblem{250};
constexpr Duration kOnward{35'000};
constexpr Duration kTurnAway{3'000};
constexpr std::string_view kForwarded = "x-lifeboat-forwarded";

}  // namespace

Result<std::pair<std::string, int>> split_listen(const std::string& listen) {
  size_t colon = listen.rfind(':');
  if (colon == std::string::npos) return fail(ErrorKind::invalid_input, "--listen wants ADDRESS:PORT");
  return std::pair(listen.substr(0, colon), std::atoi(listen.c_str() + colon + 1));
}

Election::Election(asio::any_io_executor executor, Store& store, HttpClient& http, Candidacy candidacy)
    : executor_(std::move(executor)), store_(store), http_(http), candidacy_(std::move(candidacy)) {}

Task<Result<void>> Election::win() {
  if (candidacy_.give_way == Duration{0}) {
    auto trying = look_and_try();
    if (co_await std::move(trying)) co_return Result<void>{};
  }
  CO_TRY_VOID(serve());
  auto waiting = wait_for_turn();
  co_await std::move(waiting);
  while (true) {
    auto trying = look_and_try();
    if (co_await std::move(trying)) break;
    // What is seen meanwhile only ends the wait.
    Duration wait = leader_ || !stands_aside_.empty() ? kLook : kAfterProblem;
    if (leader_) {
      auto changing = store_.leader_may_change(Deadline::after(wait));
      co_await std::move(changing);
    } else {
      co_await sleep_for(wait);
    }
  }
  co_await server_->stop(Duration{200});
  server_.reset();
  co_return Result<void>{};
}

Result<void> Election::serve() {
  server_ = std::make_unique<HttpServer>(
      executor_, [this](HttpIncoming request) { return answer(std::move(request)); },
      [this](std::string_view what) { candidacy_.say(std::string(what)); });
  server_->on_websocket("/agent", [this](WebSocket socket, HttpIncoming) { return turn_away(std::move(socket)); });
  TRY(auto at, split_listen(candidacy_.listen));
  return server_->listen(at.first, at.second);
}

Task<> Election::wait_for_turn() {
  Deadline turn = Deadline::after(candidacy_.give_way);
  while (!turn.passed() && !leader_) {
    auto asking = store_.leader();
    auto seen = co_await std::move(asking);
    if (seen) leader_ = *seen;
    co_await sleep_for(turn.at_most(kAfterProblem).left());
  }
}

// True: elected.
Task<bool> Election::look_and_try() {
  auto asking = store_.leader();
  auto seen = co_await std::move(asking);
  if (!seen) {
    leader_.reset();
    tell(seen.error().text());
    co_return false;
  }
  leader_ = *seen;
  if (leader_) {
    tell(fmt::format("{} at {} leads", leader_->name, leader_->address));
    co_return false;
  }
  if (!stands_aside_.empty()) {
    tell("nobody leads, and " + stands_aside_);
    co_return false;
  }
  auto trying = try_to_lead();
  auto elected = co_await std::move(trying);
  if (!elected && elected.error().kind == ErrorKind::unsupported)
    stands_aside_ = "this controller stands aside: " + elected.error().text();
  if (!elected) tell(stands_aside_.empty() ? elected.error().text() : "nobody leads, and " + stands_aside_);
  co_return elected && *elected;
}

// Whoever could not read what is there would lead for a moment, end, and be elected again.
Task<Result<bool>> Election::try_to_lead() {
  auto reading = store_.understands();
  CO_TRY_VOID(co_await std::move(reading));
  auto trying = store_.campaign(candidacy_.me);
  co_return co_await std::move(trying);
}

// Once, not with every try.
void Election::tell(const std::string& line) {
  if (line != said_) candidacy_.say(line);
  said_ = line;
}

HttpReply Election::nobody_leads() const {
  std::string why = "no controller leads at the moment";
  if (!stands_aside_.empty()) why += ", and " + stands_aside_;
  JsonObject body{{"error", why},
                  {"kind", to_string(ErrorKind::refused)},
                  {"hint", stands_aside_.empty()
                               ? "one is elected within seconds if etcd has a majority; `lifeboat store status` tells"
                               : "start a controller of the newer version"}};
  return json_reply(503, to_text(body));
}

Task<HttpReply> Election::answer(HttpIncoming request) {
  if (request.path == "/health") {
    JsonObject body{{"ok", true}, {"leads", false}, {"leader", leader_ ? leader_->name : ""}};
    if (!stands_aside_.empty()) body["stands_aside"] = stands_aside_;
    co_return json_reply(200, to_text(body));
  }
  bool forwarded = !request.header(kForwarded).empty();
  if (!leader_ || forwarded) co_return nobody_leads();
  HttpRequest onward;
  onward.method = request.method;
  onward.url = "http://" + leader_->address + request.target;
  onward.headers.emplace_back(std::string(kForwarded), "1");
  for (const char* name : {"authorization", "content-type"}) {
    if (std::string value = request.header(name); !value.empty()) onward.headers.emplace_back(name, value);
  }
  onward.body = std::move(request.body);
  onward.largest_body = 64u << 20;
  auto sending = http_.send(std::move(onward), Deadline::after(kOnward));
  auto answered = co_await std::move(sending);
  if (!answered) {
    Error error = std::move(answered).error();
    JsonObject body{{"error", error.text()},
                    {"kind", to_string(error.kind)},
                    {"hint", "the leading controller may be lost; another one is elected within seconds"}};
    co_return json_reply(error.kind == ErrorKind::unknown_outcome ? 504 : 503, to_text(body));
  }
  HttpReply reply;
  reply.status = answered->status;
  reply.type = answered->header("content-type");
  reply.body = std::move(answered->body);
  co_return reply;
}

Task<> Election::turn_away(WebSocket socket) {
  Deadline deadline = Deadline::after(kTurnAway);
  auto hello = co_await socket.read(deadline);
  if (!hello) co_return;
  JsonObject elsewhere{{"type", wire::kElsewhere}, {"controller", leader_ ? leader_->address : ""}};
  auto told = co_await socket.write(to_text(elsewhere), deadline);
  if (told) co_await socket.close(deadline);
}

}  // namespace lifeboat
