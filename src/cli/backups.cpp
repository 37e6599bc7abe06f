#include "cli/backups.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "cli/exit_codes.hpp"
#include "core/base/time.hpp"
#include "core/data/decode.hpp"
#include "core/data/list_of.hpp"
#include "core/recovery/catalogue.hpp"
#include "io/clock.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

constexpr std::chrono::milliseconds kAskEvery{500};

// What a status says of what is wrong now, though it is not the trouble that is told, or not yet.
constexpr std::pair<const char*, const char*> kWrongs[] = {{"problem", ""},
                                                           {"archive_failed", "archiving failed last: "},
                                                           {"unread", "the repository could not be read last: "},
                                                           {"unfilled", "WAL of the stream was not archived last: "},
                                                           {"second", ""}};

std::string size_in_words(double bytes) {
  for (const char* unit : {"B", "kB", "MB", "GB"}) {
    if (bytes < 1000) return fmt::format("{:.{}f} {}", bytes, bytes < 10 && *unit != 'B' ? 1 : 0, unit);
    bytes /= 1000;
  }
  return fmt::format("{:.1f} TB", bytes);
}

std::string when(const std::string& text) {
  auto at = ScalarText<Moment>::parse(text);
  return at ? moment_in_words(std::chrono::floor<std::chrono::seconds>(*at)) : text;
}

Result<std::string> service_of(Client& client, const std::string& named) {
  if (!named.empty()) return named;
  TRY(Json all, client.get("/api/backups"));
  std::vector<std::string> names;
  const Json& services = member(all, "services");
  for (const auto& [name, value] : services.is_object() ? services.get_object() : JsonObject{})
    names.emplace_back(name);
  if (names.size() == 1) return names.front();
  if (names.empty()) return fail(ErrorKind::not_found, "the plan has no database whose backups Lifeboat keeps");
  return fail(ErrorKind::invalid_input, fmt::format("there are several: {}", fmt::join(names, ", ")), "name one");
}

void print_archive(const Json& listed) {
  const Json& archive = member(listed, "archive");
  std::string oldest = text_or(archive, "oldest"), newest = text_or(archive, "newest");
  if (oldest.empty()) {
    fmt::print("No moment can be restored yet.\n");
    return;
  }
  fmt::print("Restorable from {} to {}, timeline {}.\n", when(oldest), newest.empty() ? "unknown" : when(newest),
             int_or(archive, "timeline"));
  for (const Json& gap : list_of(archive, "gaps"))
    fmt::print("GAP   {} to {} are missing: nothing between {} and {} can be restored\n", text_or(gap, "first"),
               text_or(gap, "last"), when(text_or(gap, "after")), when(text_or(gap, "before")));
}

void print_set(const recovery::BackupSet& set) {
  fmt::print("{:<34} {:<4}  {}  {:>8} of data  {:>8} stored{}\n", set.label, enum_name(set.type),
             moment_in_words(set.stopped), size_in_words(static_cast<double>(set.bytes)),
             size_in_words(static_cast<double>(set.repository_copied_bytes)),
             set.page_errors.value_or(false) ? "  PAGES DAMAGED" : "");
}

// When a set was last restored, to prove it or in earnest, and what came of it.
std::string proof_of(const std::string& label, const JsonArray& measured) {
  std::string out = "never restored";
  for (const Json& one : measured) {
    if (text_or(one, "backup") != label) continue;
    std::string problem = text_or(one, "problem"), at = when(text_or(one, "at"));
    out = problem.empty() ? fmt::format("restored {} in {:.1f} s{}", at, number_or(one, "seconds"),
                                        bool_or(one, "drill") ? ", sound" : "")
                          : fmt::format("NOT PROVEN: {} {}: {}",
                                        int_or(one, "bytes") == 0 ? "could not be restored" : "restored", at, problem);
  }
  return out;
}

// How old the newest proof is that backups can be restored.
std::string newest_proof(const std::string& proven_at) {
  auto at = parse_wall(proven_at);
  if (!at) return "never proven by a restore";
  Duration age = std::max(Duration{0}, wall_now() - *at);
  std::string ago = age < std::chrono::days(2) ? format_span(std::chrono::floor<std::chrono::seconds>(age))
                                               : fmt::format("{} days", age / std::chrono::days(1));
  return fmt::format("last proven by a restore {} ago, {}", ago, when(proven_at));
}

}  // namespace

void print_backup_status(const std::string& service, const Json& status) {
  if (!status.is_object()) return;
  std::string newest = text_or(status, "newest"), trouble = text_or(status, "trouble");
  std::string what = !text_or(status, "busy").empty() ? text_or(status, "busy")
                     : newest.empty()                 ? "no backup yet"
                                                      : "newest " + newest;
  fmt::print("{:<16} {} backups on {}, {}\n", service, int_or(status, "backups"), text_or(status, "repository"), what);
  std::string oldest = text_or(status, "oldest_at"), latest = text_or(status, "restorable_to");
  if (!oldest.empty())
    fmt::print("  restorable from {} to {}\n", when(oldest), latest.empty() ? "an unknown moment" : when(latest));
  // A controller that only plays knows of none.
  if (const Json& proven = member(status, "proven_at"); proven.is_string())
    fmt::print("  {}\n", newest_proof(text_or(status, "proven_at")));
  int64_t loss = int_or(status, "loss_ms", -1);
  fmt::print("  the loss of the primary's region would cost {} now, RPO {}\n",
             loss < 0 ? "unknown" : format_span(Duration{loss}), format_duration(Duration{int_or(status, "rpo_ms")}));
  if (int64_t waiting = int_or(status, "archive_waiting"); waiting > 0)
    fmt::print("  {} finished segments of WAL wait to be archived, the oldest for {}\n", waiting,
               format_span(Duration{int_or(status, "archive_lag_ms")}));
  if (!trouble.empty()) fmt::print("  TROUBLE: {}\n", trouble);
  for (const auto& [key, before] : kWrongs) {
    std::string said = text_or(status, key);
    if (!said.empty() && trouble.find(said) == std::string::npos) fmt::print("  {}{}\n", before, said);
  }
  if (!text_or(status, "held").empty()) fmt::print("  nothing is expired: {}\n", text_or(status, "held"));
}

void print_dump_status(const std::string& service, const Json& dumps) {
  if (!dumps.is_object()) return;
  std::string newest = text_or(dumps, "newest_at"), busy = text_or(dumps, "busy"), trouble = text_or(dumps, "trouble");
  int64_t count = int_or(dumps, "count", -1);
  std::string what =
      newest.empty() ? "none is whole yet"
                     : fmt::format("newest {} of {}", when(newest), size_in_words(number_or(dumps, "newest_bytes")));
  fmt::print("{:<16} {} logical backups in {}, {}\n", service, count < 0 ? "unknown" : std::to_string(count),
             text_or(dumps, "place"), count < 0 ? "not looked at yet" : what);
  if (!busy.empty()) fmt::print("  {}\n", busy);
  if (std::string next = text_or(dumps, "next_at"); !next.empty()) fmt::print("  the next is due {}\n", when(next));
  if (!trouble.empty()) fmt::print("  TROUBLE: {}\n", trouble);
}

int list_backups(Client& client, const BackupOptions& options, const Output& output) {
  auto service = service_of(client, options.service);
  if (!service) return complain(service.error());
  auto listed = client.get("/api/backups/" + percent_encode(*service), Duration{70'000});
  if (!listed) return complain(listed.error());
  if (output.json) {
    fmt::print("{}\n", to_text(*listed));
    return kOk;
  }
  const Json& dumps = member(*listed, "dumps");
  bool dumps_well = text_or(dumps, "trouble").empty();
  if (!member(*listed, "status").is_object()) {
    print_dump_status(*service, dumps);
    return dumps_well ? kOk : kNotWell;
  }
  const Json& restored = member(*listed, "restored");
  bool all_sound = true;
  for (const Json& one : list_of(*listed, "sets")) {
    auto set = decode<recovery::BackupSet>(one);
    if (!set) return complain(to_error(set.error(), "the controller's answer does not fit"));
    print_set(*set);
    std::string proof = proof_of(set->label, list_of(restored, "measured"));
    fmt::print("  {}\n", proof);
    all_sound = all_sound && !proof.starts_with("NOT");
  }
  fmt::print("A restore of {}\n", text_or(restored, "text"));
  print_archive(*listed);
  if (const Json& second = member(*listed, "second"); second.is_object()) {
    fmt::print("Repository 2:\n");
    for (const Json& one : list_of(second, "sets")) {
      auto set = decode<recovery::BackupSet>(one);
      if (!set) return complain(to_error(set.error(), "the controller's answer does not fit"));
      print_set(*set);
    }
    print_archive(second);
  }
  const Json& status = member(*listed, "status");
  print_backup_status(*service, status);
  fmt::print("  {}\n", text_or(status, "guarded"));
  print_dump_status(*service, dumps);
  return text_or(status, "trouble").empty() && dumps_well && all_sound ? kOk : kNotWell;
}

int order_backups(Client& client, const std::string& verb, const BackupOptions& options, const Output& output) {
  auto service = service_of(client, options.service);
  if (!service) return complain(service.error());
  std::string at = "/api/backups/" + percent_encode(*service);
  JsonObject body{{"by", options.by}, {"type", options.type}, {"looked_at", options.looked_at}};
  auto begun = client.post(at + "/" + verb, body);
  if (!begun) return complain(begun.error());
  int64_t number = int_or(*begun, "number");
  std::string said;
  while (true) {
    auto job = client.get(at + "/job");
    if (!job) return complain(job.error());
    if (int_or(*job, "number") != number)
      return complain(fail(ErrorKind::unknown_outcome, "another controller leads, or another order came since",
                           "`lifeboat backups list` shows what is there")
                          .error());
    std::string state = text_or(*job, "state"), progress = text_or(*job, "progress");
    if (state == "running") {
      if (!output.json && !progress.empty() && progress != said) fmt::print(stderr, "{}\n", said = progress);
      std::this_thread::sleep_for(kAskEvery);
      continue;
    }
    const Json& result = member(*job, "result");
    if (output.json) {
      fmt::print("{}\n", to_text(*job));
    } else if (state == "done") {
      fmt::print("{}: {}\n", *service, progress);
      for (const Json& problem : list_of(result, "problems"))
        if (problem.is_string()) fmt::print("  {}\n", std::string_view(problem.get_string()));
    }
    if (state != "done") {
      if (output.json) return kNotWell;
      return complain(fail(ErrorKind::refused, text_or(*job, "error"), text_or(*job, "hint")).error());
    }
    return verb == "verify" && !bool_or(result, "whole") ? kNotWell : kOk;
  }
}

}  // namespace lifeboat::cli
