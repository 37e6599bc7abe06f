// What only the store in etcd has: leaders that are deposed, values of others, answers that do not come.
#include "store/etcd/etcd_store.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/http_client.hpp"
#include "io/http_server.hpp"
#include "store/chain.hpp"
#include "store/etcd/status.hpp"
#include "store/etcd/test_etcd.hpp"

namespace lifeboat::etcd {
namespace {

using ::testing::HasSubstr;

constexpr Duration kShort{2'000};

class EtcdStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string& missing = TestEtcd::shared().missing(); !missing.empty()) GTEST_SKIP() << missing;
    static int number = 0;
    prefix_ = fmt::format("/test/{}/", ++number);
  }

  std::unique_ptr<EtcdStore> open(Duration lease = Duration{60'000}) {
    return std::make_unique<EtcdStore>(context_.get_executor(), TestEtcd::shared().options(prefix_, lease));
  }
  template <class T>
  T wait(Task<T> task) {
    std::optional<T> out;
    asio::co_spawn(context_, std::move(task), [&](std::exception_ptr, T value) { out.emplace(std::move(value)); });
    context_.restart();
    while (!out && context_.run_one() > 0) {
    }
    return std::move(*out);
  }
  bool elect(EtcdStore& store, const std::string& name) {
    auto elected = wait(store.campaign({name, "10.0.0.1:7400"}));
    EXPECT_TRUE(elected) << elected.error().text();
    return elected && *elected;
  }
  Result<std::vector<StoredEvent>> append(EtcdStore& store, const std::string& kind = "x") {
    std::vector<NewEvent> one{{"run/R-1", kind, JsonObject{}}};
    return wait(store.append(std::move(one)));
  }
  // As somebody else who can write into etcd would.
  void put(const std::string& key, const std::string& value) {
    Client client(TestEtcd::shared().options(prefix_));
    Json body = JsonObject{{"key", base64(key)}, {"value", base64(value)}};
    ASSERT_TRUE(wait(client.call("/v3/kv/put", std::move(body), Deadline::after(Duration{5'000}))));
  }
  void remove(const std::string& key) {
    Client client(TestEtcd::shared().options(prefix_));
    Json body = JsonObject{{"key", base64(key)}};
    ASSERT_TRUE(wait(client.call("/v3/kv/deleterange", std::move(body), Deadline::after(Duration{5'000}))));
  }
  std::string value_of(const std::string& key) {
    Client client(TestEtcd::shared().options(prefix_));
    auto found = wait(client.range(key, {}, 0, 0, Deadline::after(Duration{5'000})));
    return found && !found->values.empty() ? found->values.front().value : std::string();
  }
  void remove_all() {
    Client client(TestEtcd::shared().options(prefix_));
    Json body = range_request(prefix_, end_of_prefix(prefix_));
    ASSERT_TRUE(wait(client.call("/v3/kv/deleterange", std::move(body), Deadline::after(Duration{5'000}))));
  }
  // As if `count` writes of one event each had been made, whose bodies have about `bytes`; their numbers go on after `events_`.
  void fill(size_t count, size_t bytes) {
    Client client(TestEtcd::shared().options(prefix_));
    Keys keys{prefix_};
    JsonArray puts;
    size_t together = std::clamp<size_t>((512u << 10) / bytes, 1, 100);
    for (size_t number = 0; number < count; ++number) {
      std::string stream = number % 10 == 0 ? "signals" : "run/R-1", text(bytes, 'x');
      NewEvent event{stream, "x", JsonObject{{"text", text}}};
      events_.push_back({events_.size() + 1, WallTime{}, event.stream, event.kind, event.body, {}});
      StoredEvent& last = events_.back();
      std::string previous = last.seq == 1 ? chain_root() : events_[last.seq - 2].hash;
      last.hash = chain_hash(previous, last.seq, last.at, last.stream, last.kind, to_canonical_text(last.body));
      puts.push_back(put_request(keys.journal(last.seq), events_text(keys.journal(last.seq), {last})));
      if (puts.size() < together && number + 1 < count) continue;
      Json txn = JsonObject{{"success", std::exchange(puts, {})}};
      ASSERT_TRUE(wait(client.call("/v3/kv/txn", std::move(txn), Deadline::after(Duration{5'000}))));
    }
  }
  static std::string base64(const std::string& text) {
    return std::string(range_request(text).as_object().at("key").as_string());
  }

  asio::io_context context_;
  std::string prefix_;
  std::vector<StoredEvent> events_;
};

// An etcd that is far away: each answer takes its time, and one that is too large for the line never comes.
class FarEtcd {
 public:
  FarEtcd(asio::io_context& context, Duration away, size_t largest)
      : away_(away),
        largest_(largest),
        server_(
            context.get_executor(), [this](HttpIncoming request) { return pass_on(std::move(request)); },
            [](std::string_view what) { ADD_FAILURE() << what; }) {
    EXPECT_TRUE(server_.listen("127.0.0.1", 0));
  }
  EtcdOptions options(const std::string& prefix) const {
    EtcdOptions out = TestEtcd::shared().options(prefix);
    out.endpoints = {fmt::format("http://127.0.0.1:{}", server_.port())};
    return out;
  }
  int asked = 0;

 private:
  Duration away_;
  size_t largest_;
  HttpClient http_;
  HttpServer server_;

  Task<HttpReply> pass_on(HttpIncoming incoming) {
    ++asked;
    co_await sleep_for(away_);
    HttpRequest onward;
    onward.method = incoming.method;
    onward.url = TestEtcd::shared().endpoint() + incoming.target;
    onward.body = std::move(incoming.body);
    onward.largest_body = 64u << 20;
    auto sending = http_.send(std::move(onward), Deadline::after(Duration{5'000}));
    auto answered = co_await std::move(sending);
    if (!answered || answered->body.size() > largest_) co_return HttpReply{504, "{}", "application/json", {}};
    co_return HttpReply{answered->status, std::move(answered->body), "application/json", {}};
  }
};

TEST_F(EtcdStoreTest, TakesNothingFromWhomNobodyElected) {
  auto store = open();
  EXPECT_FALSE(store->leads());
  EXPECT_EQ(append(*store).error().kind, ErrorKind::refused);
  EXPECT_EQ(wait(store->next_number("run")).error().kind, ErrorKind::refused);
  EXPECT_TRUE(wait(store->read({}))->empty());
}

TEST_F(EtcdStoreTest, HasOneLeaderWhomEverybodyCanName) {
  auto first = open(), second = open();
  EXPECT_TRUE(elect(*first, "control-east"));
  EXPECT_FALSE(elect(*second, "control-west"));
  auto leader = wait(second->leader());
  ASSERT_TRUE(leader && *leader);
  EXPECT_EQ((*leader)->name, "control-east");
  EXPECT_EQ((*leader)->address, "10.0.0.1:7400");
}

// Case 83, patroni#316: a leader went by what it had read before and led on.
// The one that was deposed still believes that it leads; etcd knows better.
TEST_F(EtcdStoreTest, RefusesADeposedLeaderThoughItBelievesToLead) {
  auto first = open(), second = open();
  ASSERT_TRUE(elect(*first, "control-east"));
  ASSERT_TRUE(append(*first, "mine"));
  ASSERT_TRUE(wait(first->grant("database", 0, "east-1", {"database/database", "granted", {}})));
  remove(prefix_ + "leader");
  ASSERT_TRUE(elect(*second, "control-west"));
  ASSERT_TRUE(append(*second, "other"));
  ASSERT_TRUE(first->leads());
  auto late = append(*first, "late");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::refused);
  EXPECT_THAT(late.error().what, HasSubstr("control-west does"));
  EXPECT_FALSE(first->leads());
  EXPECT_EQ(wait(first->grant("database", 1, "west-1", {"database/database", "granted", {}})).error().kind,
            ErrorKind::refused);
  auto all = wait(second->read({}));
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ(all->back().kind, "other");
  EXPECT_EQ(wait(second->ownership("database"))->holder, "east-1");
  EXPECT_TRUE(wait(second->verify())->whole);
}

// One that led before, was deposed, and whose successor is gone again: its old right is worth nothing.
TEST_F(EtcdStoreTest, RefusesALeaderOfAnEarlierTimeAlsoWhenNobodyLeads) {
  auto first = open(), second = open();
  ASSERT_TRUE(elect(*first, "control-east"));
  std::string old = value_of(prefix_ + "leader");
  remove(prefix_ + "leader");
  EXPECT_EQ(append(*first).error().kind, ErrorKind::refused);
  put(prefix_ + "leader", old);
  EXPECT_EQ(append(*first).error().kind, ErrorKind::refused);
  EXPECT_TRUE(wait(second->read({}))->empty());
}

// Case 82, etcd#15247: leases were revoked, and their holders went on.
TEST_F(EtcdStoreTest, GoesOnLeadingAsLongAsItRenewsAndLosesTheLeadWhenEtcdSaysSo) {
  auto store = open(kShort);
  ASSERT_TRUE(elect(*store, "control-east"));
  std::optional<Error> ended;
  asio::co_spawn(context_, store->keep_leading(),
                 [&](std::exception_ptr, Error error) { ended.emplace(std::move(error)); });
  auto pause = [](Duration span) -> Task<bool> {
    co_await sleep_for(span);
    co_return true;
  };
  wait(pause(2 * kShort));
  EXPECT_FALSE(ended) << ended->text();
  EXPECT_TRUE(store->leads());
  EXPECT_TRUE(append(*store));
  // Whoever revokes all leases, or a lost one: the next renewal finds out.
  remove(prefix_ + "leader");
  EXPECT_EQ(append(*store).error().kind, ErrorKind::refused);
  wait(pause(kShort));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->kind, ErrorKind::refused);
  EXPECT_FALSE(store->leads());
}

// Case 82, etcd#15247: who had the lead went on renewing what others held, though its own lease was gone.
TEST_F(EtcdStoreTest, KnowsOfALeaseThatWasRevokedWhenItAsks) {
  auto first = open(), second = open();
  ASSERT_TRUE(elect(*first, "control-east"));
  EXPECT_TRUE(wait(first->still_leads(Deadline::after(kShort))));
  remove(prefix_ + "leader");
  ASSERT_TRUE(elect(*second, "control-west"));
  EXPECT_TRUE(first->leads()) << "nobody has told it";
  auto answer = wait(first->still_leads(Deadline::after(kShort)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::refused);
  EXPECT_FALSE(first->leads());
  EXPECT_TRUE(wait(second->still_leads(Deadline::after(kShort))));
}

TEST_F(EtcdStoreTest, IsNotSureToLeadWhenEtcdDoesNotAnswer) {
  auto store = open();
  ASSERT_TRUE(elect(*store, "control-east"));
  TestEtcd::shared().freeze();
  auto answer = wait(store->still_leads(Deadline::after(Duration{300})));
  TestEtcd::shared().thaw();
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().kind, ErrorKind::refused) << "nothing is known";
  EXPECT_TRUE(store->leads());
}

// Case 81, patroni#3407: the store stood still for the length of a snapshot.
TEST_F(EtcdStoreTest, StopsLeadingBeforeItsLeaseEndsWhenEtcdIsSilentAndAnotherTakesOver) {
  auto first = open(kShort), second = open(kShort);
  ASSERT_TRUE(elect(*first, "control-east"));
  auto keeping = [](EtcdStore& store, MonoTime& stopped) -> Task<Error> {
    auto leading = store.keep_leading();
    Error why = co_await std::move(leading);
    stopped = boot_now();
    co_return why;
  };
  MonoTime frozen = boot_now(), stopped{};
  TestEtcd::shared().freeze();
  Error why = wait(keeping(*first, stopped));
  EXPECT_LT(stopped - frozen, kShort);
  EXPECT_THAT(why.text(), HasSubstr("could not be reached"));
  EXPECT_EQ(append(*first).error().kind, ErrorKind::refused);
  TestEtcd::shared().thaw();
  bool elected = false;
  for (Deadline deadline = Deadline::after(Duration{15'000}); !elected && !deadline.passed();) {
    auto waiting = [](EtcdStore& store, Deadline until) -> Task<bool> {
      auto leader = store.leader();
      static_cast<void>(co_await std::move(leader));
      auto change = store.leader_may_change(until);
      co_await std::move(change);
      co_return true;
    };
    elected = elect(*second, "control-west");
    if (!elected) wait(waiting(*second, Deadline::after(Duration{500})));
  }
  EXPECT_TRUE(elected);
  EXPECT_TRUE(append(*second));
}

// The write was made, its answer got lost: made again, it is found to be there, once.
TEST_F(EtcdStoreTest, WritesOnceThoughItHadToAskTwice) {
  auto store = open();
  ASSERT_TRUE(elect(*store, "control-east"));
  ASSERT_TRUE(append(*store, "before"));
  TestEtcd::shared().freeze();
  std::optional<Result<std::vector<StoredEvent>>> written;
  std::vector<NewEvent> one{{"run/R-1", "during", JsonObject{}}};
  asio::co_spawn(context_, store->append(std::move(one)),
                 [&](std::exception_ptr, Result<std::vector<StoredEvent>> got) { written.emplace(std::move(got)); });
  // Longer than one try: the first request lies in the frozen etcd's socket, another one follows.
  context_.restart();
  context_.run_for(std::chrono::milliseconds(1'600));
  EXPECT_FALSE(written);
  TestEtcd::shared().thaw();
  while (!written && context_.run_one() > 0) {
  }
  ASSERT_TRUE(written && *written) << (*written).error().text();
  ASSERT_TRUE(append(*store, "after"));
  std::string kinds;
  for (const StoredEvent& event : *wait(store->read({}))) kinds += event.kind + " ";
  EXPECT_EQ(kinds, "before during after ");
  EXPECT_TRUE(wait(store->verify())->whole);
}

TEST_F(EtcdStoreTest, ChangesNothingInAStoreOfANewerVersion) {
  auto store = open(), newer = open();
  ASSERT_TRUE(elect(*store, "control-east"));
  ASSERT_TRUE(append(*store));
  put(prefix_ + "format", pack(prefix_ + "format", JsonObject{{"format", kFormat + 1}}));
  EXPECT_FALSE(append(*store));
  remove(prefix_ + "leader");
  auto refused = wait(newer->campaign({"control-west", "10.0.0.2:7400"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  EXPECT_TRUE(value_of(prefix_ + "leader").empty());
  EXPECT_EQ(wait(newer->read({}))->size(), 1u);
}

TEST_F(EtcdStoreTest, DoesNotReadWhatANewerVersionWroteAndSaysSo) {
  auto store = open();
  ASSERT_TRUE(elect(*store, "control-east"));
  std::string value = pack(prefix_ + "owner/database", JsonObject{{"term", 3}, {"holder", "east-1"}});
  put(prefix_ + "owner/database", value);
  EXPECT_EQ(wait(store->ownership("database"))->term, 3u);
  value.replace(value.find("\"version\":1"), 11, "\"version\":2");
  put(prefix_ + "owner/database", value);
  EXPECT_EQ(wait(store->ownership("database")).error().kind, ErrorKind::unsupported);
  auto granted = wait(store->grant("database", 3, "west-1", {"database/database", "granted", {}}));
  EXPECT_EQ(granted.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(value_of(prefix_ + "owner/database"), value);
}

TEST_F(EtcdStoreTest, NoticesWhateverElseWritesItsKeys) {
  auto store = open();
  ASSERT_TRUE(elect(*store, "control-east"));
  ASSERT_TRUE(wait(store->grant("database", 0, "east-1", {"database/database", "granted", {}})));
  put(prefix_ + "owner/database", "east-2");
  EXPECT_EQ(wait(store->ownership("database")).error().kind, ErrorKind::invalid_input);
  auto granted = wait(store->grant("database", 1, "west-1", {"database/database", "granted", {}}));
  EXPECT_EQ(granted.error().kind, ErrorKind::conflict);
  EXPECT_FALSE(store->leads());
  EXPECT_EQ(value_of(prefix_ + "owner/database"), "east-2");
}

TEST_F(EtcdStoreTest, ShowsEveryByteOfAnEventThatWasChanged) {
  auto store = open();
  ASSERT_TRUE(elect(*store, "control-east"));
  for (int number = 0; number < 5; ++number) ASSERT_TRUE(append(*store));
  ASSERT_TRUE(wait(store->verify())->whole);
  std::string key = Keys{prefix_}.journal(3), was = value_of(key);
  for (size_t at = 0; at < was.size(); at += 7) {
    std::string changed = was;
    changed[at] = changed[at] == '1' ? '0' : '1';
    put(key, changed);
    auto report = wait(store->verify());
    if (report) {
      EXPECT_FALSE(report->whole) << at;
      EXPECT_EQ(report->broken_at, 3u) << at;
    }
  }
  // With a checksum that fits, as somebody who knows the format would: the chain still shows it.
  auto events = events_of(key, was);
  events->front().kind = "y";
  put(key, events_text(key, *events));
  EXPECT_EQ(wait(store->verify())->broken_at, 3u);
  put(key, was);
  ASSERT_TRUE(wait(store->verify())->whole);
  remove(Keys{prefix_}.journal(5));
  EXPECT_EQ(wait(store->verify())->broken_at, 5u);
  remove(Keys{prefix_}.journal(2));
  EXPECT_EQ(wait(store->verify())->broken_at, 2u);
}

// Case 43, stolon#794: the first endpoint of the list was dead, and so nobody took over.
// etcd refuses every write from then on, and still answers what it is asked: it must not look as if it only were slow.
TEST_F(EtcdStoreTest, SaysThatItIsFullAndWhatToDoAboutIt) {
  TestEtcd full(256 * 1024);
  EtcdStore store(context_.get_executor(), full.options(prefix_));
  ASSERT_TRUE(elect(store, "control-a"));
  Result<std::vector<StoredEvent>> written;
  for (int event = 0; event < 100 && written; ++event) {
    std::vector<NewEvent> one{{"run/R-1", "x", JsonObject{{"text", std::string(20'000, 'x')}}}};
    written = wait(store.append(std::move(one)));
  }
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().text(), HasSubstr("database space exceeded"));
  EXPECT_THAT(written.error().hint, HasSubstr("etcdctl alarm disarm"));
  EXPECT_EQ(written.error().kind, ErrorKind::refused);
  auto voters = wait(ask_voters(full.options(prefix_), kShort));
  ASSERT_EQ(voters.size(), 1u);
  EXPECT_THAT(voters[0].alarms, testing::ElementsAre(testing::StartsWith("NOSPACE: ")));
}

TEST_F(EtcdStoreTest, AsksTheNextEndpointWhenOneDoesNotAnswer) {
  EtcdOptions options = TestEtcd::shared().options(prefix_);
  // Nothing listens on the first; the second takes connections and says nothing of sense.
  options.endpoints.insert(options.endpoints.begin(), "http://127.0.0.1:1");
  EtcdStore store(context_.get_executor(), options);
  ASSERT_TRUE(elect(store, "control-east"));
  EXPECT_TRUE(append(store));
  options.endpoints.pop_back();
  EtcdStore lost(context_.get_executor(), options);
  auto nobody = wait(lost.ownership("database"));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::unreachable);
}

// A quarter of a second each way: read by pages of 64 it took a dozen seconds, once for each who folded the journal.
TEST_F(EtcdStoreTest, ReadsALongJournalThatIsFarAwayInAFewRequestsAndOnce) {
  fill(3'000, 150);
  FarEtcd far(context_, Duration{250}, 16u << 20);
  EtcdStore store(context_.get_executor(), far.options(prefix_));
  auto all = wait(store.read({}));
  ASSERT_TRUE(all) << all.error().text();
  ASSERT_EQ(all->size(), 3'000u);
  EXPECT_EQ(all->back().hash, events_.back().hash);
  EXPECT_LE(far.asked, 8);
  far.asked = 0;
  auto signals = wait(store.read({.stream = "signals"}));
  ASSERT_TRUE(signals) << signals.error().text();
  EXPECT_EQ(signals->size(), 300u);
  EXPECT_EQ(to_canonical_text(signals->front().body), to_canonical_text(events_.front().body));
  EXPECT_EQ(far.asked, 1);
}

// Case 84, patroni#2219: what was kept of the store was taken for what is there.
TEST_F(EtcdStoreTest, SeesWhatOthersWroteSinceItReadTheJournal) {
  auto store = open(), other = open();
  ASSERT_TRUE(elect(*store, "control-east"));
  ASSERT_TRUE(append(*store, "one"));
  EXPECT_EQ(wait(other->read({}))->size(), 1u);
  ASSERT_TRUE(append(*store, "two"));
  ASSERT_TRUE(append(*store, "three"));
  std::string kinds;
  for (const StoredEvent& event : *wait(other->read({}))) kinds += event.kind + " ";
  EXPECT_EQ(kinds, "one two three ");
  EXPECT_EQ(wait(other->read({.after = 1, .limit = 1}))->front().kind, "two");
}

// Also one that has an event of the same number.
TEST_F(EtcdStoreTest, BelievesNothingOfAJournalThatAnotherTookThePlaceOf) {
  auto store = open();
  fill(5, 10);
  ASSERT_EQ(wait(store->read({}))->size(), 5u);
  remove_all();
  events_.clear();
  fill(7, 20);
  auto read = wait(store->read({}));
  ASSERT_TRUE(read) << read.error().text();
  ASSERT_EQ(read->size(), 7u);
  EXPECT_EQ(read->front().hash, events_.front().hash);
  remove_all();
  EXPECT_TRUE(wait(store->read({}))->empty());
}

// So many of the small ones fit into an answer that as many large ones do not.
TEST_F(EtcdStoreTest, ReadsOnByOneWhereAnswersAreTooLargeToCome) {
  fill(600, 50);
  fill(20, 300'000);
  FarEtcd far(context_, Duration{0}, 3u << 20);
  EtcdStore store(context_.get_executor(), far.options(prefix_));
  auto all = wait(store.read({}));
  ASSERT_TRUE(all) << all.error().text();
  ASSERT_EQ(all->size(), 620u);
  EXPECT_EQ(all->back().hash, events_.back().hash);
  EXPECT_TRUE(wait(store.read({.stream = "signals"})));
}

TEST_F(EtcdStoreTest, SaysWhereverANewerVersionWroteThatItDoesNotUnderstand) {
  auto store = open();
  fill(3, 10);
  Keys keys{prefix_};
  put(keys.head(), head_text(keys.head(), {3, events_.back().hash, 3}, "i"));
  put(keys.owner("database"), owner_text(keys.owner("database"), {3, "east-1"}));
  put(keys.counter("run"), counter_text(keys.counter("run"), 4));
  put(keys.format(), pack(keys.format(), JsonObject{{"format", kFormat}}));
  EXPECT_TRUE(wait(store->understands()));
  // What it understood once it does not read again, so it looks at each anew.
  for (const std::string& key :
       {keys.journal(2), keys.head(), keys.owner("database"), keys.counter("run"), keys.format()}) {
    std::string was = value_of(key), newer = was;
    newer.replace(newer.rfind("\"version\":1"), 11, "\"version\":2");
    put(key, newer);
    auto fresh = open();
    auto understood = wait(fresh->understands());
    ASSERT_FALSE(understood) << key;
    EXPECT_EQ(understood.error().kind, ErrorKind::unsupported) << key;
    put(key, was);
  }
  EXPECT_TRUE(wait(store->understands()));
  events_.resize(3);
  fill(1, 10);
  std::string newer = value_of(keys.journal(4));
  newer.replace(newer.rfind("\"version\":1"), 11, "\"version\":2");
  put(keys.journal(4), newer);
  EXPECT_EQ(wait(store->understands()).error().kind, ErrorKind::unsupported);
}

TEST(KeptJournal, KeepsWhatComesNextAndNoMoreThanThereIsRoomFor) {
  auto write = [](uint64_t seq) {
    return std::vector<StoredEvent>{{seq, {}, "run/R-1", "x", JsonObject{{"n", seq}}, fmt::format("hash {}", seq)}};
  };
  KeptJournal kept(1'000);
  kept.add(write(2));
  EXPECT_EQ(kept.end(), 0u) << "the first is missing";
  for (uint64_t seq = 1; seq <= 100; ++seq) kept.add(write(seq));
  EXPECT_GT(kept.end(), 2u);
  EXPECT_LT(kept.end(), 10u);
  EXPECT_TRUE(kept.has(write(2).front()));
  EXPECT_FALSE(kept.has(write(50).front()));
  std::vector<StoredEvent> out;
  ASSERT_TRUE(kept.give({.after = 1}, 3, out));
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(int_or(out.back().body, "n"), 3);
}

}  // namespace
}  // namespace lifeboat::etcd
