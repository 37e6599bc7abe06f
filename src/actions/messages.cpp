#include "actions/messages.hpp"

#include <algorithm>

#include "io/crypto.hpp"

namespace lifeboat {
namespace {

// What a reader needs to find the rest: "INC-2 · R-3 · for CEO/CTO, Engineering Team".
std::string footer(const Message& message) {
  std::vector<std::string> parts;
  if (!message.incident.empty()) parts.push_back(message.incident);
  if (!message.run.empty()) parts.push_back(message.run);
  if (!message.stakeholders.empty()) parts.push_back(fmt::format("for {}", fmt::join(message.stakeholders, ", ")));
  return fmt::format("{}", fmt::join(parts, " · "));
}

// Chat truncates far above this; a longer text is cut where it can be seen.
std::string shortened(std::string text, size_t most) {
  if (text.size() <= most) return text;
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text + " (cut)";
}

}  // namespace

std::string headline(const Message& message) {
  std::string severity = message.severity.empty() ? "" : message.severity + ": ";
  return fmt::format("{}{}{}", message.drill ? "Drill. " : "", severity, message.subject);
}

std::string slack_escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

std::string teams_escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("\\`*_[]#").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

Json slack_payload(const Message& message) {
  std::string text = headline(message);
  if (message.text != message.subject) text += "\n" + message.text;
  if (std::string end = footer(message); !end.empty()) text += "\n" + end;
  return JsonObject{{"text", slack_escape(shortened(std::move(text), 3'500))}};
}

Json teams_payload(const Message& message) {
  JsonArray body;
  body.push_back(JsonObject{
      {"type", "TextBlock"}, {"text", teams_escape(headline(message))}, {"weight", "Bolder"}, {"wrap", true}});
  if (message.text != message.subject)
    body.push_back(
        JsonObject{{"type", "TextBlock"}, {"text", teams_escape(shortened(message.text, 12'000))}, {"wrap", true}});
  JsonArray facts;
  auto fact = [&](std::string_view title, const std::string& value) {
    if (!value.empty()) facts.push_back(JsonObject{{"title", title}, {"value", value}});
  };
  fact("Kind", message.drill ? "Drill" : "Real, not a drill");
  fact("Incident", message.incident);
  fact("Run", message.run);
  fact("For", fmt::format("{}", fmt::join(message.stakeholders, ", ")));
  body.push_back(JsonObject{{"type", "FactSet"}, {"facts", facts}});
  JsonObject card{{"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
                  {"type", "AdaptiveCard"},
                  {"version", "1.4"},
                  {"body", body}};
  JsonObject attachment{
      {"contentType", "application/vnd.microsoft.card.adaptive"}, {"contentUrl", nullptr}, {"content", card}};
  return JsonObject{{"type", "message"}, {"attachments", JsonArray{attachment}}};
}

Json webhook_payload(const Message& message, WallTime at) {
  JsonArray stakeholders;
  for (const std::string& group : message.stakeholders) stakeholders.push_back(Json(group));
  return JsonObject{{"id", message.id},
                    {"at", format_wall(at)},
                    {"drill", message.drill},
                    {"severity", message.severity},
                    {"subject", message.subject},
                    {"text", message.text},
                    {"incident", message.incident},
                    {"run", message.run},
                    {"stakeholders", stakeholders}};
}

std::string mail_subject(const Message& message) {
  std::string line = headline(message);
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return shortened(std::move(line), 200);
}

std::string mail_body(const Message& message) {
  std::string kind = message.drill ? "This is a drill. Nothing is wrong.\n\n" : "";
  std::string end = footer(message);
  return fmt::format("{}{}\n{}{}", kind, message.text, end.empty() ? "" : "\n-- \n", end.empty() ? "" : end + "\n");
}

std::string fill_in(std::string_view text, const OrderedMap<std::string>& values) {
  std::string out;
  while (!text.empty()) {
    size_t open = text.find('[');
    size_t close = open == std::string_view::npos ? open : text.find(']', open);
    if (close == std::string_view::npos) break;
    std::string name(text.substr(open + 1, close - open - 1));
    bool placeholder =
        !name.empty() && std::ranges::all_of(name, [](char c) { return (c >= 'A' && c <= 'Z') || c == ' '; });
    out += text.substr(0, open);
    if (placeholder) {
      std::ranges::transform(name, name.begin(), [](char c) { return c == ' ' ? '-' : static_cast<char>(c + 32); });
      const std::string* value = values.find(name);
      out += value != nullptr ? *value : "not known yet";
    } else {
      out += text.substr(open, close - open + 1);
    }
    text.remove_prefix(close + 1);
  }
  out += text;
  return out;
}

HttpHeaders signature_headers(std::string_view key, WallTime at, std::string_view body) {
  std::string seconds = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
  std::string signature = hmac_sha256_hex(key, fmt::format("{}.{}", seconds, body));
  return {{"X-Lifeboat-Timestamp", seconds}, {"X-Lifeboat-Signature", "v1=" + signature}};
}

}  // namespace lifeboat
