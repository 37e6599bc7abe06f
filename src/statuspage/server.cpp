#include "statuspage/server.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/signal_set.hpp>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "io/crypto.hpp"
#include "statuspage/page.hpp"

namespace lifeboat {
namespace {

constexpr std::chrono::seconds kWindow{300};

bool is_this_machine(const std::string& peer) {
  boost::system::error_code problem;
  auto address = asio::ip::make_address(peer, problem);
  if (problem) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  if (address.is_loopback()) return true;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return false;
  bool found = false;
  for (ifaddrs* entry = list; entry != nullptr && !found; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (entry->ifa_addr->sa_family == AF_INET && address.is_v4()) {
      const auto* own = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      found = address.to_v4().to_uint() == ntohl(own->sin_addr.s_addr);
    }
    if (entry->ifa_addr->sa_family == AF_INET6 && address.is_v6()) {
      const auto* own = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      auto bytes = address.to_v6().to_bytes();
      found = std::equal(bytes.begin(), bytes.end(), own->sin6_addr.s6_addr);
    }
  }
  ::freeifaddrs(list);
  return found;
}

HttpReply error_reply(int status, std::string_view text) {
  return json_reply(status, to_text(JsonObject{{"error", text}}));
}

}  // namespace

Statuspage::Statuspage(StatuspageOptions options, statuspage::Board board)
    : options_(std::move(options)), secrets_(options_.secrets_folder), board_(std::move(board)) {}

Result<void> Statuspage::may_post(const HttpIncoming& incoming, WallTime now) {
  if (options_.key.empty()) {
    if (is_this_machine(incoming.peer)) return {};
    return fail(ErrorKind::refused, "without a key, updates are only taken from this machine");
  }
  TRY(std::string key, secrets_.get(options_.key));
  std::string stamp = incoming.header("x-lifeboat-timestamp");
  int64_t seconds = 0;
  auto [end, problem] = std::from_chars(stamp.data(), stamp.data() + stamp.size(), seconds);
  bool numeric = !stamp.empty() && problem == std::errc{} && end == stamp.data() + stamp.size();
  std::string expected = "v1=" + hmac_sha256_hex(key, fmt::format("{}.{}", stamp, incoming.body));
  // The signature first: what is not signed learns nothing about this machine's clock.
  if (!numeric || !equal_in_constant_time(expected, incoming.header("x-lifeboat-signature")))
    return fail(ErrorKind::refused, "the signature does not fit");
  int64_t here = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  bool fresh = seconds <= here + kWindow.count() && seconds >= here - kWindow.count();
  if (!fresh) return fail(ErrorKind::refused, "the timestamp is more than 5 minutes off");
  return {};
}

HttpReply Statuspage::post(const HttpIncoming& incoming) {
  WallTime now = wall_now();
  if (auto allowed = may_post(incoming, now); !allowed) {
    bool ours = allowed.error().kind != ErrorKind::refused;
    if (ours) fmt::print(stderr, "status page: {}\n", allowed.error().text());
    return ours ? error_reply(503, "updates cannot be checked at the moment") : error_reply(401, allowed.error().what);
  }
  auto body = parse_json(incoming.body);
  if (!body) return error_reply(400, body.error().what);
  auto update = statuspage::read_update(*body, now);
  if (!update) return error_reply(400, update.error().what);
  if (board_.has(update->id)) return json_reply(200, R"({"repeated":true})");
  statuspage::Board next = board_;
  std::string id = update->id;
  next.add(std::move(*update));
  if (auto saved = next.save(options_.data_file); !saved) {
    fmt::print(stderr, "status page: {}\n", saved.error().text());
    return error_reply(503, "the update could not be kept");
  }
  board_ = std::move(next);
  return json_reply(201, to_text(JsonObject{{"id", id}}));
}

Task<HttpReply> Statuspage::handle(HttpIncoming incoming) {
  bool reading = incoming.method == "GET" || incoming.method == "HEAD";
  if (incoming.path == "/api/v1/updates") {
    if (incoming.method != "POST") co_return error_reply(405, "updates are posted");
    co_return post(incoming);
  }
  if (incoming.path != "/" && incoming.path != "/api/v1/status") co_return error_reply(404, "there is no such page");
  if (!reading) co_return error_reply(405, "this is only read");
  HttpReply reply;
  reply.headers = {{"Cache-Control", "max-age=5"}, {"Access-Control-Allow-Origin", "*"}};
  if (incoming.path == "/") {
    reply.type = "text/html; charset=utf-8";
    reply.headers.emplace_back("Content-Security-Policy",
                               "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    reply.body = statuspage::page(board_, options_.title, wall_now());
  } else {
    reply.body = to_text(board_.to_json(options_.title));
  }
  co_return reply;
}

Task<int> run_statuspage(StatuspageOptions options) {
  auto executor = co_await asio::this_coro::executor;
  auto board = statuspage::Board::load(options.data_file);
  if (!board) {
    fmt::print(stderr, "{}\n", board.error().text());
    co_return 1;
  }
  std::string address = options.listen;
  int port = options.port;
  Statuspage site(std::move(options), std::move(*board));
  HttpServer server(
      executor, [&site](HttpIncoming incoming) { return site.handle(std::move(incoming)); },
      [](std::string_view what) { fmt::print(stderr, "status page: {}\n", what); });
  if (auto listening = server.listen(address, port); !listening) {
    fmt::print(stderr, "{}\n", listening.error().text());
    co_return 1;
  }
  asio::signal_set signals(executor, SIGTERM, SIGINT);
  auto [problem, signal] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
  if (problem) co_return 1;  // cancelled: whoever did it does not wait for visitors
  co_await server.stop(Duration{2'000});
  co_return 0;
}

}  // namespace lifeboat
