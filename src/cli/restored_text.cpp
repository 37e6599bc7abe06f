#include "cli/restored_text.hpp"

#include <fmt/format.h>

#include "core/recovery/moment.hpp"
#include "core/recovery/target.hpp"

namespace lifeboat::cli {
namespace {

std::string when(const std::string& text) {
  auto at = ScalarText<Moment>::parse(text);
  return at ? moment_in_words(*at) : text;
}

std::string to_what(const Json& restored) {
  auto target = recovery::target_from_json(member(restored, "target"));
  return target ? " to " + recovery::in_words(*target) : "";
}

std::string what_it_is(const std::string& what, const Json& restored) {
  std::string host = text_or(restored, "host");
  std::string as = host.empty() ? "" : fmt::format(" as {} on {}", text_or(restored, "name"), host);
  if (member(restored, "adopted").is_object())
    return fmt::format("{} is restored{}, and the copy is the database now.\n", what, to_what(restored));
  std::string state = bool_or(restored, "promoted")
                          ? fmt::format("and takes writes on timeline {}", int_or(restored, "timeline"))
                          : "paused and read-only";
  return fmt::format("{} is restored{}{}, {}.\n", what, as, to_what(restored), state);
}

std::string which_point(const Json& restored) {
  const Json& reached = member(restored, "reached");
  std::string out =
      fmt::format("  reached   position {} on timeline {}", text_or(reached, "lsn"), int_or(reached, "timeline"));
  if (std::string time = text_or(reached, "time"); !time.empty()) out += "; last commit " + when(time);
  if (int64_t xid = int_or(reached, "xid"); xid != 0) out += fmt::format(" (transaction {})", xid);
  out += "\n";
  if (std::string next = text_or(reached, "next_time"); !next.empty())
    out += fmt::format("  left out  from transaction {} of {} on\n", int_or(reached, "next_xid"), when(next));
  const Json& behind = member(restored, "collateral_transactions");
  if (!behind.is_null())
    out += fmt::format("  behind it {} transactions that were committed later\n",
                       int_or(restored, "collateral_transactions"));
  return out;
}

// What makes it less than it may look like.
std::string what_is_missing(const Json& restored) {
  std::string out;
  if (std::string why = text_or(restored, "log_not_closed"); !why.empty())
    out += fmt::format("  NOT KNOWN to be the latest: the end of the log could not be archived, {}\n", why);
  if (bool_or(restored, "cut_by_gap"))
    out += "  NOT ALL   the log has a gap or damage behind this point, which was accepted\n";
  if (int64_t lost = int_or(restored, "lost_transactions"); lost > 0)
    out += fmt::format("  NOT IN    {} transactions with a commit time up to the target stand behind it in the log\n",
                       lost);
  return out;
}

std::string what_it_took(const Json& restored) {
  std::string out = fmt::format(
      "  took      {:.2f} s: copy {:.2f} s ({}), replay {:.2f} s ({} of log), check {:.2f} s",
      number_or(restored, "seconds"), number_or(restored, "copy_seconds"),
      bytes_in_words(static_cast<uint64_t>(int_or(restored, "bytes"))), number_or(restored, "replay_seconds"),
      bytes_in_words(static_cast<uint64_t>(int_or(restored, "log_bytes"))), number_or(restored, "check_seconds"));
  if (bool_or(restored, "promoted")) out += fmt::format(", promotion {:.2f} s", number_or(restored, "promote_seconds"));
  return out + fmt::format("\n  from      set {}, {}\n", text_or(restored, "backup"), text_or(restored, "repository"));
}

std::string where_it_is(const Json& restored, const std::string& superuser) {
  std::string out, host = text_or(restored, "host"), folder = text_or(restored, "folder");
  if (!host.empty())
    out += fmt::format("  is in     {} on {}, socket {}, port {}\n", folder, host, text_or(restored, "socket"),
                       int_or(restored, "port"));
  return out + fmt::format("  enter     {}    ({}no network, archives nothing)\n", entering(restored, superuser),
                           host.empty() ? "" : fmt::format("on {}; ", host));
}

std::string how_it_leads(const Json& restored, const Json& adopted) {
  std::string out =
      fmt::format("  leads     {} takes writes on timeline {}; writes paused {:.2f} s\n", text_or(adopted, "member"),
                  int_or(adopted, "timeline"), number_or(adopted, "write_outage_s"));
  const Json& checked = member(restored, "checked");
  out += checked.is_object() ? fmt::format("  checked   {}\n", text_or(checked, "summary"))
                             : "  UNCHECKED its data were not looked at before\n";
  const Json& evidence = member(restored, "evidence");
  out += fmt::format("  evidence  {}\n", text_or(adopted, "kept"));
  if (bool_or(evidence, "done"))
    out += fmt::format("            {} files, hashes in {} (sha256 {})\n", int_or(evidence, "files"),
                       text_or(evidence, "manifest"), text_or(evidence, "sha256"));
  if (std::string trouble = text_or(restored, "standbys_error"); !trouble.empty())
    out += fmt::format("  NOT YET   the other members do not follow: {}\n", trouble);
  return out;
}

}  // namespace

std::string bytes_in_words(uint64_t bytes) {
  return bytes < 1'000'000'000 ? fmt::format("{} MB", bytes / 1'000'000)
                               : fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::string entering(const Json& restored, const std::string& superuser) {
  std::string user = text_or(restored, "run_as");
  return fmt::format("{}psql -h {} -p {}{}", user.empty() ? "" : fmt::format("sudo -u {} ", user),
                     text_or(restored, "socket"), int_or(restored, "port"),
                     user == superuser ? "" : " -U " + superuser);
}

bool is_all_well(const Json& restored) {
  return !bool_or(restored, "cut_by_gap") && int_or(restored, "lost_transactions") == 0 &&
         text_or(restored, "log_not_closed").empty() && text_or(restored, "standbys_error").empty();
}

std::string restored_in_words(const std::string& what, const Json& restored, const std::string& superuser) {
  const Json& adopted = member(restored, "adopted");
  std::string out =
      what_it_is(what, restored) + which_point(restored) + what_is_missing(restored) + what_it_took(restored);
  return out + (adopted.is_object() ? how_it_leads(restored, adopted) : where_it_is(restored, superuser));
}

}  // namespace lifeboat::cli
