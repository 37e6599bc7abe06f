// A repository in an object store: it is restored from there, and a key that has expired is found, said plainly, and leaves everything as
// it was. The store is one that checks every signature.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "busy_source.hpp"
#include "io/pgbackrest.hpp"
#include "io/run_in_test.hpp"
#include "io/test_s3.hpp"
#include "kept_for_all.hpp"
#include "tls_front.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

auto& kept = keep_for_all<BusySource>([] { return std::make_unique<BusySource>(std::vector{Stored::compressed}); });
BusySource& source() { return kept.get(); }
class ObjectStore : public testing::Test {
 protected:
  void SetUp() override {
    if (!source().problem.empty()) GTEST_SKIP() << source().problem;
    if (std::string missing = TlsFront::missing(); !missing.empty()) GTEST_SKIP() << missing;
    folder = source().top + "/into";
    store.emplace(context);
    put_repository_in_store();
    store->instead = [this](const HttpIncoming& in) -> std::optional<HttpReply> {
      bool of_backup = in.method == "GET" && in.path.find("/backup/m/") != std::string::npos &&
                       in.path.find("/backup.") == std::string::npos;
      if (of_backup && files_before_expiry > 0 && --files_before_expiry == 0) expired = true;
      if (expired) return TestS3::error(400, "ExpiredToken");
      return std::nullopt;
    };
    front.start(source().top, store->port());
    write_config();
    thread = std::thread([this] { context.run(); });
  }

  void TearDown() override {
    BusySource::clear(folder);
    front.stop();
    if (!store) return;
    context.stop();
    if (thread.joinable()) thread.join();
    EXPECT_EQ(store->failures, "");
    store.reset();
  }

  void put_repository_in_store() {
    fs::path root = source().repository();
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_regular_file())
        store->objects["repo/" + fs::relative(entry.path(), root).string()] = text_of(entry.path().string());
    }
  }

  void write_config() {
    config = source().top + "/store.conf";
    std::ofstream(config) << "[global]\nrepo1-type=s3\nrepo1-path=/repo\nrepo1-s3-bucket=dr-bucket\nrepo1-s3-endpoint="
                             "s3.eu-test-1.test\nrepo1-s3-region=eu-test-1\nrepo1-s3-uri-style=path\nrepo1-s3-key="
                          << TestS3::kAccess << "\nrepo1-s3-key-secret=" << TestS3::kSecret
                          << "\nrepo1-storage-host=127.0.0.1\nrepo1-storage-port=" << front.port
                          << "\nrepo1-storage-verify-tls=n\nlog-level-file=off\nlock-path=" << source().top
                          << "/lock\nspool-path=" << source().top << "/spool\n[m]\npg1-path=" << source().top
                          << "/pg\n";
    BusySource::run({"/bin/chown", "postgres", config}, true);
    fs::permissions(config, fs::perms::owner_read | fs::perms::owner_write);
  }

  Result<Restored> restore_latest() { return BusySource::restore({.config = config, .stanza = "m", .folder = folder}); }
  Result<VerifyReport> verify() {
    asio::io_context own(1);
    PgBackRest reader{.config = config, .stanza = "m", .repository = 1, .user = "postgres"};
    return run_in_test(own, verify_repository(std::move(reader), Deadline::after(kLong)), kLong);
  }

  asio::io_context context{1};
  std::optional<TestS3> store;
  std::thread thread;
  std::atomic<bool> expired = false;
  std::atomic<int> files_before_expiry = 0;
  std::string folder, config;
  TlsFront front;
};

TEST_F(ObjectStore, ARepositoryThereIsFoundWholeAndRestored) {
  auto found = verify();
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_FALSE(found->damaged) << found->text;
  auto restored = restore_latest();
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(BusySource::ids(folder).size(), source().ledger.size());
}

TEST_F(ObjectStore, AKeyThatHasExpiredIsNamedAndNothingIsBegun) {
  auto before = store->objects;
  expired = true;
  auto refused = restore_latest();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::refused) << refused.error().text();
  EXPECT_THAT(refused.error().text(), HasSubstr("key")) << refused.error().text();
  EXPECT_THAT(refused.error().text(), HasSubstr("expired"));
  EXPECT_THAT(refused.error().text(), testing::Not(HasSubstr(std::string(TestS3::kSecret))));
  EXPECT_FALSE(fs::exists(folder + "/data"));
  auto found = verify();
  std::vector<std::string> said = found ? found->findings : std::vector{found.error().text()};
  EXPECT_TRUE(!found || found->damaged) << "it was taken for whole";
  EXPECT_THAT(said, testing::Contains(HasSubstr("has expired"))) << (found ? found->text : "");
  EXPECT_EQ(store->objects, before);
}

TEST_F(ObjectStore, AKeyThatExpiresInTheMiddleIsNamedAndTheRestoreIsTakenUpWithANewOne) {
  auto before = store->objects;
  files_before_expiry = 2;
  auto refused = restore_latest();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(expired);
  EXPECT_THAT(refused.error().text(), HasSubstr("expired")) << refused.error().text();
  EXPECT_EQ(store->objects, before);
  expired = false;
  auto restored = restore_latest();
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(BusySource::ids(folder).size(), source().ledger.size());
}

}  // namespace
}  // namespace lifeboat::recovery
