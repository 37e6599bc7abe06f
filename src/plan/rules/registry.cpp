// All rules. A new one is a file of its own and a line here.
#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_rto_exceeds_plan(const RuleInput& input, Findings& out);
void judge_review_overdue(const RuleInput& input, Findings& out);
void judge_rpo_needs_more_than_backups(const RuleInput& input, Findings& out);
void judge_signal_without_decision(const RuleInput& input, Findings& out);
void judge_scenario_not_runnable(const RuleInput& input, Findings& out);
void judge_backup_beside_primary(const RuleInput& input, Findings& out);
void judge_repository_traps(const RuleInput& input, Findings& out);
void judge_expiry_with_writers_key(const RuleInput& input, Findings& out);
void judge_watch_in_primary_region(const RuleInput& input, Findings& out);
void judge_voters_lose_majority(const RuleInput& input, Findings& out);
void judge_status_page_without_key(const RuleInput& input, Findings& out);
void judge_sync_needs_others(const RuleInput& input, Findings& out);
void judge_contact_not_verified(const RuleInput& input, Findings& out);
void judge_contact_unreachable(const RuleInput& input, Findings& out);
void judge_role_without_backup(const RuleInput& input, Findings& out);
void judge_stakeholder_without_contacts(const RuleInput& input, Findings& out);
void judge_member_without_agent(const RuleInput& input, Findings& out);
void judge_lease_and_probes(const RuleInput& input, Findings& out);
void judge_single_vantage(const RuleInput& input, Findings& out);
void judge_command_cannot_work(const RuleInput& input, Findings& out);
void judge_dns_ttl_long(const RuleInput& input, Findings& out);
void judge_calendar_unknown(const RuleInput& input, Findings& out);
void judge_automatic_without_limit(const RuleInput& input, Findings& out);
void judge_automatic_without_drill(const RuleInput& input, Findings& out);
void judge_backups_never_restored(const RuleInput& input, Findings& out);
void judge_swap_without_approval(const RuleInput& input, Findings& out);
void judge_availability_out_of_reach(const RuleInput& input, Findings& out);
void judge_failover_place(const RuleInput& input, Findings& out);
void judge_members_cannot_talk(const RuleInput& input, Findings& out);

namespace {

constexpr Rule kRules[] = {
    {"rto-exceeds-plan", "Is any scenario expected to take longer than the plan allows?", judge_rto_exceeds_plan},
    {"review-overdue", "Has the date passed at which the plan had to be reviewed?", judge_review_overdue},
    {"rpo-and-backups", "Could data be lost that backups do not hold and that the RPO says must not be?",
     judge_rpo_needs_more_than_backups},
    {"signal-without-decision", "Is something watched for and nothing decided?", judge_signal_without_decision},
    {"not-runnable", "Which scenarios cannot be run as they stand?", judge_scenario_not_runnable},
    {"backup-beside-primary", "Would the backups be lost together with the primary?", judge_backup_beside_primary},
    {"repository-traps", "Can backups be kept where the plan says, and be read by nobody else?",
     judge_repository_traps},
    {"expiry-with-writers-key", "Can the key that backups are written with also delete them?",
     judge_expiry_with_writers_key},
    {"watch-in-primary-region", "Do the controller and the status page survive what they are for?",
     judge_watch_in_primary_region},
    {"voters-lose-majority", "Does the loss of one region stop the controllers?", judge_voters_lose_majority},
    {"sync-needs-others", "Can commits that wait for other members go on when one is away?", judge_sync_needs_others},
    {"members-cannot-talk", "Does the primary outlive the loss of all controllers?", judge_members_cannot_talk},
    {"failover-place", "Can the members that a failover names take over when it comes to it?", judge_failover_place},
    {"status-page-without-key", "Can every controller tell the public?", judge_status_page_without_key},
    {"contact-not-verified", "Has anybody tried to reach the people lately?", judge_contact_not_verified},
    {"contact-unreachable", "Can the people who are named be reached at all?", judge_contact_unreachable},
    {"role-without-backup", "Who does it when the one who does it is asleep?", judge_role_without_backup},
    {"stakeholder-without-contacts", "Is everybody who must be told somebody?", judge_stakeholder_without_contacts},
    {"member-without-agent", "Does an agent stand where one is needed?", judge_member_without_agent},
    {"lease-and-probes", "Do the times of watching and of owning fit together?", judge_lease_and_probes},
    {"single-vantage", "Could one observer with a broken network cause a failover?", judge_single_vantage},
    {"command-cannot-work", "Is a command written down that cannot work?", judge_command_cannot_work},
    {"dns-ttl-long", "Do users go on asking the old address for long?", judge_dns_ttl_long},
    {"calendar-unknown", "Is it clear how often drills and maintenance come?", judge_calendar_unknown},
    {"automatic-without-limit", "Could what starts by itself start again and again?", judge_automatic_without_limit},
    {"automatic-without-drill", "Is what starts by itself ever rehearsed?", judge_automatic_without_drill},
    {"backups-never-restored", "Are backups ever restored before they have to be?", judge_backups_never_restored},
    {"swap-without-approval", "Does anybody agree before the data of a database are replaced?",
     judge_swap_without_approval},
    {"availability-out-of-reach", "Does one disaster use up the year?", judge_availability_out_of_reach},
};

}  // namespace

std::span<const Rule> all_rules() { return kRules; }

Findings judge(const RuleInput& input, const Positions& positions, const std::string& file) {
  Findings out;
  for (const Rule& rule : kRules) rule.judge(input, out);
  for (Finding& finding : out) {
    finding.file = file;
    finding.at = positions.at(finding.path, finding.at_key);
  }
  return out;
}

std::vector<Runnable> runnable_scenarios(const Plan& plan, const ActionCatalogue& actions) {
  std::vector<Runnable> out;
  for (const auto& [name, scenario] : plan.scenarios) out.push_back({name, true, {}});
  for_each_step(plan, [&](const std::string& scenario, const Step& step, const std::string&) {
    Runnable& entry = *std::ranges::find(out, scenario, &Runnable::scenario);
    if (!actions.has(step.uses)) {
      entry.reasons.push_back(fmt::format("step {} uses {}, which this version does not have", step.id.text,
                                          Decoder::printable(step.uses)));
    }
    for (const Trap& trap : traps_in(step)) {
      if (trap.stops) entry.reasons.push_back(fmt::format("step {}: {}", step.id.text, trap.message));
    }
    entry.today = entry.reasons.empty();
  });
  return out;
}

int64_t days_of(const Date& date) {
  using namespace std::chrono;
  year_month month_of = year(date.year) / month(date.month);
  sys_days day_at = date.day == 0 ? sys_days(month_of / last) : sys_days(month_of / day(date.day));
  return day_at.time_since_epoch().count();
}

}  // namespace lifeboat
