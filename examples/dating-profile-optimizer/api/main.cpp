// The API of the reference platform: users, profiles, photo analyses and subscriptions in PostgreSQL, profiles cached
// in Redis. An ordinary service that knows nothing of disaster recovery but how to reconnect.
#include <cstdlib>

#include "common/cache.hpp"
#include "common/database.hpp"
#include "common/http_service.hpp"

namespace {

using namespace example;
using namespace std::chrono_literals;

class Api {
 public:
  Api() : database_(required("DATABASE_URL")), cache_(environment("REDIS_NODES")), token_(required("API_TOKEN")) {}

  Response answer(const Request& request) {
    if (request.path == "/health") return health();
    if (request.path == "/api/health/detailed") return detailed();
    auto sent = request.headers.find("authorization");
    if (sent == request.headers.end() || sent->second != "Bearer " + token_)
      return {401, R"({"error":"the token is missing or wrong"})"};
    constexpr std::string_view kProfile = "/api/user/profile/", kAnalyses = "/api/photo-analyses";
    if (request.method == "GET" && request.path.starts_with(kProfile))
      return profile(request.path.substr(kProfile.size()));
    if (request.method == "POST" && request.path == kAnalyses) return add_analysis(request.body);
    if (request.method == "GET" && request.path.starts_with(std::string(kAnalyses) + "/"))
      return analysis(request.path.substr(kAnalyses.size() + 1));
    return {404, R"({"error":"there is no such page"})"};
  }

 private:
  Database database_;
  Cache cache_;
  std::string token_;

  Response health() {
    return database_.query("SELECT 1", {}, 250ms) ? Response{200, R"({"ok":true})"} : Response{503, R"({"ok":false})"};
  }

  Response detailed() {
    auto counts = database_.query(
        "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM profiles), (SELECT count(*) FROM photo_analyses),"
        " (SELECT count(*) FROM subscriptions)",
        {}, 1000ms);
    cache_.put("health", "ok", 5);
    bool cached = cache_.get("health").has_value();
    if (!counts || counts->rows.empty()) return {503, R"({"database":"does not answer"})"};
    const auto& row = counts->rows.front();
    return {200, R"({"database":"ok","cache":")" + std::string(cached ? "ok" : "missed") + R"(","users":)" + row[0] +
                     R"(,"profiles":)" + row[1] + R"(,"photo_analyses":)" + row[2] + R"(,"subscriptions":)" + row[3] +
                     "}"};
  }

  Response profile(const std::string& user) {
    // The subscription is always read from the database, so a cached profile never hides that it is gone.
    auto plan = database_.query("SELECT s.plan FROM subscriptions s JOIN users u ON u.id = s.user_id WHERE u.name = $1",
                                {user}, 1200ms);
    if (!plan) return {503, R"({"error":"the database does not answer"})"};
    if (plan->rows.empty()) return {404, R"({"error":"there is no such user"})"};
    std::string key = "profile:" + user;
    std::string bio = cache_.get(key).value_or("");
    if (bio.empty()) {
      auto found = database_.query("SELECT p.bio FROM profiles p JOIN users u ON u.id = p.user_id WHERE u.name = $1",
                                   {user}, 1200ms);
      if (!found) return {503, R"({"error":"the database does not answer"})"};
      if (!found->rows.empty()) bio = found->rows.front().front();
      cache_.put(key, bio, 60);
    }
    return {200, R"({"user":)" + json_text(user) + R"(,"bio":)" + json_text(bio) + R"(,"plan":)" +
                     json_text(plan->rows.front().front()) + "}"};
  }

  Response add_analysis(const std::string& body) {
    std::string key = json_member(body, "key"), user = json_member(body, "user");
    if (key.empty() || key.size() > 200) return {400, R"({"error":"'key' is missing or too long"})"};
    // The same key twice is one row, so a client that heard no answer may ask again.
    auto done = database_.query(
        "INSERT INTO photo_analyses (key, user_id, score) SELECT $1, id, 50 FROM users WHERE name = $2"
        " ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING key",
        {key, user}, 1300ms);
    if (!done) return {503, R"({"error":"the outcome is not known; the same key may be sent again"})"};
    if (done->rows.empty()) return {404, R"({"error":"there is no such user"})"};
    return {201, R"({"key":)" + json_text(key) + "}"};
  }

  Response analysis(const std::string& key) {
    auto found = database_.query("SELECT score FROM photo_analyses WHERE key = $1", {key}, 1500ms);
    if (!found) return {503, R"({"error":"the database does not answer"})"};
    if (found->rows.empty()) return {404, R"({"error":"there is no such analysis"})"};
    return {200, R"({"key":)" + json_text(key) + R"(,"score":)" + found->rows.front().front() + "}"};
  }
};

}  // namespace

int main() {
  Api api;
  return serve(environment("LISTEN", "127.0.0.1"), std::atoi(environment("PORT", "8080").c_str()),
               [&](const Request& request) { return api.answer(request); });
}
