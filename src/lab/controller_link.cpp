#include "lab/controller_link.hpp"

#include <fmt/format.h>

#include "lab/wire.hpp"

namespace lifeboat::lab {

namespace {
constexpr Duration kConnect{500};
constexpr Duration kAnswer{10'000};
constexpr int kNobodyLeads = 503;
}  // namespace

Result<ControllerLink::Answer> ControllerLink::ask(const std::string& method, const std::string& path,
                                                   const std::string& body) const {
  if (addresses_.empty()) return fail(ErrorKind::not_found, "the plan has no host with a controller");
  Error last;
  int64_t deadline = deadline_in(patience_);
  do {
    for (size_t turn = 0; turn < addresses_.size(); ++turn) {
      size_t index = (first_ + turn) % addresses_.size();
      auto [address, port] = split_address(addresses_[index]);
      // A host that is gone answers nothing at all: it is not waited for as an answer would be.
      if (auto there = connect_tcp(address, port, deadline_in(kConnect)); !there) {
        last = std::move(there).error();
        continue;
      }
      HttpRequest request{
          .method = method, .address = address, .port = port, .path = path, .token = token_, .body = body};
      auto answer = http(request, kAnswer);
      if (answer && answer->status != kNobodyLeads) {
        first_ = index;
        return Answer{answer->status, std::move(answer->body)};
      }
      last = answer ? Error{.kind = ErrorKind::refused, .what = "no controller leads"} : std::move(answer).error();
      // What changes something may have been done.
      if (!answer && method != "GET") return std::unexpected(std::move(last));
    }
    if (boot_ns() < deadline) pause_for(Duration{100});
  } while (boot_ns() < deadline);
  return std::unexpected(std::move(last));
}

Result<Json> ControllerLink::call(const std::string& method, const std::string& path, const std::string& body) const {
  TRY(Answer answer, ask(method, path, body));
  auto value = parse_json(answer.body);
  if (answer.status == 200 && value) return std::move(*value);
  std::string why = value ? text_or(*value, "error") : std::string();
  ErrorKind kind = answer.status == 409 ? ErrorKind::conflict : ErrorKind::refused;
  return fail(kind, fmt::format("{} {}: the controller answers {} {}", method, path, answer.status, why));
}

Result<Json> ControllerLink::get(const std::string& path) const { return call("GET", path, {}); }

Result<Json> ControllerLink::post(const std::string& path, const Json& body) const {
  return call("POST", path, to_text(body));
}

Result<std::string> ControllerLink::text(const std::string& path) const {
  TRY(Answer answer, ask("GET", path, {}));
  if (answer.status != 200)
    return fail(ErrorKind::refused, fmt::format("GET {}: the controller answers {}", path, answer.status));
  return std::move(answer.body);
}

Result<JsonArray> ControllerLink::events_after(uint64_t seq) const {
  constexpr size_t kPage = 1000;
  JsonArray all;
  while (true) {
    TRY(Json page, get(fmt::format("/api/events?after={}&limit={}", seq, kPage)));
    if (!member(page, "events").is_array()) return fail(ErrorKind::internal, "the controller sent no list of events");
    const JsonArray& events = member(page, "events").get_array();
    for (const Json& event : events) {
      seq = static_cast<uint64_t>(int_or(event, "seq"));
      all.push_back(event);
    }
    if (events.size() < kPage) return all;
  }
}

}  // namespace lifeboat::lab
