// What every long-lived TCP connection of Lifeboat is told: send at once, and notice within seconds that the other
// side is gone without a word.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace lifeboat {

// A kernel that lacks an option keeps its default; the WebSocket's pings and every deadline still hold.
inline void set_tcp_options(int socket) {
  auto set = [&](int level, int name, int value) { ::setsockopt(socket, level, name, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 1);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 4'000);
}

}  // namespace lifeboat
