// A controller that does not lead: what it says to people and agents, and how it comes to lead.
#include "controller/election.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/data/json.hpp"
#include "io/run_in_test.hpp"
#include "io/websocket.hpp"

namespace lifeboat {
namespace {

using ::testing::HasSubstr;

// A store that says of its leader what the test wants.
class PolledStore : public Store {
 public:
  Result<std::optional<Leader>> present;
  bool electable = false;
  Result<void> understood;
  int campaigns = 0;

  Task<Result<void>> understands() override { co_return understood; }
  Task<Result<bool>> campaign(Leader) override {
    ++campaigns;
    co_return electable;
  }
  Task<Result<std::optional<Leader>>> leader() override { co_return present; }
  Task<> leader_may_change(Deadline) override { co_await sleep_for(Duration{10}); }
  Task<Result<std::vector<StoredEvent>>> append(std::vector<NewEvent>) override { co_return unused(); }
  Task<Result<std::vector<StoredEvent>>> read(EventFilter) override { co_return unused(); }
  Task<Result<ChainReport>> verify() override { co_return unused(); }
  Task<Result<uint64_t>> next_number(std::string) override { co_return unused(); }
  Task<Result<OwnershipRecord>> ownership(std::string) override { co_return unused(); }
  Task<Result<OwnershipRecord>> grant(std::string, uint64_t, std::string, NewEvent) override { co_return unused(); }

 private:
  static std::unexpected<Error> unused() { return fail(ErrorKind::internal, "a controller that does not lead asked"); }
};

class ElectionTest : public ::testing::Test {
 protected:
  ElectionTest()
      : scope_(context_.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; }) {}

  // Runs an election on a port of its own until the test ends or it is won.
  void stand(Duration give_way = Duration{0}) {
    HttpServer probe(
        context_.get_executor(), [](HttpIncoming) -> Task<HttpReply> { co_return HttpReply{}; },
        [](std::string_view) {});
    ASSERT_TRUE(probe.listen("127.0.0.1", 0));
    port_ = probe.port();
    run_in_test(context_, stopped(probe));
    Candidacy candidacy{.me = {"control-west", "10.2.0.1:7400"},
                        .listen = fmt::format("127.0.0.1:{}", port_),
                        .give_way = give_way,
                        .say = [this](const std::string& line) { said_ += line + "\n"; }};
    election_ = std::make_unique<Election>(context_.get_executor(), store_, http_, std::move(candidacy));
    scope_.spawn("election", win());
    pass(Duration{100});
  }
  Task<> win() {
    auto winning = election_->win();
    won_ = (co_await std::move(winning)).has_value();
  }
  static Task<bool> stopped(HttpServer& server) {
    co_await server.stop(Duration{100});
    co_return true;
  }
  void pass(Duration span) {
    auto sleep = [](Duration how_long) -> Task<bool> {
      co_await sleep_for(how_long);
      co_return true;
    };
    run_in_test(context_, sleep(span));
  }
  Result<HttpResponse> ask(const std::string& method, const std::string& path, const std::string& body = {}) {
    HttpRequest request;
    request.method = method;
    request.url = fmt::format("http://127.0.0.1:{}{}", port_, path);
    request.bearer = "the token";
    request.body = body;
    return run_in_test(context_, http_.send(std::move(request), Deadline::after(Duration{5'000})));
  }

  asio::io_context context_;
  HttpClient http_;
  PolledStore store_;
  std::unique_ptr<Election> election_;
  std::string said_;
  int port_ = 0;
  bool won_ = false;
  Scope scope_;
};

TEST_F(ElectionTest, LeadsAtOnceWhenNobodyDoes) {
  store_.electable = true;
  stand();
  EXPECT_TRUE(won_);
  EXPECT_EQ(store_.campaigns, 1);
}

TEST_F(ElectionTest, GivesWayToTheOnePreferredAtTheStart) {
  store_.electable = true;
  stand(Duration{1'000});
  EXPECT_EQ(store_.campaigns, 0);
  store_.present = Leader{"control-east", "10.1.0.1:7400"};
  pass(Duration{1'500});
  EXPECT_EQ(store_.campaigns, 0);
  EXPECT_THAT(said_, HasSubstr("control-east at 10.1.0.1:7400 leads"));
  store_.present = std::optional<Leader>{};
  pass(Duration{500});
  EXPECT_TRUE(won_);
}

TEST_F(ElectionTest, HandsRequestsOfPeopleOnToTheOneThatLeads) {
  HttpServer leading(
      context_.get_executor(),
      [](HttpIncoming request) -> Task<HttpReply> {
        co_return HttpReply{
            409,
            fmt::format("{} {} {} {}", request.method, request.target, request.header("authorization"), request.body),
            "text/plain",
            {}};
      },
      [](std::string_view what) { ADD_FAILURE() << what; });
  ASSERT_TRUE(leading.listen("127.0.0.1", 0));
  store_.present = Leader{"control-east", fmt::format("127.0.0.1:{}", leading.port())};
  stand();
  auto answer = ask("POST", "/api/runs?a=b%20c", "{}");
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(answer->status, 409);
  EXPECT_EQ(answer->body, "POST /api/runs?a=b%20c Bearer the token {}");
  EXPECT_EQ(answer->header("content-type"), "text/plain");
  run_in_test(context_, stopped(leading));
  EXPECT_EQ(ask("GET", "/api/status")->status, 503);
}

TEST_F(ElectionTest, SaysThatNobodyLeadsAndHandsNothingOnTwice) {
  stand();
  auto answer = ask("GET", "/api/status");
  EXPECT_EQ(answer->status, 503);
  EXPECT_THAT(answer->body, HasSubstr("no controller leads"));
  EXPECT_EQ(ask("GET", "/health")->status, 200);
  // Two that take each other for the leader must not play ball.
  store_.present = Leader{"control-west", fmt::format("127.0.0.1:{}", port_)};
  pass(Duration{500});
  EXPECT_EQ(ask("GET", "/api/status")->status, 503);
}

TEST_F(ElectionTest, TellsAgentsWhoLeads) {
  store_.present = Leader{"control-east", "10.1.0.1:7400"};
  stand();
  auto meet = [](int port) -> Task<std::string> {
    auto connecting = connect_websocket("127.0.0.1", port, "/agent", {}, Deadline::after(Duration{2'000}));
    auto socket = co_await std::move(connecting);
    if (!socket) co_return socket.error().text();
    auto said = co_await socket->write(R"({"type":"hello","agent":"db-1","nonce":"0123456789abcdef"})",
                                       Deadline::after(Duration{2'000}));
    if (!said) co_return said.error().text();
    auto answer = co_await socket->read(Deadline::after(Duration{2'000}));
    co_return answer ? *answer : answer.error().text();
  };
  std::string answer = run_in_test(context_, meet(port_));
  EXPECT_EQ(answer, R"({"type":"elsewhere","controller":"10.1.0.1:7400"})");
}

TEST_F(ElectionTest, WaitsForAStoreThatCannotBeReachedAndSaysSoOnce) {
  store_.present = fail(ErrorKind::unreachable, "etcd is away");
  stand();
  pass(Duration{1'000});
  EXPECT_EQ(said_, "etcd is away\n");
  EXPECT_EQ(store_.campaigns, 0);
  store_.present = std::optional<Leader>{};
  store_.electable = true;
  pass(Duration{500});
  EXPECT_TRUE(won_);
}

// It would lead for a moment, end, and be elected again.
TEST_F(ElectionTest, StandsAsideFromWhatANewerVersionWroteAndSaysWhyOnce) {
  store_.electable = true;
  store_.understood = fail(ErrorKind::unsupported, "a value is of version 2", "use the newer Lifeboat");
  stand();
  pass(Duration{1'500});
  EXPECT_FALSE(won_);
  EXPECT_EQ(store_.campaigns, 0);
  EXPECT_THAT(said_, HasSubstr("stands aside: a value is of version 2"));
  EXPECT_EQ(std::ranges::count(said_, '\n'), 1) << said_;
  auto answer = ask("GET", "/api/status");
  EXPECT_EQ(answer->status, 503);
  EXPECT_THAT(answer->body, HasSubstr("stands aside: a value is of version 2"));
  EXPECT_THAT(ask("GET", "/health")->body, HasSubstr("stands_aside"));
  // For good, whatever is read later: somebody may have written on by what this one did not understand.
  store_.understood = {};
  pass(Duration{1'500});
  EXPECT_FALSE(won_);
}

TEST_F(ElectionTest, HandsRequestsOnThoughItStandsAside) {
  HttpServer leading(
      context_.get_executor(),
      [](HttpIncoming) -> Task<HttpReply> { co_return HttpReply{200, "by the newer one", "text/plain", {}}; },
      [](std::string_view what) { ADD_FAILURE() << what; });
  ASSERT_TRUE(leading.listen("127.0.0.1", 0));
  store_.understood = fail(ErrorKind::unsupported, "a value is of version 2");
  stand();
  store_.present = Leader{"control-east", fmt::format("127.0.0.1:{}", leading.port())};
  pass(Duration{1'500});
  EXPECT_EQ(ask("GET", "/api/status")->body, "by the newer one");
  run_in_test(context_, stopped(leading));
}

// Case 90, orchestrator#892: a new leader did not know the clusters.
// What passes by itself is no reason to stand aside.
TEST_F(ElectionTest, IsNotElectedBeforeItHasReadWhatIsThere) {
  store_.electable = true;
  store_.understood = fail(ErrorKind::unknown_outcome, "etcd said nothing");
  stand();
  EXPECT_EQ(store_.campaigns, 0);
  store_.understood = {};
  pass(Duration{1'000});
  EXPECT_TRUE(won_);
}

}  // namespace
}  // namespace lifeboat
