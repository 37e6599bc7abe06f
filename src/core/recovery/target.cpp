#include "core/recovery/target.hpp"

#include <fmt/format.h>

#include <charconv>

namespace lifeboat::recovery {
namespace {

constexpr uint64_t kFirstNormalXid = 3;
constexpr size_t kLongestName = 63;  // MAXFNAMELEN - 1 of PostgreSQL

Result<uint64_t> parse_xid(std::string_view text) {
  uint64_t value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool number = problem == std::errc{} && end == text.data() + text.size();
  if (!number || value < kFirstNormalXid || value > UINT32_MAX)
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no number of a transaction", text),
                "write before:N or after:N, where N is what pg_waldump and the server's log call the transaction");
  return value;
}

Result<RecoveryTarget> target_at(TargetKind kind, const TargetWords& words) {
  RecoveryTarget out;
  out.kind = kind;
  switch (kind) {
    case TargetKind::time: {
      auto moment = ScalarText<Moment>::parse(words.to);
      if (!moment)
        return fail(ErrorKind::invalid_input, fmt::format("cannot read the moment '{}'", words.to), moment.error());
      out.time = *moment;
      return out;
    }
    case TargetKind::lsn: {
      auto lsn = ScalarText<Lsn>::parse(words.to_lsn);
      if (!lsn)
        return fail(ErrorKind::invalid_input, fmt::format("cannot read the position '{}'", words.to_lsn), lsn.error());
      out.lsn = *lsn;
      return out;
    }
    case TargetKind::xid_before:
    case TargetKind::xid_after: {
      std::string_view text = words.to_xid;
      bool before = text.starts_with("before:");
      if (!before && !text.starts_with("after:"))
        return fail(ErrorKind::invalid_input, fmt::format("'{}' does not say on which side of the transaction", text),
                    "write before:N to leave it out, after:N to keep it");
      TRY(out.xid, parse_xid(text.substr(text.find(':') + 1)));
      out.kind = before ? TargetKind::xid_before : TargetKind::xid_after;
      return out;
    }
    case TargetKind::name:
      if (words.to_name.size() > kLongestName || words.to_name.find('\n') != std::string::npos)
        return fail(ErrorKind::invalid_input, fmt::format("a restore point's name has at most {} bytes", kLongestName));
      out.name = words.to_name;
      return out;
    case TargetKind::latest:
    case TargetKind::immediate: return out;
  }
  return out;
}

}  // namespace

Result<RecoveryTarget> parse_target(const TargetWords& words) {
  std::vector<TargetKind> given;
  if (!words.to.empty()) given.push_back(TargetKind::time);
  if (!words.to_lsn.empty()) given.push_back(TargetKind::lsn);
  if (!words.to_xid.empty()) given.push_back(TargetKind::xid_before);
  if (!words.to_name.empty()) given.push_back(TargetKind::name);
  if (words.latest) given.push_back(TargetKind::latest);
  if (words.immediate) given.push_back(TargetKind::immediate);
  constexpr const char* kForms =
      "name exactly one: --to \"2024-01-01 14:30:00+00\", --to-lsn 0/16B3748, --to-xid before:N or after:N, --to-name "
      "NAME, or --latest";
  if (given.empty()) return fail(ErrorKind::invalid_input, "the point to restore to is not given", kForms);
  if (given.size() > 1) return fail(ErrorKind::invalid_input, "more than one point to restore to is given", kForms);
  return target_at(given.front(), words);
}

Result<RecoveryTarget> target_of_text(const std::string& text) {
  TargetWords words;
  if (text == "latest") {
    words.latest = true;
  } else if (text.starts_with("before:") || text.starts_with("after:")) {
    words.to_xid = text;
  } else if (text.starts_with("name:")) {
    words.to_name = text.substr(5);
  } else if (ScalarText<Lsn>::parse(text)) {
    words.to_lsn = text;
  } else {
    words.to = text;
  }
  return parse_target(words);
}

std::string in_words(const RecoveryTarget& target) {
  switch (target.kind) {
    case TargetKind::latest: return "the end of the archive";
    case TargetKind::time: return moment_in_words(target.time);
    case TargetKind::lsn: return "position " + ScalarText<Lsn>::format(target.lsn);
    case TargetKind::xid_before: return fmt::format("just before transaction {}", target.xid);
    case TargetKind::xid_after: return fmt::format("just after transaction {}", target.xid);
    case TargetKind::name: return fmt::format("restore point '{}'", target.name);
    case TargetKind::immediate: return "the earliest consistent point of the backup";
  }
  return "?";
}

Json to_json(const RecoveryTarget& target) {
  JsonObject out{{"kind", enum_name(target.kind)}};
  switch (target.kind) {
    case TargetKind::time: out["time"] = ScalarText<Moment>::format(target.time); break;
    case TargetKind::lsn: out["lsn"] = ScalarText<Lsn>::format(target.lsn); break;
    case TargetKind::xid_before:
    case TargetKind::xid_after: out["xid"] = target.xid; break;
    case TargetKind::name: out["name"] = target.name; break;
    case TargetKind::latest:
    case TargetKind::immediate: break;
  }
  return out;
}

Result<RecoveryTarget> target_from_json(const Json& json) {
  std::string kind = text_or(json, "kind");
  TargetWords words;
  if (kind == "time") words.to = text_or(json, "time");
  if (kind == "lsn") words.to_lsn = text_or(json, "lsn");
  if (kind == "xid-before") words.to_xid = fmt::format("before:{}", int_or(json, "xid"));
  if (kind == "xid-after") words.to_xid = fmt::format("after:{}", int_or(json, "xid"));
  if (kind == "name") words.to_name = text_or(json, "name");
  words.latest = kind == "latest";
  words.immediate = kind == "immediate";
  return parse_target(words);
}

std::vector<std::pair<std::string, std::string>> target_settings(const RecoveryTarget& target) {
  switch (target.kind) {
    case TargetKind::latest: return {};
    case TargetKind::time:
      return {{"recovery_target_time", moment_for_postgres(target.time)}, {"recovery_target_inclusive", "on"}};
    case TargetKind::lsn:
      return {{"recovery_target_lsn", ScalarText<Lsn>::format(target.lsn)}, {"recovery_target_inclusive", "on"}};
    case TargetKind::xid_before:
      return {{"recovery_target_xid", std::to_string(target.xid)}, {"recovery_target_inclusive", "off"}};
    case TargetKind::xid_after:
      return {{"recovery_target_xid", std::to_string(target.xid)}, {"recovery_target_inclusive", "on"}};
    case TargetKind::name: return {{"recovery_target_name", target.name}};
    case TargetKind::immediate: return {{"recovery_target", "immediate"}};
  }
  return {};
}

}  // namespace lifeboat::recovery
