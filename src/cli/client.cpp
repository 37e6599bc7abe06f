#include "cli/client.hpp"

#include <fmt/format.h>

#include "io/file.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

ErrorKind kind_of(int status, const std::string& named) {
  for (ErrorKind kind : {ErrorKind::invalid_input, ErrorKind::not_found, ErrorKind::refused, ErrorKind::conflict,
                         ErrorKind::unsupported, ErrorKind::timed_out, ErrorKind::unknown_outcome}) {
    if (to_string(kind) == named) return kind;
  }
  return status == 404 ? ErrorKind::not_found : status < 500 ? ErrorKind::refused : ErrorKind::internal;
}

}  // namespace

struct Client::State {
  ClientOptions options;
  HttpClient http;
  asio::io_context context;
};

Client::Client(ClientOptions options) : state_(std::make_unique<State>()) {
  // HOST:PORT, as agents are given it, is enough.
  if (options.controller.find("://") == std::string::npos) options.controller.insert(0, "http://");
  state_->options = std::move(options);
}
Client::~Client() = default;

Result<std::string> Client::call(std::string method, const std::string& path, std::string body, Duration within_time) {
  HttpRequest request;
  request.method = std::move(method);
  request.url = state_->options.controller + path;
  request.largest_body = 64u << 20;
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  if (!state_->options.token_file.empty()) {
    TRY(request.bearer, read_file(state_->options.token_file, 4096));
    while (!request.bearer.empty() && request.bearer.back() == '\n') request.bearer.pop_back();
  }
  std::optional<Result<HttpResponse>> answer;
  auto ask = [](HttpClient& http, HttpRequest what, Deadline deadline,
                std::optional<Result<HttpResponse>>& into) -> Task<> {
    into.emplace(co_await http.send(std::move(what), deadline));
  };
  Scope scope(state_->context.get_executor(), [](std::string_view, std::string_view) {});
  scope.spawn("call", ask(state_->http, std::move(request), Deadline::after(within_time), answer));
  state_->context.restart();
  state_->context.run();
  if (!answer) return fail(ErrorKind::internal, "the request ended without an answer");
  if (!*answer) {
    Error error = std::move(*answer).error();
    if (error.kind == ErrorKind::unreachable && error.hint.empty())
      error.hint = "is a controller running there? Name another with --controller or LIFEBOAT_CONTROLLER";
    return std::unexpected(std::move(error));
  }
  const HttpResponse& response = **answer;
  if (response.status < 400) return response.body;
  auto problem = parse_json(response.body);
  if (!problem) return fail(kind_of(response.status, {}), fmt::format("the controller answered {}", response.status));
  return fail(kind_of(response.status, text_or(*problem, "kind")), text_or(*problem, "error", "no reason given"),
              text_or(*problem, "hint"));
}

Result<Json> Client::get(const std::string& path, Duration within_time) {
  TRY(std::string text, call("GET", path, {}, within_time));
  return parse_json(text);
}

Result<Json> Client::post(const std::string& path, const Json& body, Duration within_time) {
  TRY(std::string text, call("POST", path, to_text(body), within_time));
  return parse_json(text);
}

Result<std::string> Client::get_text(const std::string& path, Duration within_time) {
  return call("GET", path, {}, within_time);
}

}  // namespace lifeboat::cli
