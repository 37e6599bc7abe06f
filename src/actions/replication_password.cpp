#include "actions/replication_password.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "actions/references.hpp"
#include "io/crypto.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAgain{200};
constexpr Duration kOneAnswer{5'000};
// How long a link that was just lost is waited for; agents try at least every half second.
constexpr Duration kAgentsReturn{3'000};
// What is kept for the renewal itself while a member is copied.
constexpr Duration kForTheRest{30'000};
// What the stream to the repository's host is called there (agent/backup_files.hpp).
constexpr std::string_view kRepositoryStream = "lifeboat_repository";

Task<Result<Json>> ask_agent(ActionContext context, std::string host, std::string service, std::string secret,
                             bool look) {
  CO_TRY(std::string value, context.world.secrets.get(secret));
  JsonObject order{{"service", service}, {"verifier", scram_verifier(value, random_bytes(16))}, {"look", look}};
  auto asking = context.world.agents.call(host, "postgres.replication-password", std::move(order),
                                          context.deadline.at_most(kOneAnswer), context.progress);
  co_return co_await std::move(asking);
}

std::vector<std::string> streaming_of(const Json& answer) {
  std::vector<std::string> out;
  const Json& names = member(answer, "streaming");
  if (!names.is_array()) return out;
  for (const Json& name : names.get_array()) {
    if (name.is_string()) out.emplace_back(name.get_string());
  }
  return out;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string member_being_copied(const DatabaseView& view) {
  for (const MemberView& one : view.members) {
    if (one.connected && one.member != view.holder && one.report.state == ServerState::changing) return one.member;
  }
  return {};
}

Result<DatabaseView> view_with_holder(ActionContext& context, const std::string& service) {
  TRY(DatabaseView view, context.world.databases.view(service));
  const auto* database = service_as<PostgresService>(context.world.plan, service);
  if (view.writable && database->members.find(view.holder) != nullptr) return view;
  return fail(ErrorKind::unreachable, fmt::format("nobody takes writes for {}", service),
              "its password can be renewed when a member leads again");
}

// The connection of a copy under way is one of the former password.
Task<Result<DatabaseView>> when_nobody_is_copied(ActionContext context, std::string service) {
  Duration patience = context.deadline.left() - kForTheRest;
  MonoTime until = boot_now() + std::max(patience, Duration{0});
  bool told = false;
  while (true) {
    CO_TRY(DatabaseView view, view_with_holder(context, service));
    std::string copied = member_being_copied(view);
    if (copied.empty()) co_return view;
    if (boot_now() >= until)
      co_return fail(ErrorKind::conflict,
                     fmt::format("{} of {} is being made a standby, which the renewal would cut off", copied, service),
                     "try again when it is one");
    if (!std::exchange(told, true))
      context.progress(fmt::format("waits for {}, which is being made a standby", copied));
    co_await sleep_for(kAgain);
  }
}

}  // namespace

Task<Result<ReplicationNow>> replication_before(ActionContext context, std::string service, std::string secret) {
  auto waiting = when_nobody_is_copied(context, service);
  CO_TRY(DatabaseView view, co_await std::move(waiting));
  const auto* database = service_as<PostgresService>(context.world.plan, service);
  ReplicationNow now{service, {}};
  std::vector<std::string> told;  // members that will hear of it at once
  for (const auto& [name, settings] : database->members) {
    bool holds = name == view.holder;
    if (!holds && !context.world.agents.connected(settings.host.text)) continue;
    auto asking = ask_agent(context, settings.host.text, service, secret, true);
    auto answer = co_await std::move(asking);
    // One that has gone meanwhile is told when it is back.
    if (!answer && answer.error().kind != ErrorKind::unsupported && !holds) continue;
    if (!answer)
      co_return std::unexpected(
          std::move(answer).error().with(fmt::format("renew the password of the standbys of {}", service)));
    bool cut_off = bool_or(*answer, "cut_off");
    if (holds && cut_off)
      co_return fail(ErrorKind::refused,
                     fmt::format("{}, which takes writes for {}, is cut off and is told nothing new", name, service),
                     "let its host back (network.rejoin), or fail over to a clean one first");
    if (holds) now.streaming = streaming_of(*answer);
    if (!cut_off) told.push_back(name);
  }
  if (const Backups* backups = kept_backups(*database); backups != nullptr && backups->stream) {
    auto asking = context.world.agents.call(backups->repository_host->text, "network.state", JsonObject{},
                                            context.deadline.at_most(kOneAnswer), context.progress);
    auto answer = co_await std::move(asking);
    if (answer && !bool_or(*answer, "isolated")) told.emplace_back(kRepositoryStream);
  }
  std::erase_if(now.streaming, [&](const std::string& name) { return !has(told, name); });
  co_return now;
}

Task<Result<ReplicationRenewed>> replication_after(ActionContext context, ReplicationNow before, std::string secret) {
  const auto* database = service_as<PostgresService>(context.world.plan, before.service);
  MonoTime back_by = boot_now() + kAgentsReturn;
  std::vector<std::string> missing;
  while (true) {
    missing.clear();
    ReplicationRenewed done;
    // A failover in between made another one the holder, whose server does the same.
    auto view = view_with_holder(context, before.service);
    if (!view) missing.push_back(view.error().what);
    std::vector<std::string> streaming;
    for (const auto& [name, settings] : database->members) {
      if (!view) break;
      bool holds = name == view->holder;
      if (!holds && !context.world.agents.connected(settings.host.text)) {
        if (boot_now() < back_by) missing.push_back(fmt::format("the agent of {} is away", name));
        done.later.push_back(name);
        continue;
      }
      auto asking = ask_agent(context, settings.host.text, before.service, secret, false);
      auto answer = co_await std::move(asking);
      if (!answer) {
        missing.push_back(fmt::format("{}: {}", name, answer.error().what));
      } else if (bool_or(*answer, "cut_off")) {
        if (holds) missing.push_back(fmt::format("{}, which takes writes, is cut off", name));
        done.later.push_back(name);
      } else if (!bool_or(*answer, "knows")) {
        missing.push_back(fmt::format("{} has not been told the new one", name));
      } else if (!bool_or(*answer, "running")) {
        if (holds) missing.push_back(fmt::format("the server of {} does not run", name));
      } else {
        bool in_force = bool_or(*answer, "in_force");
        bool follows = holds || has(before.streaming, name);
        if (!in_force && follows) missing.push_back(fmt::format("{} does not have it yet", name));
        // A standby of another history gets it when it is made one of this.
        if (!in_force && !follows) done.later.push_back(name);
        if (holds) streaming = streaming_of(*answer);
        done.ended += int_or(*answer, "ended");
      }
    }
    for (const std::string& name : before.streaming) {
      if (view && name != view->holder && !has(streaming, name) && !has(done.later, name))
        missing.push_back(fmt::format("{} does not stream again", name));
    }
    if (missing.empty()) co_return done;
    if (context.deadline.left() <= kAgain) break;
    co_await sleep_for(kAgain);
  }
  co_return fail(ErrorKind::timed_out,
                 fmt::format("the new password of the standbys of {} counts, and is not in force everywhere: {}",
                             before.service, fmt::join(missing, ", ")),
                 "members take it over by themselves when they can; look at their agents, and run the step again");
}

Task<bool> replication_in_force(ActionContext context, std::string service, std::string secret) {
  auto view = view_with_holder(context, service);
  if (!view) co_return false;
  const auto* database = service_as<PostgresService>(context.world.plan, service);
  std::string host = database->members.find(view->holder)->host.text;
  auto asking = ask_agent(context, host, service, secret, true);
  auto answer = co_await std::move(asking);
  co_return answer&& bool_or(*answer, "in_force");
}

}  // namespace lifeboat
