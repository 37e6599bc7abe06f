// Copies on a host: which of them an order finds, gives up or leaves alone. No repository is there, so what is begun anew fails; that it
// was begun is what counts. Questions go to a real server that stands in for a copy's.
#include "agent/restores.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/data/encode.hpp"
#include "io/run_in_test.hpp"
#include "io/test_postgres.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RestoresOfAHost : public testing::Test {
 protected:
  std::string top;

  void SetUp() override {
    char made[] = "/tmp/lifeboat-restores-XXXXXX";
    ASSERT_NE(mkdtemp(made), nullptr);
    top = made;
    fs::permissions(top, fs::perms::all);
  }
  void TearDown() override { fs::remove_all(top); }

  static wire::RestoreBegin latest(const std::string& order, bool again = false) {
    return {
        .service = "shop", .name = "undo", .target = JsonObject{{"kind", "latest"}}, .order = order, .again = again};
  }
  std::string at(const std::string& path) const { return top + "/restores/" + path; }
  static void put(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
  }
  // A copy as an agent before this one left it.
  void had(const wire::RestoreBegin& order, const std::string& name, bool with_data) {
    wire::RestoreBegin wish = order;
    wish.again = false;
    put(at(name + ".json"), to_text(JsonObject{{"service", "shop"},
                                               {"name", name},
                                               {"state", "done"},
                                               {"wish", encode(wish)},
                                               {"restored", JsonObject{{"seconds", 4}}}}));
    put(at(name + "/tablespaces/16385/1259"), "rows");
    if (with_data) put(at(name + "/data/PG_VERSION"), "15");
  }
  Result<Json> tell(std::string method, Json params) {
    return run_in_test(
        context_, [](asio::io_context& context, std::string folder, std::string how, Json what) -> Task<Result<Json>> {
          Scope scope(context.get_executor(), [](std::string_view, std::string_view said) { ADD_FAILURE() << said; });
          Restores restores(scope, "db-1", folder, "postgres", [](const std::string&) {});
          wire::Configure configuration;
          configuration.repositories.add("shop", {.stanza = "shop"});
          restores.configure(configuration);
          auto doing = restores.carry_out(how, what, Deadline::after(Duration{15'000}), [](std::string) {});
          auto done = co_await std::move(doing);
          auto stopping = scope.stop(Duration{2'000});
          co_await std::move(stopping);
          co_return done;
        }(context_, top, std::move(method), std::move(params)));
  }
  Result<Json> begin(const wire::RestoreBegin& order) {
    return tell(std::string(wire::RestoreBegin::kMethod), encode(order));
  }

  asio::io_context context_{1};
};

TEST_F(RestoresOfAHost, TheSameOrderFindsTheCopyThatItMade) {
  had(latest("R-2"), "undo", true);
  auto found = begin(latest("R-2", true));
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(text_or(*found, "name"), "undo");
  EXPECT_TRUE(fs::exists(at("undo/data/PG_VERSION")));
}

TEST_F(RestoresOfAHost, AFinishedCopyOfAnOlderRunIsGivenUpAndNeverHandedBack) {
  had(latest("R-1"), "undo", true);
  auto refused = begin(latest("ada at noon"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::conflict);
  EXPECT_TRUE(fs::exists(at("undo/data/PG_VERSION"))) << "nobody said that it may go";
  auto anew = begin(latest("R-2", true));
  EXPECT_FALSE(anew) << "it was made for another run: " << to_text(*anew);
  EXPECT_FALSE(fs::exists(at("undo/data/PG_VERSION")));
  EXPECT_FALSE(fs::exists(at("undo/tablespaces/16385")));
  EXPECT_FALSE(fs::exists(at("undo.going")));
}

TEST_F(RestoresOfAHost, OneWhoseDataAMemberHasIsLeftAndTheNextStandsBesideIt) {
  had(latest("R-1"), "undo", false);
  auto anew = begin(latest("R-2", true));
  ASSERT_FALSE(anew) << "there is no repository";
  EXPECT_NE(anew.error().kind, ErrorKind::conflict) << anew.error().text();
  EXPECT_TRUE(fs::exists(at("undo/tablespaces/16385/1259"))) << "the member's rows are in it";
  EXPECT_TRUE(fs::exists(at("undo-2.json")));
  // By its name the newest is meant; what is removed is the one that is named.
  had(latest("R-2"), "undo-2", true);
  auto kept = tell(std::string(wire::RestoreStop::kMethod), encode(wire::RestoreStop{"shop", "undo", true}));
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().text(), HasSubstr("tablespaces of the member's data"));
  auto removed = tell(std::string(wire::RestoreStop::kMethod), encode(wire::RestoreStop{"shop", "undo-2", true}));
  ASSERT_TRUE(removed) << removed.error().text();
  EXPECT_FALSE(fs::exists(at("undo-2")));
  EXPECT_FALSE(fs::exists(at("undo-2.json")));
  EXPECT_TRUE(fs::exists(at("undo/tablespaces/16385/1259")));
}

TEST_F(RestoresOfAHost, ALongAnswerIsGivenInPartsThatFitIntoAMessage) {
  if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
  TestPostgres server(context_);
  had(latest("R-1"), "undo", true);
  fs::remove_all(at("undo"));
  fs::create_directory_symlink(server.folder(), at("undo"));
  fs::create_directory(server.folder() + "/socket");
  fs::create_symlink(fmt::format("{}/.s.PGSQL.{}", server.folder(), server.port()),
                     server.folder() + "/socket/.s.PGSQL.5432");
  wire::RestoreQuery order{.service = "shop",
                           .name = "undo",
                           .database = "postgres",
                           .sql = "SELECT n, repeat('x', 90) FROM generate_series(1, 12000) n ORDER BY n",
                           .as = "postgres",
                           .rows = 20'000};
  int64_t parts = 0;
  for (bool more = true; more; ++parts) {
    auto part = tell(std::string(wire::RestoreQuery::kMethod), encode(order));
    ASSERT_TRUE(part) << part.error().text();
    const JsonArray& rows = member(*part, "rows").get_array();
    ASSERT_FALSE(rows.empty());
    EXPECT_LT(to_text(*part).size(), 1024U * 1024) << "it must fit into a message of the link";
    for (const Json& row : rows) ASSERT_EQ(row.get_array()[0], Json(std::to_string(++order.skip)));
    more = bool_or(*part, "more");
  }
  EXPECT_EQ(order.skip, 12'000);
  EXPECT_GT(parts, 1);
  // No row more than was asked for.
  order.skip = 11'990;
  order.rows = 10;
  EXPECT_FALSE(bool_or(*tell(std::string(wire::RestoreQuery::kMethod), encode(order)), "more"));
  order.rows = 9;
  EXPECT_TRUE(bool_or(*tell(std::string(wire::RestoreQuery::kMethod), encode(order)), "more"));
}

}  // namespace
}  // namespace lifeboat
