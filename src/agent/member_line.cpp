#include "agent/member_line.hpp"

#include <fmt/format.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>

#include <array>

#include "agent/handicaps.hpp"
#include "agent/member_datagram.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {
namespace {

constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr Duration kOpenAgain{2'000};
// Names may come to mean other addresses, and name servers be away: an address that was found is kept until there is another.
constexpr Duration kLookUpEvery{30'000};
constexpr Duration kLookUpAgain{2'000};
constexpr Duration kLookUpWithin{5'000};
constexpr Duration kTellAgain{30'000};

Task<Result<asio::ip::address>> address_of(std::string host) {
  asio::ip::udp::resolver resolver(co_await asio::this_coro::executor);
  auto [problem, found] = co_await resolver.async_resolve(host, "", kAsTuple);
  if (problem || found.empty()) co_return fail(ErrorKind::not_found, fmt::format("{} has no address", host));
  co_return found.begin()->endpoint().address();
}

}  // namespace

MemberLine::MemberLine(asio::any_io_executor executor, Scope& scope, std::string service, wire::ServerConfig config,
                       Hooks hooks)
    : service_(std::move(service)),
      config_(std::move(config)),
      hooks_(std::move(hooks)),
      look_up_due_(std::move(executor)) {
  scope.spawn("members of " + service_, listen());
  scope.spawn("addresses of " + service_, look_up());
}

void MemberLine::reconfigure(wire::ServerConfig config) {
  bool elsewhere = config.listen != config_.listen || config.port != config_.port;
  config_ = std::move(config);
  look_up_due_.notify();
  if (elsewhere && socket_) socket_->close();
}

void MemberLine::tell(const std::string& trouble) {
  if (boot_now() < quiet_until_) return;
  quiet_until_ = boot_now() + kTellAgain;
  hooks_.log(fmt::format("{}: between the members: {}", service_, trouble));
}

Result<> MemberLine::open() {
  boost::system::error_code problem;
  auto address = asio::ip::make_address(config_.listen, problem);
  udp::endpoint at(address, static_cast<uint16_t>(config_.port));
  if (!problem) socket_->open(at.protocol(), problem);
  if (!problem) socket_->bind(at, problem);
  if (!problem) socket_->non_blocking(true, problem);
  if (!problem) return {};
  return fail(ErrorKind::unreachable, fmt::format("UDP {}:{}: {}", config_.listen, config_.port, problem.message()),
              "without it the primary does not outlive the loss of all controllers");
}

void MemberLine::note_opened(const Result<>& opened) {
  if (!opened) tell(opened.error().text());
  if (!opened && why_shut_.empty()) shut_since_ = boot_now();
  why_shut_ = opened ? std::string() : opened.error().what;
}

Task<> MemberLine::listen() {
  auto executor = co_await asio::this_coro::executor;
  while (true) {
    socket_ = std::make_unique<udp::socket>(executor);
    auto opened = open();
    note_opened(opened);
    std::array<char, kMemberDatagramMost + 1> buffer;
    while (opened && socket_->is_open()) {
      udp::endpoint from;
      auto [problem, size] = co_await socket_->async_receive_from(asio::buffer(buffer), from, kAsTuple);
      // An error here is about a datagram that was sent before, or the end of the socket.
      if (!problem) take({buffer.data(), size});
    }
    if (!opened) co_await sleep_for(kOpenAgain);
  }
}

Task<> MemberLine::look_up() {
  while (true) {
    bool all = true;
    wire::ServerConfig config = config_;
    for (const auto& [name, peer] : config.members) {
      auto port = static_cast<uint16_t>(peer.port);
      boost::system::error_code not_literal;
      auto literal = asio::ip::make_address(peer.address, not_literal);
      if (!not_literal) {
        there_[name] = {literal, port};
        continue;
      }
      auto resolving = within(Deadline::after(kLookUpWithin), peer.address, address_of(peer.address));
      auto found = co_await std::move(resolving);
      if (found) {
        there_[name] = {*found, port};
      } else {
        all = all && there_.contains(name);
        tell(found.error().text());
      }
    }
    co_await look_up_due_.wait_until(boot_now() + (all ? kLookUpEvery : kLookUpAgain));
  }
}

void MemberLine::ask(const wire::Keep& question) {
  bool hears_answers = why_shut_.empty() && !config_.replication_password.empty();
  for (const auto& [name, peer] : config_.members) {
    if (name == config_.member) continue;
    if (hears_answers) neighbours_.asked(name, MonoTime{std::chrono::nanoseconds(question.sent_ns)});
    send(name, wire::Keep::kType, encode(question));
  }
}

void MemberLine::add_to(MemberReport& report) const {
  bool runs = report.state == ServerState::primary || report.state == ServerState::standby;
  if (!runs || config_.members.size() < 2 || config_.replication_password.empty()) return;
  if (!why_shut_.empty()) {
    // A moment after a start somebody else may still be about to let go of it.
    bool lasts = boot_now() - shut_since_ >= detection::kSilentAfter;
    if (lasts) report.handicaps.push_back(line_is_shut(why_shut_));
    return;
  }
  if (report.state != ServerState::primary) return;
  for (const auto& [name, peer] : config_.members) {
    if (name != config_.member && neighbours_.is_silent(name, boot_now()))
      report.handicaps.push_back(neighbour_is_silent(name, peer.port));
  }
}

void MemberLine::take(std::string_view datagram) {
  auto message = read_member_datagram(config_.replication_password, service_, config_.member, datagram);
  if (!message) return tell(message.error().text());
  if (message->type == wire::Keep::kType) {
    auto asked = decode<wire::Keep>(message->body);
    if (!asked || asked->member != message->from || asked->service != service_) return tell("a question does not fit");
    // One that was caught and is sent again later binds nobody.
    if (asked->length_ms > 0) {
      auto& last = heard_[asked->member];
      std::pair now{asked->term, asked->sent_ns};
      if (now <= last) return;
      last = now;
    }
    send(asked->member, wire::Kept::kType, encode(hooks_.asked(*asked)));
  } else if (message->type == wire::Kept::kType) {
    auto answer = decode<wire::Kept>(message->body);
    if (!answer || answer->member != message->from || answer->service != service_)
      return tell("an answer does not fit");
    neighbours_.answered(answer->member, MonoTime{std::chrono::nanoseconds(answer->sent_ns)});
    hooks_.answered(*answer);
  }
}

// What does not arrive is as good as not promised, so an error is only told.
void MemberLine::send(const std::string& to, std::string_view type, Json body) {
  auto there = there_.find(to);
  if (!socket_ || !socket_->is_open() || there == there_.end() || config_.replication_password.empty()) return;
  std::string datagram =
      member_datagram(config_.replication_password, service_, config_.member, to, type, std::move(body));
  boost::system::error_code problem;
  socket_->send_to(asio::buffer(datagram), there->second, 0, problem);
  if (problem) tell(fmt::format("{}: {}", to, problem.message()));
}

}  // namespace lifeboat
