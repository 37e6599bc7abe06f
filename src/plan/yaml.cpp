#include "plan/yaml.hpp"

#include <yaml.h>

#include <memory>
#include <optional>
#include <vector>

#include "core/data/decode.hpp"
#include "plan/plain_scalar.hpp"
#include "plan/text.hpp"

namespace lifeboat {
namespace {

constexpr size_t kDeepest = 32;
constexpr size_t kMostNodes = 10'000;
constexpr size_t kLongestScalar = 64 * 1024;
constexpr size_t kLongestKey = 256;

struct EventDeleter {
  void operator()(yaml_event_t* event) const {
    yaml_event_delete(event);
    delete event;
  }
};
using Event = std::unique_ptr<yaml_event_t, EventDeleter>;

Position position_of(const yaml_mark_t& mark) {
  return {static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1};
}

// Line and column of a byte, in characters.
Position position_of(std::string_view text, size_t offset) {
  Position at;
  for (char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++at.line;
      at.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) {
      ++at.column;
    }
  }
  return at;
}

std::string_view text_of(const yaml_event_t& event) {
  return {reinterpret_cast<const char*>(event.data.scalar.value), event.data.scalar.length};
}

// A list or mapping that is being read.
struct Open {
  Json value;
  std::string path;
  Positions::Place place;
  std::optional<std::string> key;  // in a mapping: the key that was just read
  Position key_at;
};

class Builder {
 public:
  explicit Builder(std::string_view bytes) : bytes_(bytes) {
    for (size_t at = 0; at < bytes.size(); ++at) {
      if (bytes[at] == '\n') lines_.push_back(at + 1);
    }
  }

  // False: `problem` says what is wrong.
  bool take(const yaml_event_t& event) {
    at_ = position_of(event.start_mark);
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT: return start_document(event);
      case YAML_ALIAS_EVENT: return refuse("an alias", "write the value out; plans have no anchors and aliases");
      case YAML_SCALAR_EVENT: return scalar(event);
      case YAML_SEQUENCE_START_EVENT:
        return plain(event.data.sequence_start.anchor, event.data.sequence_start.tag) && open(JsonArray{});
      case YAML_MAPPING_START_EVENT:
        return plain(event.data.mapping_start.anchor, event.data.mapping_start.tag) && open(JsonObject{});
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: return close();
      default: return true;
    }
  }

  YamlDocument document;
  YamlProblem problem;
  bool found = false;

 private:
  bool refuse(std::string message, std::string suggestion = {}) {
    problem = {at_, std::move(message), std::move(suggestion)};
    return false;
  }

  bool start_document(const yaml_event_t& event) {
    const auto& start = event.data.document_start;
    if (start.version_directive != nullptr || start.tag_directives.start != start.tag_directives.end)
      return refuse("a directive", "remove the lines that begin with %");
    if (found) return refuse("a second document", "a file holds one plan; remove what follows '---'");
    found = true;
    return true;
  }

  bool plain(const yaml_char_t* anchor, const yaml_char_t* tag) {
    if (anchor != nullptr) return refuse("an anchor", "write the value out where it is needed");
    // libyaml forgets the tag '!' by itself, so it is looked for in the text.
    if (tag != nullptr || byte_at(at_) == '!') return refuse("a tag", "remove it; types follow from the plan format");
    if (++nodes_ > kMostNodes) return refuse("more than 10,000 values", "split the plan");
    return true;
  }

  // Events come in the order of the text, so the search goes on from where the last one ended: a document on one long
  // line is walked once.
  char byte_at(Position at) {
    size_t line = std::min(static_cast<size_t>(at.line - 1), lines_.size() - 1);
    if (at.line != seen_at_.line || at.column < seen_at_.column) {
      seen_at_ = {at.line, 1};
      seen_offset_ = lines_[line];
    }
    for (; seen_at_.column < at.column && seen_offset_ < bytes_.size(); ++seen_at_.column) {
      ++seen_offset_;
      while (seen_offset_ < bytes_.size() && (static_cast<unsigned char>(bytes_[seen_offset_]) & 0xc0) == 0x80)
        ++seen_offset_;
    }
    return seen_offset_ < bytes_.size() ? bytes_[seen_offset_] : '\0';
  }

  bool wants_key() const { return !stack_.empty() && stack_.back().value.is_object() && !stack_.back().key; }

  bool open(Json value) {
    if (wants_key()) return refuse("a list or mapping as a key", "a key is a name");
    if (stack_.size() >= kDeepest) return refuse("more than 32 levels", "no part of a plan is that deep");
    auto [path, place] = place_of_next();
    stack_.push_back({std::move(value), std::move(path), place, std::nullopt, {}});
    return true;
  }

  bool close() {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    put(std::move(done.value), std::move(done.path), done.place);
    return true;
  }

  bool scalar(const yaml_event_t& event) {
    if (!plain(event.data.scalar.anchor, event.data.scalar.tag)) return false;
    std::string_view text = text_of(event);
    if (text.size() > kLongestScalar) return refuse("a value longer than 64 KiB");
    // Escapes such as "\0" can make what may not stand in the file.
    if (auto wrong = check_text(text, false)) return refuse(wrong->message + " in a value", wrong->suggestion);
    Json value(text);
    if (event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
      auto meaning = plain_scalar(text);
      if (!meaning) return refuse(meaning.error().message, meaning.error().suggestion);
      value = std::move(*meaning);
    }
    if (wants_key()) return key(value);
    auto [path, place] = place_of_next();
    put(std::move(value), std::move(path), place);
    return true;
  }

  bool key(const Json& value) {
    if (!value.is_string())
      return refuse(fmt::format("{} as a key", kind_in_words(value)), "a key is text; put it in quotes");
    std::string name(value.get_string());
    if (name.size() > kLongestKey) return refuse("a key longer than 256 bytes");
    if (stack_.back().value.get_object().contains(name)) {
      Position first = document.positions.at(stack_.back().path + "/" + pointer_step(name), true);
      return refuse(fmt::format("the key '{}' stands twice", Decoder::printable(name)),
                    fmt::format("it is already in line {}", first.line));
    }
    stack_.back().key = std::move(name);
    stack_.back().key_at = at_;
    return true;
  }

  std::pair<std::string, Positions::Place> place_of_next() const {
    if (stack_.empty()) return {"", {at_, at_}};
    const Open& parent = stack_.back();
    if (parent.value.is_array())
      return {parent.path + "/" + std::to_string(parent.value.get_array().size()), {at_, at_}};
    return {parent.path + "/" + pointer_step(*parent.key), {at_, parent.key_at}};
  }

  void put(Json value, std::string path, Positions::Place place) {
    document.positions.add(std::move(path), place);
    if (stack_.empty()) {
      document.value = std::move(value);
    } else if (stack_.back().value.is_array()) {
      stack_.back().value.get_array().push_back(std::move(value));
    } else {
      stack_.back().value.get_object()[*stack_.back().key] = std::move(value);
      stack_.back().key.reset();
    }
  }

  std::string_view bytes_;
  std::vector<size_t> lines_{0};
  std::vector<Open> stack_;
  Position at_;
  size_t nodes_ = 0;
  Position seen_at_;  // where byte_at looked last
  size_t seen_offset_ = 0;
};

YamlProblem syntax_problem(const yaml_parser_t& parser) {
  std::string message = parser.problem == nullptr ? "not YAML" : parser.problem;
  if (parser.context != nullptr) message += std::string(" ") + parser.context;
  return {position_of(parser.problem_mark), "not YAML: " + message,
          "look at indentation, colons and quotes here and in the lines before"};
}

}  // namespace

Position Positions::at(std::string_view path, bool at_key) const {
  for (std::string look(path);; look.resize(look.rfind('/'))) {
    auto found = places_.find(look);
    // Of an ancestor, the key says best where something is missing.
    if (found != places_.end()) return at_key || look.size() < path.size() ? found->second.key : found->second.value;
    if (look.find('/') == std::string::npos) return {};
  }
}

std::expected<YamlDocument, YamlProblem> parse_yaml(std::string_view bytes) {
  if (bytes.size() > kLargestPlan)
    return std::unexpected(YamlProblem{{}, "larger than 1 MiB", "no plan is that large"});
  if (auto wrong = check_text(bytes, true))
    return std::unexpected(YamlProblem{position_of(bytes, wrong->offset), wrong->message, wrong->suggestion});

  yaml_parser_t parser;
  if (yaml_parser_initialize(&parser) == 0) return std::unexpected(YamlProblem{{}, "no memory to read it", ""});
  std::unique_ptr<yaml_parser_t, void (*)(yaml_parser_t*)> release(&parser, yaml_parser_delete);
  yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());

  Builder builder(bytes);
  for (bool more = true; more;) {
    auto raw = std::make_unique<yaml_event_t>();
    if (yaml_parser_parse(&parser, raw.get()) == 0) return std::unexpected(syntax_problem(parser));
    Event event(raw.release());
    if (!builder.take(*event)) return std::unexpected(std::move(builder.problem));
    more = event->type != YAML_STREAM_END_EVENT;
  }
  if (!builder.found) return std::unexpected(YamlProblem{{}, "the file is empty", "see `lifeboat schema`"});
  return std::move(builder.document);
}

}  // namespace lifeboat
