#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>

#include "cli/exit_codes.hpp"
#include "cli/store.hpp"
#include "cli/wait.hpp"
#include "controller/action_catalogue.hpp"
#include "controller/open_store.hpp"
#include "core/base/similar.hpp"
#include "io/file.hpp"
#include "plan/load.hpp"
#include "store/backup.hpp"
#include "store/etcd/status.hpp"

namespace lifeboat::cli {
namespace {

constexpr size_t kLargestCopy = size_t{4} << 30;
constexpr Duration kVoter{1'500};

// Who decides is one of those whom the plan names, each once.
Result<> judge_people(const Plan& plan, const std::vector<std::string>& by) {
  if (!plan.safety.take_over)
    return fail(ErrorKind::refused, "the plan does not say who may decide that one region goes on alone",
                "safety: {take_over: {of: [ROLES], need: 2}}");
  const TakeOver& wanted = *plan.safety.take_over;
  std::vector<std::string> may = people_of(plan, wanted.of);
  std::set<std::string> given;
  for (const std::string& name : by) {
    if (std::ranges::find(may, name) == may.end())
      return fail(ErrorKind::refused, fmt::format("{} may not decide this", Decoder::printable(name)),
                  fmt::format("one of {}", fmt::join(may, ", ")));
    given.insert(name);
  }
  if (std::cmp_less(given.size(), wanted.need))
    return fail(ErrorKind::refused,
                fmt::format("{} different people have to decide this, {} {} named", wanted.need, given.size(),
                            given.size() == 1 ? "is" : "are"),
                fmt::format("--by NAME for each, of {}", fmt::join(may, ", ")));
  return {};
}

// A majority that answers can do everything a run may want, and safely.
Result<> judge_voters(const EtcdOptions& options, asio::io_context& context) {
  auto voters = wait(context, etcd::ask_voters(options, kVoter));
  auto well =
      std::ranges::count_if(voters, [](const etcd::VoterStatus& voter) { return !voter.problem && voter.sees_leader; });
  if (2 * static_cast<size_t>(well) <= voters.size()) return {};
  return fail(ErrorKind::refused, fmt::format("{} of {} voters answer and agree", well, voters.size()),
              "nothing has to be given up: start a run");
}

Result<StoreContents> what_is_left(const TakeOverOptions& options, const Plan& plan, EtcdOptions etcd,
                                   asio::io_context& context) {
  if (!options.copy.empty()) {
    TRY(std::string text, read_file(options.copy, kLargestCopy));
    TRY(Backup backup, read_backup(text));
    if (backup.plan != plan.plan.text)
      return fail(ErrorKind::invalid_input, fmt::format("{} is a copy of plan '{}'", options.copy, backup.plan));
    return std::move(backup.contents);
  }
  etcd.endpoints.resize(1);
  etcd.one_voter = true;
  TRY(auto store, open_etcd_store(context.get_executor(), std::move(etcd)));
  auto contents = wait(context, store->copy());
  if (!contents)
    return std::unexpected(std::move(contents).error().with("reading what the voter of " + options.region + " has"));
  return contents;
}

Result<uint64_t> make_journal(const TakeOverOptions& options, StoreContents contents, asio::io_context& context) {
  ChainReport chain = check_chain(contents.events);
  if (!chain.whole)
    return fail(ErrorKind::conflict, fmt::format("the journal is not whole at event {}", chain.broken_at),
                "take an older copy: --from FILE");
  std::vector<NewEvent> events;
  TRY_VOID(ready_for_restore(contents, wall_now()));
  events.push_back(
      {"controllers",
       "taken-over",
       {{"region", options.region},
        {"by", encode(options.by)},
        {"reason", options.reason},
        {"from", options.copy.empty() ? "voter" : "copy"},
        {"head", chain.head},
        {"text", fmt::format("{} goes on alone; decided by {}", options.region, fmt::join(options.by, ", "))}}});
  TRY(auto store, open_sqlite_store(options.store.file));
  TRY_VOID(wait(context, store->restore(std::move(contents))));
  TRY(auto stored, wait(context, store->append(std::move(events))));
  return stored.back().seq;
}

Result<> take_over(const TakeOverOptions& options, const Plan& plan) {
  if (plan.regions.find(options.region) == nullptr)
    return fail(ErrorKind::not_found, fmt::format("the plan has no region '{}'", Decoder::printable(options.region)),
                did_you_mean(options.region, plan.regions.names()));
  TRY_VOID(judge_people(plan, options.by));
  if (options.reason.empty()) return fail(ErrorKind::invalid_input, "the journal wants to know why", "--reason TEXT");
  if (std::filesystem::exists(options.store.file))
    return fail(ErrorKind::conflict, options.store.file + " is there already", "name a new file");
  asio::io_context context(1);
  Secrets secrets(options.store.secrets);
  TRY(EtcdOptions etcd, etcd_options(plan, secrets, options.region));
  if (options.copy.empty() && !plan.controllers->voters.contains(options.region))
    return fail(ErrorKind::invalid_input, fmt::format("no voter stands in {}", options.region),
                "begin from a copy: --from FILE");
  TRY_VOID(judge_voters(etcd, context));
  TRY(StoreContents contents, what_is_left(options, plan, std::move(etcd), context));
  TRY(uint64_t seq, make_journal(options, std::move(contents), context));
  fmt::print("{} holds the journal, {} events.\n", options.store.file, seq);
  fmt::print(
      "Now stop the controller of {0} and start it with this journal:\n"
      "  lifeboat controller --store {1} --host HOST --listen ADDRESS:PORT --plan {2} --secrets FOLDER\n"
      "It gives no database to anybody by itself; start a run.\n"
      "Keep the controllers of the lost regions from starting when these come back.\n",
      options.region, options.store.file, options.store.plan);
  return {};
}

}  // namespace

int run_store_take_over(const TakeOverOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  auto loaded = load_plan(options.store.plan, built_in_actions(), {.inventory = options.store.inventory});
  if (!loaded) {
    for (const Finding& finding : loaded.error().findings) fmt::print(stderr, "{}\n", one_line(finding));
    return loaded.error().unreadable ? kBadInput : kNotWell;
  }
  auto done = take_over(options, loaded->plan);
  return done ? static_cast<int>(kOk) : complain(done.error());
}

}  // namespace lifeboat::cli
