// A notebook on the web: notes in PostgreSQL, found again by their key.
#include <cstdlib>

#include "common/database.hpp"
#include "common/http_service.hpp"

int main() {
  using namespace example;
  using namespace std::chrono_literals;
  Database database(environment("DATABASE_URL"));
  auto answer = [&](const Request& request) -> Response {
    if (request.path == "/health") return database.query("SELECT 1", {}, 250ms) ? Response{200, "{\"ok\":true}"} : Response{503, "{\"ok\":false}"};
    if (request.path == "/notes" && request.method == "POST") {
      if (request.body.empty() || request.body.size() > 200) return {400, "{\"error\":\"a note is 1 to 200 bytes\"}"};
      auto done = database.query("INSERT INTO notes (key) VALUES ($1) ON CONFLICT DO NOTHING", {request.body}, 1300ms);
      return done ? Response{201, "{}"} : Response{503, "{\"error\":\"the outcome is not known; the same note may be sent again\"}"};
    }
    if (request.path == "/notes") {
      auto count = database.query("SELECT count(*) FROM notes", {}, 1300ms);
      return count && !count->rows.empty() ? Response{200, "{\"notes\":" + count->rows.front().front() + "}"} : Response{503, "{}"};
    }
    if (request.path.starts_with("/notes/")) {
      auto found = database.query("SELECT 1 FROM notes WHERE key = $1", {request.path.substr(7)}, 1500ms);
      if (!found) return {503, "{}"};
      return found->rows.empty() ? Response{404, "{}"} : Response{200, "{}"};
    }
    return {404, "{\"error\":\"there is no such page\"}"};
  };
  return serve(environment("LISTEN", "127.0.0.1"), std::atoi(environment("PORT", "8080").c_str()), answer);
}
