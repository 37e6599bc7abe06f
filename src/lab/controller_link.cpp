#include "lab/controller_link.hpp"

#include <fmt/format.h>

#include "lab/wire.hpp"

namespace lifeboat::lab {

Result<Json> ControllerLink::call(const std::string& method, const std::string& path, const std::string& body) const {
  HttpRequest request{
      .method = method, .address = address_, .port = port_, .path = path, .token = token_, .body = body};
  TRY(HttpAnswer answer, http(request, Duration{10'000}));
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
  TRY(HttpAnswer answer, http({.address = address_, .port = port_, .path = path, .token = token_}, Duration{30'000}));
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
