#include "lab/sink.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <mutex>
#include <thread>
#include <vector>

#include "lab/system.hpp"
#include "lab/wire.hpp"

namespace lifeboat::lab {

namespace {

constexpr size_t kLargestMessage = 1 << 20;
constexpr Duration kPatience{10'000};

WallTime wall_clock() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

class Sink {
 public:
  explicit Sink(Fd file) : file_(std::move(file)) {}

  void serve_http(Fd peer) {
    std::string text;
    size_t head = 0;
    while ((head = text.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(peer.get(), text)) return;
    }
    size_t length = 0;
    for (size_t at = text.find("\r\n"); at < head; at = text.find("\r\n", at + 2)) {
      std::string_view line = std::string_view(text).substr(at + 2, head - at);
      constexpr std::string_view kName = "content-length:";
      bool matches = line.size() > kName.size();
      for (size_t i = 0; matches && i < kName.size(); ++i) matches = (line[i] | 32) == (kName[i] | 32);
      if (!matches) continue;
      size_t digit = line.find_first_not_of(' ', kName.size());
      std::from_chars(line.data() + digit, line.data() + line.size(), length);
    }
    if (length > kLargestMessage) return;
    if (text.find("100-continue") < head) answer(peer.get(), "HTTP/1.1 100 Continue\r\n\r\n");
    while (text.size() < head + 4 + length) {
      if (!read_more(peer.get(), text)) return;
    }
    size_t space = text.find(' ');
    std::string path = text.substr(space + 1, text.find(' ', space + 1) - space - 1);
    keep(
        {{"kind", "http"}, {"method", text.substr(0, space)}, {"path", path}, {"body", text.substr(head + 4, length)}});
    answer(peer.get(),
           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  }

  void serve_smtp(Fd peer) {
    std::string text, from;
    JsonArray to;
    answer(peer.get(), "220 lab ESMTP\r\n");
    while (true) {
      size_t end = 0;
      while ((end = text.find("\r\n")) == std::string::npos) {
        if (!read_more(peer.get(), text)) return;
      }
      std::string line = text.substr(0, end);
      text.erase(0, end + 2);
      std::string verb = line.substr(0, 4);
      for (char& c : verb) c = static_cast<char>(toupper(static_cast<unsigned char>(c)));
      std::string reply = "250 ok\r\n";
      if (verb == "EHLO") reply = "250-lab\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1048576\r\n";
      if (verb == "AUTH") reply = "235 welcome\r\n";
      if (verb == "MAIL") from = address_in(line);
      if (verb == "RCPT") to.emplace_back(address_in(line));
      if (verb == "QUIT") return answer(peer.get(), "221 bye\r\n");
      if (verb == "DATA") {
        answer(peer.get(), "354 go on\r\n");
        while ((end = text.find("\r\n.\r\n")) == std::string::npos) {
          if (!read_more(peer.get(), text)) return;
        }
        keep({{"kind", "mail"}, {"from", from}, {"to", std::exchange(to, {})}, {"body", text.substr(0, end)}});
        text.erase(0, end + 5);
      }
      answer(peer.get(), reply);
    }
  }

 private:
  // "MAIL FROM:<a@b> SIZE=12" → "a@b".
  static std::string address_in(const std::string& line) {
    size_t open = line.find('<'), close = line.find('>');
    return open == std::string::npos || close < open ? line : line.substr(open + 1, close - open - 1);
  }

  static bool read_more(int fd, std::string& text) {
    if (text.size() > 2 * kLargestMessage) return false;
    pollfd wait{fd, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(kPatience.count())) <= 0) return false;
    char chunk[8192];
    ssize_t got = recv(fd, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    text.append(chunk, static_cast<size_t>(got));
    return true;
  }

  static void answer(int fd, std::string_view text) {
    // A peer that left gets no answer, and needs none.
    static_cast<void>(send(fd, text.data(), text.size(), MSG_NOSIGNAL));
  }

  void keep(JsonObject message) {
    message["at"] = format_wall(wall_clock());
    // Text that is not UTF-8 must not make the whole file unreadable.
    for (auto& entry : message) {
      if (!entry.value().is_string()) continue;
      for (char& c : entry.value().get_string()) {
        if (static_cast<unsigned char>(c) >= 0x80 && !parse_json(to_text(entry.value()))) c = '?';
      }
    }
    std::string line = to_text(message) + "\n";
    std::lock_guard hold(mutex_);
    if (write(file_.get(), line.data(), line.size()) < 0) dprintf(2, "cannot keep a message\n");
  }

  Fd file_;
  std::mutex mutex_;
};

[[noreturn]] void accept_all(Sink& sink, Fd listener, void (Sink::*serve)(Fd)) {
  while (true) {
    Fd peer(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) {
      pause_for(Duration{10});  // out of descriptors: not for long
      continue;
    }
    std::thread([&sink, serve, moved = std::move(peer)]() mutable { (sink.*serve)(std::move(moved)); }).detach();
  }
}

}  // namespace

Result<void> run_sink(const SinkOptions& options) {
  Fd file(open(options.out.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!file) return std::unexpected(os_error("cannot write " + options.out));
  Sink sink(std::move(file));
  std::vector<std::thread> threads;
  for (const auto& [at, serve] : {std::pair{options.http, &Sink::serve_http}, {options.smtp, &Sink::serve_smtp}}) {
    if (at.empty()) continue;
    TRY(Fd listener, listen_tcp(at));
    threads.emplace_back(
        [&sink, serve, moved = std::move(listener)]() mutable { accept_all(sink, std::move(moved), serve); });
  }
  if (threads.empty()) return fail(ErrorKind::invalid_input, "a sink needs --http or --smtp");
  for (std::thread& thread : threads) thread.join();
  return {};
}

}  // namespace lifeboat::lab
