// The book of orphaned writes on a real journal: what agents say of them is written once, whoever the controller is by then.
#include "controller/orphan_book.hpp"

#include <gtest/gtest.h>

#include "actions/test_world.hpp"
#include "controller/databases.hpp"
#include "core/data/decode.hpp"
#include "core/data/encode.hpp"
#include "plan/yaml.hpp"

namespace lifeboat {
namespace {

constexpr const char* kPlan = R"(
plan: pair
document: {version: "1", owner: tests}
objectives: {rto: 1h, rpo: 1m}
regions: {north: {role: primary}, south: {role: secondary}}
hosts:
  here: {region: north, address: 127.0.0.1, controller: true}
  a: {region: north, address: 127.0.0.1}
  b: {region: south, address: 127.0.0.1}
services:
  db: {kind: postgres, members: {db-a: {host: a}, db-b: {host: b}}, primary: db-a}
signals: {}
scenarios: {}
)";

// One controller's life.
struct Life {
  Life(asio::io_context& context, TestWorld& world, Store& store)
      : scope(context.get_executor(),
              [](std::string_view task, std::string_view what) { ADD_FAILURE() << task << what; }),
        hub(context.get_executor(), world.secrets, {"a", "b"}, {}),
        databases(context.get_executor(), store, world.plan, hub, scope, {}),
        book(store, world.plan, hub, databases, scope) {}
  Scope scope;
  AgentHub hub;
  DatabaseKeeper databases;
  OrphanBook book;
};

class OrphanBookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto document = parse_yaml(kPlan);
    ASSERT_TRUE(document) << document.error().message;
    auto plan = decode<Plan>(document->value);
    ASSERT_TRUE(plan) << to_error(plan.error(), "plan").text();
    world_.plan = std::move(*plan);
    auto opened = open_sqlite_store((world_.folder() / "journal.db").string());
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
    start_anew();
  }
  void TearDown() override {
    life_.reset();
    run();
    store_.reset();
  }
  void start_anew() {
    life_.reset();
    run();
    life_ = std::make_unique<Life>(context_, world_, *store_);
  }
  void run() {
    context_.restart();
    context_.run_for(std::chrono::milliseconds(100));
  }
  void said(const std::string& host, const wire::OrphansSaved& saved) {
    Json body = encode(saved);
    body.as_object()["type"] = wire::OrphansSaved::kType;
    life_->book.agent_said(host, std::string(wire::OrphansSaved::kType), body);
    run();
  }
  JsonArray listed() {
    std::optional<Result<JsonArray>> out;
    asio::co_spawn(context_, life_->book.list(),
                   [&](std::exception_ptr, Result<JsonArray> list) { out.emplace(std::move(list)); });
    for (int round = 0; round < 50 && !out; ++round) run();
    EXPECT_TRUE(out && *out);
    return out && *out ? **out : JsonArray{};
  }

  static wire::OrphansSaved saving() {
    wire::OrphansSaved saved;
    saved.service = "db";
    saved.member = "db-a";
    saved.id = "db.db-a.1.3000060";
    saved.timeline = 1;
    saved.fork = Lsn{0x3000060};
    saved.last = Lsn{0x4000000};
    saved.transactions = 3;
    saved.changes = 5;
    saved.complete = true;
    saved.tables.add("public.people", 5);
    saved.folder = "orphans/db.db-a.1.3000060";
    return saved;
  }

  asio::io_context context_;
  TestWorld world_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Life> life_;
};

TEST_F(OrphanBookTest, WhatIsSaidAgainAndAgainIsWrittenOnceAlsoByTheNextController) {
  said("a", saving());
  said("a", saving());
  start_anew();
  said("a", saving());
  JsonArray all = listed();
  ASSERT_EQ(all.size(), 1u);
  auto read = decode<wire::OrphansSaved>(all[0]);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, saving().id);
  EXPECT_EQ(read->fork, saving().fork);
  EXPECT_EQ(*read->tables.find("public.people"), 5);
}

TEST_F(OrphanBookTest, ASavingThatHoldsMoreNowIsWrittenAgain) {
  wire::OrphansSaved more = saving();
  more.complete = false;
  more.undecoded = 1;
  more.transactions = 4;
  more.kept = "data.kept";
  said("a", saving());
  said("a", more);
  ASSERT_EQ(listed().size(), 2u);
  EXPECT_NE(in_words(more).find("1 transactions could not be read back; the old data are kept in data.kept"),
            std::string::npos)
      << in_words(more);
}

TEST_F(OrphanBookTest, WhatAnotherHasSavedCompletelyIsNotWrittenAgain) {
  wire::OrphansSaved follower = saving();
  follower.member = "db-b";
  follower.id = "db.db-b.1.3000060";
  follower.complete = false;
  follower.waits = true;
  said("b", follower);
  EXPECT_TRUE(listed().empty());  // it waits whether another comes
  said("a", saving());
  said("b", follower);
  EXPECT_EQ(listed().size(), 1u);
  // It has more than the other, so it is a saving of its own.
  follower.waits = false;
  follower.last = Lsn{0x4000001};
  said("b", follower);
  EXPECT_EQ(listed().size(), 2u);
}

TEST_F(OrphanBookTest, AnAgentSpeaksForMembersOnItsOwnHostOnly) {
  said("b", saving());
  EXPECT_TRUE(listed().empty());
}

TEST_F(OrphanBookTest, OnlyWhatStandsInTheJournalCanBeRead) {
  std::optional<Result<Json>> out;
  auto reading = life_->book.read("db.db-a.1.0", "changes.jsonl", 0);
  asio::co_spawn(context_, std::move(reading),
                 [&](std::exception_ptr, Result<Json> answer) { out.emplace(std::move(answer)); });
  for (int round = 0; round < 50 && !out; ++round) run();
  ASSERT_TRUE(out);
  ASSERT_FALSE(*out);
  EXPECT_EQ(out->error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace lifeboat
