#include "io/dial.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>

namespace lifeboat {
namespace {

using asio::ip::tcp;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

Task<Result<tcp::socket>> connect_all(std::string address, int port) {
  auto executor = co_await asio::this_coro::executor;
  std::string where = fmt::format("{}:{}", address, port);
  std::vector<tcp::endpoint> endpoints;
  boost::system::error_code not_literal;
  auto literal = asio::ip::make_address(address, not_literal);
  if (!not_literal) {
    endpoints.emplace_back(literal, static_cast<uint16_t>(port));
  } else {
    tcp::resolver resolver(executor);
    auto [problem, found] = co_await resolver.async_resolve(address, std::to_string(port), kAsTuple);
    if (problem) {
      co_return fail(ErrorKind::not_found, fmt::format("look up {}: {}", address, problem.message()),
                     "give the host an address that resolves here", where);
    }
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  }
  tcp::socket socket(executor);
  auto [problem, chosen] = co_await asio::async_connect(socket, endpoints, kAsTuple);
  if (problem) {
    auto kind = problem == asio::error::operation_aborted ? ErrorKind::cancelled : ErrorKind::unreachable;
    co_return fail(kind, fmt::format("connect to {}: {}", where, problem.message()));
  }
  boost::system::error_code ignored;  // only slower without it
  socket.set_option(tcp::no_delay(true), ignored);
  co_return socket;
}

}  // namespace

Task<Result<tcp::socket>> dial(std::string address, int port, Deadline deadline) {
  if (port < 1 || port > 65535) {
    co_return fail(ErrorKind::invalid_input, fmt::format("connect to {}: {} is not a port", address, port));
  }
  std::string what = fmt::format("connect to {}:{}", address, port);
  co_return co_await within(deadline, std::move(what), connect_all(std::move(address), port));
}

}  // namespace lifeboat
