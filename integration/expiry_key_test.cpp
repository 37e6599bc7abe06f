// Backups in an object store that refuses every deletion to the key they are written with: a server archives there, backups are taken,
// and the agent expires them with the other key. The store checks every signature.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/repository.hpp"
#include "busy_source.hpp"
#include "core/backup/expiry.hpp"
#include "core/data/decode.hpp"
#include "io/file.hpp"
#include "io/run_in_test.hpp"
#include "io/test_s3.hpp"
#include "tls_front.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kWriter = "AKIDWRITER";
constexpr const char* kRemover = "AKIDREMOVER";
constexpr const char* kWriterSecret = "writes/and+reads";
constexpr const char* kRemoverSecret = "removes/and+reads";
constexpr const char* kBackups = "repo/backup/m/";

class ExpiryKey : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    for (const std::string& program : {kBin + "/postgres", std::string("pgbackrest")}) {
      if (find_program(program).empty()) GTEST_SKIP() << program << " is not installed";
    }
    if (std::string missing = TlsFront::missing(); !missing.empty()) GTEST_SKIP() << missing;
    char name[] = "/var/tmp/lifeboat-expiry-XXXXXX";
    top = mkdtemp(name);
    own(top);
    store.emplace(context);
    store->keys = {{kWriter, kWriterSecret}, {kRemover, kRemoverSecret}};
    store->may_not_delete = {kWriter};
    front.start(top, store->port());
    thread = std::thread([this] { context.run(); });
    write_texts();
    start_server();
  }

  void TearDown() override {
    if (top.empty()) return;
    BusySource::run({kBin + "/pg_ctl", "-D", top + "/pg", "-m", "immediate", "-w", "stop"});
    front.stop();
    context.stop();
    if (thread.joinable()) thread.join();
    EXPECT_EQ(store->failures, "");
    store.reset();
    fs::remove_all(top);
  }

  static void own(const std::string& path) { BusySource::run({"/bin/chown", "-R", "postgres", path}, true); }

  void write_texts() {
    BackupPaths paths{top + "/agent"};
    for (const char* below : {"", "/log", "/lock", "/spool"}) fs::create_directories(paths.folder + below);
    own(paths.folder);
    config.stanza = "m";
    config.backups.repository_path = "/repo";
    config.backups.store = ObjectStore{.bucket = "dr-bucket",
                                       .endpoint = "s3.eu-test-1.test",
                                       .region = "eu-test-1",
                                       .key = {"id"},
                                       .key_secret = SecretRef{"key"},
                                       .expire_key = SecretRef{"expiry-id"},
                                       .expire_key_secret = SecretRef{"expiry-key"},
                                       .path_style = true};
    const SecretTexts values{
        {"id", kWriter}, {"key", kWriterSecret}, {"expiry-id", kRemover}, {"expiry-key", kRemoverSecret}};
    auto text_for = [&](const Backups& backups) {
      wire::RepositoryConfig with = config;
      with.backups = backups;
      return backup_global(paths, {"127.0.0.1", 8432, {}}) +
             repository_section(with, *backup::parse_retention("1 full"), values) +
             fmt::format("repo1-storage-host=127.0.0.1\nrepo1-storage-port={}\nrepo1-storage-verify-tls=n\n",
                         front.port);
    };
    text = text_for(config.backups);
    expiry_text = text_for(backup::with_expiry_keys(config.backups));
    std::ofstream(paths.config()) << text;
    std::ofstream(member()) << text << "pg1-path=" << top << "/pg\npg1-socket-path=" << top << "\npg1-port=5432\n";
    own(paths.folder);
  }
  // What a server here archives and is backed up by.
  std::string member() const { return top + "/agent/member.conf"; }

  void start_server() {
    auto made = BusySource::run({kBin + "/initdb", "-D", top + "/pg", "-k", "-U", "postgres", "--auth=trust"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    std::ofstream(top + "/pg/postgresql.conf", std::ios::app)
        << "listen_addresses=''\nunix_socket_directories='" << top
        << "'\narchive_mode=on\narchive_command='pgbackrest --config=" << member()
        << " --stanza=m archive-push %p'\nfsync=off\n";
    auto started = BusySource::run({kBin + "/pg_ctl", "-D", top + "/pg", "-l", top + "/pg.log", "-w", "start"});
    ASSERT_EQ(started.exit_code, 0) << started.err << text_of(top + "/pg.log");
    auto created = pgbackrest({"stanza-create"});
    ASSERT_EQ(created.exit_code, 0) << created.out << created.err;
  }

  ProcessResult pgbackrest(std::vector<std::string> arguments) const {
    std::vector<std::string> argv{"pgbackrest", "--config=" + member(), "--stanza=m"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return BusySource::run(std::move(argv));
  }
  ProcessResult back_up() const { return pgbackrest({"--type=full", "backup"}); }

  // As the agent has it, with these two configurations.
  template <class Order>
  Result<Json> ask(const std::string& ordinary, const std::string& expiry, Order order) const {
    asio::io_context own_context(1);
    Scope scope(own_context.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
    Repository repository(scope, "database", BackupPaths{top + "/agent"}, "postgres", [](const std::string&) {});
    auto configured = repository.configure(config, ordinary, expiry);
    if (!configured) return std::unexpected(configured.error());
    return run_in_test(own_context, order(repository), kLong);
  }
  Result<Json> expire(const std::string& by) const {
    return ask(text, by, [](Repository& repository) {
      return repository.expire({"database", "", "ada"}, Deadline::after(Duration{60'000}));
    });
  }

  // Labels of which anything stands in the store.
  std::vector<std::string> labels() const {
    std::set<std::string> out;
    for (const auto& [key, body] : store->objects) {
      if (!key.starts_with(kBackups)) continue;
      std::string label = key.substr(std::string(kBackups).size());
      label = label.substr(0, label.find('/'));
      if (backup::is_backup_label(label)) out.insert(label);
    }
    return {out.begin(), out.end()};
  }

  std::string everything_below(const std::string& folder) const {
    std::string out;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) out += text_of(entry.path().string());
    }
    return out;
  }

  asio::io_context context{1};
  std::optional<TestS3> store;
  std::thread thread;
  TlsFront front;
  std::string top, text, expiry_text;
  wire::RepositoryConfig config;
};

TEST_F(ExpiryKey, BackupsAreTakenWithoutTheRightToDeleteOneAndExpireWithTheOtherKey) {
  store->deletable = "/backup/m/latest";
  for (int time = 0; time < 2; ++time) {
    auto taken = back_up();
    ASSERT_EQ(taken.exit_code, 0) << taken.out << taken.err;
  }
  EXPECT_EQ(store->refused_deletions, 0) << "a backup, the archive or a stanza deletes";
  auto before = labels();
  ASSERT_EQ(before.size(), 2u);

  auto refused = expire(text);
  ASSERT_FALSE(refused) << "the ordinary key can expire";
  EXPECT_EQ(refused.error().kind, ErrorKind::refused) << refused.error().text();
  EXPECT_THAT(refused.error().text(), testing::AllOf(HasSubstr("right"), Not(HasSubstr(kWriterSecret))));
  EXPECT_GT(store->refused_deletions, 0);
  EXPECT_EQ(labels(), before);
  store->refused_deletions = 0;
  auto expired = expire(expiry_text);
  ASSERT_TRUE(expired) << expired.error().text();
  EXPECT_EQ(text_or(*expired, "held"), "");
  EXPECT_EQ(store->refused_deletions, 0);
  EXPECT_EQ(labels(), std::vector{before[1]});
  std::string left = everything_below(top + "/agent") + everything_below(top + "/agent.keep");
  EXPECT_THAT(left, Not(testing::AnyOf(HasSubstr(kRemoverSecret), HasSubstr(kRemover))));
  EXPECT_THAT(left, HasSubstr(kWriterSecret)) << "nothing was looked through";
}

TEST_F(ExpiryKey, WithNoRightToDeleteAtAllTheIndexIsCompletedAndWhatWasCutOffIsClearedAway) {
  auto taken = back_up();
  EXPECT_THAT(taken.out + taken.err, HasSubstr("/backup/m/latest"));
  auto whole = labels();
  ASSERT_EQ(whole.size(), 1u);
  std::string cut_off = whole[0].substr(0, 9) + "235959F";
  store->objects[kBackups + cut_off + "/bundle/1"] = "half of it";
  store->deletable = "/backup/m/latest";
  auto stuck = back_up();
  EXPECT_NE(stuck.exit_code, 0) << "pgBackRest asks for no deletion here, so nothing needs to be cleared away";
  EXPECT_EQ(labels().size(), 2u);

  // The member cannot be reached, but what comes before is done.
  auto ordered = ask(text, expiry_text, [this](Repository& repository) {
    wire::BackupTake order{.service = "database", .sources = {{"db-1", "127.0.0.1", 5432, top + "/pg", top}}};
    return repository.take(order, Deadline::after(Duration{10'000}), [](const std::string&) {});
  });
  EXPECT_FALSE(ordered);
  EXPECT_EQ(labels(), whole);
  EXPECT_THAT(pgbackrest({"--output=json", "info"}).out, HasSubstr(whole[0])) << "it is not in the index";
  auto next = back_up();
  EXPECT_EQ(next.exit_code, 0) << next.out << next.err;
  EXPECT_EQ(labels().size(), 2u);
}

}  // namespace
}  // namespace lifeboat::recovery
