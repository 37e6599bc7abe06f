// Logical backups of a real server, to a folder and to a store that checks signatures, and back.
#include "recovery/logical.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "io/crypto.hpp"
#include "io/test_postgres.hpp"
#include "io/test_s3.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

Deadline soon() { return Deadline::after(Duration{60'000}); }

class Logical : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string why = TestPostgres::missing(); !why.empty()) GTEST_SKIP() << why;
    server = std::make_unique<TestPostgres>(context);
    folder = server->folder() + "/backups";
    server->sql("postgres", "CREATE DATABASE shop");
    server->sql("shop",
                "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE)");
    server->sql("shop", "CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint REFERENCES users, note text)");
    server->sql("shop", "INSERT INTO users (name) SELECT 'user-' || n FROM generate_series(1, 5000) n");
    server->sql(
        "shop",
        "INSERT INTO orders (user_id, note) SELECT 1 + n % 5000, md5(n::text) FROM generate_series(1, 20000) n");
    server->sql("shop", "CREATE VIEW busy AS SELECT user_id, count(*) FROM orders GROUP BY 1");
  }

  template <class T>
  T run(Task<T> task) {
    return run_in_test(context, std::move(task), Duration{60'000});
  }
  Result<Dumped> dump(BackupPlace& place, DumpRequest request = {}) {
    request.server = server->params("shop");
    return run(take_dump(std::move(request), &place, soon(), {}));
  }
  LogicalBackup newest(BackupPlace& place) {
    auto files = run(place.list(soon()));
    EXPECT_TRUE(files.has_value());
    auto all = logical_backups(files.value_or(std::vector<PlacedFile>{}));
    return all.empty() ? LogicalBackup{} : all.back();
  }
  Result<Loaded> load(BackupPlace& place, LoadRequest request, const std::string& into = "copy") {
    request.server = server->params(into);
    request.scratch = server->folder();
    return run(load_dump(std::move(request), &place, newest(place), soon(), {}));
  }
  // Changes one byte of a file in the middle.
  void flip(const std::string& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    auto middle = static_cast<std::streamoff>(fs::file_size(path) / 2);
    file.seekg(middle);
    char byte = 0;
    file.get(byte);
    file.seekp(middle);
    file.put(static_cast<char>(byte ^ 1));
  }

  asio::io_context context;
  HttpClient client;
  std::unique_ptr<TestPostgres> server;
  std::string folder;
};

TEST_F(Logical, BackupInAFolderComesBackWholeAndIsProven) {
  auto place = open_folder(folder);
  DumpRequest request;
  request.contents = true;
  auto dumped = dump(*place, request);
  ASSERT_TRUE(dumped.has_value()) << dumped.error().text();
  EXPECT_EQ(dumped->rows, 25'000);
  EXPECT_EQ(dumped->tables, 2);
  std::string path = folder + "/" + dumped->path;
  EXPECT_EQ(fs::file_size(path), dumped->bytes);
  std::ifstream beside(path + ".sha256");
  std::string line;
  std::getline(beside, line);
  EXPECT_EQ(line, dumped->sha256 + "  " + dumped->path);

  LoadRequest wish;
  wish.create = true;
  auto loaded = load(*place, wish);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
  EXPECT_TRUE(loaded->proven) << in_words(loaded->checks, 50);
  EXPECT_EQ(loaded->rows, 25'000);
  EXPECT_EQ(server->sql("copy", "SELECT count(*) FROM orders WHERE note = md5(id::text)"), "20000");
  EXPECT_EQ(server->sql("copy", "INSERT INTO users (name) VALUES ('next') RETURNING id"), "5001");
}

TEST_F(Logical, DatabaseThatIsMadeAnewIsMadeAsTheDumpedOneWas) {
  server->sql("postgres", "CREATE ROLE seller");
  server->sql("postgres", "CREATE DATABASE old TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'");
  server->sql("old", "CREATE TABLE letters (id int PRIMARY KEY)");
  server->sql("old", "INSERT INTO letters VALUES (1)");
  server->sql("postgres", "ALTER DATABASE old SET search_path TO \"$user\", public, shop");
  server->sql("postgres", "ALTER DATABASE old SET default_transaction_read_only TO on");
  server->sql("postgres", "ALTER ROLE seller IN DATABASE old SET \"app.key\" TO 'it''s'");
  auto place = open_folder(folder);
  DumpRequest request;
  request.server = server->params("old");
  auto dumped = run(take_dump(std::move(request), place.get(), soon(), {}));
  ASSERT_TRUE(dumped.has_value()) << dumped.error().text();
  LoadRequest wish;
  wish.create = true;
  auto loaded = load(*place, wish);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
  EXPECT_TRUE(loaded->proven) << in_words(loaded->checks, 50);
  auto made = [&](const std::string& database) {
    return server->sql("postgres",
                       "SELECT concat_ws(' ', pg_encoding_to_char(encoding), datcollate, datctype) FROM pg_database "
                       "WHERE datname = '" +
                           database + "'");
  };
  EXPECT_EQ(made("copy"), "SQL_ASCII C C");
  auto settings = [&](const std::string& database) {
    return server->sql(
        "postgres",
        "SELECT string_agg(s.setrole::regrole::text || ' ' || line, '; ' ORDER BY line) FROM pg_db_role_setting s "
        "JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) line WHERE d.datname = '" +
            database + "'");
  };
  EXPECT_EQ(settings("copy"), settings("old"));
  EXPECT_THAT(settings("copy"), HasSubstr("search_path"));
  // One that is there already is somebody's own: what differs is told, and its data are proven all the same.
  server->sql("postgres", "CREATE DATABASE own TEMPLATE template0 ENCODING 'UTF8'");
  auto into_own = load(*place, {}, "own");
  ASSERT_TRUE(into_own.has_value()) << into_own.error().text();
  EXPECT_TRUE(into_own->proven) << in_words(into_own->checks, 50);
  auto told = std::ranges::find(into_own->checks, "database encoding", &Check::name);
  ASSERT_NE(told, into_own->checks.end());
  EXPECT_EQ(told->verdict, Verdict::noted);
  EXPECT_THAT(told->text, HasSubstr("UTF8, and was SQL_ASCII"));
}

TEST_F(Logical, BackupIsOfOneMomentThoughWritesGoOn) {
  auto place = open_folder(folder);
  // Rows that come after the snapshot are neither in the dump nor in its profile.
  server->sql("shop",
              "CREATE FUNCTION more() RETURNS void LANGUAGE sql AS 'INSERT INTO orders (user_id) SELECT 1 FROM "
              "generate_series(1, 50)'");
  bool done = false;
  auto writes = [](TestPostgres* server, bool* done) -> Task<> {
    while (!*done) {
      auto asking = pg_query_once(server->params("shop"), "SELECT more()", {}, soon());
      co_await std::move(asking);
    }
  };
  Scope scope(context.get_executor(), [](std::string_view, std::string_view) {});
  scope.spawn("writes", writes(server.get(), &done));
  auto dumped = dump(*place);
  done = true;
  ASSERT_TRUE(dumped.has_value()) << dumped.error().text();
  LoadRequest wish;
  wish.create = true;
  auto loaded = load(*place, wish);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
  EXPECT_TRUE(loaded->proven) << in_words(loaded->checks, 50);
}

TEST_F(Logical, BackupInABucketComesBackWholeAndLeavesNoFile) {
  TestS3 store(context);
  auto place = open_bucket(*S3Store::open(store.config(), client), "database/");
  auto dumped = dump(*place);
  ASSERT_TRUE(dumped.has_value()) << dumped.error().text();
  ASSERT_GT(dumped->bytes, store.config().part_bytes) << "it should need several parts";
  EXPECT_EQ(sha256_hex(store.objects.at("database/" + dumped->path)), dumped->sha256);
  EXPECT_TRUE(store.uploads.empty());
  LoadRequest wish;
  wish.create = true;
  auto loaded = load(*place, wish);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
  EXPECT_TRUE(loaded->proven) << in_words(loaded->checks, 50);
  for (const auto& entry : fs::directory_iterator(server->folder()))
    EXPECT_FALSE(entry.path().filename().string().starts_with("lifeboat-")) << entry.path();
}

TEST_F(Logical, BackupThatWasChangedIsNotLoadedAtAll) {
  auto place = open_folder(folder);
  DumpRequest request;
  request.compress = 0;  // pg_restore itself would load the changed text
  auto dumped = dump(*place, request);
  ASSERT_TRUE(dumped.has_value()) << dumped.error().text();
  EXPECT_TRUE(run(verify_dump(place.get(), newest(*place), soon(), {})).has_value());
  flip(folder + "/" + dumped->path);
  EXPECT_EQ(run(verify_dump(place.get(), newest(*place), soon(), {})).error().kind, ErrorKind::conflict);
  server->sql("postgres", "CREATE DATABASE copy");
  auto loaded = load(*place, {});
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().what, HasSubstr("not what its checksum says"));
  EXPECT_EQ(server->sql("copy", "SELECT count(*) FROM pg_class WHERE relname = 'users'"), "0");
}

TEST_F(Logical, BackupWithoutChecksumIsLoadedOnlyWhenSaidSo) {
  auto place = open_folder(folder);
  auto dumped = dump(*place);
  ASSERT_TRUE(dumped.has_value()) << dumped.error().text();
  fs::remove(folder + "/" + checksum_path(dumped->path));
  fs::remove(folder + "/" + profile_path(dumped->path));
  LoadRequest wish;
  wish.create = true;
  EXPECT_THAT(load(*place, wish).error().hint, HasSubstr("--without-checksum"));
  wish.without_checksum = true;
  auto loaded = load(*place, wish);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
  EXPECT_FALSE(loaded->proven);
  EXPECT_TRUE(all_hold(loaded->checks));
}

TEST_F(Logical, DataThatAreThereAreReplacedOnlyWhenSaidSo) {
  auto place = open_folder(folder);
  ASSERT_TRUE(dump(*place).has_value());
  server->sql("shop", "DELETE FROM orders WHERE id > 10");
  server->sql("shop", "DROP VIEW busy");
  auto refused = load(*place, {}, "shop");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_THAT(refused.error().hint, HasSubstr("--replace"));
  LoadRequest wish;
  wish.answer.replace = true;
  wish.member = "east-1 of database";
  EXPECT_THAT(load(*place, wish, "shop").error().hint, HasSubstr("--confirm shop@127.0.0.1"));
  EXPECT_EQ(server->sql("shop", "SELECT count(*) FROM orders"), "10");
  wish.answer.confirmed = "shop@127.0.0.1";
  auto loaded = load(*place, wish, "shop");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
  EXPECT_TRUE(loaded->proven) << in_words(loaded->checks, 50);
  EXPECT_EQ(server->sql("shop", "SELECT count(*) FROM orders"), "20000");
}

TEST_F(Logical, OwnerThatIsMissingIsNotedAndTheDataAreWhole) {
  server->sql("shop", "CREATE ROLE seller");
  server->sql("shop", "ALTER TABLE orders OWNER TO seller");
  auto place = open_folder(folder);
  ASSERT_TRUE(dump(*place).has_value());
  server->sql("shop", "ALTER TABLE orders OWNER TO postgres");
  server->sql("shop", "DROP ROLE seller");
  LoadRequest wish;
  wish.create = true;
  auto loaded = load(*place, wish);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().text();
  EXPECT_TRUE(loaded->proven);
  EXPECT_FALSE(loaded->problems.empty());

  // A database that holds something is not touched.
  server->sql("postgres", "CREATE DATABASE other");
  server->sql("other", "CREATE TABLE users (id int)");
  LoadRequest partly;
  partly.answer.replace = false;
  auto refused = load(*place, partly, "other");
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_EQ(server->sql("other", "SELECT count(*) FROM pg_class WHERE relname = 'orders'"), "0");
}

TEST_F(Logical, DumpThatFailsLeavesNothing) {
  TestS3 store(context);
  auto bucket = open_bucket(*S3Store::open(store.config(), client), "");
  auto place = open_folder(folder);
  for (BackupPlace* into : {place.get(), bucket.get()}) {
    DumpRequest request;
    request.server = server->params("nothing");
    EXPECT_FALSE(run(take_dump(request, into, soon(), {})).has_value());
    // A role that may not read one table: pg_dump itself fails, after it began.
    server->sql("shop", "DROP ROLE IF EXISTS weak");
    server->sql("shop", "CREATE ROLE weak LOGIN");
    server->sql("shop", "GRANT SELECT ON users TO weak");
    request.server = server->params("shop");
    request.server["user"] = "weak";
    request.profile = false;
    auto dumped = run(take_dump(request, into, soon(), {}));
    ASSERT_FALSE(dumped.has_value());
    EXPECT_THAT(dumped.error().text(), HasSubstr("permission denied for"));
    server->sql("shop", "REVOKE ALL ON users FROM weak");
  }
  EXPECT_TRUE(store.objects.empty());
  EXPECT_TRUE(!fs::exists(folder) || fs::is_empty(folder));
}

TEST_F(Logical, StoreThatFailsInTheMiddleEndsTheDumpAtOnce) {
  TestS3 store(context);
  auto place = open_bucket(*S3Store::open(store.config(), client), "");
  store.instead = [](const HttpIncoming& in) -> std::optional<HttpReply> {
    if (in.query.contains("partNumber") && in.query.at("partNumber") == "3") return TestS3::error(503, "SlowDown");
    return std::nullopt;
  };
  auto dumped = dump(*place);
  ASSERT_FALSE(dumped.has_value());
  EXPECT_THAT(dumped.error().what, HasSubstr("SlowDown"));
  EXPECT_TRUE(store.objects.empty());
  EXPECT_EQ(store.aborted, 1);
}

TEST_F(Logical, LoadIsStoppedByItsDeadlineAndSaysSo) {
  auto place = open_folder(folder);
  ASSERT_TRUE(dump(*place).has_value());
  server->sql("postgres", "CREATE DATABASE copy");
  LoadRequest request;
  request.server = server->params("copy");
  auto loaded = run(load_dump(request, place.get(), newest(*place), Deadline::after(Duration{1}), {}));
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().text(), testing::AnyOf(HasSubstr("in time"), HasSubstr("no time left")));
}

TEST(BackupFolder, WritesNothingOverAndNothingHalf) {
  char name[] = "/tmp/lifeboat-place-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  asio::io_context context;
  auto place = open_folder(name);
  ASSERT_TRUE(run_in_test(context, place->write_small("a/b", "one", soon())).has_value());
  EXPECT_EQ(run_in_test(context, place->write_small("a/b", "two", soon())).error().kind, ErrorKind::conflict);
  EXPECT_EQ(*run_in_test(context, place->read_small("a/b", soon())), "one");
  auto count = std::make_shared<int>(0);
  BackupPlace::Source failing = [count](size_t most) -> Task<Result<std::string>> {
    if (++*count == 3) co_return fail(ErrorKind::refused, "no more");
    co_return std::string(most, 'x');
  };
  EXPECT_FALSE(run_in_test(context, place->write("a/c", failing, soon())).has_value());
  auto files = run_in_test(context, place->list(soon()));
  ASSERT_EQ(files->size(), 1u);
  EXPECT_EQ(std::distance(fs::directory_iterator(std::string(name) + "/a"), fs::directory_iterator{}), 1);
  EXPECT_EQ(run_in_test(context, open_folder(std::string(name) + "/none")->list(soon())).error().kind,
            ErrorKind::not_found);
  fs::remove_all(name);
}

}  // namespace
}  // namespace lifeboat
