#include "core/model/variables.hpp"
#include "plan/rules/tell.hpp"

namespace lifeboat {
namespace {

struct Others {
  std::vector<std::string> in_place, elsewhere;  // members beside the primary that the step names, and that it does not
};

Others others_of(const Plan& plan, const PostgresService& database, const std::string& to, auto counts) {
  Others out;
  for (const auto& [member, settings] : database.members) {
    std::string region = region_of(plan, settings.host.text);
    if (member == database.primary.text || !counts(settings, region)) continue;
    (member == to || region == to ? out.in_place : out.elsewhere).push_back(member);
  }
  return out;
}

// What becomes of the region of the primary becomes of the others there too, so they do not take over before a step that leaves it.
std::vector<std::string> may_be_faster(const Plan& plan, const PostgresService& database, const std::string& to) {
  std::string lost = region_of(plan, database.members.find(database.primary.text)->host.text);
  const PostgresMember* named = database.members.find(to);
  std::string goal = named == nullptr ? to : region_of(plan, named->host.text);
  return others_of(plan, database, to,
                   [&](const PostgresMember& member, const std::string& region) {
                     return member.candidate && (goal == lost || region != lost);
                   })
      .elsewhere;
}

bool may_lack_commits(const Plan& plan, const PostgresService& database, const std::string& to) {
  if (database.replication != ReplicationMode::sync) return false;
  std::string wanted = database.sync_region ? database.sync_region->text : std::string();
  auto in_region = [&](const PostgresMember&, const std::string& region) { return region == wanted; };
  Others waited_for = others_of(plan, database, to, in_region);
  if (waited_for.in_place.empty() && waited_for.elsewhere.empty())
    waited_for = others_of(plan, database, to, [](const PostgresMember&, const std::string&) { return true; });
  return static_cast<int>(waited_for.elsewhere.size()) >= database.sync_copies;
}

}  // namespace

void judge_failover_place(const RuleInput& input, Findings& out) {
  for_each_step(input.plan, [&](const std::string& scenario, const Step& step, const std::string& path) {
    if (step.uses != "postgres.failover") return;
    DecodeProblems unknown;
    Json with = expand(step.with, merge_vars(input.plan, scenario), input.plan, unknown);
    const auto found = input.plan.services.find(text_or(with, "service"));
    const auto* database = found == nullptr ? nullptr : std::get_if<PostgresService>(found);
    std::string to = text_or(with, "to");
    if (database == nullptr || to.empty() || database->members.find(database->primary.text) == nullptr) return;
    std::vector<std::string> faster = may_be_faster(input.plan, *database, to);
    if (database->automatic == AutomaticFailover::any && !faster.empty()) {
      tell(out, "failover-place", Severity::warning, path,
           fmt::format(
               "step '{}' moves the database to {}, and by then it may have moved itself to {}; the step fails then",
               step.id.text, to, some_of(faster)),
           "automatic: same-region, or a step that names where it moves by itself");
    }
    if (may_lack_commits(input.plan, *database, to) && !bool_or(with, "accept_loss", false)) {
      tell(out, "failover-place", Severity::warning, path,
           fmt::format("commits wait for other members than those of {}; step '{}' fails when these lack some of them",
                       to, step.id.text),
           fmt::format("set sync_region or more sync_copies, so that {} has all that is acknowledged", to));
    }
  });
}

}  // namespace lifeboat
