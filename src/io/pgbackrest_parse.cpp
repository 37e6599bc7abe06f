// What pgBackRest writes, read: pure functions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "io/pgbackrest.hpp"

namespace lifeboat {
namespace {

using recovery::BackupSet;
using recovery::BackupType;
using recovery::Catalogue;

std::unexpected<Error> strange(std::string_view command) {
  return fail(ErrorKind::invalid_input, fmt::format("pgbackrest {} did not answer in the form that 2.45 has", command),
              "look at its version: `pgbackrest version`");
}

Moment seconds_of(const Json& object, std::string_view key) {
  return Moment{std::chrono::seconds{int_or(object, key)}};
}

uint64_t count_of(const Json& object, std::string_view key) {
  return static_cast<uint64_t>(std::max<int64_t>(0, int_or(object, key)));
}

// 64 bits, which Boost.JSON keeps whole.
std::string number_text(const Json& value) {
  if (value.is_uint64()) return std::to_string(value.get_uint64());
  if (value.is_int64()) return std::to_string(value.get_int64());
  return {};
}

Lsn position(const Json& object, std::string_view key) {
  return ScalarText<Lsn>::parse(text_or(object, key)).value_or(Lsn{});
}

BackupSet set_of(const Json& from) {
  BackupSet out;
  out.label = text_or(from, "label");
  std::string type = text_or(from, "type");
  out.type = type == "diff" ? BackupType::diff : type == "incr" ? BackupType::incr : BackupType::full;
  out.repository = int_or(member(from, "database"), "repo-key", 1);
  out.started = seconds_of(member(from, "timestamp"), "start");
  out.stopped = seconds_of(member(from, "timestamp"), "stop");
  out.start_lsn = position(member(from, "lsn"), "start");
  out.stop_lsn = position(member(from, "lsn"), "stop");
  out.wal_start = text_or(member(from, "archive"), "start");
  out.wal_stop = text_or(member(from, "archive"), "stop");
  const Json& info = member(from, "info");
  out.bytes = count_of(info, "size");
  out.copied_bytes = count_of(info, "delta");
  out.repository_bytes = count_of(member(info, "repository"), "size");
  out.repository_copied_bytes = count_of(member(info, "repository"), "delta");
  if (const Json& error = member(from, "error"); error.is_bool()) out.page_errors = error.get_bool();
  out.prior = text_or(from, "prior");
  if (const Json& references = member(from, "reference"); references.is_array()) {
    for (const Json& one : references.get_array()) {
      if (one.is_string()) out.references.emplace_back(one.get_string());
    }
  }
  return out;
}

const JsonArray& list(const Json& object, std::string_view key) {
  static const JsonArray none;
  const Json& value = member(object, key);
  return value.is_array() ? value.get_array() : none;
}

std::optional<uint64_t> hex(std::string_view text) {
  uint64_t value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr std::string_view kNoSpace = "No space left on device";

// A write for which there was room in part only has no number of an error, and pgBackRest names none.
bool wrote_in_part(std::string_view output) {
  constexpr std::string_view kUnable = "unable to write '";
  for (size_t at = output.find(kUnable); at != output.npos; at = output.find(kUnable, at + 1)) {
    size_t end = output.find('\'', at + kUnable.size());
    if (end != output.npos && !output.substr(end + 1).starts_with(":")) return true;
  }
  return false;
}

// The lines that say ERROR, or the last one.
std::string said(std::string_view output) {
  std::string out;
  for (size_t at = 0; at < output.size();) {
    size_t end = std::min(output.find('\n', at), output.size());
    std::string_view line = output.substr(at, end - at);
    at = end + 1;
    size_t error = line.find("ERROR:");
    if (error == line.npos && (out.empty() || !line.starts_with("   "))) continue;
    size_t begin = error == line.npos ? line.find_first_not_of(' ') : std::min(error + 7, line.size());
    if (begin == line.npos) continue;
    std::string_view text = line.substr(begin);
    out += (out.empty() ? "" : " ") + std::string(text);
    if (out.size() > 600) break;
  }
  if (out.empty()) out = output.substr(output.size() > 400 ? output.size() - 400 : 0);
  return out;
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    bool plain = c >= ' ' && c <= '~';
    if (!plain) c = '?';
  }
  return out;
}

// What an object store that does not take the key any more is about; empty: it is about something else.
std::string_view refused_key(std::string_view output) {
  auto says = [&](std::string_view text) { return output.find(text) != output.npos; };
  if (says("ExpiredToken") || says("RequestExpired") || says("TokenRefreshRequired"))
    return "the key of the object store has expired: put a new one in its place; what is there is taken up again";
  if (says("(Forbidden)") || says("HTTP request failed with 403") || says("HTTP request failed with 401"))
    return "the object store refuses the key: expired, withdrawn, or without the right to do this";
  return {};
}

// The index of a repository is there and cannot be read.
Error error_of_index(const Json& repo) {
  std::string message = text_or(member(repo, "status"), "message");
  if (std::string_view about = refused_key(message); !about.empty())
    return {.kind = ErrorKind::refused,
            .what = printable(message.substr(0, message.find('\n'))),
            .hint = std::string(about)};
  bool sealed = text_or(repo, "cipher", "none") != "none";
  return {
      .kind = ErrorKind::refused,
      .what = printable(message.substr(0, std::min<size_t>(message.find('\n'), 200))),
      .hint =
          sealed
              ? "the repository is encrypted: is repoN-cipher-pass still the right key? If it is, the index is damaged"
              : "the index of the repository is damaged: verify the repository, and use another one"};
}

struct CodeMeaning {
  int code;
  ErrorKind kind;
  std::string_view hint;
};
// src/build/error/error.yaml of release 2.45.
constexpr std::array kMeanings = std::to_array<CodeMeaning>(
    {{1, ErrorKind::not_found, ""},
     {26, ErrorKind::refused,
      "a file in the repository is damaged: restore from another set, and verify the repository"},
     {27, ErrorKind::unreachable, ""},
     {28, ErrorKind::refused, "a file in the repository is damaged"},
     {29, ErrorKind::refused, "a file in the repository is damaged or not pgBackRest's"},
     {31, ErrorKind::invalid_input, "look at the configuration file"},
     {32, ErrorKind::invalid_input, "look at the configuration file"},
     {37, ErrorKind::not_found, "is the stanza's name right, and does the configuration file have its section?"},
     {38, ErrorKind::refused, "a server runs there: restore into another folder"},
     {39, ErrorKind::unreachable,
      "the repository's host or store answered, but not as expected: address, rights, key?"},
     {40, ErrorKind::refused, "the folder holds something else: name an empty one"},
     {41, ErrorKind::refused, "may the user read the repository, and does it lie where the configuration says?"},
     {42, ErrorKind::refused, "a file in the repository cannot be read to its end: damaged or truncated"},
     {44, ErrorKind::conflict, "this repository belongs to another cluster"},
     {49, ErrorKind::unreachable, "the repository's host does not answer"},
     {50, ErrorKind::conflict, "another pgBackRest is at work on the same stanza; wait for its end"},
     {55, ErrorKind::not_found, "is the repository's path right, and was the stanza created?"},
     {62, ErrorKind::refused, "pgBackRest is stopped for this stanza: `pgbackrest start`"},
     {73, ErrorKind::not_found, "is the repository's path right?"},
     {75, ErrorKind::not_found, "no set serves that; `pgbackrest info` lists them"},
     {95, ErrorKind::refused,
      "the repository is encrypted, and the passphrase is another one: look at repoN-cipher-pass"},
     {101, ErrorKind::unreachable, "the object store answered with an error: address, rights, key expired?"},
     {103, ErrorKind::refused, "the repository cannot be used"}});

}  // namespace

Error pgbackrest_error(std::string_view command, int exit_code, std::string_view output) {
  Error error;
  error.kind = ErrorKind::refused;
  error.what = fmt::format("pgbackrest {} ended with {}: {}", command, exit_code, said(output));
  auto found = std::ranges::find(kMeanings, exit_code, &CodeMeaning::code);
  if (found != kMeanings.end()) error.kind = found->kind, error.hint = found->hint;
  auto says = [&](std::string_view text) { return output.find(text) != output.npos; };
  if (says(kNoSpace) || wrote_in_part(output)) {
    error.kind = ErrorKind::refused;
    error.hint = "the disk is full: make room or name another folder; what is there is taken up again";
    // The log that says so may lie on that disk, and end before the line with the error.
    if (error.what.find(kNoSpace) == std::string::npos)
      error.what = fmt::format("pgbackrest {} ended with {}: {}", command, exit_code, kNoSpace);
  } else if (says("Permission denied")) {
    error.kind = ErrorKind::refused;
    error.hint = "the user that runs pgBackRest may not read or write there";
  } else if (std::string_view about = refused_key(output); !about.empty()) {
    error.kind = ErrorKind::refused;
    error.hint = about;
  }
  if (exit_code >= 128) error.hint = "it was ended by a signal";
  return error;
}

bool awaits_first_checkpoint(std::string_view said) {
  constexpr std::string_view kLog = "WAL timeline ", kControl = " does not match pg_control timeline ";
  auto number_at = [&](size_t at) {
    uint64_t value = 0;
    std::string_view rest = said.substr(std::min(at, said.size()));
    std::from_chars(rest.data(), rest.data() + rest.size(), value);
    return value;
  };
  size_t log = said.find(kLog), control = said.find(kControl);
  if (log == said.npos || control == said.npos) return false;
  uint64_t of_control = number_at(control + kControl.size());
  // The other way round it is another fault: log of a timeline that was left.
  return of_control > 0 && number_at(log + kLog.size()) > of_control;
}

bool lacks_index_only(std::string_view said) {
  constexpr std::string_view kRemoves = "DELETE ";
  size_t at = said.find(kRemoves);
  if (at == said.npos || said.find("HTTP request failed with 403") == said.npos) return false;
  std::string_view path = said.substr(at + kRemoves.size());
  return path.substr(0, path.find_first_of("? ")).ends_with("/latest");
}

Result<std::vector<Catalogue>> parse_info(std::string_view json, const std::string& stanza) {
  auto parsed = parse_json(json);
  // Of a file that it cannot read it prints what it found there, whatever bytes those are.
  if (!parsed) parsed = parse_json(printable(json));
  if (!parsed || !parsed->is_array()) return strange("info");
  std::vector<Catalogue> out;
  std::optional<Error> unreadable;
  for (const Json& one : parsed->get_array()) {
    if (text_or(one, "name") != stanza) continue;
    for (const Json& repo : list(one, "repo")) {
      constexpr int64_t kOther = 99;
      if (int_or(member(repo, "status"), "code") == kOther) unreadable = error_of_index(repo);
    }
    for (const Json& database : list(one, "db")) {
      Catalogue catalogue;
      catalogue.stanza = stanza;
      catalogue.repository = int_or(database, "repo-key", 1);
      catalogue.system_id = number_text(member(database, "system-id"));
      catalogue.version = text_or(database, "version");
      int64_t id = int_or(database, "id", 1);
      catalogue.archive = fmt::format("{}-{}", catalogue.version, id);
      for (const Json& repo : list(one, "repo")) {
        if (int_or(repo, "key") == catalogue.repository) catalogue.cipher = text_or(repo, "cipher", "none");
      }
      for (const Json& backup : list(one, "backup")) {
        const Json& of = member(backup, "database");
        if (int_or(of, "id") != id || int_or(of, "repo-key", 1) != catalogue.repository) continue;
        BackupSet set = set_of(backup);
        set.archive = catalogue.archive;
        set.system_id = catalogue.system_id;
        set.version = catalogue.version;
        if (set.label.empty() || set.wal_start.empty()) return strange("info");
        catalogue.sets.push_back(std::move(set));
      }
      auto bytes = recovery::segment_bytes_of(catalogue.sets);
      if (!bytes) return strange("info");
      catalogue.segment_bytes = *bytes;
      out.push_back(std::move(catalogue));
    }
  }
  if (out.empty() && unreadable) return std::unexpected(std::move(*unreadable));
  return out;
}

Result<std::vector<std::string>> parse_names(std::string_view json) {
  auto parsed = parse_json(json);
  if (!parsed || !parsed->is_object()) return strange("repo-ls");
  std::vector<std::string> out;
  for (const auto& [name, about] : parsed->get_object()) out.emplace_back(name);
  return out;
}

Result<> parse_archive_list(std::string_view json, Catalogue& catalogue) {
  auto parsed = parse_json(json);
  if (!parsed || !parsed->is_object()) return strange("repo-ls");
  std::string folder = catalogue.archive + "/";
  for (const auto& [path, entry] : parsed->get_object()) {
    std::string_view name = path;
    if (!name.starts_with(folder) || text_or(entry, "type") != "file") continue;
    name.remove_prefix(name.rfind('/') + 1);
    if (name.ends_with(".history") && name.size() == 16) {
      if (auto timeline = hex(name.substr(0, 8))) catalogue.histories.push_back({*timeline, {}});
      continue;
    }
    auto parts = recovery::parse_segment_name(name.substr(0, 24), catalogue.segment_bytes);
    std::string_view rest = name.size() > 24 ? name.substr(24) : std::string_view();
    bool partial = rest.starts_with(".partial");
    if (partial) rest.remove_prefix(8);
    // NAME-SHA1[.zst]; NAME.00000028.backup is a note on a backup.
    if (!parts || !rest.starts_with('-') || rest.size() < 41) continue;
    recovery::WalSegment segment{.timeline = parts->timeline, .number = parts->number, .partial = partial};
    segment.sha1 = rest.substr(1, 40);
    segment.stored_bytes = count_of(entry, "size");
    if (int_or(entry, "time") > 0) segment.archived = seconds_of(entry, "time");
    catalogue.segments.push_back(std::move(segment));
  }
  recovery::put_in_order(catalogue);
  return {};
}

VerifyReport parse_verify(std::string_view output) {
  VerifyReport out;
  out.text = output;
  bool seen = false;
  for (size_t at = 0; at < output.size();) {
    size_t end = std::min(output.find('\n', at), output.size());
    std::string_view line = output.substr(at, end - at);
    at = end + 1;
    auto says = [&](std::string_view text) { return line.find(text) != line.npos; };
    seen = seen || says("status:");
    bool counted = false;
    for (std::string_view what : {"missing: ", "checksum invalid: ", "size invalid: ", "other: "}) {
      size_t from = line.find(what);
      if (from == line.npos) continue;
      std::string_view rest = line.substr(from + what.size());
      counted = counted || (!rest.empty() && rest.front() >= '1' && rest.front() <= '9');
    }
    bool wrong = counted || says("status: error") || says("status: invalid") || says("invalid checksum") ||
                 says("invalid size") || says("ERROR:") || says("WARN:") || says("no backups exist") ||
                 says("no archives exist") || says("duplicate WAL") || says("No usable ");
    if (!wrong) continue;
    size_t begin = line.find_first_not_of(' ');
    out.findings.emplace_back(line.substr(begin == line.npos ? 0 : begin));
  }
  // Silence is no proof either.
  if (!seen) out.findings.emplace_back("pgbackrest verify gave no verdict");
  out.damaged = !out.findings.empty();
  return out;
}

std::optional<double> restored_share(std::string_view tail) {
  size_t mark = tail.rfind("%)");
  while (mark != tail.npos) {
    size_t begin = tail.rfind(", ", mark);
    double value = 0;
    if (begin != tail.npos) {
      std::string_view text = tail.substr(begin + 2, mark - begin - 2);
      auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (problem == std::errc{} && end == text.data() + text.size()) return std::clamp(value / 100, 0.0, 1.0);
    }
    mark = mark == 0 ? tail.npos : tail.rfind("%)", mark - 1);
  }
  return std::nullopt;
}

}  // namespace lifeboat
