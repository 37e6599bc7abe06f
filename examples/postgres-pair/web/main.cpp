// A notebook on the web: notes in PostgreSQL, found again by their key.
//
//   POST /notes        {"key": "...", "text": "..."}, or the key alone as the body → 201 when the note is safe
//   GET  /notes        how many notes there are
//   GET  /notes/KEY    200 with the note, 404 when there is none
#include <cstdlib>

#include "common/database.hpp"
#include "common/http_service.hpp"

namespace {

using namespace example;
using namespace std::chrono_literals;

const Response kAway{503, R"({"error":"the database does not answer"})"};

Response health(Database& database) {
  return database.query("SELECT 1", {}, 250ms) ? Response{200, R"({"ok":true})"} : Response{503, R"({"ok":false})"};
}

Response count(Database& database) {
  auto counted = database.query("SELECT count(*) FROM notes", {}, 1300ms);
  if (!counted || counted->rows.empty()) return kAway;
  return {200, R"({"notes":)" + counted->rows.front().front() + "}"};
}

Response add(Database& database, const std::string& body) {
  bool object = body.starts_with('{');
  std::string key = object ? json_member(body, "key") : body, text = object ? json_member(body, "text") : std::string();
  if (key.empty() || key.size() > 200) return {400, R"({"error":"the key of a note is 1 to 200 bytes"})"};
  // The same key twice is one note, so a client that heard no answer may ask again.
  auto done =
      database.query("INSERT INTO notes (key, text) VALUES ($1, $2) ON CONFLICT DO NOTHING", {key, text}, 1300ms);
  if (!done) return {503, R"({"error":"the outcome is not known; the same note may be sent again"})"};
  return {201, R"({"key":)" + json_text(key) + "}"};
}

Response find(Database& database, const std::string& key) {
  auto found = database.query("SELECT text FROM notes WHERE key = $1", {key}, 1300ms);
  if (!found) return kAway;
  if (found->rows.empty()) return {404, R"({"error":"there is no such note"})"};
  return {200, R"({"key":)" + json_text(key) + R"(,"text":)" + json_text(found->rows.front().front()) + "}"};
}

}  // namespace

int main() {
  Database database(required("DATABASE_URL"));
  auto answer = [&](const Request& request) -> Response {
    if (request.path == "/health") return health(database);
    if (request.path == "/notes" && request.method == "POST") return add(database, request.body);
    if (request.method != "GET") return {405, R"({"error":"notes are read by GET and added by POST"})"};
    if (request.path == "/notes") return count(database);
    if (request.path.starts_with("/notes/")) return find(database, request.path.substr(7));
    return {404, R"({"error":"there is no such page"})"};
  };
  return serve(environment("LISTEN", "127.0.0.1"), std::atoi(environment("PORT", "8080").c_str()), answer);
}
