// What every store must do, whatever it is made of. Another store joins by a line in kStores.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <set>

#include "core/run/events.hpp"
#include "store/backup.hpp"
#include "store/chain.hpp"
#include "store/etcd/test_etcd.hpp"
#include "store/store.hpp"

namespace lifeboat {
namespace {

struct StoreKind {
  const char* name;
  // Why it cannot be tested here; empty when it can.
  std::function<std::string()> missing;
  std::function<Result<std::unique_ptr<Store>>(asio::io_context& context, const std::string& folder)> open;
};

const StoreKind kSqlite{
    "sqlite", [] { return std::string(); },
    [](asio::io_context&, const std::string& folder) { return open_sqlite_store(folder + "/journal.db"); }};
const StoreKind kEtcd{"etcd", [] { return etcd::TestEtcd::shared().missing(); },
                      [](asio::io_context& context, const std::string& folder) {
                        EtcdOptions options = etcd::TestEtcd::shared().options(folder + "/");
                        return open_etcd_store(context.get_executor(), std::move(options));
                      }};
const std::vector<StoreKind> kStores{kSqlite, kEtcd};

class StoreContract : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override {
    if (std::string missing = GetParam().missing(); !missing.empty()) GTEST_SKIP() << missing;
    std::string pattern = ::testing::TempDir() + "lifeboat-store-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    reopen();
  }
  void TearDown() override {
    store_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  void reopen() {
    if (store_) {
      wait_void(store_->resign());
      store_.reset();
    }
    auto opened = GetParam().open(context_, folder_);
    ASSERT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
    auto leads = wait(store_->campaign({"control", "127.0.0.1:7400"}));
    ASSERT_TRUE(leads) << leads.error().text();
    ASSERT_TRUE(*leads);
  }

  // Runs one task to its end.
  template <class T>
  T wait(Task<T> task) {
    std::optional<T> out;
    std::exception_ptr problem;
    asio::co_spawn(context_, std::move(task), [&](std::exception_ptr thrown, T value) {
      problem = thrown;
      out.emplace(std::move(value));
    });
    context_.restart();
    context_.run();
    if (problem) std::rethrow_exception(problem);
    return std::move(*out);
  }
  void wait_void(Task<> task) {
    auto valued = [](Task<> inner) -> Task<bool> {
      co_await std::move(inner);
      co_return true;
    };
    wait(valued(std::move(task)));
  }
  Result<std::vector<StoredEvent>> append(std::vector<NewEvent> events) {
    return wait(store_->append(std::move(events)));
  }
  std::vector<StoredEvent> read(EventFilter filter = {}) { return *wait(store_->read(std::move(filter))); }

  asio::io_context context_;
  std::unique_ptr<Store> store_;
  std::string folder_;
};

NewEvent event(std::string stream, std::string kind, int number = 0) {
  return {std::move(stream), std::move(kind), JsonObject{{"z", number}, {"a", JsonArray{1.5, "ü\n\"", nullptr, true}}}};
}

TEST_P(StoreContract, NumbersEventsWithoutGapsAndGivesThemBackAsTheyWere) {
  auto first = append({event("run/R-1", "a", 1), event("run/R-1", "b", 2)});
  ASSERT_TRUE(first) << first.error().text();
  ASSERT_TRUE(append({event("signals", "c", 3)}));
  auto all = read();
  ASSERT_EQ(all.size(), 3u);
  for (size_t index = 0; index < all.size(); ++index) {
    EXPECT_EQ(all[index].seq, index + 1);
    EXPECT_EQ(int_or(all[index].body, "z"), static_cast<int64_t>(index + 1));
  }
  EXPECT_EQ(all[0].hash, first->front().hash);
  EXPECT_EQ(all[0].at, first->front().at);
  EXPECT_EQ(to_canonical_text(all[0].body), to_canonical_text(event("", "", 1).body));
}

TEST_P(StoreContract, FiltersByStreamPrefixNumberAndLimit) {
  ASSERT_TRUE(append({event("run/R-1", "a"), event("run/R-10", "b"), event("run", "c"), event("signals", "d"),
                      event("run/R-1", "e")}));
  auto kinds = [&](EventFilter filter) {
    std::string out;
    for (const StoredEvent& one : read(std::move(filter))) out += one.kind;
    return out;
  };
  EXPECT_EQ(kinds({.stream = "run/R-1"}), "ae");
  EXPECT_EQ(kinds({.stream_prefix = "run/"}), "abe");
  EXPECT_EQ(kinds({.after = 3}), "de");
  EXPECT_EQ(kinds({.after = 1, .limit = 2}), "bc");
  EXPECT_EQ(kinds({.stream = "none"}), "");
}

TEST_P(StoreContract, KeepsEverythingAcrossAReopen) {
  ASSERT_TRUE(append({event("a", "b")}));
  ASSERT_EQ(*wait(store_->next_number("run")), 1u);
  ASSERT_TRUE(wait(store_->grant("database", 0, "east-1", event("database/database", "granted"))));
  reopen();
  ASSERT_TRUE(append({event("a", "c")}));
  EXPECT_EQ(read().size(), 3u);
  EXPECT_EQ(*wait(store_->next_number("run")), 2u);
  EXPECT_EQ(wait(store_->ownership("database"))->holder, "east-1");
  EXPECT_TRUE(wait(store_->verify())->whole);
}

TEST_P(StoreContract, ChainsEachEventToTheOneBefore) {
  ASSERT_TRUE(append({event("a", "b"), event("a", "c")}));
  auto all = read();
  std::string expected = chain_root();
  for (const StoredEvent& one : all) {
    expected = chain_hash(expected, one.seq, one.at, one.stream, one.kind, to_canonical_text(one.body));
    EXPECT_EQ(one.hash, expected);
  }
  auto report = *wait(store_->verify());
  EXPECT_TRUE(report.whole);
  EXPECT_EQ(report.events, 2u);
  EXPECT_EQ(report.head, expected);
}

TEST_P(StoreContract, AnEmptyJournalIsWhole) {
  auto report = *wait(store_->verify());
  EXPECT_TRUE(report.whole) << report.reason;
  EXPECT_EQ(report.events, 0u);
  EXPECT_TRUE(append({}));
  EXPECT_TRUE(read().empty());
}

TEST_P(StoreContract, RefusesEventsWithoutStreamOrKindAndKeepsNoneOfTheirCall) {
  EXPECT_EQ(append({event("a", "b"), event("", "c")}).error().kind, ErrorKind::invalid_input);
  EXPECT_TRUE(read().empty());
}

TEST_P(StoreContract, GivesEachNumberOnceAlsoToManyAtOnce) {
  std::set<uint64_t> numbers;
  size_t given = 0;
  for (int index = 0; index < 50; ++index) {
    asio::co_spawn(context_, store_->next_number(index % 2 == 0 ? "run" : "incident"),
                   [&, index](std::exception_ptr, Result<uint64_t> number) {
                     ASSERT_TRUE(number);
                     ++given;
                     if (index % 2 == 0) numbers.insert(*number);
                   });
  }
  context_.restart();
  context_.run();
  EXPECT_EQ(given, 50u);
  EXPECT_EQ(numbers.size(), 25u);
  EXPECT_EQ(*numbers.rbegin(), 25u);
}

TEST_P(StoreContract, GrantsEachTermOnceAndWritesItIntoTheJournalWithIt) {
  EXPECT_EQ(wait(store_->ownership("database"))->term, 0u);
  auto first = wait(store_->grant("database", 0, "east-1", event("database/database", "granted")));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->term, 1u);
  auto late = wait(store_->grant("database", 0, "west-1", event("database/database", "granted")));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::conflict);
  EXPECT_EQ(read().size(), 1u);
  auto taken = wait(store_->grant("database", 1, "", event("database/database", "taken")));
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->term, 2u);
  EXPECT_EQ(wait(store_->ownership("database"))->holder, "");
  EXPECT_EQ(wait(store_->ownership("other"))->term, 0u);
}

TEST_P(StoreContract, OfManyWhoWantTheSameTermOneGetsItAndTheOthersLoseNothingElse) {
  int won = 0;
  int refused = 0;
  int appended = 0;
  for (int index = 0; index < 20; ++index) {
    asio::co_spawn(context_,
                   store_->grant("database", 0, "m" + std::to_string(index), event("database/database", "granted")),
                   [&](std::exception_ptr, Result<OwnershipRecord> got) { ++(got ? won : refused); });
    asio::co_spawn(context_, store_->append({event("other", "x")}),
                   [&](std::exception_ptr, Result<std::vector<StoredEvent>> got) { appended += got ? 1 : 0; });
  }
  context_.restart();
  context_.run();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(refused, 19);
  EXPECT_EQ(appended, 20);
  EXPECT_EQ(read().size(), 21u);
  EXPECT_TRUE(wait(store_->verify())->whole);
}

TEST_P(StoreContract, GrantsATermAboveTheOneThatAgentsHaveSeen) {
  ASSERT_TRUE(wait(store_->grant("database", 0, "east-1", event("database/database", "granted"))));
  auto raised = wait(store_->grant_above("database", 1, 9, "west-1", event("database/database", "granted")));
  ASSERT_TRUE(raised) << raised.error().text();
  EXPECT_EQ(raised->term, 10u);
  EXPECT_EQ(wait(store_->ownership("database"))->term, 10u);
  EXPECT_EQ(wait(store_->grant_above("database", 10, 3, "west-1", event("database/database", "granted")))->term, 11u);
  EXPECT_FALSE(wait(store_->grant_above("database", 10, 90, "west-1", event("database/database", "granted"))));
}

TEST_P(StoreContract, IsCopiedAndRestoredWhole) {
  for (int number = 0; number < 250; ++number)
    ASSERT_TRUE(append({event("run/R-1", "a", number), event("signals", "b", number)}));
  ASSERT_EQ(*wait(store_->next_number("run")), 1u);
  ASSERT_TRUE(wait(store_->grant_above("database", 0, 6, "east-1", event("database/database", "granted"))));
  auto copied = wait(store_->copy());
  ASSERT_TRUE(copied) << copied.error().text();
  std::string text = backup_text({"plan", WallTime{}, *copied});
  auto read_back = read_backup(text);
  ASSERT_TRUE(read_back) << read_back.error().text();
  EXPECT_FALSE(wait(store_->restore(read_back->contents))) << "it is not empty";

  wait_void(store_->resign());
  store_.reset();
  std::string first = std::exchange(folder_, folder_ + "-second");
  std::filesystem::create_directory(folder_);
  auto opened = GetParam().open(context_, folder_);
  ASSERT_TRUE(opened);
  auto restored = wait((*opened)->restore(std::move(read_back->contents)));
  ASSERT_TRUE(restored) << restored.error().text();
  opened->reset();
  reopen();
  auto report = *wait(store_->verify());
  EXPECT_TRUE(report.whole) << report.reason;
  EXPECT_EQ(report.events, 501u);
  EXPECT_EQ(report.head, copied->events.back().hash);
  EXPECT_EQ(wait(store_->ownership("database"))->term, 7u);
  EXPECT_EQ(*wait(store_->next_number("run")), 2u);
  ASSERT_TRUE(append({event("a", "goes on")}));
  EXPECT_TRUE(wait(store_->verify())->whole);
  std::filesystem::remove_all(first);
}

TEST(Backup, LeavesTermsOutForEachDatabaseAndStaysWhole) {
  StoreContents contents;
  contents.owners["main"] = {7, "east-1"};
  contents.owners["sessions"] = {2, "west-1"};
  ASSERT_TRUE(ready_for_restore(contents, WallTime{}));
  ASSERT_TRUE(ready_for_restore(contents, WallTime{}));
  ASSERT_EQ(contents.events.size(), 4u);
  EXPECT_TRUE(check_chain(contents.events).whole);
  EXPECT_EQ(contents.events[0].stream, "database/main");
  EXPECT_EQ(int_or(contents.events[0].body, "above"), 107);
  EXPECT_EQ(int_or(contents.events[1].body, "above"), 102);
  EXPECT_EQ(contents.owners.at("main").term, 7u) << "its holder may still be writing";
}

TEST(Backup, PausesTheRunsThatHadNotEnded) {
  StoreContents contents;
  auto add = [&](const char* stream, run::EventBody body) {
    run::Event event{std::move(body), {}, {}};
    StoredEvent stored;
    stored.seq = contents.events.size() + 1;
    stored.stream = stream;
    stored.kind = run::kind_of(event);
    stored.body = run::encode_event(event);
    contents.events.push_back(std::move(stored));
  };
  add("run/R-1", run::RunPaused{"ann", "lunch"});
  add("run/R-2", run::RunPaused{"ann", "lunch"});
  add("run/R-1", run::RunFinished{});
  ASSERT_TRUE(ready_for_restore(contents, WallTime{}));
  ASSERT_EQ(contents.events.size(), 4u);
  EXPECT_EQ(contents.events.back().stream, "run/R-2");
  EXPECT_EQ(contents.events.back().kind, "run-restored");
}

TEST(Backup, IsNotRestoredWithARunThatCannotBeRead) {
  StoreContents contents;
  contents.owners["main"] = {7, "east-1"};
  contents.events.push_back({1, {}, "run/R-1", "step-of-a-newer-version", JsonObject{}, ""});
  auto ready = ready_for_restore(contents, WallTime{});
  ASSERT_FALSE(ready);
  EXPECT_THAT(ready.error().text(), ::testing::HasSubstr("run/R-1"));
  EXPECT_EQ(contents.events.size(), 1u);
}

TEST(Backup, ShowsWhateverWasChangedOrCutOff) {
  StoreContents contents;
  contents.counters["run"] = 3;
  contents.owners["database"] = {7, "east-1"};
  std::string text = backup_text({"plan", WallTime{}, contents});
  ASSERT_TRUE(read_backup(text));
  EXPECT_EQ(read_backup(text)->contents.owners.at("database").term, 7u);
  for (size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(read_backup(text.substr(0, at))) << at;
    std::string changed = text;
    changed[at] = changed[at] == '1' ? '2' : '1';
    EXPECT_FALSE(read_backup(changed)) << at;
  }
}

TEST_P(StoreContract, LeadsOnceItWasElected) {
  EXPECT_TRUE(store_->leads());
  ASSERT_TRUE(append({event("a", "b")}));
}

TEST_P(StoreContract, TakesEventsThatAreLargeAndMany) {
  std::vector<NewEvent> many;
  for (int number = 0; number < 300; ++number) many.push_back(event("run/R-1", "many", number));
  ASSERT_TRUE(append(std::move(many)));
  for (int number = 0; number < 80; ++number) {
    std::vector<NewEvent> large{{"run/R-2", "large", JsonObject{{"text", std::string(100'000, 'x')}}}};
    ASSERT_TRUE(append(std::move(large)));
  }
  EXPECT_EQ(read().size(), 380u);
  EXPECT_EQ(read({.stream = "run/R-2"}).size(), 80u);
  EXPECT_EQ(read({.after = 150, .limit = 3}).front().seq, 151u);
  EXPECT_TRUE(wait(store_->verify())->whole);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, ::testing::ValuesIn(kStores),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lifeboat
