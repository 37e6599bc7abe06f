#include "lab/wire.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>

namespace lifeboat::lab {

namespace {

Result<sockaddr_in> ipv4(const std::string& address, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, address.c_str(), &out.sin_addr) != 1) {
    return fail(ErrorKind::invalid_input, "'" + address + "' is not an IPv4 address");
  }
  return out;
}

Result<void> wait_for(int fd, short what, int64_t deadline_ns, const std::string& of) {
  pollfd wait{fd, what, 0};
  int ready = 0;
  while ((ready = poll(&wait, 1, left_ms(deadline_ns))) < 0 && errno == EINTR) {
  }
  if (ready == 0) return fail(ErrorKind::timed_out, of + ": no answer in time");
  return {};
}

Result<void> send_all(int fd, std::string_view bytes, int64_t deadline_ns) {
  while (!bytes.empty()) {
    ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      TRY_VOID(wait_for(fd, POLLOUT, deadline_ns, "sending"));
    } else if (errno != EINTR) {
      return std::unexpected(os_error("sending"));
    }
  }
  return {};
}

// Appends what is there; false at the end of the stream.
Result<bool> receive_some(int fd, std::string& buffer, int64_t deadline_ns) {
  while (true) {
    char chunk[8192];
    ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got > 0) {
      buffer.append(chunk, static_cast<size_t>(got));
      return true;
    }
    if (got == 0) return false;
    if (errno == EAGAIN) {
      TRY_VOID(wait_for(fd, POLLIN, deadline_ns, "receiving"));
    } else if (errno != EINTR) {
      return std::unexpected(os_error("receiving"));
    }
  }
}

// The body of an answer that came whole, chunked or not.
std::string unchunk(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    size_t end = body.find("\r\n");
    size_t length = 0;
    if (end == std::string_view::npos) break;
    std::from_chars(body.data(), body.data() + end, length, 16);
    if (length == 0 || body.size() < end + 2 + length) break;
    out += body.substr(end + 2, length);
    body.remove_prefix(std::min(body.size(), end + 2 + length + 2));
  }
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

std::pair<std::string, int> split_address(const std::string& at) {
  size_t colon = at.rfind(':');
  if (colon == std::string::npos) return {at, 0};
  int port = 0;
  std::from_chars(at.data() + colon + 1, at.data() + at.size(), port);
  return {at.substr(0, colon), port};
}

Result<Fd> connect_tcp(const std::string& address, int port, int64_t deadline_ns) {
  TRY(sockaddr_in to, ipv4(address, port));
  std::string what = fmt::format("connect to {}:{}", address, port);
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return std::unexpected(os_error(what));
  int yes = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    if (errno != EINPROGRESS) return std::unexpected(os_error(what));
    TRY_VOID(wait_for(fd.get(), POLLOUT, deadline_ns, what));
    socklen_t size = sizeof errno;
    int problem = 0;
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    errno = problem;
    if (problem != 0) return std::unexpected(os_error(what));
  }
  return fd;
}

Result<Fd> listen_tcp(const std::string& at) {
  auto [address, port] = split_address(at);
  TRY(sockaddr_in where, ipv4(address, port));
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 || listen(fd.get(), 64) != 0) {
    return std::unexpected(os_error("cannot listen on " + at));
  }
  return fd;
}

Result<Redis> Redis::connect(const std::string& address, int port, const std::string& password, int64_t deadline_ns) {
  Redis redis;
  redis.deadline_ns_ = deadline_ns;
  TRY(redis.fd_, connect_tcp(address, port, deadline_ns));
  if (!password.empty()) TRY_VOID(redis.command({"AUTH", password}));
  return redis;
}

Result<std::string> Redis::command(const std::vector<std::string>& words) {
  std::string out = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) out += fmt::format("${}\r\n{}\r\n", word.size(), word);
  TRY_VOID(send_all(fd_.get(), out, deadline_ns_));
  return reply();
}

Result<std::string> Redis::line() {
  while (true) {
    if (size_t end = buffer_.find("\r\n"); end != std::string::npos) {
      std::string out = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      return out;
    }
    TRY(bool more, receive_some(fd_.get(), buffer_, deadline_ns_));
    if (!more) return fail(ErrorKind::unreachable, "Redis ended the connection");
  }
}

Result<std::string> Redis::reply() {
  TRY(std::string first, line());
  if (first.empty()) return fail(ErrorKind::internal, "Redis sent an empty line");
  std::string rest = first.substr(1);
  int64_t length = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), length);
  if (first[0] == '-') return fail(ErrorKind::refused, "Redis: " + rest);
  if (first[0] == '$' && length >= 0) {
    while (buffer_.size() < static_cast<size_t>(length) + 2) {
      TRY(bool more, receive_some(fd_.get(), buffer_, deadline_ns_));
      if (!more) return fail(ErrorKind::unreachable, "Redis ended the connection");
    }
    std::string out = buffer_.substr(0, static_cast<size_t>(length));
    buffer_.erase(0, static_cast<size_t>(length) + 2);
    return out;
  }
  if (first[0] != '*') return rest;
  std::string joined;
  for (int64_t i = 0; i < length; ++i) {
    TRY(std::string element, reply());
    joined += element + "\n";
  }
  return joined;
}

Result<HttpAnswer> http(const HttpRequest& request, Duration within) {
  int64_t deadline = deadline_in(within);
  TRY(Fd fd, connect_tcp(request.address, request.port, deadline));
  std::string text = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", request.method, request.path,
                                 request.host.empty() ? request.address : request.host);
  if (!request.token.empty()) text += fmt::format("Authorization: Bearer {}\r\n", request.token);
  if (request.method != "GET") {
    text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", request.body.size());
  }
  text += "\r\n" + request.body;
  TRY_VOID(send_all(fd.get(), text, deadline));
  std::string answer;
  while (true) {
    TRY(bool more, receive_some(fd.get(), answer, deadline));
    if (!more) break;
  }
  size_t head = answer.find("\r\n\r\n");
  HttpAnswer out;
  if (!answer.starts_with("HTTP/1.") || head == std::string::npos || answer.size() < 12) {
    return fail(ErrorKind::unknown_outcome, fmt::format("{}:{} did not answer in HTTP", request.address, request.port));
  }
  std::from_chars(answer.data() + 9, answer.data() + 12, out.status);
  out.body = answer.substr(head + 4);
  if (lower(answer.substr(0, head)).find("\r\ntransfer-encoding: chunked") != std::string::npos)
    out.body = unchunk(out.body);
  return out;
}

namespace {

std::string dns_question(const std::string& name) {
  std::string out{"\x4c\x42\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12};
  for (size_t at = 0; at < name.size();) {
    size_t dot = std::min(name.find('.', at), name.size());
    out += static_cast<char>(dot - at);
    out += name.substr(at, dot - at);
    at = dot + 1;
  }
  return out + std::string{"\x00\x00\x01\x00\x01", 5};
}

}  // namespace

Result<std::string> dns_address(const std::string& server, int port, const std::string& name, Duration within) {
  TRY(sockaddr_in to, ipv4(server, port));
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  std::string what = fmt::format("ask {}:{} for {}", server, port, name);
  std::string question = dns_question(name);
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 ||
      send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) {
    return std::unexpected(os_error(what));
  }
  TRY_VOID(wait_for(fd.get(), POLLIN, deadline_in(within), what));
  unsigned char answer[1500];
  ssize_t got = recv(fd.get(), answer, sizeof answer, 0);
  auto size = static_cast<size_t>(std::max<ssize_t>(got, 0));
  if (size < question.size() || (answer[3] & 15) != 0) return fail(ErrorKind::not_found, what + ": no address");
  int answers = answer[6] << 8 | answer[7];
  size_t at = question.size();
  for (int i = 0; i < answers; ++i) {
    while (at < size && answer[at] != 0 && (answer[at] & 0xC0) != 0xC0) at += answer[at] + 1U;
    at += at < size && (answer[at] & 0xC0) == 0xC0 ? 2 : 1;
    if (at + 10 > size) break;
    int type = answer[at] << 8 | answer[at + 1];
    size_t length = static_cast<size_t>(answer[at + 8] << 8 | answer[at + 9]);
    at += 10;
    if (at + length > size) break;
    if (type == 1 && length == 4) {
      return fmt::format("{}.{}.{}.{}", answer[at], answer[at + 1], answer[at + 2], answer[at + 3]);
    }
    at += length;
  }
  return fail(ErrorKind::not_found, what + ": no address");
}

}  // namespace lifeboat::lab
