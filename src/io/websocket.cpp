#include "io/websocket_impl.hpp"

#include <boost/asio/as_tuple.hpp>

#include "io/dial.hpp"
#include "io/tcp_options.hpp"

namespace lifeboat {

namespace beast = boost::beast;
namespace ws = boost::beast::websocket;

namespace {

// The other side is asked after half of it.
constexpr std::chrono::milliseconds kLongestSilence{4'000};
constexpr std::chrono::milliseconds kHandshake{10'000};

std::string peer_of(const BeastSocket& stream) {
  boost::system::error_code problem;
  auto end = beast::get_lowest_layer(stream).socket().remote_endpoint(problem);
  if (problem) return "?";
  return fmt::format("{}:{}", end.address().to_string(), end.port());
}

Error ended_error(const std::string& peer, const boost::system::error_code& code) {
  if (code == ws::error::closed) return {ErrorKind::unreachable, fmt::format("{} closed the connection", peer)};
  if (code == ws::error::message_too_big)
    return {ErrorKind::refused,
            fmt::format("{} sent a message larger than {} bytes", peer, WebSocket::kLargestMessage)};
  if (code == beast::error::timeout) return {ErrorKind::unreachable, fmt::format("{} went silent", peer)};
  return {ErrorKind::unreachable, fmt::format("the connection to {} ended: {}", peer, code.message())};
}

Task<> read_loop(std::shared_ptr<WebSocketCore> core) {
  while (!core->ended) {
    beast::flat_buffer buffer;
    auto [problem, bytes] = co_await core->stream.async_read(buffer, asio::as_tuple(asio::use_awaitable));
    if (problem) {
      core->end(ended_error(core->peer, problem));
      break;
    }
    if (!core->stream.got_text()) {
      core->end({ErrorKind::refused, fmt::format("{} sent a binary message", core->peer)});
      break;
    }
    core->received.push_back(beast::buffers_to_string(buffer.data()));
    core->received_bytes += bytes;
    if (core->received_bytes > WebSocket::kLargestBacklog)
      core->end({ErrorKind::refused, fmt::format("{} sends faster than its messages are read", core->peer)});
    core->arrived.notify();
  }
}

Task<> write_loop(std::shared_ptr<WebSocketCore> core) {
  while (!core->ended) {
    if (core->outgoing.empty()) {
      co_await core->to_write.wait_until(boot_now() + std::chrono::hours{1});
      continue;
    }
    auto message = core->outgoing.front();
    core->outgoing.pop_front();
    message->begun = true;
    auto [problem, bytes] =
        co_await core->stream.async_write(asio::buffer(message->text), asio::as_tuple(asio::use_awaitable));
    if (problem) {
      core->end(ended_error(core->peer, problem));
      message->result = fail(ErrorKind::unknown_outcome, core->ended->what);
    } else {
      message->result = Result<void>{};
    }
    message->finished->notify();
  }
}

// Only for what reading and writing throw besides being cancelled; the loops turn all of the network's
// errors into values.
void loop_failed(std::weak_ptr<WebSocketCore> weak, std::string_view what) {
  if (auto core = weak.lock()) core->end({ErrorKind::internal, std::string(what)});
}

}  // namespace

WebSocketCore::WebSocketCore(BeastSocket socket)
    : stream(std::move(socket)),
      peer(peer_of(stream)),
      arrived(stream.get_executor()),
      to_write(stream.get_executor()) {}

void WebSocketCore::end(Error why) {
  if (ended) return;
  ended = std::move(why);
  boost::system::error_code ignored;  // closing what is already closed is as good
  beast::get_lowest_layer(stream).socket().close(ignored);
  beast::get_lowest_layer(stream).cancel();
  for (auto& message : outgoing) {
    message->result = fail(ended->kind, ended->what);
    message->finished->notify();
  }
  outgoing.clear();
  arrived.notify();
  to_write.notify();
}

WebSocket::Impl::Impl(std::shared_ptr<WebSocketCore> inside)
    : core(std::move(inside)),
      scope(core->stream.get_executor(),
            [weak = std::weak_ptr(core)](std::string_view, std::string_view what) { loop_failed(weak, what); }) {
  scope.spawn("read", read_loop(core));
  scope.spawn("write", write_loop(core));
}

WebSocket::Impl::~Impl() {
  core->end({ErrorKind::cancelled, fmt::format("the connection to {} was closed here", core->peer)});
}

WebSocket::WebSocket() = default;
WebSocket::WebSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebSocket::~WebSocket() = default;
WebSocket::WebSocket(WebSocket&&) noexcept = default;
WebSocket& WebSocket::operator=(WebSocket&&) noexcept = default;

Task<Result<std::string>> WebSocket::read(Deadline deadline) {
  if (!impl_) co_return fail(ErrorKind::internal, "read on a WebSocket that was moved away");
  auto core = impl_->core;
  while (core->received.empty()) {
    if (core->ended) co_return std::unexpected(*core->ended);
    if (deadline.passed()) co_return fail(ErrorKind::timed_out, fmt::format("{} said nothing in time", core->peer));
    co_await core->arrived.wait_until(deadline.at);
  }
  std::string message = std::move(core->received.front());
  core->received.pop_front();
  core->received_bytes -= message.size();
  co_return message;
}

Task<Result<void>> WebSocket::write(std::string message, Deadline deadline) {
  if (!impl_) co_return fail(ErrorKind::internal, "write on a WebSocket that was moved away");
  auto core = impl_->core;
  if (core->ended) co_return fail(core->ended->kind, core->ended->what);
  auto outgoing = std::make_shared<WebSocketCore::Outgoing>();
  outgoing->text = std::move(message);
  outgoing->finished = std::make_unique<Wakeup>(core->stream.get_executor());
  core->outgoing.push_back(outgoing);
  core->to_write.notify();
  // Runs also when this coroutine is cancelled or destroyed: a message whose turn has not come is not sent.
  struct TakeBack {
    std::shared_ptr<WebSocketCore> from;
    std::shared_ptr<WebSocketCore::Outgoing> message;
    ~TakeBack() { std::erase(from->outgoing, message); }
  } take_back{core, outgoing};
  while (!outgoing->result) {
    if (deadline.passed()) {
      if (outgoing->begun) co_return fail(ErrorKind::unknown_outcome, fmt::format("{} takes no data", core->peer));
      co_return fail(ErrorKind::timed_out, fmt::format("{} takes no data", core->peer));
    }
    co_await outgoing->finished->wait_until(deadline.at);
  }
  co_return std::move(*outgoing->result);
}

Task<> WebSocket::close(Deadline deadline) {
  if (!impl_ || impl_->core->ended) co_return;
  auto core = impl_->core;
  auto goodbye = [](std::shared_ptr<WebSocketCore> to) -> Task<Result<bool>> {
    auto [problem] = co_await to->stream.async_close(ws::close_code::normal, asio::as_tuple(asio::use_awaitable));
    co_return !problem;
  };
  // Whatever becomes of the goodbye, the connection ends here.
  auto said = co_await within(deadline.at_most(Duration{2'000}), "goodbye", goodbye(core));
  core->end({ErrorKind::unreachable, fmt::format("the connection to {} was closed {}", core->peer,
                                                 said && *said ? "in order" : "without an answer")});
}

void WebSocket::drop() {
  if (impl_)
    impl_->core->end({ErrorKind::unreachable, fmt::format("the connection to {} was dropped here", impl_->core->peer)});
}

bool WebSocket::open() const { return impl_ && !impl_->core->ended; }

std::string WebSocket::peer() const { return impl_ ? impl_->core->peer : std::string(); }

void prepare_websocket(BeastSocket& stream) {
  // The WebSocket keeps its own time; the one of the stream below must be off.
  beast::get_lowest_layer(stream).expires_never();
  set_tcp_options(beast::get_lowest_layer(stream).socket().native_handle());
  stream.set_option(ws::stream_base::timeout{kHandshake, kLongestSilence, true});
  stream.read_message_max(WebSocket::kLargestMessage);
  stream.text(true);
  stream.auto_fragment(false);
}

WebSocket make_websocket(BeastSocket stream) {
  auto core = std::make_shared<WebSocketCore>(std::move(stream));
  return WebSocket(std::make_unique<WebSocket::Impl>(std::move(core)));
}

namespace {

Task<Result<std::shared_ptr<BeastSocket>>> shake_hands(std::shared_ptr<BeastSocket> stream, std::string host,
                                                       std::string path) {
  ws::response_type answer;
  auto [problem] = co_await stream->async_handshake(answer, host, path, asio::as_tuple(asio::use_awaitable));
  if (!problem) co_return stream;
  if (problem == ws::error::upgrade_declined)
    co_return fail(ErrorKind::refused,
                   fmt::format("{} answered {} to the WebSocket handshake", host, answer.result_int()));
  bool nonsense = &problem.category() == &boost::system::error_code(ws::error::closed).category() ||
                  &problem.category() == &boost::system::error_code(beast::http::error::bad_version).category();
  co_return fail(nonsense && problem != beast::http::error::end_of_stream ? ErrorKind::refused : ErrorKind::unreachable,
                 fmt::format("WebSocket handshake with {}: {}", host, problem.message()));
}

}  // namespace

Task<Result<WebSocket>> connect_websocket(std::string address, int port, std::string path, HttpHeaders headers,
                                          Deadline deadline) {
  auto dialled = co_await dial(address, port, deadline);
  if (!dialled) co_return std::unexpected(std::move(dialled).error());
  auto stream = std::make_shared<BeastSocket>(std::move(*dialled));
  prepare_websocket(*stream);
  stream->set_option(ws::stream_base::decorator([headers](ws::request_type& request) {
    request.set(beast::http::field::user_agent, "lifeboat");
    for (const auto& [name, value] : headers) request.set(name, value);
  }));
  std::string host = fmt::format("{}:{}", address.find(':') == std::string::npos ? address : "[" + address + "]", port);
  auto shaken = co_await within(deadline, "WebSocket handshake with " + host, shake_hands(stream, host, path));
  if (!shaken) co_return std::unexpected(std::move(shaken).error());
  co_return make_websocket(std::move(**shaken));
}

}  // namespace lifeboat
