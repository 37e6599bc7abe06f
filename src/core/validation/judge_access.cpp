#include "core/validation/judge_access.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace lifeboat {
namespace {

constexpr size_t kNamed = 10;    // in words
constexpr size_t kListed = 200;  // in data

// Who planted something chose its name too: it must not write on the terminal of who reads it.
std::string shown(std::string_view text) {
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return out;
}

Check check(std::string name, Verdict verdict, std::string text, Json found = nullptr, Json expected = nullptr) {
  return {shown(name), verdict, shown(text), std::move(found), std::move(expected)};
}

std::string listed(const std::vector<std::string>& rights) {
  return rights.empty() ? "no rights of its own" : fmt::format("{}", fmt::join(rights, ", "));
}

// Whether that part could not be looked at.
bool is_unseen(const AccessProfile& profile, std::string_view kind, std::string_view database) {
  return std::ranges::any_of(profile.unseen, [&](const UnseenProfile& part) {
    return (part.database.empty() || part.database == database) && (part.kind.empty() || part.kind == kind);
  });
}

std::string where(const SettingProfile& setting) {
  std::string whose = setting.role.empty() ? "" : fmt::format(" of role {}", setting.role);
  return whose + (setting.database.empty() ? "" : fmt::format(" in database {}", setting.database));
}

std::string told(const ActorProfile& actor) {
  std::string out = actor.says;
  if (!actor.reaches.empty()) out += fmt::format("{}reaches {}", out.empty() ? "" : ", ", actor.reaches);
  return out;
}

bool is_function(const ActorProfile& actor) { return actor.kind.ends_with(" function"); }

bool none_failed(const Checks& checks, size_t since) {
  return std::none_of(checks.begin() + static_cast<std::ptrdiff_t>(since), checks.end(),
                      [](const Check& one) { return one.verdict == Verdict::failed; });
}

void judge_roles(const AccessProfile& before, const AccessProfile& now, Checks& out) {
  if (is_unseen(before, "role", "") || is_unseen(now, "role", "")) return;
  size_t since = out.size();
  std::map<std::string, const RoleProfile*> known;
  for (const RoleProfile& role : before.roles) known[role.name] = &role;
  for (const RoleProfile& role : now.roles) {
    std::string name = fmt::format("role {}", role.name);
    auto found = known.find(role.name);
    if (found == known.end()) {
      out.push_back(check(name, role.rights.empty() ? Verdict::noted : Verdict::failed,
                          fmt::format("is new, with {}", listed(role.rights))));
      continue;
    }
    const std::vector<std::string>& then = found->second->rights;
    std::vector<std::string> gained;
    for (const std::string& right : role.rights) {
      if (std::ranges::find(then, right) == then.end()) gained.push_back(right);
    }
    if (!gained.empty())
      out.push_back(check(name, Verdict::failed, fmt::format("was given {}; it had {}", listed(gained), listed(then))));
  }
  for (const RoleProfile& role : before.roles) {
    bool gone = std::ranges::find(now.roles, role.name, &RoleProfile::name) == now.roles.end();
    if (gone) out.push_back(check(fmt::format("role {}", role.name), Verdict::noted, "is gone"));
  }
  if (none_failed(out, since))
    out.push_back(check("roles", Verdict::passed, fmt::format("none of {} may do more than then", now.roles.size())));
}

void judge_settings(const AccessProfile& before, const AccessProfile& now, Checks& out) {
  if (is_unseen(before, "setting", "") || is_unseen(now, "setting", "")) return;
  size_t since = out.size();
  auto key = [](const SettingProfile& one) { return std::tuple(one.role, one.database, one.name); };
  std::map<std::tuple<std::string, std::string, std::string>, const SettingProfile*> known;
  for (const SettingProfile& setting : before.settings) known[key(setting)] = &setting;
  for (const SettingProfile& setting : now.settings) {
    std::string name = fmt::format("setting {}{}", setting.name, where(setting));
    bool hidden = setting.name.contains('.');
    auto found = known.find(key(setting));
    if (found == known.end()) {
      out.push_back(check(name, Verdict::failed, hidden ? "is new" : fmt::format("is new: '{}'", setting.value)));
      continue;
    }
    if (found->second->value != setting.value)
      out.push_back(check(name, Verdict::failed,
                          hidden ? "has another value than then"
                                 : fmt::format("is '{}', was '{}'", setting.value, found->second->value)));
    known.erase(found);
  }
  for (const auto& [_, setting] : known)
    out.push_back(check(fmt::format("setting {}{}", setting->name, where(*setting)), Verdict::noted, "is gone"));
  if (none_failed(out, since))
    out.push_back(check("settings of roles and databases", Verdict::passed,
                        fmt::format("none of {} is new or another", now.settings.size())));
}

void judge_actors(const AccessProfile& before, const AccessProfile& now, Checks& out) {
  size_t since = out.size();
  auto key = [](const ActorProfile& one) { return std::tuple(one.kind, one.database, one.name); };
  std::map<std::tuple<std::string, std::string, std::string>, const ActorProfile*> known;
  for (const ActorProfile& actor : before.actors) known[key(actor)] = &actor;
  for (const ActorProfile& actor : now.actors) {
    std::string name = fmt::format("{} {} in database {}", actor.kind, actor.name, actor.database);
    auto found = known.find(key(actor));
    if (found == known.end()) {
      bool unseen = is_unseen(before, actor.kind, actor.database);
      std::string what = unseen ? "could not be looked at then" : "is new";
      std::string more = told(actor);
      out.push_back(check(name, unseen ? Verdict::noted : Verdict::failed,
                          more.empty() ? what : fmt::format("{}: {}", what, more)));
      continue;
    }
    const ActorProfile& then = *found->second;
    bool elsewhere = !then.reaches.empty() && !actor.reaches.empty() && then.reaches != actor.reaches;
    // Functions come with every release, and are held against the profile as other objects are.
    if (then.definition != actor.definition || elsewhere)
      out.push_back(check(name, is_function(actor) ? Verdict::noted : Verdict::failed,
                          fmt::format("is defined in another way; it says now: {}", told(actor)), Json(told(actor)),
                          Json(told(then))));
    known.erase(found);
  }
  for (const auto& [_, actor] : known) {
    if (is_unseen(now, actor->kind, actor->database)) continue;
    out.push_back(check(fmt::format("{} {} in database {}", actor->kind, actor->name, actor->database), Verdict::noted,
                        "is gone"));
  }
  if (none_failed(out, since))
    out.push_back(check("what acts by itself", Verdict::passed, fmt::format("none of {} is new", now.actors.size())));
}

Check judge_unseen(const AccessProfile* before, const UnseenProfile& part) {
  std::string name = part.kind.empty() ? "what acts by itself" : fmt::format("every {}", part.kind);
  if (!part.database.empty()) name += fmt::format(" in database {}", part.database);
  bool known = before != nullptr && !is_unseen(*before, part.kind, part.database);
  return check(name, known ? Verdict::unknown : Verdict::noted, fmt::format("could not be looked at: {}", part.why));
}

// Nothing when there is none.
void note_list(const std::string& name, const std::vector<std::string>& all, Checks& out) {
  if (all.empty()) return;
  auto named = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), kNamed));
  std::string text = fmt::format("{}", fmt::join(all.begin(), named, ", "));
  if (all.size() > kNamed) text += fmt::format(" and {} more", all.size() - kNamed);
  JsonArray found;
  for (const std::string& one : all) {
    if (found.size() < kListed) found.push_back(Json(shown(one)));
  }
  out.push_back(check(name, Verdict::noted, std::move(text), std::move(found)));
}

bool is_ordinary(const std::string& right) { return right == "login" || right == "createdb"; }

}  // namespace

Checks judge_access(const AccessProfile& before, const AccessProfile& now) {
  Checks out;
  judge_roles(before, now, out);
  judge_settings(before, now, out);
  judge_actors(before, now, out);
  for (const UnseenProfile& part : now.unseen) out.push_back(judge_unseen(&before, part));
  return out;
}

Checks note_access(const AccessProfile& now) {
  Checks out;
  std::vector<std::string> superusers, others, settings;
  for (const RoleProfile& role : now.roles) {
    if (std::ranges::find(role.rights, "superuser") != role.rights.end()) {
      superusers.push_back(role.name);
    } else if (!std::ranges::all_of(role.rights, is_ordinary)) {
      others.push_back(fmt::format("{} ({})", role.name, listed(role.rights)));
    }
  }
  note_list("superusers", superusers, out);
  note_list("other roles with special rights", others, out);
  static constexpr std::array kKinds = {"event trigger", "job",           "subscription",     "foreign server",
                                        "user mapping",  "foreign table", "definer function", "untrusted function"};
  for (std::string_view kind : kKinds) {
    std::vector<std::string> all;
    for (const ActorProfile& actor : now.actors) {
      if (actor.kind != kind) continue;
      std::string more = told(actor);
      all.push_back(fmt::format("{} in {}{}", actor.name, actor.database, more.empty() ? "" : " (" + more + ")"));
    }
    note_list(fmt::format("{}s", kind), all, out);
  }
  for (const SettingProfile& setting : now.settings) settings.push_back(setting.name + where(setting));
  note_list("settings of roles and databases", settings, out);
  for (const UnseenProfile& part : now.unseen) out.push_back(judge_unseen(nullptr, part));
  return out;
}

Checks only_noted(Checks checks) {
  for (Check& one : checks) {
    if (one.verdict == Verdict::failed || one.verdict == Verdict::unknown) one.verdict = Verdict::noted;
  }
  return checks;
}

std::string noted_in_words(const Checks& checks) {
  std::string out;
  for (const Check& one : checks) {
    if (one.verdict == Verdict::noted) out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", one.name, one.text);
  }
  return out;
}

}  // namespace lifeboat
