// Ports for the servers that tests start.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

namespace lifeboat {

inline bool port_is_free(int port) {
  bool free = true;
  for (int type : {SOCK_STREAM, SOCK_DGRAM}) {
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    free = free && bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
  }
  return free;
}

// The first of `count` ports in a row that were free a moment ago, below the range that the kernel gives out by itself: no
// outgoing connection takes one of them before the server does. Each process begins elsewhere, so that tests that run side by
// side do not meet.
inline int free_ports(int count) {
  constexpr int kFirst = 12'000, kEnd = 32'000;
  static int next = kFirst + static_cast<int>(getpid() % 400) * 50;
  for (int attempt = 0; attempt < kEnd - kFirst; ++attempt) {
    if (next + count > kEnd) next = kFirst;
    int first = next;
    int found = 0;
    while (found < count && port_is_free(first + found)) ++found;
    next += found == count ? count : found + 1;
    if (found == count) return first;
  }
  throw std::runtime_error("no free port");
}

inline int free_port() { return free_ports(1); }

}  // namespace lifeboat
