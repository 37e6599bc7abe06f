// Agents with real PostgreSQL servers, driven by a controller that does what the test says. Figures that people will ask
// for (how long a promotion took, how soon a death was told) are printed and kept as test properties.
#include <algorithm>

#include "agent/agent.hpp"
#include "agent/guard.hpp"
#include "agent/handicaps.hpp"
#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

// Wide bounds, since tests also run under sanitizers on busy machines; the figure itself is printed.
void figure(const std::string& name, int64_t ms) {
  testing::Test::RecordProperty(name, std::to_string(ms));
  fmt::print("[  figure  ] {}: {} ms\n", name, ms);
}

class AgentPair : public PairTest {};

// Copies what "b" has received of the table, by its own answer.
Task<int64_t> count_on(Pair& p, std::string host) {
  auto asking = p.sql(std::move(host), "SELECT count(*) AS n FROM notes");
  auto rows = co_await std::move(asking);
  co_return rows ? std::atoll(rows->text(0, "n").c_str()) : -1;
}

// Case 101, patroni#199: passwords stood in the list of processes.
Task<bool> two_agents_replicate(Pair& p) {
  REQUIRE(co_await p.stand_up());
  REQUIRE(co_await p.takes_writes("a"));
  REQUIRE(!co_await p.takes_writes("b"));
  auto streaming = p.until([&] {
    const MemberReport* a = p.controller.member("a");
    const MemberReport* b = p.controller.member("b");
    return b->streaming && b->written == a->written && b->lag_ms == 0 && b->upstream == "db-a" &&
           a->standbys.contains("db-b");
  });
  REQUIRE(co_await std::move(streaming));
  EXPECT_EQ(p.controller.member("a")->system_id, p.controller.member("b")->system_id);
  EXPECT_EQ(p.controller.member("a")->term, 1u);
  EXPECT_EQ(p.controller.member("b")->term, 0u);
  // Passwords stand in files of mode 0600, never in a command line.
  for (pid_t pid : processes_in(p.folder)) {
    auto line = read_file(fmt::format("/proc/{}/cmdline", pid));
    EXPECT_TRUE(!line || line->find("pass:word") == std::string::npos);
  }
  co_return true;
}
TEST_F(AgentPair, OneLeadsAndTheOtherFollows) { play(two_agents_replicate(*pair)); }

// Cases 59 and 31, patroni#3685 and patroni#1056: the rewinding role lacked a right, a slot was on one server alone, and that was seen
// on the day. Here it is seen while the server is well.
Task<bool> handicaps_are_seen(Pair& p) {
  REQUIRE(co_await p.stand_up());
  // A look that came while the cluster was being set up is followed by another.
  auto none = p.until(
      [&] { return p.controller.member("a")->handicaps.empty() && p.controller.member("b")->handicaps.empty(); });
  EXPECT_TRUE(co_await std::move(none));
  // Rights to functions are of one database: where a rewind connects to.
  PgParams params = p.socket_of("a");
  params["dbname"] = "postgres";
  Deadline deadline = Deadline::after(Duration{20'000});
  auto revoking =
      pg_query_once(params, "REVOKE EXECUTE ON FUNCTION pg_read_binary_file(text) FROM replicator", {}, deadline);
  REQUIRE((co_await std::move(revoking)).has_value());
  auto making =
      pg_query_once(params, "SELECT pg_create_logical_replication_slot('orders_feed', 'test_decoding')", {}, deadline);
  REQUIRE((co_await std::move(making)).has_value());
  auto asking = pg_query_once(params, handicaps_sql("replicator"), {}, deadline);
  auto rows = co_await std::move(asking);
  REQUIRE(rows.has_value());
  std::vector<std::string> seen = handicaps_in(*rows);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_TRUE(
      std::ranges::any_of(seen, [](const std::string& one) { return one.contains("pg_read_binary_file(text)"); }));
  EXPECT_TRUE(std::ranges::any_of(seen, [](const std::string& one) { return one.contains("orders_feed"); }));
  // The agent finds it too, without being asked.
  auto told = p.until([&] { return p.controller.member("a")->handicaps.size() == 2; }, Duration{45'000});
  EXPECT_TRUE(co_await std::move(told));
  co_return true;
}
TEST_F(AgentPair, WhatWouldHinderARewindIsSeenWhileTheServerIsWell) { play(handicaps_are_seen(*pair)); }

// Case 64, cloudnative-pg#3680: an old primary that had not ended cleanly could not follow the new one.
// The reflex: the death of the server is told at once, the standby is promoted, the old primary is rewound.
Task<bool> server_dies(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto caught_up = p.until([&] { return p.controller.member("b")->written >= p.controller.member("a")->written; });
  REQUIRE(co_await std::move(caught_up));
  MonoTime killed = boot_now();
  kill(p.postmaster_of("a"), SIGKILL);
  auto released = p.until([&] { return !p.controller.releases.empty(); });
  REQUIRE(co_await std::move(released));
  figure("release after kill -9 of the server", to_duration(p.controller.releases[0].at - killed).count());
  EXPECT_TRUE(p.controller.releases[0].what.server_failed);
  EXPECT_EQ(p.controller.releases[0].what.term, 1u);
  REQUIRE(p.server_is_gone("a"));  // release means that nothing is left
  MonoTime asked = boot_now();
  auto leading = p.lead("b");
  auto led = co_await std::move(leading);
  REQUIRE(led.has_value());
  figure("promotion", ms_since(asked));
  REQUIRE(co_await p.takes_writes("b"));
  EXPECT_EQ(int_or(*led, "timeline"), 2);
  // What the old primary wrote and nobody received parts the histories. Nothing of it goes unless somebody gave it up.
  auto unasked = p.follow("a", "b");
  auto refused = co_await std::move(unasked);
  REQUIRE(!refused.has_value());
  EXPECT_NE(refused.error().text().find("it was a primary"), std::string::npos) << refused.error().text();
  asked = boot_now();
  auto following = p.reprotect("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  figure("rewind of the old primary", ms_since(asked));
  EXPECT_EQ(text_or(*followed, "how"), "rewound");
  REQUIRE(co_await p.takes_writes("b"));
  int64_t there = co_await count_on(p, "b");
  for (int look = 0; look < 500 && co_await count_on(p, "a") != there; ++look) co_await sleep_for(Duration{10});
  EXPECT_EQ(co_await count_on(p, "a"), there);
  co_return true;
}
TEST_F(AgentPair, ADeadServerIsToldAtOnceAndTheOldPrimaryIsRewound) { play(server_dies(*pair)); }

// Case 48, repmgr#851: the primary hung, and whoever watched it hung with it.
Task<bool> server_hangs(Pair& p) {
  REQUIRE(co_await p.stand_up());
  pid_t postmaster = p.postmaster_of("a");
  MonoTime stopped = boot_now();
  for (pid_t pid : processes_in(p.data_of("a"))) kill(pid, SIGSTOP);
  auto released = p.until([&] { return !p.controller.releases.empty(); });
  REQUIRE(co_await std::move(released));
  figure("release after SIGSTOP of the server", to_duration(p.controller.releases[0].at - stopped).count());
  EXPECT_TRUE(p.controller.releases[0].what.server_failed);
  REQUIRE(p.server_is_gone("a"));
  auto still = read_file(fmt::format("/proc/{}/status", postmaster));
  EXPECT_NE(kill(postmaster, 0), 0) << (still ? *still : "") << getpid() << " agent " << p.agents["a"]->pid;
  co_return true;
}
TEST_F(AgentPair, AHungPrimaryIsKilledAndGivesItsTermBack) { play(server_hangs(*pair)); }

// Case 9, pg_auto_failover#311: a primary that heard nobody was to stop by itself, and did not.
Task<bool> renewals_unanswered(Pair& p) {
  REQUIRE(co_await p.stand_up());
  p.stop_agent("b");  // so that nobody promises anything
  p.controller.answers_renewals = false;
  MonoTime last_answer = boot_now();
  auto fenced = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(fenced));
  int64_t took = ms_since(last_answer);
  figure("fenced after the last granted renewal (lease 2000)", took);
  EXPECT_LT(took, kTestLease.count());  // before anybody else can be granted
  EXPECT_GT(took, kTestLease.count() / 2);
  auto said = p.until([&] { return !p.controller.releases.empty() && p.controller.is("a", ServerState::stopped); });
  REQUIRE(co_await std::move(said));
  EXPECT_FALSE(p.controller.releases[0].what.server_failed);
  co_return true;
}
TEST_F(AgentPair, APrimaryWhoseRenewalsAreNotAnsweredIsDeadBeforeItsLeaseEnds) { play(renewals_unanswered(*pair)); }

// Case 80, patroni#3403: the store was away, and a primary was demoted whom all members heard.
// With no controller left the others promise not to take its place, and keep that, until they do not answer either.
Task<bool> the_other_promises(Pair& p) {
  REQUIRE(co_await p.stand_up());
  pid_t postmaster = p.postmaster_of("a");
  p.controller.answers_renewals = false;
  co_await sleep_for(3 * kTestLease);
  EXPECT_EQ(p.postmaster_of("a"), postmaster);
  REQUIRE(co_await p.takes_writes("a"));
  const MemberReport* other = p.controller.member("b");
  REQUIRE(other != nullptr);
  EXPECT_GT(other->promised_ms, 0);
  auto leading = p.lead("b");
  auto led = co_await std::move(leading);
  REQUIRE(!led);
  EXPECT_NE(led.error().text().find("promised"), std::string::npos) << led.error().text();
  --p.term;
  REQUIRE(co_await p.start_anew("b"));
  auto again = p.lead("b");
  led = co_await std::move(again);
  REQUIRE(!led);
  EXPECT_NE(led.error().text().find("promised"), std::string::npos)
      << "forgotten with the restart: " << led.error().text();
  --p.term;
  p.controller.answers_renewals = true;
  co_await sleep_for(2 * kTestLease);
  EXPECT_EQ(p.controller.member("b")->promised_ms, 0);
  EXPECT_TRUE(p.controller.releases.empty());
  p.controller.answers_renewals = false;
  co_await sleep_for(kTestLease);
  p.stop_agent("b");
  MonoTime last_promise = boot_now();
  auto fenced = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(fenced));
  figure("fenced after the last promise (lease 2000)", ms_since(last_promise));
  EXPECT_LT(ms_since(last_promise), kTestLease.count());
  co_return true;
}
TEST_F(AgentPair, APrimaryThatHearsNoControllerGoesOnWhileTheOtherPromises) { play(the_other_promises(*pair)); }

Task<bool> renewal_refused(Pair& p) {
  REQUIRE(co_await p.stand_up());
  p.controller.grants_renewals = false;
  MonoTime begun = boot_now();
  auto fenced = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(fenced));
  figure("fenced after a refused renewal", ms_since(begun));
  EXPECT_LT(ms_since(begun), 1'200);
  co_return true;
}
TEST_F(AgentPair, ARefusedRenewalStopsWritesAtOnce) { play(renewal_refused(*pair)); }

// Writes as fast as it can; remembers what was acknowledged.
Task<int64_t> write_until_refused(Pair& p, std::string host, bool& stop) {
  int64_t acknowledged = 0;
  auto connecting = PgConnection::connect(p.socket_of(host), Deadline::after(Duration{2'000}));
  auto connection = co_await std::move(connecting);
  while (connection && !stop) {
    auto writing = (*connection)
                       ->query(fmt::format("INSERT INTO notes VALUES ({})", acknowledged + 1), {},
                               Deadline::after(Duration{5'000}));
    auto written = co_await std::move(writing);
    if (!written) break;
    ++acknowledged;
  }
  co_return acknowledged;
}

Task<> write_in_background(Pair& p, std::string host, int64_t& acknowledged, bool& ended, bool& stop) {
  auto writing = write_until_refused(p, std::move(host), stop);
  acknowledged = co_await std::move(writing);
  ended = true;
}

Task<bool> switches_over(Pair& p) {
  REQUIRE(co_await p.stand_up());
  int64_t acknowledged = 0;
  bool ended = false, stop = false;
  Scope background(p.context.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
  background.spawn("writer", write_in_background(p, "a", acknowledged, ended, stop));
  co_await sleep_for(Duration{300});
  MonoTime asked = boot_now();
  auto stepping = p.step_down("a");
  auto stepped = co_await std::move(stepping);
  EXPECT_TRUE(stepped) << stepped.error().text();
  REQUIRE(stepped.has_value());
  figure("step-down", ms_since(asked));
  REQUIRE(!p.controller.releases.empty());
  MonoTime granted = boot_now();
  Lsn position = *ScalarText<Lsn>::parse(text_or(*stepped, "lsn"));
  auto leading = p.lead("b", position);
  auto led = co_await std::move(leading);
  EXPECT_TRUE(led) << led.error().text();
  REQUIRE(led.has_value());
  figure("promotion in a switchover", ms_since(granted));
  figure("switchover, both orders", ms_since(asked));
  auto writer_done = p.until([&] { return ended; });
  REQUIRE(co_await std::move(writer_done));
  EXPECT_GT(acknowledged, 0);
  EXPECT_EQ(co_await count_on(p, "b"), acknowledged);  // nothing lost
  auto ending = p.until([&] { return p.server_is_gone("a") && p.controller.member("a")->reason == "stepped down"; });
  REQUIRE(co_await std::move(ending));
  MonoTime reattached = boot_now();
  auto following = p.follow("a", "b");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  REQUIRE(followed.has_value());
  figure("reattached", ms_since(reattached));
  EXPECT_EQ(text_or(*followed, "how"), "started");  // its history is the new primary's: no rewind
  co_return true;
}
TEST_F(AgentPair, ASwitchoverLosesNothingThatWasAcknowledged) { play(switches_over(*pair)); }

Task<bool> has_nothing_to_give_back(Pair& p) {
  REQUIRE(co_await p.stand_up());
  pid_t before = p.postmaster_of("b");
  auto stepping = p.step_down("b");
  auto stepped = co_await std::move(stepping);
  EXPECT_FALSE(stepped.has_value());
  co_await sleep_for(Duration{500});
  EXPECT_EQ(p.postmaster_of("b"), before);
  EXPECT_TRUE(p.controller.is("b", ServerState::standby));
  co_return true;
}
TEST_F(AgentPair, AStandbyThatIsToldToStepDownGoesOn) { play(has_nothing_to_give_back(*pair)); }

// Case 51, patroni#1905: a demotion waited for processes that did not end, and was stuck.
// A standby that takes nothing keeps the old primary's last processes waiting, not the new primary.
Task<bool> gives_its_right_back_when_its_log_has_ended(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto asking = p.sql("b", "SELECT pid::text AS pid FROM pg_stat_wal_receiver");
  auto receiver = co_await std::move(asking);
  REQUIRE(receiver.has_value() && !receiver->empty());
  auto pid = static_cast<pid_t>(std::stoi(receiver->text(0, "pid")));
  kill(pid, SIGSTOP);
  auto stepping = p.step_down("a");
  auto stepped = co_await std::move(stepping);
  EXPECT_TRUE(stepped) << stepped.error().text();
  EXPECT_EQ(p.controller.releases.size(), 1u);
  EXPECT_FALSE(p.server_is_gone("a")) << "it has to wait for the standby";
  EXPECT_FALSE(co_await p.takes_writes("a"));
  // Nor is anybody kept waiting who gives it back.
  MonoTime asked = boot_now();
  auto leading = p.lead("a");
  auto led = co_await std::move(leading);
  EXPECT_TRUE(led) << led.error().text();
  figure("led again", ms_since(asked));
  EXPECT_TRUE(co_await p.takes_writes("a"));
  kill(pid, SIGCONT);
  co_return stepped.has_value();
}
TEST_F(AgentPair, ItsRightGoesBackWhenItsLogHasEnded) { play(gives_its_right_back_when_its_log_has_ended(*pair)); }

// Case 6, repmgr#766: an old primary was started again and stayed a second one.
Task<bool> agent_is_killed(Pair& p) {
  REQUIRE(co_await p.stand_up());
  MonoTime killed = boot_now();
  p.agents["a"]->kill_now();
  p.agents["b"]->kill_now();
  auto standby_gone = p.until([&] { return p.server_is_gone("b"); });
  REQUIRE(co_await std::move(standby_gone));
  figure("standby gone after kill -9 of its agent", ms_since(killed));
  auto primary_gone = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(primary_gone));
  figure("primary gone after kill -9 of its agent (lease 2000)", ms_since(killed));
  EXPECT_LT(ms_since(killed), kTestLease.count());
  // Started again, it runs nothing that takes writes by itself; a standby goes on.
  REQUIRE(co_await p.start_anew("a"));
  REQUIRE(co_await p.start_anew("b"));
  auto back =
      p.until([&] { return p.controller.is("a", ServerState::stopped) && p.controller.is("b", ServerState::standby); });
  REQUIRE(co_await std::move(back));
  EXPECT_EQ(p.controller.member("a")->floor, 1u);
  // A term that was seen before is refused, also after the restart.
  --p.term;
  auto again = p.lead("a");
  auto led = co_await std::move(again);
  EXPECT_FALSE(led.has_value());
  auto next = p.lead("a");
  auto led_anew = co_await std::move(next);
  EXPECT_TRUE(led_anew) << led_anew.error().text();
  REQUIRE(co_await p.takes_writes("a"));
  co_return true;
}
TEST_F(AgentPair, TheServerOfADeadAgentIsGoneBeforeTheLeaseEndsAndNothingWritesAfterARestart) {
  play(agent_is_killed(*pair));
}

// The old server still runs under its guard when the agent is back: it is ended first, never joined by a second one.
Task<bool> agent_comes_back_at_once(Pair& p) {
  REQUIRE(co_await p.stand_up());
  pid_t old_server = p.postmaster_of("a");
  REQUIRE(co_await p.start_anew("a"));
  EXPECT_TRUE(p.controller.is("a", ServerState::stopped));
  REQUIRE(p.server_is_gone("a"));
  EXPECT_NE(kill(old_server, 0), 0);
  auto leading = p.lead("a");
  auto led = co_await std::move(leading);
  EXPECT_TRUE(led) << led.error().text();
  REQUIRE(co_await p.takes_writes("a"));
  co_return true;
}
TEST_F(AgentPair, AnAgentThatIsBackBeforeTheLeaseEndsNeverRunsTwoServersOnOneFolder) {
  play(agent_comes_back_at_once(*pair));
}

// The parent of a postmaster's orphans is whoever is left: no backend may go on writing.
Task<bool> guard_is_killed(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto connecting = PgConnection::connect(p.socket_of("a"), Deadline::after(Duration{2'000}));
  auto session = co_await std::move(connecting);
  REQUIRE(session.has_value());
  auto stat = read_file(fmt::format("/proc/{}/stat", p.postmaster_of("a")));
  pid_t guard = std::atoi(stat->c_str() + stat->rfind(')') + 4);
  REQUIRE(guard != p.agents["a"]->pid);
  kill(guard, SIGKILL);
  auto released = p.until([&] { return !p.controller.releases.empty(); });
  REQUIRE(co_await std::move(released));
  REQUIRE(p.server_is_gone("a"));
  co_return true;
}
TEST_F(AgentPair, NothingOfTheServerOutlivesItsGuard) { play(guard_is_killed(*pair)); }

// A guard that is stopped watches nothing: the agent does its work.
Task<bool> guard_is_stopped(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto stat = read_file(fmt::format("/proc/{}/stat", p.postmaster_of("a")));
  pid_t guard = std::atoi(stat->c_str() + stat->rfind(')') + 4);
  kill(guard, SIGSTOP);
  p.stop_agent("b");
  p.controller.answers_renewals = false;
  MonoTime last_answer = boot_now();
  auto gone = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(gone));
  figure("fenced with a stopped guard (lease 2000)", ms_since(last_answer));
  EXPECT_LT(ms_since(last_answer), kTestLease.count());
  co_return true;
}
TEST_F(AgentPair, AStoppedGuardDoesNotKeepTheLeaseFromEnding) { play(guard_is_stopped(*pair)); }

// Case 92, patroni#2969: whoever was to renew the right slept beyond its end.
// A stopped agent watches nothing: the guard does its work.
Task<bool> agent_is_stopped(Pair& p) {
  REQUIRE(co_await p.stand_up());
  kill(p.agents["a"]->pid, SIGSTOP);
  MonoTime stopped = boot_now();
  auto gone = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(gone));
  figure("fenced with a stopped agent (lease 2000)", ms_since(stopped));
  EXPECT_LT(ms_since(stopped), kTestLease.count());
  kill(p.agents["a"]->pid, SIGCONT);
  auto released = p.until([&] { return !p.controller.releases.empty(); });
  REQUIRE(co_await std::move(released));
  EXPECT_FALSE(p.controller.releases[0].what.server_failed);
  co_return true;
}
TEST_F(AgentPair, AStoppedAgentDoesNotKeepTheLeaseFromEnding) { play(agent_is_stopped(*pair)); }

// Case 65, pg_auto_failover#683: a standby was promoted by hand and given back, and never found its way back.
// Somebody promotes a standby by hand: two primaries would be next.
Task<bool> promoted_by_a_stranger(Pair& p) {
  REQUIRE(co_await p.stand_up());
  auto promoting = p.sql("b", "SELECT pg_promote(false)");
  auto promoted = co_await std::move(promoting);
  REQUIRE(promoted.has_value());
  MonoTime begun = boot_now();
  auto ended = p.until([&] { return p.server_is_gone("b"); });
  REQUIRE(co_await std::move(ended));
  figure("ended after a promotion nobody granted", ms_since(begun));
  auto said = p.until([&] { return !p.controller.member("b")->reason.empty(); });
  REQUIRE(co_await std::move(said));
  EXPECT_NE(p.controller.member("b")->reason.find("without a lease"), std::string::npos);
  // It is not started again by itself: its history has parted.
  auto following = p.reprotect("b", "a");
  auto followed = co_await std::move(following);
  EXPECT_TRUE(followed) << followed.error().text();
  co_return true;
}
TEST_F(AgentPair, AServerThatTakesWritesWithoutALeaseIsEnded) { play(promoted_by_a_stranger(*pair)); }

Task<bool> standby_hangs(Pair& p) {
  REQUIRE(co_await p.stand_up());
  pid_t before = p.postmaster_of("b");
  for (pid_t pid : processes_in(p.data_of("b"))) kill(pid, SIGSTOP);
  auto told = p.until([&] { return p.controller.is("b", ServerState::hung); });
  REQUIRE(co_await std::move(told));
  auto back = p.until(
      [&] {
        return p.postmaster_of("b") != before && p.controller.is("b", ServerState::standby) &&
               p.controller.member("b")->streaming;
      },
      Duration{30'000});
  REQUIRE(co_await std::move(back));
  EXPECT_TRUE(p.controller.releases.empty());
  co_return true;
}
TEST_F(AgentPair, AHungStandbyIsStartedAgain) { play(standby_hangs(*pair)); }

// Case 49, repmgr#195: a standby went on choosing a node that was dead.
// The upstream that is named cannot be reached: the standby stays what it is, a candidate with its data.
Task<bool> follow_into_nowhere(Pair& p) {
  REQUIRE(co_await p.stand_up());
  kill(p.postmaster_of("a"), SIGKILL);
  auto released = p.until([&] { return !p.controller.releases.empty(); });
  REQUIRE(co_await std::move(released));
  auto following = p.follow("b", "a");
  auto followed = co_await std::move(following);
  EXPECT_FALSE(followed.has_value());
  auto still = p.until([&] { return p.controller.is("b", ServerState::standby); });
  REQUIRE(co_await std::move(still));
  auto leading = p.lead("b");
  auto led = co_await std::move(leading);
  EXPECT_TRUE(led) << led.error().text();
  REQUIRE(co_await p.takes_writes("b"));
  co_return true;
}
TEST_F(AgentPair, AStandbyWhoseNewUpstreamIsAwayStaysACandidate) { play(follow_into_nowhere(*pair)); }

// It died between claiming numbers for its promotion and the promotion itself.
Task<bool> starts_with_claims(Pair& p) {
  REQUIRE(co_await p.stand_up());
  std::string claim = p.folder + "/b/database/data/pg_wal/00000002.history";
  REQUIRE(write_file_atomic(claim, "1\t0/1\tleft to others\n").has_value());
  REQUIRE(co_await p.start_anew("b"));
  auto streaming = p.until([&] {
    const MemberReport* report = p.controller.member("b");
    return report != nullptr && report->streaming;
  });
  REQUIRE(co_await std::move(streaming));
  EXPECT_FALSE(std::filesystem::exists(claim));
  co_return true;
}
TEST_F(AgentPair, AStandbyForgetsTheTimelinesItClaimedForAPromotion) { play(starts_with_claims(*pair)); }

// Case 11, postgresql-operator#1152: two halves of a cluster each had a leader, and users were sent to both.
// Two groups of controllers are at work, as after one region went on alone.
Task<bool> hears_of_a_newer_term(Pair& p) {
  REQUIRE(co_await p.stand_up());
  co_await sleep_for(Duration{1'300});  // a has said what it holds
  p.term = 5;
  auto unaware = p.lead_after("b", 0);
  auto refused = co_await std::move(unaware);
  REQUIRE(!refused.has_value());
  EXPECT_NE(refused.error().what.find("db-a holds term 1"), std::string::npos) << refused.error().text();
  --p.term;
  auto repeated = p.lead_after("b", 1);
  refused = co_await std::move(repeated);
  REQUIRE(!refused.has_value());
  EXPECT_NE(refused.error().what.find("answered no to term 6"), std::string::npos)
      << "whoever heard the no gave the term to another";
  auto aware = p.lead_after("b", 1);
  REQUIRE((co_await std::move(aware)).has_value());
  auto stopped = p.until([&] { return p.server_is_gone("a"); });
  REQUIRE(co_await std::move(stopped));
  REQUIRE(co_await p.takes_writes("b"));
  co_return true;
}
TEST_F(AgentPair, WhoHearsOfANewerTermStopsAndNobodyLeadsForWhoDoesNotKnowTheHolder) {
  play(hears_of_a_newer_term(*pair));
}

Task<bool> belongs_to_another_cluster(Pair& p) {
  p.controller.hosts["b"].configuration.servers.find(kService)->first_primary = true;
  p.start_all();
  auto waiting =
      p.until([&] { return p.controller.is("a", ServerState::absent) && p.controller.is("b", ServerState::absent); });
  REQUIRE(co_await std::move(waiting));
  auto first = p.lead("b");
  auto began = co_await std::move(first);
  EXPECT_TRUE(began) << began.error().text();
  auto making = p.sql("b", "CREATE TABLE precious (id bigint)");
  EXPECT_TRUE((co_await std::move(making)).has_value());
  auto stepping = p.step_down("b");
  EXPECT_TRUE((co_await std::move(stepping)).has_value());
  auto second = p.lead("a");
  auto led = co_await std::move(second);
  EXPECT_TRUE(led) << led.error().text();
  auto unasked = p.follow("b", "a");
  auto followed = co_await std::move(unasked);
  REQUIRE(!followed.has_value());
  EXPECT_NE(followed.error().what.find("which db-a may lack"), std::string::npos) << followed.error().text();
  auto given_up = p.follow("b", "a", true);
  followed = co_await std::move(given_up);
  REQUIRE(!followed.has_value());
  EXPECT_NE(followed.error().what.find("another cluster"), std::string::npos) << followed.error().text();
  co_return true;
}
TEST_F(AgentPair, DataOfAnotherClusterAreNeverReplaced) { play(belongs_to_another_cluster(*pair)); }

Task<bool> link_is_cut(Pair& p) {
  REQUIRE(co_await p.stand_up());
  pid_t before = p.postmaster_of("a");
  int links = p.controller.hosts["a"].links;
  MonoTime cut = boot_now();
  p.controller.drop_link("a");
  auto back = p.until([&] { return p.controller.hosts["a"].links > links; });
  REQUIRE(co_await std::move(back));
  figure("link back after it was cut", ms_since(cut));
  co_await sleep_for(kTestLease * 2);  // longer than the lease: it lives only if renewals go on over the new link
  EXPECT_EQ(p.postmaster_of("a"), before);
  REQUIRE(co_await p.takes_writes("a"));
  co_return true;
}
TEST_F(AgentPair, ALostLinkIsMadeAgainWithinTheLease) { play(link_is_cut(*pair)); }

// Case 85, patroni#2070: when its agent was stopped a right was free before the old primary had ended.
Task<bool> stops_in_good_order(Pair& p) {
  REQUIRE(co_await p.stand_up());
  MonoTime begun = boot_now();
  kill(p.agents["a"]->pid, SIGTERM);
  auto waiting = wait_for_exit(p.agents["a"]->pid, Deadline::after(Duration{6'000}));
  auto status = co_await std::move(waiting);
  REQUIRE(status.has_value());
  p.agents["a"]->pid = -1;
  figure("agent stopped by SIGTERM", ms_since(begun));
  EXPECT_EQ(*status, 0);
  REQUIRE(p.server_is_gone("a"));
  auto released = p.until([&] { return !p.controller.releases.empty(); });
  REQUIRE(co_await std::move(released));
  EXPECT_FALSE(p.controller.releases[0].what.server_failed);
  co_return true;
}
TEST_F(AgentPair, SigtermStopsTheServerCleanlyAndGivesTheTermBack) { play(stops_in_good_order(*pair)); }

// ---- what needs no database

Task<bool> scales(Pair& p) {
  wire::UnitConfig unit;
  unit.command = {"python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "${port}"};
  unit.environment = {"GREETING=hello"};
  unit.health = "/";
  unit.listen = "127.0.0.1";
  unit.port = free_ports(2);
  unit.count = 1;
  unit.max = 2;
  auto& configuration = p.controller.hosts["a"].configuration;
  configuration = {};
  configuration.report_every_ms = 50;
  configuration.units.add("web", unit);
  configuration.probes = {{"open", "tcp", "localhost", unit.port, "", "", 100, 500},
                          {"page", "http", "127.0.0.1", unit.port, "/", "", 100, 500},
                          {"shut", "tcp", "127.0.0.1", 1, "", "", 100, 500}};
  p.start("a");
  auto units = [&] {
    const auto& report = p.controller.hosts["a"].report;
    const int64_t* up = report ? report->units.find("web") : nullptr;
    return up == nullptr ? -1 : *up;
  };
  auto one = p.until([&] { return units() == 1; });
  REQUIRE(co_await std::move(one));
  auto scaling = p.controller.ask("a", wire::Scale{"web", 2});
  auto scaled = co_await std::move(scaling);
  EXPECT_TRUE(scaled) << scaled.error().text();
  EXPECT_EQ(units(), 2);
  auto scaling_too_far = p.controller.ask("a", wire::Scale{"web", 3});
  auto too_far = co_await std::move(scaling_too_far);
  EXPECT_FALSE(too_far.has_value());
  auto probed = [&](const std::string& target, bool ok) {
    return std::ranges::any_of(p.controller.probes,
                               [&](const auto& probe) { return probe.target == target && probe.ok == ok; });
  };
  auto all_probed = p.until([&] { return probed("open", true) && probed("page", true) && probed("shut", false); });
  REQUIRE(co_await std::move(all_probed));
  // The number asked for outlives the agent; no instance of the old agent stands in the way of the new one's.
  REQUIRE(co_await p.start_anew("a"));
  auto again = p.until([&] { return units() == 2; });
  REQUIRE(co_await std::move(again));
  auto shrinking = p.controller.ask("a", wire::Scale{"web", 0});
  auto none = co_await std::move(shrinking);
  EXPECT_TRUE(none) << none.error().text();
  EXPECT_EQ(units(), 0);
  kill(p.agents["a"]->pid, SIGTERM);
  auto waiting = wait_for_exit(p.agents["a"]->pid, Deadline::after(Duration{6'000}));
  auto status = co_await std::move(waiting);
  EXPECT_TRUE(status.has_value());
  p.agents["a"]->pid = -1;
  co_return true;
}
TEST(Agent, KeepsTheWantedNumberOfInstancesAndProbesWhatItIsTold) {
  if (find_program("python3").empty()) GTEST_SKIP() << "python3 is not installed";
  Pair p;
  EXPECT_TRUE(run_in_test(p.context, scales(p), Duration{60'000}));
}

}  // namespace
}  // namespace lifeboat

// The program of these tests is also the agent and the guard that they start.
int main(int argc, char** argv) {
  std::string what = argc > 1 ? argv[1] : "";
  if (what == "guard" && argc == 4) return lifeboat::run_guard(std::atoi(argv[2]), std::atoi(argv[3]));
  if (what == "agent" && argc == 6) {
    lifeboat::AgentOptions options;
    options.host = argv[2];
    options.controllers = {argv[3]};
    options.data_dir = argv[4];
    options.secrets_dir = argv[5];
    return lifeboat::run_agent(options);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
