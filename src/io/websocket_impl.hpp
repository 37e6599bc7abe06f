// The inside of WebSocket, shared by the file that makes one as a client and the server that is asked for one.
// A reading loop always runs, so that pings are answered and silence is noticed also while nobody calls read(); a
// writing loop sends one message after the other. Both end when the socket does.
#pragma once

#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <deque>

#include "io/websocket.hpp"

namespace lifeboat {

using BeastSocket = boost::beast::websocket::stream<boost::beast::tcp_stream>;

struct WebSocketCore {
  struct Outgoing {
    std::string text;
    bool begun = false;
    std::optional<Result<void>> result;
    std::unique_ptr<Wakeup> finished;
  };

  explicit WebSocketCore(BeastSocket socket);

  BeastSocket stream;
  std::string peer;
  std::deque<std::string> received;
  size_t received_bytes = 0;
  std::deque<std::shared_ptr<Outgoing>> outgoing;
  std::optional<Error> ended;
  Wakeup arrived;
  Wakeup to_write;

  // Closes the socket and tells everybody why; the first reason stays.
  void end(Error why);
};

struct WebSocket::Impl {
  explicit Impl(std::shared_ptr<WebSocketCore> core);
  ~Impl();
  std::shared_ptr<WebSocketCore> core;
  Scope scope;
};

// Takes over a stream whose handshake is done.
WebSocket make_websocket(BeastSocket stream);
// Sets timeouts and cap; before the handshake.
void prepare_websocket(BeastSocket& stream);

}  // namespace lifeboat
