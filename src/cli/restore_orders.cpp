// Restores that the controller carries out on the hosts of a plan.
#include <fmt/format.h>

#include <cstdio>
#include <tuple>

#include "cli/exit_codes.hpp"
#include "cli/restore.hpp"
#include "cli/service_orders.hpp"
#include "core/recovery/moment.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

std::string when(const std::string& text) {
  auto at = ScalarText<Moment>::parse(text);
  return at ? moment_in_words(*at) : text;
}

void print_done(const RestoreOptions& options, const Json& result) {
  const Json& reached = member(result, "reached");
  fmt::print("{} is restored as {} on {}, paused and read-only.\n", options.service, text_or(result, "name"),
             text_or(result, "host"));
  fmt::print("  reached   position {} on timeline {}; last commit {}\n", text_or(reached, "lsn"),
             int_or(reached, "timeline"), when(text_or(reached, "time")));
  if (int_or(reached, "next_xid") != 0)
    fmt::print("  left out  from transaction {} of {} on\n", int_or(reached, "next_xid"),
               when(text_or(reached, "next_time")));
  fmt::print("  took      {:.2f} s: copy {:.2f} s, replay {:.2f} s; set {}\n", number_or(result, "seconds"),
             number_or(result, "copy_seconds"), number_or(result, "replay_seconds"), text_or(result, "backup"));
  const Json& adopted = member(result, "adopted");
  if (!adopted.is_object()) return;
  fmt::print("It is the database now: {} takes writes on timeline {}; writes paused {:.2f} s.\n",
             text_or(adopted, "member"), int_or(adopted, "timeline"), number_or(adopted, "write_outage_s"));
  const Json& evidence = member(result, "evidence");
  fmt::print("  evidence  {}\n", text_or(adopted, "kept"));
  if (bool_or(evidence, "done"))
    fmt::print("            {} files, hashes in {} (sha256 {})\n", int_or(evidence, "files"),
               text_or(evidence, "manifest"), text_or(evidence, "sha256"));
  if (std::string trouble = text_or(result, "standbys_error"); !trouble.empty())
    fmt::print("  NOT YET   the other members do not follow: {}\n", trouble);
}

// The controller gives a host a day for a restore.
Result<Json> order(Client& client, const RestoreOptions& options, std::string what, JsonObject body,
                   const Output& output) {
  ServiceOrder wanted{.service = options.service,
                      .what = std::move(what),
                      .by = options.by,
                      .on = options.on,
                      .within = Duration{25 * 3'600'000},
                      .if_lost = "`lifeboat restores list SERVICE` shows what is there"};
  return order_and_follow(client, wanted, std::move(body), output);
}

}  // namespace

// What is as an agent does it anyway needs no saying.
Result<> fits_an_order(const RestoreOptions& options) {
  const RestoreOptions usual;
  const std::tuple<const char*, bool, const char*> local[] = {
      {"--promote", options.promote, "a copy stays paused and read-only; --into replace makes it the database"},
      {"--stanza", !options.stanza.empty(), "the plan says which"},
      {"--repository-number", options.repository_number != 0, "the plan says which"},
      {"--processes", options.processes != usual.processes, "a host copies with two"},
      {"--run-as", options.user != usual.user, "the agent's configuration says who"},
      {"--superuser", options.superuser != usual.superuser, "a host enters as postgres"},
      {"--within", options.within != usual.within, "a host gives up after a day; lifeboat restores stop ends it"},
  };
  for (const auto& [name, given, instead] : local) {
    if (given)
      return fail(ErrorKind::invalid_input,
                  fmt::format("{} is for a restore on this host, with --repository; '{}' is restored by the controller",
                              name, options.service),
                  instead);
  }
  if (!options.on.empty() && options.into != "replace")
    return fail(ErrorKind::invalid_input, "--on is for --into replace",
                fmt::format("--into {} makes an isolated copy there", options.on));
  return {};
}

int order_restore(Client& client, const RestoreOptions& options, const Output& output) {
  if (auto fits = fits_an_order(options); !fits) return complain(fits.error());
  auto target = recovery::parse_target(options.target);
  if (!target) return complain(target.error());
  JsonObject body{{"yes", options.yes},     {"into", options.into},
                  {"name", options.name},   {"target", recovery::to_json(*target)},
                  {"set", options.set},     {"timeline", options.timeline},
                  {"again", options.again}, {"accept_gap", options.accept_gap}};
  auto done = order(client, options, "restore", std::move(body), output);
  if (!done) return complain(done.error());
  if (output.json) {
    fmt::print("{}\n", to_pretty_text(*done));
  } else {
    print_done(options, *done);
  }
  bool whole = !bool_or(*done, "cut_by_gap") && int_or(*done, "lost_transactions") == 0 &&
               text_or(*done, "standbys_error").empty();
  return whole ? kOk : kNotWell;
}

int list_restores(Client& client, const std::string& service, const Output& output) {
  auto listed = client.get("/api/restores/" + percent_encode(service), Duration{60'000});
  if (!listed) return complain(listed.error());
  if (output.json) {
    fmt::print("{}\n", to_pretty_text(*listed));
    return kOk;
  }
  const Json& hosts = member(*listed, "hosts");
  for (const auto& [host, answer] : hosts.is_object() ? hosts.get_object() : JsonObject{}) {
    if (std::string error = text_or(answer, "error"); !error.empty())
      fmt::print("{:<16} {}\n", std::string(host), error);
    const Json& restores = member(answer, "restores");
    for (const Json& one : restores.is_array() ? restores.get_array() : JsonArray{}) {
      std::string state = text_or(one, "state");
      std::string how = state == "failed" ? text_or(one, "error") : state == "running" ? text_or(one, "progress") : "";
      fmt::print("{:<16} {:<24} {:<8} {}{}\n", std::string(host), text_or(one, "name"), state,
                 when(text_or(member(member(one, "restored"), "reached"), "time")), how.empty() ? "" : "  " + how);
    }
    const Json& evidence = member(answer, "evidence");
    for (const Json& one : evidence.is_array() ? evidence.get_array() : JsonArray{})
      fmt::print("{:<16} evidence {}{}\n", std::string(host), text_or(one, "kept"),
                 bool_or(one, "done")
                     ? fmt::format(", {} files, manifest sha256 {}", int_or(one, "files"), text_or(one, "sha256"))
                     : ", not hashed yet");
  }
  return kOk;
}

int stop_restore(Client& client, const RestoreOptions& options, bool remove, const Output& output) {
  auto done = order(client, options, "stop", {{"name", options.name}, {"remove", remove}}, output);
  if (!done) return complain(done.error());
  if (output.json) {
    fmt::print("{}\n", to_text(*done));
  } else {
    fmt::print("restore {} is {}\n", options.name, bool_or(*done, "removed") ? "removed" : "stopped");
  }
  return kOk;
}

}  // namespace lifeboat::cli
