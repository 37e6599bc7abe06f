// The witness against a name server and a web server of the test's own, on loopback.
#include "witness/witness.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "io/clock.hpp"
#include "io/file.hpp"
#include "witness/user.hpp"

namespace lifeboat {
namespace {

using namespace std::chrono_literals;

int bound_socket(int type, uint16_t port, int* given = nullptr, const char* address = "127.0.0.1") {
  int socket_ = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  inet_pton(AF_INET, address, &where.sin_addr);
  socklen_t size = sizeof where;
  EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&where), size), 0) << address << ":" << port;
  getsockname(socket_, reinterpret_cast<sockaddr*>(&where), &size);
  if (given != nullptr) *given = ntohs(where.sin_port);
  return socket_;
}

// Answers every question with one address, which the test may change.
class NameServer {
 public:
  explicit NameServer(uint8_t ttl)
      : ttl_(ttl), socket_(bound_socket(SOCK_DGRAM, 0, &port)), thread_([this] { serve(); }) {}
  ~NameServer() {
    ending_ = true;
    thread_.join();
    close(socket_);
  }
  int port = 0;
  std::atomic<int> questions = 0;
  std::atomic<uint8_t> last_byte = 1;  // of 127.0.0.x

 private:
  uint8_t ttl_;
  int socket_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;

  void serve() {
    pollfd watched{socket_, POLLIN, 0};
    while (!ending_) {
      if (poll(&watched, 1, 20) <= 0) continue;
      uint8_t packet[512];
      sockaddr_in who{};
      socklen_t size = sizeof who;
      ssize_t got = recvfrom(socket_, packet, sizeof packet - 32, 0, reinterpret_cast<sockaddr*>(&who), &size);
      if (got < 12) continue;
      ++questions;
      size_t end = 12;
      while (packet[end] != 0) end += packet[end] + 1u;
      end += 5;
      packet[2] = 0x84, packet[3] = 0, packet[7] = 1, packet[9] = 0, packet[11] = 0;
      const uint8_t answer[]{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl_, 0, 4, 127, 0, 0, last_byte};
      for (uint8_t byte : answer) packet[end++] = byte;
      sendto(socket_, packet, end, 0, reinterpret_cast<sockaddr*>(&who), size);
    }
  }
};

// GET says 200, or 404 for a key that was not posted; `slow` answers nothing for a second, `lose` forgets a key.
class WebServer {
 public:
  WebServer() : socket_(bound_socket(SOCK_STREAM, 0, &port)) {
    other_ = bound_socket(SOCK_STREAM, static_cast<uint16_t>(port), nullptr, "127.0.0.2");
    listen(socket_, 64);
    listen(other_, 64);
    thread_ = std::thread([this] { accept_all(); });
  }
  ~WebServer() {
    ending_ = true;
    thread_.join();
    for (std::thread& one : serving_) one.join();
    close(socket_);
    close(other_);
  }
  int port = 0;
  std::atomic<bool> slow = false, away = false;
  void lose(const std::string& key) {
    std::lock_guard lock(mutex_);
    keys_.erase(key);
  }

 private:
  int socket_ = -1, other_ = -1;
  std::atomic<bool> ending_ = false;
  std::mutex mutex_;
  std::set<std::string> keys_;
  std::thread thread_;
  std::vector<std::thread> serving_;

  void accept_all() {
    while (!ending_) {
      pollfd watched[]{{socket_, POLLIN, 0}, {other_, POLLIN, 0}};
      if (poll(watched, 2, 20) <= 0) continue;
      for (const pollfd& one : watched) {
        if (one.revents == 0) continue;
        serving_.emplace_back([this, client = accept(one.fd, nullptr, nullptr)] { serve(client); });
      }
    }
  }
  void serve(int client) {
    std::string text;
    char buffer[2048];
    pollfd watched{client, POLLIN, 0};
    auto whole = [&] {
      size_t end = text.find("\r\n\r\n"), length = text.find("Content-Length: ");
      return end != text.npos &&
             text.size() >= end + 4 + (length == text.npos ? 0 : std::stoul(text.substr(length + 16)));
    };
    while (!ending_) {
      if (poll(&watched, 1, 20) <= 0) continue;
      ssize_t got = recv(client, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      text.append(buffer, static_cast<size_t>(got));
      if (!whole()) continue;
      if (slow) std::this_thread::sleep_for(1s);
      std::string answer = "HTTP/1.1 " + std::to_string(status_of(text)) + " X\r\nContent-Length: 0\r\n\r\n";
      send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      text.clear();
    }
    close(client);
  }
  int status_of(const std::string& text) {
    if (away) return 503;
    std::lock_guard lock(mutex_);
    if (text.starts_with("POST")) {
      keys_.insert(text.substr(text.find("\r\n\r\n") + 4));
      return 201;
    }
    if (!text.starts_with("GET /notes/")) return 200;
    return keys_.contains(text.substr(11, text.find(' ', 11) - 11)) ? 200 : 404;
  }
};

class WitnessTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/lifeboat-witness-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Plan plan(const NameServer& names, const WebServer& web, double rate) const {
    Plan out;
    out.hosts.add("ns", Host{.address = "127.0.0.1"});
    DnsService dns{.name = "notes.test", .zone = "notes.test", .server = {"ns"}, .port = names.port};
    out.services.add("entry", dns);
    out.journey = Journey{.entry = {"entry"},
                          .port = web.port,
                          .rate = rate,
                          .read = "/notes",
                          .write = "/notes",
                          .write_body = "${key}",
                          .verify = "/notes/${key}"};
    return out;
  }

  std::string file() const { return folder_ + "/users.jsonl"; }
  std::vector<measure::Sample> samples() const {
    auto text = read_file(file());
    auto read = measure::read_samples(text ? *text : std::string());
    EXPECT_TRUE(read) << read.error().text();
    return read ? *read : std::vector<measure::Sample>();
  }
  // Runs the witness until `enough`, then ends it as people do: by a signal.
  template <class Enough>
  std::vector<measure::Sample> watch(const Plan& of, Enough enough) {
    int code = -1;
    std::thread witness([&] { code = run_witness({of, folder_, file(), {}}); });
    MonoTime late = boot_now() + 20s;
    while (!enough(samples()) && boot_now() < late) std::this_thread::sleep_for(10ms);
    EXPECT_LT(boot_now(), late) << "the witness did not see what it should";
    kill(getpid(), SIGTERM);
    witness.join();
    EXPECT_EQ(code, 0);
    return samples();
  }
  Json verify(const Plan& of) const {
    VerifyCommand command{.plan = of, .secrets_dir = folder_, .samples = file(), .out = folder_ + "/found.json"};
    EXPECT_EQ(run_verify(command), 0);
    return parse_json(read_file(command.out).value_or("null")).value_or(nullptr);
  }

  std::string folder_;
};

TEST_F(WitnessTest, ReadsAndWritesInTurnAndFindsTheWritesThatAreGone) {
  NameServer names(60);
  WebServer web;
  Plan of = plan(names, web, 100);
  auto seen = watch(of, [](const auto& so_far) { return so_far.size() >= 40; });
  std::vector<std::string> keys;
  for (const measure::Sample& sample : seen) {
    EXPECT_TRUE(sample.ok) << sample.error;
    EXPECT_EQ(sample.status, sample.write ? 201 : 200);
    EXPECT_EQ(sample.address, "127.0.0.1");
    EXPECT_LE(sample.sent, sample.done);
    if (sample.write) keys.push_back(sample.key);
  }
  EXPECT_NEAR(static_cast<double>(keys.size()), static_cast<double>(seen.size()) / 2, 2);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
  Json found = verify(of);
  EXPECT_EQ(int_or(found, "acknowledged"), static_cast<int64_t>(keys.size()));
  EXPECT_EQ(int_or(found, "present"), static_cast<int64_t>(keys.size()));
  web.lose(keys.at(3));
  found = verify(of);
  ASSERT_EQ(member(found, "missing").as_array().size(), 1u);
  EXPECT_EQ(member(found, "missing").as_array().front().as_string(), keys.at(3));
  EXPECT_TRUE(member(found, "unknown").as_array().empty());
}

TEST_F(WitnessTest, WhatCannotBeAskedIsUnknownAndNotMissing) {
  NameServer names(60);
  WebServer web;
  web.away = true;
  auto verified = verify_writes(
      {.plan = plan(names, web, 1), .secrets_dir = folder_, .keys = {"a", "b"}, .patience = Duration{600}});
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->missing.empty());
  EXPECT_EQ(verified->unknown.size(), 2u);
}

TEST_F(WitnessTest, FollowsANameNoSoonerThanItsTimeToLiveAllows) {
  NameServer names(1);
  WebServer web;
  MonoTime changed{};
  auto seen = watch(plan(names, web, 100), [&](const auto& so_far) {
    if (!so_far.empty() && changed == MonoTime{}) {
      names.last_byte = 2;
      changed = boot_now();
    }
    return !so_far.empty() && so_far.back().address == "127.0.0.2";
  });
  MonoTime first = seen.front().sent, moved{};
  for (const measure::Sample& sample : seen) {
    EXPECT_TRUE(sample.ok) << sample.error;
    if (sample.address == "127.0.0.2" && moved == MonoTime{}) moved = sample.sent;
  }
  EXPECT_GE(moved - first, 990ms) << "the old address was still good";
  EXPECT_LE(moved - first, 2'500ms);
  EXPECT_LE(names.questions, 30) << "journeys that were under way at the same moment may each have asked";
}

TEST_F(WitnessTest, ASlowAnswerHoldsUpNobodyElse) {
  NameServer names(60);
  WebServer web;
  web.slow = true;
  auto seen = watch(plan(names, web, 20), [](const auto& so_far) { return so_far.size() >= 10; });
  std::ranges::sort(seen, {}, &measure::Sample::sent);
  // Each took a second; one after the other the tenth would have been sent after nine.
  EXPECT_LE(seen.at(9).sent - seen.at(0).sent, 900ms);
  // Those under way at the signal were waited for.
  for (const measure::Sample& sample : seen) EXPECT_TRUE(sample.ok) << sample.error;
}

TEST_F(WitnessTest, AServerThatIsGoneMakesFailedJourneysNotFewer) {
  NameServer names(60);
  WebServer web;
  Plan of = plan(names, web, 50);
  int spare = 0;
  close(bound_socket(SOCK_STREAM, 0, &spare));
  of.journey->port = spare;
  auto seen = watch(of, [](const auto& so_far) { return so_far.size() >= 20; });
  for (const measure::Sample& sample : seen) {
    EXPECT_FALSE(sample.ok);
    EXPECT_EQ(sample.status, 0);
    EXPECT_FALSE(sample.error.empty());
  }
}

TEST(Journey, PlaceholdersAreFilledEveryTime) {
  EXPECT_EQ(fill_in("/a/${id}?k=${key}&again=${id}", "7", "w-7"), "/a/7?k=w-7&again=7");
  EXPECT_EQ(fill_in("none", "7", "w"), "none");
}

}  // namespace
}  // namespace lifeboat
