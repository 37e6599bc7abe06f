#include <gtest/gtest.h>

#include <set>

#include "plan/load.hpp"
#include "plan/rules/rule.hpp"
#include "plan/test_support.hpp"

namespace lifeboat {
namespace {

Findings judge_text(const std::string& text, Date today = {2024, 2, 1}) {
  ActionCatalogue actions = lenient_actions();
  auto loaded = load_plan_text(text, "p.yaml", actions);
  if (!loaded) {
    ADD_FAILURE() << lines_of(loaded.error().findings) << text;
    return {};
  }
  return judge({loaded->plan, actions, today}, loaded->positions, "p.yaml");
}

// A plan in which no rule finds anything, in parts that tests replace.
using Parts = std::map<std::string, std::string>;
Parts calm() {
  return {
      {"document", "{version: \"1\", owner: me, review_by: 2024-03}"},
      {"objectives", "{rto: 1h, rpo: 15m, availability: 99%}"},
      {"regions", "{east: {role: primary}, west: {role: secondary}, north: {role: tertiary}}"},
      {"hosts",
       "{db-e: {region: east, agent: true}, db-w: {region: west, agent: true}, "
       "watch: {region: north, controller: true, agent: true}}"},
      {"services",
       "{database: {kind: postgres, members: {e: {host: db-e}, w: {host: db-w}}, primary: e, "
       "replication_password: k, backups: {repository_path: b, cipher_pass: k, repository_host: watch, schedule: [full "
       "weekly, wal continuous]}}, "
       "page: {kind: statuspage, host: watch}, entry: {kind: dns, name: a.test, zone: a.test, server: watch, "
       "ttl: 30s, targets: {east: db-e}}, web: {kind: http, command: [web], instances: {east: {host: db-e}}}}"},
      {"signals", "{gone: {kind: region-lost, for: 5s, every: 1s, within: 1s}}"},
      {"decision_matrix", "{gone: {automatic: move}}"},
      {"safety", "{automatic_runs: {at_most: 1, within: 24h}}"},
      {"people",
       "{contacts: {ana: {phone: \"+1-555-555-0101\", verified: 2024-01-10}, bo: {email: bo@a.test, verified: "
       "2024-01-10}}, "
       "roles: {boss: {primary: ana, backup: bo}}}"},
      {"communications", "{stakeholders: {all: {contacts: [ana], at: [immediate]}}}"},
      {"scenarios",
       "{move: {title: Move, estimated_rto: 30m, phases: {go: [{id: a, uses: postgres.failover, with: {service: "
       "database, to: west}}]}}, "
       "prove: {title: Prove, phases: {go: [{id: p, uses: postgres.restore-drill, with: {service: database}}]}}}"},
      {"drills",
       "[{name: d, title: d, run: move, every: monthly, faults: [kill-region]}, "
       "{name: p, title: p, run: prove, every: monthly}]"},
      {"maintenance", "[{task: look, every: weekly}]"},
  };
}

std::string text_of(const Parts& parts) {
  std::string out = "plan: p\n";
  for (const auto& [key, value] : parts) out += key + ": " + value + "\n";
  return out;
}

struct Case {
  std::string rule;
  std::string part;
  std::string value;      // replaces the part; or
  std::string from = {};  // replaces this text in the part by `value`
};

void PrintTo(const Case& entry, std::ostream* out) { *out << entry.rule << ": " << entry.value; }

class Rules : public testing::TestWithParam<Case> {};

TEST_P(Rules, FindWhatTheyLookFor) {
  const Case& entry = GetParam();
  Parts parts = calm();
  std::string& part = parts[entry.part];
  if (entry.from.empty()) {
    part = entry.value;
  } else {
    ASSERT_NE(part.find(entry.from), std::string::npos);
    part.replace(part.find(entry.from), entry.from.size(), entry.value);
  }
  Findings findings = judge_text(text_of(parts));
  auto found = std::ranges::find(findings, entry.rule, &Finding::rule);
  ASSERT_NE(found, findings.end()) << lines_of(findings);
  EXPECT_GT(found->at.line, 1);
  EXPECT_FALSE(found->message.empty());
  EXPECT_FALSE(found->suggestion.empty());
}

const Case kCases[] = {
    {"rto-exceeds-plan", "scenarios", "2h", "30m"},
    {"review-overdue", "document", "2024-01", "2024-03"},
    {"review-overdue", "document", "{version: \"1\", owner: me}"},
    {"rpo-and-backups", "services", "full daily", "wal continuous"},
    {"rpo-and-backups", "services", "{database: {kind: postgres, members: {e: {host: db-e}}, primary: e}}"},
    {"signal-without-decision", "signals", "{gone: {kind: region-lost}, other: {kind: raised}}"},
    {"not-runnable", "scenarios", "terraform.apply", "postgres.failover"},
    {"backup-beside-primary", "services", "repository_host: db-e", "repository_host: watch"},
    {"backup-beside-primary", "services", "schedule", "repository_host: watch, schedule"},
    {"repository-traps", "services", "", ", cipher_pass: k"},
    {"repository-traps", "services", "repository_host: db-w", "repository_host: watch"},
    {"expiry-with-writers-key", "services",
     "b, store: {kind: s3, bucket: b, endpoint: s.test, region: r, key: i, key_secret: j}, cipher_pass: k",
     "b, cipher_pass: k"},
    {"expiry-with-writers-key", "services",
     "b, second: {path: c, store: {kind: azure, bucket: b, key: i, key_secret: j}}, cipher_pass: k",
     "b, cipher_pass: k"},
    {"watch-in-primary-region", "hosts", "region: east, controller", "region: north, controller"},
    {"watch-in-primary-region", "hosts", "region: north", "region: north, controller: true"},
    {"voters-lose-majority", "controllers", "{store: etcd, voters: {east: {host: db-e}, west: {host: db-w}}}"},
    {"sync-needs-others", "services", "primary: e, replication: sync", "primary: e"},
    {"sync-needs-others", "services", "primary: e, replication: sync, sync_copies: 2", "primary: e"},
    {"sync-needs-others", "services",
     "w: {host: db-w}, third: {host: watch}}, primary: e, replication: sync, sync_region: west",
     "w: {host: db-w}}, primary: e"},
    {"status-page-without-key", "services", "statuspage, host: db-w", "statuspage, host: watch"},
    {"contact-not-verified", "people", "verified: 2023-01-10", "verified: 2024-01-10"},
    {"contact-not-verified", "people", "", ", verified: 2024-01-10"},
    {"contact-unreachable", "people", "", "phone: \"+1-555-555-0101\", "},
    {"contact-unreachable", "people", "555-0101", "555-555-0101"},
    {"role-without-backup", "people", "", ", backup: bo"},
    {"role-without-backup", "people", "backup: ana", "backup: bo"},
    {"stakeholder-without-contacts", "communications", "", "contacts: [ana], "},
    {"member-without-agent", "hosts", "region: west", "region: west, agent: true"},
    {"lease-and-probes", "signals", "1s", "5s"},
    {"lease-and-probes", "objectives", "rto: 20s", "rto: 1h"},
    {"single-vantage", "signals", "quorum: 1, for: 5s", "for: 5s"},
    {"single-vantage", "hosts", "region: north", "region: north, controller: true, agent: true"},
    {"command-cannot-work", "scenarios", "{id: a, uses: shell, with: {argv: [pg_wal_replay, -D, /data]}}",
     "{id: a, uses: postgres.failover, with: {service: database, to: west}}"},
    {"command-cannot-work", "scenarios", "{id: a, uses: shell, with: {argv: [pg_restore, \"s3://b/c\"]}}",
     "{id: a, uses: postgres.failover, with: {service: database, to: west}}"},
    {"command-cannot-work", "scenarios", "{id: a, uses: shell, with: {argv: [aws, rds, promote-read-replica]}}",
     "{id: a, uses: postgres.failover, with: {service: database, to: west}}"},
    {"dns-ttl-long", "services", "ttl: 1h", "ttl: 30s"},
    {"calendar-unknown", "drills", "montly", "monthly"},
    {"calendar-unknown", "drills", "kill-regoin", "kill-region"},
    {"calendar-unknown", "maintenance", "sometimes", "weekly"},
    {"automatic-without-limit", "safety", "{}"},
    {"automatic-without-drill", "drills", "[]"},
    {"backups-never-restored", "drills", "run: move", "run: prove"},
    {"swap-without-approval", "scenarios", "{id: a, uses: postgres.adopt, with: {}}",
     "{id: a, uses: postgres.failover, with: {service: database, to: west}}"},
    {"swap-without-approval", "scenarios",
     "{id: i, uses: incident.open, with: {title: t, severity: critical}}, "
     "{id: q, uses: approval, approval: {of: [boss]}}, {id: a, uses: postgres.adopt, with: {}}",
     "{id: a, uses: postgres.failover, with: {service: database, to: west}}"},
    {"availability-out-of-reach", "objectives", "99.999%", "99%"},
    {"members-cannot-talk", "services", "", "replication_password: k, "},
    {"failover-place", "services", "w: {host: db-w}, third: {host: watch}}, primary: e, automatic: any",
     "w: {host: db-w}}, primary: e"},
    {"failover-place", "services", "w: {host: db-w}, third: {host: watch}}, primary: e, replication: sync",
     "w: {host: db-w}}, primary: e"},
    {"failover-place", "services",
     "w: {host: db-w}, third: {host: watch}}, primary: e, replication: sync, sync_region: north",
     "w: {host: db-w}}, primary: e"},
};
INSTANTIATE_TEST_SUITE_P(All, Rules, testing::ValuesIn(kCases));

TEST(RuleSet, FindsNothingInACalmPlan) { EXPECT_EQ(lines_of(judge_text(text_of(calm()))), ""); }

TEST(RuleSet, FindsNothingInAStoreWhoseBackupsExpireWithAKeyOfTheirOwn) {
  for (const char* store : {"{kind: s3, bucket: b, endpoint: s.test, region: r, key: i, key_secret: j, expire_key: x, "
                            "expire_key_secret: w}",
                            "{kind: azure, bucket: b, key: i, key_secret: j, expire_key_secret: w}"}) {
    Parts parts = calm();
    std::string& part = parts["services"];
    part.replace(part.find("b, cipher_pass: k"), 17, std::string("b, cipher_pass: k, store: ") + store);
    EXPECT_EQ(lines_of(judge_text(text_of(parts))), "") << store;
  }
}

TEST(RuleSet, FindsNothingInAFailoverToMembersThatHaveAllThatIsAcknowledged) {
  const std::pair<const char*, const char*> kinds[] = {
      {"w: {host: db-w}, third: {host: watch}}, primary: e, replication: sync, sync_region: west, automatic: "
       "same-region",
       "west"},
      {"w: {host: db-w}, third: {host: watch}}, primary: e, replication: sync, sync_copies: 2", "w"},
      {"w: {host: db-w}, e2: {host: db-e, port: 5433}}, primary: e, automatic: any", "west"},
      {"w: {host: db-w}, third: {host: watch, candidate: false}}, primary: e, automatic: any", "w"},
  };
  for (const auto& [settings, to] : kinds) {
    Parts parts = calm();
    std::string& services = parts["services"];
    services.replace(services.find("w: {host: db-w}}, primary: e"), 28, settings);
    std::string& scenarios = parts["scenarios"];
    scenarios.replace(scenarios.find("to: west"), 8, std::string("to: ") + to);
    for (const Finding& finding : judge_text(text_of(parts)))
      EXPECT_NE(finding.rule, "failover-place") << settings << ": " << finding.message;
  }
}

TEST(RuleSet, LogicalBackupsByTheClockAreBackupsOfAKnownPlace) {
  Parts parts = calm();
  std::string& part = parts["services"];
  size_t at = part.find("{repository_path");
  part.replace(at, part.find('}', at) + 1 - at, "{tool: pg_dump, dumps: {to: \"s3://b/\", every: daily}}");
  std::string found = lines_of(judge_text(text_of(parts)));
  EXPECT_NE(found.find("up to 1d of data would be lost"), std::string::npos) << found;
  EXPECT_EQ(found.find("nothing says"), std::string::npos) << found;
}

TEST(RuleSet, HasACaseForEachRule) {
  std::set<std::string_view> tried, known;
  for (const Case& entry : kCases) tried.insert(entry.rule);
  for (const Rule& rule : all_rules()) known.insert(rule.name);
  EXPECT_EQ(tried, known);
}

TEST(RuleSet, FindsWhatTheReferenceDocumentContradicts) {
  std::string text = source_file("examples/dating-profile-optimizer/plan.yaml");
  Findings findings = judge_text(text, {2026, 1, 1});
  auto count = [&](std::string_view rule) { return std::ranges::count(findings, rule, &Finding::rule); };
  EXPECT_EQ(count("rto-exceeds-plan"), 3);
  EXPECT_EQ(count("review-overdue"), 1);
  // The document names nightly dumps alone; the plan archives continuously, so nothing is left to find.
  EXPECT_EQ(count("rpo-and-backups"), 0);
  std::vector<std::string> broken, stood_in_for;
  for (const Finding& finding : findings) {
    if (finding.rule != "command-cannot-work") continue;
    (finding.severity == Severity::warning ? broken : stood_in_for).push_back(finding.message);
  }
  EXPECT_TRUE(broken.empty()) << broken.front();
  const std::string of_restore = "of the command that step restore stands in for: ";
  for (const char* wrong : {"pg_restore cannot read from s3://", "PostgreSQL has no program pg_wal_replay"})
    EXPECT_EQ(std::ranges::count(stood_in_for, of_restore + wrong), 1) << wrong;
  EXPECT_FALSE(has_errors(findings)) << lines_of(findings);
}

TEST(RuleSet, SaysWhichScenariosCanBeRun) {
  ActionCatalogue actions = lenient_actions();
  auto loaded = load_plan_text(source_file("examples/dating-profile-optimizer/plan.yaml"), "p.yaml", actions);
  ASSERT_TRUE(loaded) << lines_of(loaded.error().findings);
  std::map<std::string, bool> today;
  for (const Runnable& entry : runnable_scenarios(loaded->plan, actions)) {
    today[entry.scenario] = entry.today;
    EXPECT_EQ(entry.today, entry.reasons.empty());
  }
  std::map<std::string, bool> expected{{"region-failover", true},   {"failback", true},
                                       {"database-failover", true}, {"api-failover", true},
                                       {"traffic-return", true},    {"database-recovery", true},
                                       {"clean-redeploy", false},   {"complete-rebuild", false},
                                       {"ransomware", true},        {"database-recovery-test", true}};
  EXPECT_EQ(today, expected);
}

TEST(RuleSet, NotesWhatWouldNotHaveWorkedInACommandThatAStepStandsInFor) {
  Parts parts = calm();
  std::string& part = parts["scenarios"];
  part.replace(part.find("to: west}"), 9, "to: west}, instead_of: [aws rds promote-read-replica, dig a.test]");
  Findings findings = judge_text(text_of(parts));
  ASSERT_EQ(findings.size(), 1u) << lines_of(findings);
  EXPECT_EQ(findings[0].rule, "command-cannot-work");
  EXPECT_EQ(findings[0].severity, Severity::note);
  EXPECT_TRUE(findings[0].path.ends_with("/instead_of/0")) << findings[0].path;
}

TEST(RuleSet, RefusesAnAutomaticStartOfWhatCannotRun) {
  Parts parts = calm();
  std::string& part = parts["scenarios"];
  part.replace(part.find("postgres.failover"), 17, "terraform.apply");
  EXPECT_TRUE(has_errors(judge_text(text_of(parts))));
}

}  // namespace
}  // namespace lifeboat
