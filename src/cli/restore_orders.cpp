// Restores that the controller carries out on the hosts of a plan.
#include <fmt/format.h>

#include <cstdio>
#include <tuple>

#include "cli/exit_codes.hpp"
#include "cli/restore.hpp"
#include "cli/restored_text.hpp"
#include "cli/service_orders.hpp"
#include "core/recovery/moment.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

std::string when(const std::string& text) {
  auto at = ScalarText<Moment>::parse(text);
  return at ? moment_in_words(*at) : text;
}

// Beside the work itself: the end of the log, the evidence, and the members that follow.
constexpr Duration kBeside{2 * 3'600'000};
constexpr Duration kEnding{1'800'000};

Result<Json> order(Client& client, const RestoreOptions& options, std::string what, JsonObject body, Duration within,
                   const Output& output) {
  ServiceOrder wanted{.service = options.service,
                      .what = std::move(what),
                      .by = options.by,
                      .on = options.on,
                      .within = within,
                      .beside = kBeside,
                      .if_lost = "`lifeboat restores list SERVICE` shows what is there"};
  return order_and_follow(client, wanted, std::move(body), output);
}

int print_done(const RestoreOptions& options, const Json& done, const Output& output) {
  fmt::print("{}", output.json ? to_pretty_text(done) + "\n" : restored_in_words(options.service, done, "postgres"));
  return is_all_well(done) ? kOk : kNotWell;
}

}  // namespace

// What is as an agent does it anyway needs no saying.
Result<> fits_an_order(const RestoreOptions& options) {
  const RestoreOptions usual;
  const std::tuple<const char*, bool, const char*> local[] = {
      {"--promote", options.promote, "a copy stays paused and read-only; --into replace makes it the database"},
      {"--stanza", !options.stanza.empty(), "the plan says which"},
      {"--processes", options.processes != usual.processes, "a host copies with two"},
      {"--run-as", options.user != usual.user, "the agent's configuration says who"},
      {"--superuser", options.superuser != usual.superuser, "a host enters as postgres"},
  };
  for (const auto& [name, given, instead] : local) {
    if (given)
      return fail(ErrorKind::invalid_input,
                  fmt::format("{} is for a restore on this host, with --repository; '{}' is restored by the controller",
                              name, options.service),
                  instead);
  }
  if (options.unchecked && options.into != "replace")
    return fail(ErrorKind::invalid_input, "--unchecked is for --into replace", "a copy alone is looked at by you");
  if (!options.on.empty() && options.into != "replace")
    return fail(ErrorKind::invalid_input, "--on is for --into replace",
                fmt::format("--into {} makes an isolated copy there", options.on));
  return {};
}

int order_restore(Client& client, const RestoreOptions& options, const Output& output) {
  if (auto fits = fits_an_order(options); !fits) return complain(fits.error());
  auto target = recovery::parse_target(options.target);
  if (!target) return complain(target.error());
  auto within = duration_of(options.within, "--within", "4h");
  if (!within) return complain(within.error());
  JsonObject body{{"yes", options.yes},
                  {"into", options.into},
                  {"name", options.name},
                  {"target", recovery::to_json(*target)},
                  {"set", options.set},
                  {"timeline", options.timeline},
                  {"again", options.again},
                  {"accept_gap", options.accept_gap},
                  {"unchecked", options.unchecked},
                  {"repository", options.repository_number}};
  auto done = order(client, options, "restore", std::move(body), *within, output);
  return done ? print_done(options, *done, output) : complain(done.error());
}

int adopt_restore(Client& client, const RestoreOptions& options, const Output& output) {
  auto within = duration_of(options.within, "--within", "4h");
  if (!within) return complain(within.error());
  JsonObject body{{"name", options.name},
                  {"yes", options.yes},
                  {"accept_gap", options.accept_gap},
                  {"unchecked", options.unchecked}};
  auto done = order(client, options, "adopt", std::move(body), *within, output);
  return done ? print_done(options, *done, output) : complain(done.error());
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
      if (state == "done" && !is_all_well(member(one, "restored"))) how = "NOT ALL, see --format json";
      fmt::print("{:<16} {:<24} {:<8} {}{}\n", std::string(host), text_or(one, "name"), state,
                 when(text_or(member(member(one, "restored"), "reached"), "time")), how.empty() ? "" : "  " + how);
    }
    const Json& looks = member(answer, "looks");
    for (const Json& one : looks.is_array() ? looks.get_array() : JsonArray{})
      fmt::print("{:<16} {:<24} running  since {}, for {}\n", std::string(host), text_or(one, "what"),
                 when(text_or(one, "began_at")), text_or(one, "order", "a run"));
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
  auto done = order(client, options, "stop", {{"name", options.name}, {"remove", remove}}, kEnding, output);
  if (!done) return complain(done.error());
  if (output.json) {
    fmt::print("{}\n", to_text(*done));
    return kOk;
  }
  const Json& ended = member(*done, "ended");
  for (const Json& one : ended.is_array() ? ended.get_array() : JsonArray{}) {
    std::string name = text_or(one, "name"), host = text_or(one, "host");
    fmt::print("{}{} is {}{}\n", text_or(one, "what"), name.empty() ? "" : " " + name,
               remove && !name.empty() ? "ended and removed" : "ended", host.empty() ? "" : " on " + host);
  }
  return kOk;
}

}  // namespace lifeboat::cli
