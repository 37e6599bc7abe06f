// The CPU that one process needs to ask 1,000 targets once a second, each over a connection of its own, as probes do.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "bench.hpp"
#include "io/http_client.hpp"
#include "io/task.hpp"

namespace lifeboat::bench {
namespace {

using asio::ip::tcp;

Task<> answer(tcp::socket socket) {
  std::string request;
  const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  try {
    while (true) {
      size_t size =
          co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", asio::use_awaitable);
      request.erase(0, size);
      co_await asio::async_write(socket, asio::buffer(reply), asio::use_awaitable);
    }
  } catch (const boost::system::system_error&) {
    co_return;  // the other side is done with this connection
  }
}

[[noreturn]] void respond(int listener) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  asio::io_context context(1);
  tcp::acceptor acceptor(context, tcp::v4(), listener);
  auto accept = [&]() -> Task<> {
    while (true) {
      tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
      asio::co_spawn(context, answer(std::move(socket)), [](std::exception_ptr) {});
    }
  };
  asio::co_spawn(context, accept, [](std::exception_ptr) {});
  context.run();
  _exit(0);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Tally {
  int asked = 0;
  int answered = 0;
  int done = 0;
};

Task<> probe(HttpClient& http, std::string url, Duration first, MonoTime end, Tally& tally) {
  MonoTime next = boot_now() + first;
  while (next < end) {
    co_await sleep_until(next);
    HttpRequest request;
    request.url = url;
    request.fresh_connection = true;
    ++tally.asked;
    auto asking = http.send(std::move(request), Deadline::after(Duration{1'000}));
    auto got = co_await std::move(asking);
    if (got && got->status == 200) ++tally.answered;
    next += Duration{1'000};
  }
  ++tally.done;
}

}  // namespace

Responder start_responder() {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, size) != 0 || listen(listener, 1'024) != 0 ||
      getsockname(listener, generic, &size) != 0) {
    close(listener);
    return {};
  }
  int pid = fork();
  if (pid == 0) respond(listener);
  close(listener);
  return {ntohs(address.sin_port), pid};
}

void watch_targets(int responder_port, Figures& out) {
  constexpr int kTargets = 1'000;
  constexpr Duration kTime{10'000};
  asio::io_context context(1);
  HttpClient http;
  Tally tally;
  MonoTime end = boot_now() + kTime;
  std::string url = fmt::format("http://127.0.0.1:{}/health", responder_port);
  for (int target = 0; target < kTargets; ++target) {
    asio::co_spawn(context, probe(http, url, Duration{target * 1'000 / kTargets}, end, tally),
                   [](std::exception_ptr) {});
  }
  double before = cpu_seconds();
  double took = seconds_of([&] { context.run(); });
  out.push_back({"watching 1,000 targets once a second: CPU of one core", 100 * (cpu_seconds() - before) / took, "%"});
  out.push_back({"  requests a second", tally.asked / took, "/s"});
  out.push_back({"  answered in time", 100.0 * tally.answered / std::max(1, tally.asked), "%"});
}

}  // namespace lifeboat::bench
