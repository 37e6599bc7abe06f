#include "core/validation/known_profile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <tuple>

#include "core/data/encode.hpp"
#include "core/recovery/moment.hpp"
#include "core/recovery/target.hpp"
#include "core/validation/judge_access.hpp"

namespace lifeboat {
namespace {

constexpr size_t kTold = 20;
constexpr std::string_view kNameOfKey = "the key of a profile";

// A plain hash of a setting or of a job's command can be guessed at, if there is a weak secret in it.
void seal(DatabaseProfile& profile, const KeyedHash& hash) {
  auto sealed = [&](std::string& text) {
    if (!text.empty()) text = hash ? hash(text) : std::string();
  };
  for (TableProfile& table : profile.tables) sealed(table.contents);
  for (ObjectProfile& object : profile.objects) {
    if (object.kind != "extension") sealed(object.definition);  // that one has its version there
  }
  if (!profile.access) return;
  for (ActorProfile& actor : profile.access->actors) sealed(actor.definition);
  for (SettingProfile& setting : profile.access->settings) {
    if (setting.name.contains('.')) sealed(setting.value);
  }
}

size_t size_of(const Json& json) { return to_text(json).size(); }

// The largest stay, in the order in which they were.
void leave_out_small_tables(DatabaseProfile& profile, size_t room) {
  std::vector<const TableProfile*> largest;
  for (const TableProfile& table : profile.tables) largest.push_back(&table);
  std::ranges::sort(largest, [](const TableProfile* left, const TableProfile* right) {
    return std::tie(right->rows, left->name) < std::tie(left->rows, right->name);
  });
  std::vector<std::string> kept;
  size_t used = 0;
  for (const TableProfile* table : largest) {
    used += size_of(encode(*table)) + 1;
    if (used > room) break;
    kept.push_back(table->name);
  }
  std::ranges::sort(kept);
  std::erase_if(profile.tables,
                [&](const TableProfile& table) { return !std::ranges::binary_search(kept, table.name); });
}

void leave_out(KnownProfile& known, ProfilePart part, size_t most) {
  DatabaseProfile& profile = known.profile;
  switch (part) {
    case ProfilePart::columns:
      for (TableProfile& table : profile.tables) table.columns.clear();
      break;
    case ProfilePart::objects: profile.objects.clear(); break;
    case ProfilePart::access: profile.access.reset(); break;
    case ProfilePart::small_tables: {
      DatabaseProfile bare = profile;
      bare.tables.clear();
      KnownProfile rest{.profile = std::move(bare), .key = known.key, .left_out = known.left_out};
      rest.left_out.push_back(part);
      size_t used = size_of(encode(rest)) + std::string_view(R"(,"tables":[])").size();
      leave_out_small_tables(profile, most - std::min(most, used));
      break;
    }
  }
  known.left_out.push_back(part);
}

std::string told(Checks noted) {
  std::erase_if(noted, [](const Check& one) { return one.verdict != Verdict::noted; });
  if (noted.empty()) return "nothing is new";
  size_t more = noted.size() - std::min(noted.size(), kTold);
  noted.erase(noted.end() - static_cast<std::ptrdiff_t>(more), noted.end());
  return noted_in_words(noted) + (more > 0 ? fmt::format("; and {} more", more) : "");
}

bool is_left_out(const KnownProfile& known, ProfilePart part) {
  return std::ranges::find(known.left_out, part) != known.left_out.end();
}

}  // namespace

KnownProfile to_keep(DatabaseProfile profile, const KeyedHash& hash, size_t most) {
  seal(profile, hash);
  KnownProfile out{.profile = std::move(profile), .key = hash ? hash(kNameOfKey) : std::string(), .left_out = {}};
  for (ProfilePart part :
       {ProfilePart::columns, ProfilePart::objects, ProfilePart::access, ProfilePart::small_tables}) {
    if (size_of(encode(out)) <= most) break;
    leave_out(out, part, most);
  }
  return out;
}

HeldAgainst comparable(const KnownProfile& known, DatabaseProfile now, const KeyedHash& hash) {
  HeldAgainst out{.before = known.profile, .now = std::move(now), .not_compared = {}};
  bool same_key = hash && !known.key.empty() && known.key == hash(kNameOfKey);
  seal(out.now, same_key ? hash : KeyedHash());
  if (!same_key) seal(out.before, {});
  if (is_left_out(known, ProfilePart::objects)) out.now.objects.clear();
  if (is_left_out(known, ProfilePart::small_tables))
    std::erase_if(out.now.tables, [&](const TableProfile& table) { return out.before.table(table.name) == nullptr; });
  if (!known.left_out.empty())
    out.not_compared = parts_in_words(known.left_out) + ", for which the journal had no room";
  if (!same_key)
    out.not_compared +=
        fmt::format("{}definitions and settings of applications, since {}", out.not_compared.empty() ? "" : "; ",
                    known.key.empty() ? "the service had no password, with which their hashes are made"
                                      : "the service's password is another than then");
  return out;
}

std::string parts_in_words(const std::vector<ProfilePart>& left_out) {
  std::vector<std::string> words;
  for (ProfilePart part : left_out) {
    std::string word(enum_name(part));
    std::ranges::replace(word, '-', ' ');
    words.push_back(std::move(word));
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string access_in_words(const KnownProfile* known, AccessProfile now, const KeyedHash& hash) {
  if (known == nullptr || !known->profile.access)
    return "no profile is known from before it: " + told(note_access(now));
  DatabaseProfile profile;
  profile.access = std::move(now);
  HeldAgainst held = comparable(*known, std::move(profile), hash);
  std::string since = "since the profile of " + known->profile.taken;
  if (!held.not_compared.empty()) since += fmt::format(" (not compared: {})", held.not_compared);
  return fmt::format("{}: {}", since, told(only_noted(judge_access(*held.before.access, *held.now.access))));
}

std::shared_ptr<const KnownProfile> newest_of(const KnownProfiles& all, std::optional<WallTime> data_until) {
  for (const auto& known : std::views::reverse(all)) {
    if (!data_until) return known;
    auto taken = parse_wall(known->profile.taken);
    if (taken && *taken <= *data_until) return known;
  }
  return nullptr;
}

std::optional<WallTime> data_until(const Json& restored) {
  const Json& reached = member(restored, "reached");
  std::string text = text_or(reached, "next_time");
  bool immediate = text_or(member(restored, "target"), "kind") == enum_name(recovery::TargetKind::immediate);
  // The log behind that one may not have been looked at.
  if (text.empty() && immediate) text = text_or(reached, "time");
  auto moment = ScalarText<Moment>::parse(text);
  if (!moment) return std::nullopt;
  return std::chrono::floor<std::chrono::milliseconds>(*moment);
}

}  // namespace lifeboat
