#include "core/logical/make_database.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lifeboat {
namespace {

// Lists of names, which the server keeps quoted: given back as one text they would be one name.
constexpr std::array<std::string_view, 6> kLists{"local_preload_libraries",   "search_path",
                                                 "session_preload_libraries", "shared_preload_libraries",
                                                 "temp_tablespaces",          "unix_socket_directories"};

std::string doubled(std::string_view text, char mark) {
  std::string out;
  for (char c : text) {
    if (c == mark) out += c;
    out += c;
  }
  return out;
}

std::string identifier(std::string_view name) { return fmt::format("\"{}\"", doubled(name, '"')); }

std::string literal(std::string_view text) {
  bool slashes = text.find('\\') != std::string_view::npos;
  return fmt::format("{}'{}'", slashes ? "E" : "", doubled(slashes ? doubled(text, '\\') : std::string(text), '\''));
}

// "\"$user\", public" → $user, public
std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> out;
  std::string name;
  bool quoted = false, any = false;
  for (size_t at = 0; at < list.size(); ++at) {
    char c = list[at];
    if (c == '"' && quoted && at + 1 < list.size() && list[at + 1] == '"') {
      name += '"';
      ++at;
    } else if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ',' && !quoted) {
      out.push_back(std::exchange(name, {}));
      any = true;
    } else if (quoted || c != ' ') {
      name += c;
      any = true;
    }
  }
  if (any) out.push_back(std::move(name));
  return out;
}

std::string value_sql(const KeptSetting& setting) {
  if (std::ranges::find(kLists, setting.name) == kLists.end()) return literal(setting.value);
  std::string out;
  for (const std::string& name : names_in(setting.value)) out += (out.empty() ? "" : ", ") + literal(name);
  return out.empty() ? "''" : out;
}

Check check(std::string name, Verdict verdict, std::string text) {
  return {std::move(name), verdict, std::move(text), nullptr, nullptr};
}

void judge_text(std::string_view what, const std::string& before, const std::string& now, Verdict differs,
                Checks& out) {
  if (before == now) return;
  auto shown = [](const std::string& text) { return text.empty() ? std::string("none") : text; };
  out.push_back(check(fmt::format("database {}", what), differs,
                      fmt::format("is {}, and was {} where it was dumped", shown(now), shown(before))));
}

}  // namespace

std::string create_database_sql(const std::string& database, const DatabaseMade* made) {
  std::string out = fmt::format("CREATE DATABASE {} TEMPLATE template0", identifier(database));
  if (made == nullptr) return out;
  out += fmt::format(" ENCODING {}", literal(made->encoding));
  // An older server knows no provider but its own, and no name for it.
  if (made->provider == "i") out += " LOCALE_PROVIDER icu ICU_LOCALE " + literal(made->locale);
  if (made->provider == "b") out += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + literal(made->locale);
  if (!made->collate.empty()) out += " LC_COLLATE " + literal(made->collate);
  if (!made->ctype.empty()) out += " LC_CTYPE " + literal(made->ctype);
  return out;
}

std::string setting_sql(const std::string& database, const KeptSetting& setting) {
  std::string whose = setting.role.empty()
                          ? fmt::format("DATABASE {}", identifier(database))
                          : fmt::format("ROLE {} IN DATABASE {}", identifier(setting.role), identifier(database));
  return fmt::format("ALTER {} SET {} TO {}", whose, identifier(setting.name), value_sql(setting));
}

std::string in_words(const KeptSetting& setting) {
  return setting.role.empty() ? setting.name : fmt::format("{} for role {}", setting.name, setting.role);
}

Checks judge_made(const DatabaseMade& before, const DatabaseMade& now, bool created) {
  Checks out;
  Verdict differs = created ? Verdict::failed : Verdict::noted;
  judge_text("encoding", before.encoding, now.encoding, differs, out);
  judge_text("collation", before.collate, now.collate, differs, out);
  judge_text("character type", before.ctype, now.ctype, differs, out);
  judge_text("provider of collations", before.provider, now.provider, differs, out);
  judge_text("locale", before.locale, now.locale, differs, out);
  for (const KeptSetting& setting : before.settings) {
    if (std::ranges::find(now.settings, setting) != now.settings.end()) continue;
    bool other = std::ranges::any_of(
        now.settings, [&](const KeptSetting& one) { return one.role == setting.role && one.name == setting.name; });
    // A role may not exist here.
    out.push_back(check(fmt::format("database setting {}", in_words(setting)),
                        setting.role.empty() ? differs : Verdict::noted, other ? "has another value" : "is not set"));
  }
  if (out.empty()) out.push_back(check("database", Verdict::passed, "is made as it was, with the same settings"));
  return out;
}

}  // namespace lifeboat
