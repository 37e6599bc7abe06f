#include "store/etcd/client.hpp"

#include <fmt/format.h>

#include "io/crypto.hpp"

namespace lifeboat::etcd {
namespace {

constexpr size_t kLargestAnswer = 256u << 20;
// What an endpoint that says nothing may hold up a call that another one could answer.
constexpr Duration kOneTry{1'000};
constexpr Duration kPause{50};

// etcd's mvcc: "database space exceeded". From then on it refuses every write until somebody disarms the alarm.
bool is_full(std::string_view problem) { return problem.find("database space") != problem.npos; }

// Whether another endpoint, or the same a little later, may answer what this one could not.
bool may_pass(int status, std::string_view problem) {
  if (status == 503 || status == 504 || status == 429) return !is_full(problem);
  for (std::string_view text : {"request timed out", "leader changed", "no leader", "stopped", "not capable",
                                "unhealthy", "transport", "connection"}) {
    if (problem.find(text) != problem.npos) return true;
  }
  return false;
}

bool token_is_old(std::string_view problem) {
  return problem.find("invalid auth token") != problem.npos ||
         problem.find("revision in header is old") != problem.npos ||
         problem.find("user name is empty") != problem.npos;
}

}  // namespace

int64_t number_in(const Json& object, std::string_view name) {
  const Json& value = member(object, name);
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64()) return static_cast<int64_t>(value.get_uint64());
  if (value.is_string()) return static_cast<int64_t>(std::strtoull(value.get_string().c_str(), nullptr, 10));
  return 0;
}

KeyValue key_value_of(const Json& json) {
  return {base64_decode(text_or(json, "key")).value_or(""), base64_decode(text_or(json, "value")).value_or(""),
          number_in(json, "create_revision"), number_in(json, "mod_revision")};
}

Found found_in(const Json& answer) {
  Found found{
      .revision = number_in(member(answer, "header"), "revision"), .values = {}, .more = bool_or(answer, "more")};
  if (const Json& values = member(answer, "kvs"); values.is_array()) {
    for (const Json& each : values.get_array()) found.values.push_back(key_value_of(each));
  }
  return found;
}

Json range_request(std::string_view key, std::string_view end, int64_t limit, int64_t revision) {
  JsonObject out{{"key", base64_encode(key)}};
  if (!end.empty()) out["range_end"] = base64_encode(end);
  if (limit != 0) out["limit"] = std::to_string(limit);
  if (revision != 0) out["revision"] = std::to_string(revision);
  return out;
}

Json put_request(std::string_view key, std::string_view value, int64_t lease) {
  JsonObject put{{"key", base64_encode(key)}, {"value", base64_encode(value)}};
  if (lease != 0) put["lease"] = std::to_string(lease);
  return JsonObject{{"request_put", std::move(put)}};
}

Json mod_is(std::string_view key, int64_t revision) {
  return JsonObject{
      {"key", base64_encode(key)}, {"target", "MOD"}, {"result", "EQUAL"}, {"mod_revision", std::to_string(revision)}};
}

Json created_at(std::string_view key, int64_t revision) {
  return JsonObject{{"key", base64_encode(key)},
                    {"target", "CREATE"},
                    {"result", "EQUAL"},
                    {"create_revision", std::to_string(revision)}};
}

Json value_is(std::string_view key, std::string_view value) {
  return JsonObject{
      {"key", base64_encode(key)}, {"target", "VALUE"}, {"result", "EQUAL"}, {"value", base64_encode(value)}};
}

std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

Client::Client(EtcdOptions options) : options_(std::move(options)) {}

HttpRequest Client::request_for(const std::string& endpoint, const std::string& path, const Json& body) const {
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint + path;
  request.headers.emplace_back("Content-Type", "application/json");
  // Not "Bearer": etcd takes the token as it is.
  if (!token_.empty()) request.headers.emplace_back("Authorization", token_);
  request.body = to_text(body);
  request.ca_file = options_.ca_file;
  request.largest_body = kLargestAnswer;
  request.repeatable = true;
  return request;
}

Task<Result<void>> Client::sign_in(std::string endpoint, Deadline deadline) {
  token_.clear();
  Json body = JsonObject{{"name", options_.user}, {"password", options_.password}};
  HttpRequest request = request_for(endpoint, "/v3/auth/authenticate", body);
  CO_TRY(HttpResponse answer, co_await http_.send(std::move(request), deadline));
  CO_TRY(Json json, parse_json(answer.body));
  token_ = text_or(json, "token");
  if (token_.empty()) {
    co_return fail(ErrorKind::refused,
                   fmt::format("etcd at {} does not let '{}' in: {}", endpoint, options_.user, text_or(json, "error")),
                   "compare the user and password of the plan with those of etcd");
  }
  co_return Result<void>{};
}

Task<Result<Json>> Client::call_at(std::string endpoint, std::string path, Json body, Deadline deadline) {
  for (bool again = false;; again = true) {
    if (!options_.user.empty() && token_.empty()) {
      auto signing = sign_in(endpoint, deadline);
      CO_TRY_VOID(co_await std::move(signing));
    }
    HttpRequest request = request_for(endpoint, path, body);
    CO_TRY(HttpResponse answer, co_await http_.send(std::move(request), deadline));
    auto json = parse_json(answer.body);
    if (!json || !json->is_object()) {
      co_return fail(ErrorKind::unknown_outcome,
                     fmt::format("{}{} answered {} with what is no JSON", endpoint, path, answer.status),
                     "is this address that of etcd's clients?");
    }
    std::string problem = text_or(*json, "error", text_or(*json, "message"));
    if (answer.status == 200 && problem.empty()) {
      std::string cluster = text_or(member(*json, "header"), "cluster_id");
      if (cluster_.empty()) cluster_ = cluster;
      if (!cluster.empty() && cluster != cluster_) {
        co_return fail(ErrorKind::refused,
                       fmt::format("etcd at {} is cluster {}, not {} as before", endpoint, cluster, cluster_),
                       "if etcd was restored, start the controllers again");
      }
      co_return std::move(*json);
    }
    if (!options_.user.empty() && token_is_old(problem)) {
      token_.clear();
      if (!again) continue;
    }
    bool unsure = may_pass(answer.status, problem);
    co_return fail(unsure ? ErrorKind::unknown_outcome : ErrorKind::refused,
                   fmt::format("etcd at {} answered {}: {}", endpoint, answer.status, problem),
                   is_full(problem) ? std::string(kFullHint) : std::string());
  }
}

Task<Result<Json>> Client::call(std::string path, Json body, Deadline deadline) {
  bool unsure = false;
  std::optional<Error> last;
  size_t first = preferred_;
  for (size_t turn = 0; !deadline.passed(); ++turn) {
    size_t index = (first + turn) % options_.endpoints.size();
    std::string endpoint = options_.endpoints[index];
    auto calling = call_at(endpoint, path, body, deadline.at_most(kOneTry));
    auto answer = co_await std::move(calling);
    if (answer) {
      preferred_ = index;
      co_return std::move(*answer);
    }
    if (answer.error().kind == ErrorKind::refused) co_return std::unexpected(std::move(answer).error());
    // A token belongs to the member that gave it.
    token_.clear();
    unsure = unsure || answer.error().kind == ErrorKind::unknown_outcome;
    // A try that the deadline cut short says less than the one before it.
    bool cut_short = answer.error().kind == ErrorKind::timed_out && deadline.passed();
    if (!last || !cut_short) last = std::move(answer).error();
    bool round_is_over = turn % options_.endpoints.size() + 1 == options_.endpoints.size();
    if (round_is_over && !deadline.passed()) co_await sleep_for(deadline.at_most(kPause).left());
  }
  if (!last) co_return fail(ErrorKind::timed_out, "etcd: no time left to ask");
  last->kind = unsure ? ErrorKind::unknown_outcome : last->kind;
  if (last->hint.empty()) last->hint = "look at `lifeboat store status`";
  co_return std::unexpected(std::move(*last));
}

Task<Result<Found>> Client::range(std::string key, std::string end, int64_t limit, int64_t revision,
                                  Deadline deadline) {
  Json request = range_request(key, end, limit, revision);
  if (options_.one_voter) request.as_object()["serializable"] = true;
  auto calling = call("/v3/kv/range", std::move(request), deadline);
  CO_TRY(Json answer, co_await std::move(calling));
  co_return found_in(answer);
}

Task<Result<void>> Client::stream(std::string endpoint, std::string path, Json body,
                                  std::function<bool(std::string_view)> on_piece, Deadline deadline) {
  if (!options_.user.empty() && token_.empty()) {
    auto signing = sign_in(endpoint, deadline.at_most(kOneTry));
    CO_TRY_VOID(co_await std::move(signing));
  }
  HttpRequest request = request_for(endpoint, path, body);
  request.on_piece = std::move(on_piece);
  CO_TRY(HttpResponse answer, co_await http_.send(std::move(request), deadline));
  if (answer.status != 200)
    co_return fail(ErrorKind::refused, fmt::format("etcd at {} answered {}", endpoint, answer.status));
  co_return Result<void>{};
}

Task<> Client::changed(std::string key, int64_t revision, Deadline deadline) {
  Json body = JsonObject{
      {"create_request", JsonObject{{"key", base64_encode(key)}, {"start_revision", std::to_string(revision + 1)}}}};
  // The first piece says that the watch stands. Anything that mentions an event ends it: the caller looks for itself.
  auto until_event = [](std::string_view piece) { return piece.find("\"events\"") == piece.npos; };
  MonoTime begun = boot_now();
  auto watching = stream(options_.endpoints[preferred_], "/v3/watch", std::move(body), until_event, deadline);
  auto ended = co_await std::move(watching);
  // A member that cannot be watched is not asked in a tight loop.
  if (!ended && boot_now() - begun < kPause) co_await sleep_for(deadline.at_most(kPause).left());
}

}  // namespace lifeboat::etcd
