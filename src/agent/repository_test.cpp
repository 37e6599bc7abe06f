// What a repository makes of what pgBackRest says, with a program in its place that says what a test wants.
#include "agent/repository.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/test_store.hpp"
#include "io/file.hpp"
#include "io/run_in_test.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

// Notes each call with the number of the repository that its configuration names. A file fails-N-COMMAND makes it fail with what stands
// there, once-N-COMMAND once. A backup and an expiry change what is there to what was laid ready. What an expiry was configured with is
// kept.
constexpr const char* kProgram = R"(#!/bin/sh
here=$(dirname "$0")
for one in "$@"; do case "$one" in --config=*) config=${one#*=} ;; esac; command=$one; done
path=$command
case "$*" in *repo-ls*) command=repo-ls ;; *archive-push*) command=archive-push ;; esac
number=1
grep -q '^repo1-path' "$config" || number=2
echo "$number $command" >> "$here/calls"
echo "$*" >> "$here/arguments"
if [ $command = expire ]; then (stat -c %a "$config"; cat "$config") >> "$here/expired-by"; fi
if [ -e "$here/after-$number-$command-names-m" ]; then mv "$here/after-$number-$command-names-m" "$here/names-m"; fi
if [ -e "$here/once-$number-$command" ]; then cat "$here/once-$number-$command"; rm "$here/once-$number-$command"; exit 58; fi
if [ -e "$here/fails-$number-$command" ]; then cat "$here/fails-$number-$command"; exit 101; fi
if [ -e "$here/after-$number-$command" ]; then mv "$here/after-$number-$command" "$here/info-$number"; fi
case "$command" in info) cat "$here/info-$number" ;; repo-ls) case $path in archive/*) cat "$here/archive" ;; *) cat "$here/names-${path##*/}" 2> /dev/null || echo "{}" ;; esac ;; verify) echo "status: ok" ;; esac
)";

struct Set {
  std::string label;
  int64_t ended;
  int64_t stored;  // of 100 MB
};

std::string info(int number, const std::vector<Set>& sets) {
  std::string backups;
  for (const Set& set : sets) {
    backups += fmt::format(
        R"({}{{"archive":{{"start":"00000001000000000000000C","stop":"00000001000000000000000D"}},"error":false,"label":"{}",
        "database":{{"id":1,"repo-key":{}}},"info":{{"delta":100000000,"size":100000000,"repository":{{"delta":{},"size":{}}}}},
        "lsn":{{"start":"0/C000028","stop":"0/D000050"}},"prior":null,"reference":null,"type":"full",
        "timestamp":{{"start":{},"stop":{}}}}})",
        backups.empty() ? "" : ",", set.label, number, set.stored, set.stored, set.ended - 1, set.ended);
  }
  return fmt::format(
      R"([{{"name":"m","backup":[{}],"db":[{{"id":1,"repo-key":{},"system-id":77,"version":"15"}}],
      "repo":[{{"cipher":"none","key":{},"status":{{"code":0,"message":"ok"}}}}],"status":{{"code":0,"message":"ok"}}}}])",
      backups, number, number);
}

const Set kFirst{"20261101-010101F", 1'000'000, 20'000'000}, kNext{"20261108-010101F", 2'000'000, 21'000'000},
    kEncrypted{"20261108-010101F", 2'000'000, 80'000'000};

class RepositoryOrders : public testing::Test {
 protected:
  std::string folder, path = getenv("PATH");
  asio::io_context context{1};
  std::unique_ptr<Scope> scope;
  std::unique_ptr<Repository> repository;
  std::vector<std::string> progress;

  void SetUp() override {
    char name[] = "/tmp/lifeboat-repository-XXXXXX";
    folder = mkdtemp(name);
    put("pgbackrest", kProgram);
    chmod((folder + "/pgbackrest").c_str(), 0755);
    std::string archived;
    for (const char* segment : {"C", "D"})
      archived +=
          fmt::format(R"({}"15-1/0000000100000000/00000001000000000000000{}-{}.zst":{{"type":"file","size":7}})",
                      archived.empty() ? "" : ",", segment, std::string(40, 'a'));
    put("archive", "{" + archived + "}");
    setenv("PATH", (folder + ":" + path).c_str(), 1);
  }
  void TearDown() override {
    repository.reset();
    setenv("PATH", path.c_str(), 1);
    fs::remove_all(folder);
  }

  void put(const std::string& name, const std::string& text) const { std::ofstream(folder + "/" + name) << text; }
  std::string calls() const { return read_file(folder + "/calls").value_or(""); }

  // As an agent that has just begun has it.
  void stand_up(bool with_second, bool with_expiry_key = false) {
    repository.reset();
    fs::create_directories(folder + "/agent");
    scope = std::make_unique<Scope>(context.get_executor(),
                                    [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
    repository = std::make_unique<Repository>(*scope, "database", BackupPaths{folder + "/agent"},
                                              geteuid() == 0 ? "root" : "", [](const std::string&) {});
    wire::RepositoryConfig config;
    config.stanza = "m";
    config.backups.repository_path = folder + "/repository";
    if (with_second) config.backups.second = SecondRepository{.path = folder + "/second"};
    std::string text = "[m]\nrepo1-path=/one\n";
    if (with_second) text += "repo2-path=/two\n";
    std::string expiry_text = text;
    if (with_expiry_key) {
      config.backups.store = store_with_expiry_key();
      expiry_text = text + "repo1-retention-full=4\nrepo1-s3-key-secret=MAY DELETE\n";
      text += "repo1-retention-full=4\nrepo1-s3-key-secret=MAY NOT\n";
    }
    put("agent/pgbackrest.conf", text);
    auto configured = repository->configure(config, text, expiry_text);
    ASSERT_TRUE(configured) << configured.error().text();
  }
  Result<Json> take(bool from_standby = false) {
    wire::BackupTake order{.service = "database", .sources = {{"db-1", "10.0.0.1", 5432, "/data", "/socket"}}};
    order.from_standby = from_standby;
    if (from_standby) order.sources.push_back({"db-2", "10.0.0.2", 5432, "/data-2", "/socket-2"});
    return run_in_test(context, repository->take(order, Deadline::after(Duration{15'000}),
                                                 [this](std::string said) { progress.push_back(std::move(said)); }));
  }
  Result<Json> expire(const std::string& looked_at = "") {
    return run_in_test(context, repository->expire({"database", looked_at, "ada"}, Deadline::after(Duration{15'000})));
  }
  Result<Json> list() { return run_in_test(context, repository->info(Deadline::after(Duration{15'000}))); }
};

TEST_F(RepositoryOrders, WhatFailsInTheSecondNeitherUndoesNorHidesWhatTheFirstHas) {
  put("info-1", info(1, {kFirst}));
  put("info-2", info(2, {kFirst}));
  put("after-1-backup", info(1, {kFirst, kNext}));
  put("after-1-expire", info(1, {kNext}));
  put("fails-2-backup", "ERROR: [082]: WAL segment was not archived");
  stand_up(true);
  ASSERT_TRUE(list());
  auto taken = take();
  ASSERT_TRUE(taken) << taken.error().text();
  EXPECT_EQ(text_or(member(*taken, "sets").as_array().at(0), "label"), kNext.label);
  EXPECT_EQ(member(*taken, "expired").as_array().size(), 1u);
  EXPECT_THAT(calls(), HasSubstr("1 expire"));
  EXPECT_THAT(calls(), Not(HasSubstr("2 expire")));
  EXPECT_THAT(text_or(member(*taken, "second"), "problem"), HasSubstr("repository 2: "));
  EXPECT_THAT(repository->report().second, HasSubstr("was not archived"));
  EXPECT_EQ(repository->report().newest, kNext.label);

  // It is as good as the first when it has one of its own, taken after that.
  fs::remove(folder + "/fails-2-backup");
  put("after-2-backup", info(2, {kFirst, {"20261108-020202F", 2'000'010, 21'000'000}}));
  taken = take();
  ASSERT_TRUE(taken) << taken.error().text();
  EXPECT_EQ(repository->report().second, "");
  EXPECT_THAT(calls(), HasSubstr("2 expire"));
  auto listed = list();
  ASSERT_TRUE(listed);
  EXPECT_EQ(int_or(member(member(*listed, "second"), "sets").as_array().at(1), "repository"), 2);
}

TEST_F(RepositoryOrders, ASecondThatCannotBeReadIsAFindingOfAVerificationAndNoMore) {
  put("info-1", info(1, {kFirst}));
  put("info-2", info(2, {kFirst}));
  put("fails-2-verify", "ERROR: [101]: the store does not answer");
  stand_up(true);
  auto verified =
      run_in_test(context, repository->verify(Deadline::after(Duration{15'000}), [](const std::string&) {}));
  ASSERT_TRUE(verified) << verified.error().text();
  EXPECT_FALSE(bool_or(*verified, "whole"));
  EXPECT_THAT(to_text(member(*verified, "problems")), HasSubstr("repository 2: "));
  EXPECT_THAT(to_text(member(*verified, "problems")), Not(HasSubstr("repository 1: ")));
}

TEST_F(RepositoryOrders, NothingIsExpiredBesideAnUnusualBackupUntilAPersonHasLookedAlsoAfterARestart) {
  put("info-1", info(1, {kFirst, kEncrypted}));
  stand_up(false);
  auto held = expire();
  ASSERT_TRUE(held) << held.error().text();
  EXPECT_THAT(text_or(*held, "held"),
              testing::AllOf(HasSubstr("compresses 1.2 : 1"), HasSubstr("--looked-at " + kEncrypted.label)));
  EXPECT_THAT(calls(), Not(HasSubstr("expire")));

  stand_up(false);
  ASSERT_TRUE(list());
  EXPECT_NE(repository->report().held, "");
  auto unknown = expire("20260101-010101F");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind, ErrorKind::not_found);
  EXPECT_THAT(calls(), Not(HasSubstr("expire")));

  auto expired = expire(kEncrypted.label);
  ASSERT_TRUE(expired) << expired.error().text();
  EXPECT_EQ(text_or(*expired, "held"), "");
  EXPECT_THAT(calls(), HasSubstr("1 expire"));

  stand_up(false);
  ASSERT_TRUE(list());
  EXPECT_EQ(repository->report().held, "");
}

// Text of every file below the agent's folder.
std::string everything_in(const std::string& folder) {
  std::string out;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) out += read_file(entry.path().string()).value_or("");
  }
  return out;
}

TEST_F(RepositoryOrders, TheKeyThatMayDeleteStandsInOneFileForAsLongAsTheExpiryTakes) {
  put("info-1", info(1, {kFirst}));
  put("after-1-backup", info(1, {kFirst, kNext}));
  put("after-1-expire", info(1, {kNext}));
  fs::create_directories(folder + "/agent.keep");
  put("agent.keep/expire-database-1.conf", "MAY DELETE, and an agent was killed");
  stand_up(false, true);
  EXPECT_THAT(everything_in(folder + "/agent.keep"), Not(HasSubstr("MAY DELETE")));
  auto taken = take();
  ASSERT_TRUE(taken) << taken.error().text();
  EXPECT_EQ(member(*taken, "expired").as_array().size(), 1u);
  EXPECT_THAT(read_file(folder + "/expired-by").value_or(""),
              testing::AllOf(testing::StartsWith("600\n"), HasSubstr("MAY DELETE"), HasSubstr("retention-full=4"),
                             Not(HasSubstr("MAY NOT"))));
  EXPECT_THAT(everything_in(folder + "/agent") + everything_in(folder + "/agent.keep"), Not(HasSubstr("MAY DELETE")));
  EXPECT_THAT(read_file(folder + "/arguments").value_or(""), Not(HasSubstr("MAY ")));
}

TEST_F(RepositoryOrders, WhatABackupLeftThatWasCutOffIsRemovedWithThatKeyBeforeTheNextOneAndNothingElseIs) {
  put("info-1", info(1, {kFirst}));
  put("after-1-backup", info(1, {kFirst, kNext}));
  put("names-m", R"({"20261101-010101F":{"type":"path"},"20261105-010101F":{"type":"path"},"backup.info":{}})");
  put("names-20261105-010101F", R"({"backup.manifest.copy":{"type":"file"},"bundle":{"type":"path"}})");
  put("fails-1-backup", "ERROR: [056]: unable to find primary cluster");
  stand_up(false, true);
  ASSERT_FALSE(take());
  EXPECT_THAT(calls(), HasSubstr("1 backup"));
  EXPECT_LT(calls().find("1 expire"), calls().find("1 backup"));
  EXPECT_THAT(read_file(folder + "/expired-by").value_or(""),
              testing::AllOf(HasSubstr("MAY DELETE"), Not(HasSubstr("retention"))));
}

TEST_F(RepositoryOrders, ABackupThatEndsWithoutTheRightToRemoveALinkComesIntoTheIndexByThatKey) {
  put("info-1", info(1, {kFirst}));
  put("after-1-expire", info(1, {kFirst, kNext}));
  put("after-1-backup-names-m", R"({"20261101-010101F":{"type":"path"},"20261108-010101F":{"type":"path"}})");
  put("names-20261108-010101F", R"({"backup.manifest":{"type":"file"},"backup.manifest.copy":{"type":"file"}})");
  put("once-1-backup", "ERROR: [039]: HTTP request failed with 403 (Forbidden): DELETE /b/repo/backup/m/latest ***");
  stand_up(false, true);
  ASSERT_TRUE(list());
  auto taken = take();
  ASSERT_TRUE(taken) << taken.error().text();
  EXPECT_EQ(text_or(member(*taken, "sets").as_array().at(0), "label"), kNext.label);
  EXPECT_THAT(read_file(folder + "/expired-by").value_or(""), HasSubstr("MAY DELETE"));
}

TEST_F(RepositoryOrders, ABackupThatSomebodyTookOutOfTheIndexIsNotExpiredForThat) {
  put("info-1", info(1, {kNext}));
  put("names-m", R"({"20261101-010101F":{"type":"path"},"20261108-010101F":{"type":"path"}})");
  put("names-20261101-010101F", R"({"backup.manifest":{"type":"file"},"backup.manifest.copy":{"type":"file"}})");
  stand_up(false, true);
  auto expired = expire();
  ASSERT_FALSE(expired);
  EXPECT_THAT(expired.error().text(), HasSubstr(kFirst.label));
  EXPECT_THAT(calls(), Not(HasSubstr("expire")));
}

TEST_F(RepositoryOrders, ABackupRightAfterAFailoverWaitsForTheFirstCheckpointOfTheNewPrimary) {
  put("info-1", info(1, {kFirst}));
  put("after-1-backup", info(1, {kFirst, kNext}));
  put("once-1-backup", "ERROR: [058]: WAL timeline 2 does not match pg_control timeline 1");
  stand_up(false);
  auto taken = take();
  ASSERT_TRUE(taken) << taken.error().text();
  EXPECT_THAT(progress, testing::Contains("waits for the first checkpoint of the new primary"));
  EXPECT_EQ(repository->report().newest, kNext.label);

  put("fails-1-backup", "ERROR: [056]: unable to find primary cluster");
  EXPECT_FALSE(take()) << "any other error is one";
}

TEST_F(RepositoryOrders, ABackupIsReadFromTheStandbyWhenThereIsOne) {
  put("info-1", info(1, {kFirst}));
  stand_up(false);
  ASSERT_TRUE(take());
  EXPECT_THAT(read_file(folder + "/arguments").value_or(""), Not(HasSubstr("--backup-standby")));
  ASSERT_TRUE(take(true));
  EXPECT_THAT(read_file(folder + "/arguments").value_or(""), HasSubstr("--backup-standby backup"));
  EXPECT_THAT(read_file(folder + "/agent/order-database.conf").value_or(""),
              testing::AllOf(HasSubstr("pg1-path=/data\n"), HasSubstr("pg2-host=10.0.0.2\n")));
}

TEST_F(RepositoryOrders, ARepositoryThatCannotBeReadIsToldUntilItCan) {
  put("fails-1-info", "ERROR: [101]: the key has expired");
  stand_up(false);
  EXPECT_FALSE(list());
  EXPECT_THAT(repository->report().unread, HasSubstr("the key has expired"));
  EXPECT_EQ(repository->report().unread_ms, 0) << "it failed once";
  run_in_test(context, [](Duration pause) -> Task<bool> {
    co_await sleep_for(pause);
    co_return true;
  }(Duration{50}));
  EXPECT_FALSE(list());
  EXPECT_GE(repository->report().unread_ms, 50);
  fs::remove(folder + "/fails-1-info");
  put("info-1", info(1, {kFirst}));
  ASSERT_TRUE(list());
  EXPECT_EQ(repository->report().unread, "");
  EXPECT_EQ(repository->report().unread_ms, 0);
  EXPECT_FALSE(repository->report().restorable_to.empty());
}

TEST_F(RepositoryOrders, ThatNoBackupIsLeftWhereThereWereSomeIsNoRepositoryThatIsNew) {
  put("info-1", info(1, {}));
  stand_up(false);
  ASSERT_TRUE(list());
  EXPECT_EQ(repository->report().unread, "");
  put("info-1", info(1, {kFirst}));
  ASSERT_TRUE(list());
  put("info-1", info(1, {}));
  // What happened: a person asked for the list in the second between an attack on the index and its return; it was empty, and a full
  // backup was ordered at once, since there was none.
  EXPECT_FALSE(list());
  EXPECT_THAT(repository->report().unread, HasSubstr("no backup"));
}

TEST_F(RepositoryOrders, WalOfTheStreamThatCannotBeArchivedIsToldUntilItCan) {
  put("info-1", info(1, {kFirst}));
  put("fails-1-archive-push", "ERROR: [082]: no space is left");
  stand_up(false);
  ASSERT_TRUE(list());
  fs::create_directories(folder + "/agent/stream-database");
  std::string segment = folder + "/agent/stream-database/00000001000000000000000E";
  std::ofstream(segment) << "log";
  fs::last_write_time(segment, fs::file_time_type::clock::now() - std::chrono::minutes(1));
  auto told = [this](bool wanted) {
    return run_in_test(context, [](Repository* of, bool so) -> Task<bool> {
      Deadline deadline = Deadline::after(Duration{15'000});
      while (of->report().unfilled.empty() == so && !deadline.passed()) co_await sleep_for(Duration{50});
      co_return of->report().unfilled.empty() != so;
    }(repository.get(), wanted));
  };
  repository->begin();
  EXPECT_TRUE(told(true));
  EXPECT_THAT(repository->report().unfilled,
              testing::AllOf(HasSubstr("00000001000000000000000E"), HasSubstr("no space is left")));
  fs::remove(folder + "/fails-1-archive-push");
  EXPECT_TRUE(told(false));
  EXPECT_EQ(repository->report().unfilled_ms, 0);
  run_in_test(context, [](Scope* all) -> Task<bool> {
    auto stopping = all->stop(Duration{5'000});
    co_await std::move(stopping);
    co_return true;
  }(scope.get()));
}

}  // namespace
}  // namespace lifeboat
