// A controller for tests of commands: listens on loopback, on a thread of its own, and answers as the test says.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "cli/client.hpp"
#include "io/http_server.hpp"

namespace lifeboat::cli {

class TestController {
 public:
  // `answers` is called for each request, one at a time.
  using Answers = std::function<HttpReply(const HttpIncoming& request)>;
  explicit TestController(Answers answers)
      : answers_(std::move(answers)),
        server_(
            context_.get_executor(), [this](HttpIncoming request) { return take(std::move(request)); },
            [](std::string_view) {}),
        bound_(server_.listen("127.0.0.1", 0)),
        thread_([this] { context_.run(); }) {}
  ~TestController() {
    context_.stop();
    thread_.join();
  }
  ClientOptions options() const { return {.controller = fmt::format("http://127.0.0.1:{}", server_.port())}; }
  // Of the last request that was posted.
  std::string path() {
    std::lock_guard lock(mutex_);
    return path_;
  }
  Json body() {
    std::lock_guard lock(mutex_);
    return body_;
  }

 private:
  Task<HttpReply> take(HttpIncoming request) {
    std::lock_guard lock(mutex_);
    if (request.method == "POST") {
      path_ = request.path;
      body_ = parse_json(request.body).value_or(Json(nullptr));
    }
    co_return answers_(request);
  }

  std::mutex mutex_;
  Answers answers_;
  std::string path_;
  Json body_;
  asio::io_context context_{1};
  HttpServer server_;
  Result<> bound_;
  std::thread thread_;
};

}  // namespace lifeboat::cli
