// Actions that look, scale, run programs and keep incidents, in a world whose answers the test sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "actions/registry.hpp"
#include "actions/test_world.hpp"
#include "io/http_server.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::Not;

class Checks : public testing::Test {
 protected:
  Checks() {
    auto answer = [](HttpIncoming incoming) -> Task<HttpReply> {
      bool token_asked = incoming.path == "/private" && incoming.header("authorization") != "Bearer the-token-value";
      int status = token_asked ? 401 : incoming.path == "/bad" ? 500 : 200;
      co_return HttpReply{status, fmt::format("host {}", incoming.header("host")), "text/plain", {}};
    };
    server = std::make_unique<HttpServer>(context.get_executor(), answer, [](std::string_view) {});
    EXPECT_TRUE(server->listen("127.0.0.1", 0).has_value());
    port = server->port();
    thread = std::thread([this] { context.run(); });
    world.add_region("east");
    world.add_region("west");
    world.add_host("web", "east", "127.0.0.1");
    world.add_host("cold", "west", "127.0.0.1");
    HttpService api;
    api.instances.add("east", InstanceGroup{.host = {"web"}, .port = port, .count = 1, .max = 3});
    api.instances.add("west", InstanceGroup{.host = {"cold"}, .port = 1, .count = 1, .max = 3});
    world.plan.services.add("api", api);
    DnsService entry;
    entry.name = "api.example.test";
    entry.targets.add("east", {"web"});
    world.plan.services.add("entry", entry);
    world.add_secret("token", "the-token-value");
  }
  ~Checks() override {
    context.stop();
    thread.join();
  }
  asio::io_context context{1};
  std::unique_ptr<HttpServer> server;
  int port = 0;
  std::thread thread;
  TestWorld world;
};

TEST_F(Checks, HttpAsksInstancesOfARegion) {
  auto well = world.apply(http_check_action(), R"({"service":"api","region":"east","path":"/health"})");
  ASSERT_TRUE(well.has_value()) << well.error().text();
  EXPECT_THAT(well->summary, HasSubstr("api in east answers 200"));
  auto all = world.apply(http_check_action(), R"({"service":"api"})");
  ASSERT_FALSE(all.has_value());
  EXPECT_EQ(all.error().kind, ErrorKind::unreachable);
}

TEST_F(Checks, HttpAsksATargetBehindANameByTheName) {
  auto well = world.apply(http_check_action(),
                          R"({"service":"entry","region":"east","via":"direct","contains":"host api.example.test"})");
  ASSERT_TRUE(well.has_value()) << well.error().text();
}

TEST_F(Checks, HttpComparesStatusBodyAndSendsTheToken) {
  EXPECT_EQ(world.apply(http_check_action(), R"({"service":"api","region":"east","path":"/bad"})").error().kind,
            ErrorKind::conflict);
  EXPECT_TRUE(
      world.apply(http_check_action(), R"({"service":"api","region":"east","path":"/bad","status":500})").has_value());
  EXPECT_FALSE(
      world.apply(http_check_action(), R"({"service":"api","region":"east","contains":"nowhere"})").has_value());
  EXPECT_FALSE(world.apply(http_check_action(), R"({"service":"api","region":"east","path":"/private"})").has_value());
  EXPECT_TRUE(world.apply(http_check_action(), R"({"service":"api","region":"east","path":"/private","token":"token"})")
                  .has_value());
}

TEST_F(Checks, HttpObservesWithoutFailing) {
  auto bad = world.observe(http_check_action(), R"({"service":"api","region":"west"})");
  ASSERT_TRUE(bad.has_value());
  EXPECT_FALSE(bad->holds);
  EXPECT_TRUE(world.observe(http_check_action(), R"({"service":"api","region":"east"})")->holds);
}

TEST_F(Checks, HttpNeedsOneThingToAsk) {
  for (std::string with :
       {R"({})", R"({"service":"api","url":"http://a/"})", R"({"url":"ftp://a/"})", R"({"service":"nothing"})",
        R"({"service":"entry","via":"direct"})", R"({"service":"api","path":"x"})"})
    EXPECT_FALSE(http_check_action().validate(*parse_json(with), world.plan).empty()) << with;
}

TEST_F(Checks, TcpConnectsOrSaysWhyNot) {
  EXPECT_TRUE(world.apply(tcp_check_action(), fmt::format(R"({{"host":"web","port":{}}})", port)).has_value());
  auto refused = world.apply(tcp_check_action(), R"({"host":"web","port":1})");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::unreachable);
}

TEST_F(Checks, ScaleGoesUpAndBack) {
  int64_t up = 1;
  world.agents.on_units = [&](std::string, std::string) { return up; };
  world.agents.on_call = [&](std::string host, std::string method, Json params) -> Result<Json> {
    EXPECT_EQ(host, "web");
    EXPECT_EQ(method, "units.scale");
    up = int_or(params, "count");
    return Json(JsonObject{{"up", up}});
  };
  std::string with = R"({"service":"api","region":"east","count":3})";
  EXPECT_FALSE(world.observe(service_scale_action(), with)->holds);
  auto done = world.apply(service_scale_action(), with);
  ASSERT_TRUE(done.has_value());
  EXPECT_TRUE(world.observe(service_scale_action(), with)->holds);
  ASSERT_TRUE(world.undo(service_scale_action(), with, done->data).has_value());
  EXPECT_EQ(up, 1);
  EXPECT_FALSE(service_scale_action()
                   .validate(*parse_json(R"({"service":"api","region":"east","count":4})"), world.plan)
                   .empty());
}

TEST_F(Checks, QuorumHoldsOnlyWhenOthersAgree) {
  RegionView view{.region = "east", .regions_agreeing = 1, .quorum = 2, .lost = false};
  view.vantages.push_back(
      {.from = "agent db-west-1", .region = "west", .targets = 4, .failing = 4, .failing_for = Duration{3'000}});
  world.observers.regions["east"] = view;
  auto refused = world.apply(probe_quorum_action(), R"({"region":"east","within":"200ms"})");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_THAT(refused.error().what, HasSubstr("agent db-west-1: 4 of 4 fail"));
  world.observers.regions["east"].lost = true;
  EXPECT_TRUE(world.apply(probe_quorum_action(), R"({"region":"east"})").has_value());
}

TEST_F(Checks, AFailoverHoldsOnceSomebodyInTheRegionTakesWrites) {
  PostgresService database;
  database.members.add("east-1", PostgresMember{.host = {"web"}});
  database.members.add("west-1", PostgresMember{.host = {"cold"}});
  world.plan.services.add("database", database);
  DatabaseView view{.service = "database", .term = 3, .holder = "east-1", .writable = true};
  view.members = {{.member = "east-1", .region = "east", .connected = true},
                  {.member = "west-1", .region = "west", .connected = true}};
  world.databases.views["database"] = view;
  world.databases.loss = {
      .candidate = "west-1", .reason = "has received the most", .bytes = 100, .age = Duration{1'500}};
  std::string with = R"({"service":"database","to":"west"})";
  auto before = world.observe(postgres_failover_action(), with);
  ASSERT_TRUE(before.has_value());
  EXPECT_FALSE(before->holds);
  EXPECT_THAT(before->change, HasSubstr("west-1, sets aside 1.5"));
  auto measured = world.apply(postgres_assess_action(), with);
  ASSERT_TRUE(measured.has_value());
  EXPECT_EQ(number_or(measured->data, "lag_s"), 1.5);
  world.databases.views["database"].holder = "west-1";
  EXPECT_TRUE(world.observe(postgres_failover_action(), with)->holds);
  world.databases.views["database"].writable = false;
  EXPECT_FALSE(world.observe(postgres_failover_action(), with)->holds);
}

// Case 18, patroni#1412: a commit whose wait was cancelled was lost with its primary, and nobody was told.
TEST_F(Checks, AFailoverTellsWhatTheLostPrimaryMayHaveAlone) {
  PostgresService database;
  database.members.add("east-1", PostgresMember{.host = {"web"}});
  database.members.add("west-1", PostgresMember{.host = {"cold"}});
  world.plan.services.add("database", database);
  DatabaseView view{.service = "database", .term = 3, .holder = "west-1", .writable = true};
  view.members = {{.member = "east-1", .region = "east"}, {.member = "west-1", .region = "west", .connected = true}};
  world.databases.views["database"] = view;
  world.databases.on_call = [](auto&&...) -> Result<Json> { return JsonObject{{"member", "west-1"}}; };
  std::string with = R"({"service":"database","to":"west"})";
  EXPECT_THAT(world.apply(postgres_failover_action(), with)->summary, Not(HasSubstr("alone")));
  world.databases.views["database"].members[0].report.cancelled = {.count = 3, .alone = 2};
  EXPECT_THAT(world.apply(postgres_failover_action(), with)->summary,
              HasSubstr("; 2 commits whose wait for a standby was cancelled may be on east-1 alone"));
  EXPECT_THAT(world.observe(postgres_failover_action(), with)->state, HasSubstr("may be on east-1 alone"));
}

TEST_F(Checks, AnIncidentIsOpenedOnceAndClosed) {
  std::string with = R"({"title":"east is lost","severity":"critical"})";
  ASSERT_TRUE(world.apply(incident_open_action(), with).has_value());
  ASSERT_TRUE(world.apply(incident_open_action(), with).has_value());
  EXPECT_EQ(world.incidents.by_run.size(), 1u);
  ASSERT_TRUE(world.apply(incident_update_action(), R"({"text":"half way"})").has_value());
  ASSERT_TRUE(world.apply(incident_close_action(), R"({"text":"over"})").has_value());
  EXPECT_THAT(world.incidents.updates, testing::ElementsAre("half way", "over"));
  EXPECT_TRUE(world.observe(incident_close_action(), R"({"text":"over"})")->holds);
  EXPECT_EQ(world.apply(incident_update_action(), R"({"text":"late"})").error().kind, ErrorKind::refused);
}

TEST_F(Checks, AProgramGetsItsArgumentsAsTheyAre) {
  auto done = world.apply(shell_action(), R"({"argv":["printf","%s|","$HOME","a b; false"]})");
  ASSERT_TRUE(done.has_value()) << done.error().text();
  EXPECT_EQ(text_or(done->data, "out"), "$HOME|a b; false|");
  auto line = world.apply(shell_action(), R"({"shell":"echo a | tr a b"})");
  ASSERT_TRUE(line.has_value());
  EXPECT_THAT(text_or(line->data, "out"), HasSubstr("b"));
}

TEST_F(Checks, AProgramMayHaveSecretsButItsOutputDoesNotShowThem) {
  auto done = world.apply(
      shell_action(), R"({"shell":"echo $API_TOKEN; echo $API_TOKEN >&2; exit 3","secrets":{"api-token":"token"}})");
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().text(), testing::AllOf(HasSubstr("ended with 3"), HasSubstr("(secret token)"),
                                                  Not(HasSubstr("the-token-value"))));
}

// Case 17, orchestrator#1472: that a program has ended was taken for what it was to do.
TEST_F(Checks, AProgramIsObservedByItsOwnCheck) {
  std::string flag = (world.folder() / "flag").string();
  std::string with =
      fmt::format(R"({{"argv":["touch","{0}"],"observe":["test","-e","{0}"],"undo":["rm","{0}"]}})", flag);
  EXPECT_FALSE(world.observe(shell_action(), with)->holds);
  ASSERT_TRUE(world.apply(shell_action(), with).has_value());
  EXPECT_TRUE(world.observe(shell_action(), with)->holds);
  ASSERT_TRUE(world.undo(shell_action(), with, {}).has_value());
  EXPECT_FALSE(std::filesystem::exists(flag));
}

TEST_F(Checks, AProgramThatTakesTooLongHasAnUnknownOutcome) {
  auto late = world.apply(shell_action(), R"({"argv":["sleep","60"],"within":"200ms"})");
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().kind, ErrorKind::unknown_outcome);
  auto elsewhere = world.apply(shell_action(), R"({"argv":["true"],"host":"web"})");
  ASSERT_FALSE(elsewhere.has_value());
  EXPECT_EQ(elsewhere.error().kind, ErrorKind::unsupported);
}

}  // namespace
}  // namespace lifeboat
