// A WebSocket (RFC 6455), client's or server's end. One coroutine may read while others write, all on the socket's
// executor; writes are queued in the order of the calls. The other side is asked every second (ping); silence of about
// 4 s ends the connection, and so does data that is not acknowledged by TCP for that long.
// Copying is not possible, moving is; close() or the destructor end it.
#pragma once

#include <memory>
#include <string>

#include "core/base/error.hpp"
#include "io/http_client.hpp"
#include "io/task.hpp"

namespace lifeboat {

class WebSocket {
 public:
  static constexpr size_t kLargestMessage = 1024 * 1024;
  // Messages that nobody has read yet, in bytes; above it the connection ends with `refused`.
  static constexpr size_t kLargestBacklog = 16 * 1024 * 1024;
  struct Impl;

  WebSocket();
  explicit WebSocket(std::unique_ptr<Impl> impl);
  ~WebSocket();
  WebSocket(WebSocket&&) noexcept;
  WebSocket& operator=(WebSocket&&) noexcept;

  // The next text message. `timed_out` when none came by the deadline: the connection then stays usable and read may be
  // called again. `unreachable` when the connection ended (the text says how); every later read and write says the
  // same.
  // `refused` when a message is larger than the cap; that ends the connection.
  Task<Result<std::string>> read(Deadline deadline);
  // Returns when the message was handed to the kernel. `timed_out` when its turn did not come by the deadline: it is
  // not sent then. `unknown_outcome` when the deadline passed in the middle of it, or the connection ended there.
  // A caller that is cancelled takes back a message whose turn has not come; one that is being sent goes out whole.
  Task<Result<void>> write(std::string message, Deadline deadline);
  // Says goodbye, waits for the other side's goodbye at most until the deadline, closes. Never fails.
  Task<> close(Deadline deadline);
  // Ends it at once, from the socket's thread. A read or write under way returns `unreachable`.
  void drop();
  bool open() const;
  // "10.1.0.3:41234".
  std::string peer() const;

 private:
  std::unique_ptr<Impl> impl_;
};

// `headers` are added to the handshake. `refused` when the other side is no WebSocket or said no, `unreachable`,
// `timed_out`.
Task<Result<WebSocket>> connect_websocket(std::string address, int port, std::string path, HttpHeaders headers,
                                          Deadline deadline);

}  // namespace lifeboat
