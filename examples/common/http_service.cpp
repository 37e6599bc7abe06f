#include "http_service.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

namespace example {
namespace {

constexpr size_t kLargestHead = 16 * 1024;
constexpr size_t kLargestBody = 64 * 1024;
constexpr int kMostConnections = 512;
std::atomic<int> connections{0};

// Reads what there is, at least a byte; false when the other side went away.
bool read_more(int socket, std::string& text) {
  char buffer[4096];
  ssize_t got = recv(socket, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  text.append(buffer, static_cast<size_t>(got));
  return true;
}

bool read_request(int socket, std::string& pending, Request& request) {
  size_t end = 0;
  while ((end = pending.find("\r\n\r\n")) == std::string::npos) {
    if (pending.size() > kLargestHead || !read_more(socket, pending)) return false;
  }
  std::string_view head = std::string_view(pending).substr(0, end);
  size_t line_end = std::min(head.find("\r\n"), head.size());
  std::string_view first = head.substr(0, line_end);
  size_t space = first.find(' '), second = first.find(' ', space + 1);
  if (space == std::string_view::npos || second == std::string_view::npos) return false;
  request.method = first.substr(0, space);
  request.path = first.substr(space + 1, second - space - 1);
  if (size_t question = request.path.find('?'); question != std::string::npos) request.path.erase(question);
  head.remove_prefix(std::min(line_end + 2, head.size()));
  while (!head.empty()) {
    size_t next = std::min(head.find("\r\n"), head.size());
    std::string_view line = head.substr(0, next);
    size_t colon = line.find(':');
    if (colon != std::string_view::npos) {
      std::string name{line.substr(0, colon)};
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      std::string_view value = line.substr(colon + 1);
      while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
      request.headers[name] = value;
    }
    head.remove_prefix(std::min(next + 2, head.size()));
  }
  size_t length = 0;
  if (auto found = request.headers.find("content-length"); found != request.headers.end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), length);
  if (length > kLargestBody) return false;
  while (pending.size() < end + 4 + length) {
    if (!read_more(socket, pending)) return false;
  }
  request.body = pending.substr(end + 4, length);
  pending.erase(0, end + 4 + length);
  return true;
}

bool send_all(int socket, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    ssize_t sent = send(socket, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += static_cast<size_t>(sent);
  }
  return true;
}

const char* reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

void serve_connection(int socket, const Handler& handler) {
  int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  timeval patience{.tv_sec = 30, .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string pending;
  while (true) {
    Request request;
    if (!read_request(socket, pending, request)) break;
    Response response = handler(request);
    bool last = request.headers["connection"] == "close";
    std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + reason(response.status) +
                       "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(response.body.size()) +
                       (last ? "\r\nConnection: close" : "") + "\r\n\r\n" +
                       (request.method == "HEAD" ? "" : response.body);
    if (!send_all(socket, text) || last) break;
  }
  close(socket);
  --connections;
}

}  // namespace

int serve(const std::string& address, int port, const Handler& handler) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGTERM, [](int) { _exit(0); });
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, address.c_str(), &where.sin_addr) != 1) {
    std::fprintf(stderr, "'%s' is no IPv4 address\n", address.c_str());
    return 2;
  }
  if (bind(listener, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 || listen(listener, 256) != 0) {
    std::fprintf(stderr, "%s:%d: %s\n", address.c_str(), port, std::strerror(errno));
    return 1;
  }
  while (true) {
    int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) {
      // Out of files, most likely: some connection ends soon.
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      continue;
    }
    if (connections >= kMostConnections) {
      close(client);
      continue;
    }
    ++connections;
    std::thread(serve_connection, client, std::cref(handler)).detach();
  }
}

std::string environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::string(value);
}

std::string required(const char* name) {
  std::string value = environment(name);
  if (!value.empty()) return value;
  std::fprintf(stderr, "the environment variable %s is not set\n", name);
  std::exit(2);
}

std::string json_text(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", c);
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string json_member(const std::string& body, const std::string& name) {
  size_t at = body.find("\"" + name + "\"");
  if (at == std::string::npos) return {};
  at = body.find(':', at);
  size_t begin = at == std::string::npos ? at : body.find('"', at);
  if (begin == std::string::npos) return {};
  std::string out;
  for (size_t index = begin + 1; index < body.size() && body[index] != '"'; ++index) {
    if (body[index] != '\\' || index + 1 >= body.size()) {
      out += body[index];
      continue;
    }
    char escaped = body[++index];
    out += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
  }
  return out;
}

}  // namespace example
