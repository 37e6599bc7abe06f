#include "statuspage/board.hpp"

#include <algorithm>

#include "io/crypto.hpp"
#include "io/file.hpp"

namespace lifeboat::statuspage {
namespace {

struct StoredUpdate {
  std::string id;
  std::string at;
  std::string state;
  std::string title;
  std::string text;
  bool drill = false;
};
BOOST_DESCRIBE_STRUCT(StoredUpdate, (), (id, at, state, title, text, drill))
constexpr auto field_docs(const StoredUpdate*) {
  return std::to_array<FieldDoc>({{"id", Need::required, "id"},
                                  {"at", Need::required, "when"},
                                  {"state", Need::required, "state"},
                                  {"title", Need::optional, "headline"},
                                  {"text", Need::required, "text"},
                                  {"drill", Need::optional, "of a drill"}});
}

struct StoredBoard {
  std::vector<StoredUpdate> updates;
};
BOOST_DESCRIBE_STRUCT(StoredBoard, (), (updates))
constexpr auto field_docs(const StoredBoard*) {
  return std::to_array<FieldDoc>({{"updates", Need::optional, "all updates, oldest first"}});
}

StoredUpdate stored(const Update& update) {
  return {update.id, format_wall(update.at), update.state, update.title, update.text, update.drill};
}

bool is_state(std::string_view text) {
  return text == "investigating" || text == "identified" || text == "monitoring" || text == "resolved";
}

constexpr size_t kLongestId = 200;
constexpr size_t kLongestTitle = 200;
constexpr size_t kLongestText = 10'000;

}  // namespace

bool Incident::drill() const {
  return std::ranges::all_of(updates, [](const Update& update) { return update.drill; });
}

std::string Incident::title() const {
  for (auto update = updates.rbegin(); update != updates.rend(); ++update) {
    if (!update->title.empty()) return update->title;
  }
  return "Service disruption";
}

Result<Board> Board::load(const std::string& file) {
  auto text = read_file(file);
  if (!text && text.error().kind == ErrorKind::not_found) return Board();
  if (!text) return std::unexpected(std::move(text).error());
  TRY(Json json, parse_json(*text));
  auto read = decode<StoredBoard>(json);
  if (!read) return std::unexpected(to_error(read.error(), file + " is not a status page's file"));
  Board board;
  for (StoredUpdate& update : read->updates) {
    auto at = parse_wall(update.at);
    if (!at)
      return fail(ErrorKind::invalid_input, fmt::format("{}: '{}' is not a time", file, Decoder::printable(update.at)));
    board.updates_.push_back({std::move(update.id), *at, std::move(update.state), std::move(update.title),
                              std::move(update.text), update.drill});
  }
  return board;
}

Result<void> Board::save(const std::string& file) const {
  StoredBoard out;
  for (const Update& update : updates_) out.updates.push_back(stored(update));
  return write_file_atomic(file, to_pretty_text(encode(out)), 0644);
}

bool Board::has(const std::string& id) const { return std::ranges::find(updates_, id, &Update::id) != updates_.end(); }

void Board::add(Update update) {
  updates_.push_back(std::move(update));
  if (updates_.size() > kMost) updates_.erase(updates_.begin());
}

std::vector<Incident> Board::incidents() const {
  std::vector<Incident> out;
  for (bool drill : {true, false}) {
    bool open = false;
    for (const Update& update : updates_) {
      if (update.drill != drill) continue;
      if (!open) out.emplace_back();
      out.back().updates.push_back(update);
      open = update.state != "resolved";
    }
  }
  std::ranges::sort(out, {}, [](const Incident& incident) { return incident.since(); });
  return out;
}

std::optional<Incident> Board::current() const {
  std::optional<Incident> found;
  for (const Incident& incident : incidents()) {
    if (incident.over()) continue;
    if (!found || found->drill() || !incident.drill()) found = incident;
  }
  return found;
}

std::string headline(const Board& board) {
  auto current = board.current();
  if (!current) return "We know of no problem.";
  if (current->drill()) return fmt::format("Drill: {}. Nothing is wrong.", current->title());
  return current->title();
}

Json Board::to_json(std::string_view title) const {
  auto open = current();
  JsonArray list;
  for (auto update = updates_.rbegin(); update != updates_.rend(); ++update) list.push_back(encode(stored(*update)));
  JsonObject out{{"title", title},
                 {"headline", headline(*this)},
                 {"state", open ? Json(open->updates.back().state) : Json("normal")},
                 {"drill", open && open->drill()}};
  if (open) out["since"] = format_wall(open->since());
  out["updates"] = std::move(list);
  return out;
}

std::string public_id(std::string_view id) { return sha256_hex(id).substr(0, 16); }

Result<Update> read_update(const Json& body, WallTime at) {
  auto invalid = [](std::string what) { return fail(ErrorKind::invalid_input, std::move(what)); };
  if (!body.is_object()) return invalid("the body is not a JSON object");
  Update out;
  std::string id = text_or(body, "id");
  if (id.empty() || id.size() > kLongestId) return invalid("'id' is missing or too long");
  out.id = public_id(id);
  out.at = at;
  out.state = text_or(body, "state");
  if (!is_state(out.state)) return invalid("'state' is not one of investigating, identified, monitoring, resolved");
  out.title = text_or(body, "title");
  out.text = text_or(body, "text");
  if (out.title.size() > kLongestTitle) return invalid("'title' is too long");
  if (out.text.empty() || out.text.size() > kLongestText) return invalid("'text' is missing or too long");
  out.drill = bool_or(body, "drill");
  return out;
}

}  // namespace lifeboat::statuspage
