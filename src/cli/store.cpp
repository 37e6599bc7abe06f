#include "cli/store.hpp"

#include <fmt/format.h>

#include <csignal>

#include "cli/exit_codes.hpp"
#include "cli/wait.hpp"
#include "controller/action_catalogue.hpp"
#include "controller/open_store.hpp"
#include "io/file.hpp"
#include "plan/load.hpp"
#include "store/backup.hpp"
#include "store/etcd/status.hpp"

namespace lifeboat::cli {
namespace {

constexpr size_t kLargestCopy = size_t{4} << 30;
constexpr Duration kVoter{1'500};

struct Opened {
  LoadedPlan loaded;
  std::string store;
};

Result<Opened> open_plan(const StoreOptions& options) {
  LoadOptions load{.inventory = options.inventory};
  auto loaded = load_plan(options.plan, built_in_actions(), load);
  if (!loaded) {
    for (const Finding& finding : loaded.error().findings) fmt::print(stderr, "{}\n", one_line(finding));
    return fail(ErrorKind::invalid_input, "the plan cannot be loaded");
  }
  Opened out{std::move(*loaded), options.store};
  bool shared = out.loaded.plan.controllers && out.loaded.plan.controllers->store == StoreKind::etcd;
  if (out.store.empty() && shared) out.store = "etcd";
  if (out.store.empty())
    return fail(ErrorKind::invalid_input, "the plan names no etcd", "name the journal's file with --store");
  return out;
}

Result<StoreContents> contents_of(const Opened& opened, asio::io_context& context, Secrets& secrets) {
  // Its controller has the file open; reading it takes nothing from it.
  if (!is_etcd(opened.store)) return read_sqlite_store(opened.store);
  TRY(auto store, open_store(context.get_executor(), opened.store, opened.loaded.plan, secrets, {}));
  return wait(context, store->copy());
}

std::string in_words(const etcd::VoterStatus& voter) {
  if (voter.problem) return "does not answer: " + voter.problem->what;
  std::string out = fmt::format("{}  {}  {} KiB", voter.version, voter.leads ? "leads" : "follows", voter.bytes / 1024);
  if (!voter.sees_leader) out += "  sees no leader";
  for (const std::string& alarm : voter.alarms) out += "  ALARM " + alarm;
  return out;
}

int tell_etcd(const Opened& opened, asio::io_context& context, Secrets& secrets, JsonObject& out) {
  auto options = etcd_options(opened.loaded.plan, secrets, {});
  if (!options) return complain(options.error());
  auto voters = wait(context, etcd::ask_voters(*options, kVoter));
  size_t well = 0;
  bool alarm = false;
  JsonArray list;
  for (const etcd::VoterStatus& voter : voters) {
    well += !voter.problem && voter.sees_leader ? 1 : 0;
    alarm = alarm || !voter.alarms.empty();
    list.push_back(JsonObject{
        {"endpoint", voter.endpoint}, {"answers", !voter.problem}, {"leads", voter.leads}, {"text", in_words(voter)}});
  }
  bool majority = 2 * well > voters.size();
  out["voters"] = std::move(list);
  out["majority"] = majority;
  if (!majority) return kNotWell;
  auto store = open_etcd_store(context.get_executor(), std::move(*options));
  if (!store) return complain(store.error());
  auto leader = wait(context, (*store)->leader());
  if (!leader) return complain(leader.error());
  out["leader"] = *leader ? JsonObject{{"name", (*leader)->name}, {"address", (*leader)->address}} : JsonObject{};
  return alarm ? kNotWell : kOk;
}

void print_status(const Json& status) {
  if (const Json& voters = member(status, "voters"); voters.is_array()) {
    for (const Json& voter : voters.get_array())
      fmt::print("voter    {}  {}\n", text_or(voter, "endpoint"), text_or(voter, "text"));
    if (!bool_or(status, "majority")) fmt::print("NO MAJORITY of voters answers: no controller can act.\n");
  }
  if (const Json& leader = member(status, "leader"); leader.is_object()) {
    std::string name = text_or(leader, "name");
    fmt::print("leader   {}\n", name.empty() ? "nobody" : fmt::format("{} at {}", name, text_or(leader, "address")));
  }
  const Json& journal = member(status, "journal");
  if (!journal.is_object()) return;
  if (bool_or(journal, "whole")) {
    fmt::print("journal  {} events, whole, head {}\n", int_or(journal, "events"),
               text_or(journal, "head").substr(0, 16));
  } else {
    fmt::print("journal  NOT WHOLE at event {}: {}\n", int_or(journal, "broken_at"), text_or(journal, "reason"));
  }
  for (const Json& owner : member(status, "owners").as_array()) {
    fmt::print("owner    {}  term {}  {}\n", text_or(owner, "service"), int_or(owner, "term"),
               text_or(owner, "holder", "nobody"));
  }
}

}  // namespace

int run_store_status(const StoreOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  auto opened = open_plan(options);
  if (!opened) return complain(opened.error());
  asio::io_context context(1);
  Secrets secrets(options.secrets);
  JsonObject status{{"store", opened->store}};
  int code = is_etcd(opened->store) ? tell_etcd(*opened, context, secrets, status) : static_cast<int>(kOk);
  if (code > kNotWell) return code;
  if (!is_etcd(opened->store) || bool_or(status, "majority")) {
    auto contents = contents_of(*opened, context, secrets);
    if (!contents) return complain(contents.error());
    ChainReport chain = check_chain(contents->events);
    status["journal"] = JsonObject{{"whole", chain.whole},
                                   {"events", chain.events},
                                   {"head", chain.head},
                                   {"broken_at", chain.broken_at},
                                   {"reason", chain.reason}};
    JsonArray owners;
    for (const auto& [service, owner] : contents->owners)
      owners.push_back(JsonObject{{"service", service}, {"term", owner.term}, {"holder", owner.holder}});
    status["owners"] = std::move(owners);
    if (!chain.whole) code = kNotWell;
  }
  if (options.json) {
    fmt::print("{}\n", to_text(status));
  } else {
    print_status(status);
  }
  return code;
}

int run_store_backup(const StoreOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  auto opened = open_plan(options);
  if (!opened) return complain(opened.error());
  asio::io_context context(1);
  Secrets secrets(options.secrets);
  auto contents = contents_of(*opened, context, secrets);
  if (!contents) return complain(contents.error());
  Backup backup{opened->loaded.plan.plan.text, wall_now(), std::move(*contents)};
  if (auto written = write_file_atomic(options.file, backup_text(backup), 0600); !written)
    return complain(written.error());
  auto text = read_file(options.file, kLargestCopy);
  if (!text) return complain(text.error());
  auto again = read_backup(*text);
  if (!again) return complain(again.error());
  fmt::print("{}: {} events, head {}, whole\n", options.file, again->contents.events.size(),
             check_chain(again->contents.events).head.substr(0, 16));
  return kOk;
}

int run_store_restore(const StoreOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  auto opened = open_plan(options);
  if (!opened) return complain(opened.error());
  auto text = read_file(options.file, kLargestCopy);
  if (!text) return complain(text.error());
  auto backup = read_backup(*text);
  if (!backup) return complain(backup.error());
  if (backup->plan != opened->loaded.plan.plan.text) {
    auto other = fail(ErrorKind::invalid_input,
                      fmt::format("the copy is of plan '{}', not '{}'", backup->plan, opened->loaded.plan.plan.text));
    return complain(other.error());
  }
  asio::io_context context(1);
  Secrets secrets(options.secrets);
  auto store = open_store(context.get_executor(), opened->store, opened->loaded.plan, secrets, {});
  if (!store) return complain(store.error());
  size_t events = backup->contents.events.size();
  if (auto ready = ready_for_restore(backup->contents, wall_now()); !ready) return complain(ready.error());
  auto restored = wait(context, (*store)->restore(std::move(backup->contents)));
  if (!restored) return complain(restored.error());
  fmt::print(
      "{} events of {} are restored. Terms granted since then are known to the agents, and no term is used twice.\n",
      events, format_wall(backup->at));
  return kOk;
}

}  // namespace lifeboat::cli
