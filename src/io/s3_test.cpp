// The client of object stores against a store that checks its signatures, and against stores that misbehave.
#include "io/s3.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/run_in_test.hpp"
#include "io/test_peers.hpp"
#include "io/test_s3.hpp"

namespace lifeboat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Deadline soon() { return Deadline::after(Duration{10'000}); }

// Pieces of a text that is as long as the test wants and differs everywhere.
std::string long_text(size_t bytes) {
  std::string out;
  for (size_t at = 0; out.size() < bytes; ++at) out += fmt::format("{:x}.", at * 2654435761u);
  out.resize(bytes);
  return out;
}

S3Store::Source source_of(std::string text) {
  auto left = std::make_shared<std::string>(std::move(text));
  return [left](size_t most) -> Task<Result<std::string>> {
    std::string piece = left->substr(0, most);
    left->erase(0, piece.size());
    co_return piece;
  };
}

class S3 : public testing::Test {
 protected:
  S3() : server(context) {}
  S3Store store() { return *S3Store::open(server.config(), client); }
  template <class T>
  T run(Task<T> task) {
    return run_in_test(context, std::move(task));
  }
  Result<std::string> get(const std::string& key) {
    S3Store from = store();
    auto object = run(from.head(key, soon()));
    if (!object) return std::unexpected(object.error());
    std::string out;
    auto got = run(from.get(
        *object,
        [&out](std::string_view piece) -> Result<> {
          out += piece;
          return {};
        },
        soon()));
    if (!got) return std::unexpected(got.error());
    return out;
  }

  asio::io_context context;
  HttpClient client;
  TestS3 server;
};

TEST_F(S3, GivesBackWhatWasPutUnderAnyName) {
  S3Store into = store();
  for (const std::string& key : {std::string("plain"), std::string("a b/c+d%.txt"), std::string("x//y/../ü$&=?#")}) {
    SCOPED_TRACE(key);
    ASSERT_TRUE(run(into.put_small(key, "body of " + key, soon())).has_value());
    auto object = run(into.head(key, soon()));
    ASSERT_TRUE(object.has_value()) << object.error().text();
    EXPECT_EQ(object->bytes, 8 + key.size());
    auto small = run(into.get_small(key, soon()));
    ASSERT_TRUE(small.has_value()) << small.error().text();
    EXPECT_EQ(*small, "body of " + key);
  }
  auto all = run(into.list("", soon()));
  ASSERT_TRUE(all.has_value()) << all.error().text();
  ASSERT_EQ(all->size(), 3u);
  EXPECT_EQ(all->at(0).key, "a b/c+d%.txt");
  EXPECT_EQ(all->at(2).key, "x//y/../ü$&=?#");
  ASSERT_TRUE(run(into.remove("plain", soon())).has_value());
  EXPECT_EQ(run(into.head("plain", soon())).error().kind, ErrorKind::not_found);
}

TEST_F(S3, SpeaksToABucketInFrontOfTheHost) {
  S3Config config = server.config();
  config.endpoint = fmt::format("http://localhost:{}", server.port());
  config.style = S3Style::host;
  auto opened = S3Store::open(config, client);
  ASSERT_TRUE(opened.has_value()) << opened.error().text();
  // curl knows every name below localhost as this machine.
  auto put = run(opened->put_small("k", "v", soon()));
  ASSERT_TRUE(put.has_value()) << put.error().text();
  EXPECT_EQ(server.objects.at("k"), "v");
  EXPECT_EQ(server.seen.back(), "PUT /k");
}

TEST_F(S3, ReadsLargeObjectsInPinnedRangesAndInOrder) {
  for (size_t bytes : {size_t{0}, size_t{1}, size_t{64 * 1024}, size_t{64 * 1024 + 1}, size_t{1'000'003}}) {
    SCOPED_TRACE(bytes);
    std::string text = long_text(bytes);
    server.objects["big"] = text;
    auto got = get("big");
    ASSERT_TRUE(got.has_value()) << got.error().text();
    EXPECT_TRUE(*got == text);
  }
}

TEST_F(S3, NoticesThatAnObjectWasReplacedWhileItIsRead) {
  server.objects["big"] = long_text(1'000'000);
  int asked = 0;
  server.instead = [&](const HttpIncoming& in) -> std::optional<HttpReply> {
    if (in.method == "GET" && ++asked == 6) server.objects["big"] = long_text(1'000'001);
    return std::nullopt;
  };
  auto got = get("big");
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().kind, ErrorKind::conflict) << got.error().text();
}

TEST_F(S3, WritesInPartsWhatDoesNotFitIntoOne) {
  S3Store into = store();
  for (size_t bytes : {size_t{0}, size_t{10}, size_t{64 * 1024 - 1}, size_t{64 * 1024}, size_t{64 * 1024 * 3 + 7}}) {
    SCOPED_TRACE(bytes);
    std::string text = long_text(bytes);
    auto put = run(into.put("dump", source_of(text), soon()));
    ASSERT_TRUE(put.has_value()) << put.error().text();
    EXPECT_EQ(*put, bytes);
    EXPECT_TRUE(server.objects.at("dump") == text);
  }
  EXPECT_TRUE(server.uploads.empty());
}

TEST_F(S3, LeavesNothingWhenTheSourceFails) {
  auto text = std::make_shared<int>(0);
  S3Store::Source failing = [text](size_t most) -> Task<Result<std::string>> {
    if (++*text > 2) co_return fail(ErrorKind::refused, "the dump ended with 1");
    co_return std::string(most, 'x');
  };
  S3Store into = store();
  auto put = run(into.put("dump", failing, soon()));
  ASSERT_FALSE(put.has_value());
  EXPECT_THAT(put.error().what, HasSubstr("ended with 1"));
  EXPECT_TRUE(server.objects.empty());
  EXPECT_EQ(server.aborted, 1);
}

TEST_F(S3, BelievesNoSuccessThatHoldsAnError) {
  server.instead = [](const HttpIncoming& in) -> std::optional<HttpReply> {
    if (in.method != "POST" || !in.query.contains("uploadId")) return std::nullopt;
    HttpReply late = TestS3::error(200, "InternalError");
    return late;
  };
  S3Store into = store();
  auto put = run(into.put("dump", source_of(long_text(200'000)), soon()));
  ASSERT_FALSE(put.has_value());
  EXPECT_THAT(put.error().what, HasSubstr("InternalError"));
  EXPECT_EQ(server.aborted, 1);
}

TEST_F(S3, ListsPageAfterPage) {
  for (int n = 0; n < 25; ++n) server.objects[fmt::format("d/{:02} &<", n)] = "x";
  server.objects["e"] = "y";
  server.page = 4;
  S3Store from = store();
  auto all = run(from.list("d/", soon()));
  ASSERT_TRUE(all.has_value()) << all.error().text();
  ASSERT_EQ(all->size(), 25u);
  EXPECT_EQ(all->back().key, "d/24 &<");
  EXPECT_EQ(server.seen.size(), 7u);
  EXPECT_EQ(run(from.list("d/", soon(), 10)).error().kind, ErrorKind::refused);
}

TEST_F(S3, IsNotLedInACircleByAList) {
  server.instead = [](const HttpIncoming&) -> std::optional<HttpReply> {
    return HttpReply{200,
                     "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
                     "</NextContinuationToken></ListBucketResult>",
                     "",
                     {}};
  };
  EXPECT_THAT(run(store().list("", soon())).error().what, HasSubstr("same page"));
}

TEST_F(S3, TakesGarbageForNoList) {
  for (const char* body : {"", "<html><body>welcome</body></html>", "{\"json\":1}", "<ListBucketResult>",
                           "<ListBucketResult><Contents><Key>k</Key></Contents></ListBucketResult>",
                           "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
    server.instead = [body](const HttpIncoming&) -> std::optional<HttpReply> { return HttpReply{200, body, "", {}}; };
    EXPECT_FALSE(run(store().list("", soon())).has_value()) << body;
  }
}

TEST_F(S3, SaysInWordsWhyItWasRefused) {
  server.objects["k"] = "v";
  auto with = [&](std::function<void(S3Config&)> change) {
    S3Config config = server.config();
    change(config);
    S3Store from = *S3Store::open(config, client);
    return run(from.get_small("k", soon())).error();
  };
  Error secret = with([](S3Config& c) { c.credentials.secret_key = "a wrong one"; });
  EXPECT_EQ(secret.kind, ErrorKind::refused);
  EXPECT_THAT(secret.text(), HasSubstr("SignatureDoesNotMatch"));
  EXPECT_THAT(secret.text(), Not(HasSubstr("secret text")));
  EXPECT_THAT(secret.text(), Not(HasSubstr("a wrong one")));
  EXPECT_THAT(with([](S3Config& c) { c.credentials.access_key = "AKIDOTHER"; }).text(), HasSubstr("does not know"));
  EXPECT_THAT(with([](S3Config& c) { c.region = "us-east-1"; }).hint, HasSubstr("region"));
  EXPECT_THAT(with([](S3Config& c) { c.credentials.session_token = "t"; }).text(), HasSubstr("InvalidToken"));
  EXPECT_EQ(with([](S3Config& c) { c.bucket = "other-bucket"; }).kind, ErrorKind::not_found);

  server.instead = [](const HttpIncoming&) { return TestS3::error(503, "SlowDown"); };
  EXPECT_EQ(with([](S3Config&) {}).kind, ErrorKind::unreachable);
  server.instead = [](const HttpIncoming&) { return HttpReply{502, "<html>bad gateway", "text/html", {}}; };
  EXPECT_EQ(with([](S3Config&) {}).kind, ErrorKind::unreachable);
  server.instead = [](const HttpIncoming&) {
    return TestS3::error(301, "PermanentRedirect", "<Region>eu-far-9</Region>");
  };
  EXPECT_THAT(with([](S3Config&) {}).hint, HasSubstr("eu-far-9"));
}

TEST_F(S3, SendsTheTokenOfTemporaryCredentials) {
  server.session = "tok/en+1==";
  S3Config config = server.config();
  config.credentials.session_token = server.session;
  auto put = run(S3Store::open(config, client)->put_small("k", "v", soon()));
  EXPECT_TRUE(put.has_value()) << put.error().text();
}

TEST(S3Error, NamesHowFarTheClockIsOff) {
  HttpResponse answer;
  answer.status = 403;
  answer.headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"}};
  answer.body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
  Error ahead = s3_error("GET s3://b/k", answer, *parse_wall("2013-05-24T00:20:00Z"));
  EXPECT_EQ(ahead.kind, ErrorKind::refused);
  EXPECT_THAT(ahead.hint, HasSubstr("20 min ahead of the store's"));
  Error behind = s3_error("GET s3://b/k", answer, *parse_wall("2013-05-23T23:30:00Z"));
  EXPECT_THAT(behind.hint, HasSubstr("30 min behind"));
}

TEST_F(S3, GivesUpOnASlowStoreInTime) {
  server.objects["k"] = "v";
  server.delay = Duration{5'000};
  MonoTime begin = boot_now();
  auto got = run(store().get_small("k", Deadline::after(Duration{300})));
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().kind, ErrorKind::timed_out) << got.error().text();
  EXPECT_LT(boot_now() - begin, std::chrono::seconds{3});
}

TEST_F(S3, TakesNoBodyThatIsCutOff) {
  RawServer cut(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await say(socket,
                 "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-99/100\r\nContent-Length: 100\r\n\r\nonly this");
  });
  RawServer shorter(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await say(socket,
                 "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-9/100\r\nContent-Length: 10\r\n\r\n0123456789");
  });
  for (int port : {cut.port(), shorter.port()}) {
    S3Config config = server.config();
    config.endpoint = fmt::format("http://127.0.0.1:{}", port);
    S3Store from = *S3Store::open(config, client);
    auto got = run(from.get_range({"k", 100, "", ""}, 0, 100, soon()));
    EXPECT_FALSE(got.has_value());
  }
}

TEST(S3Config, ThatCannotBeRightIsRefusedBeforeAnythingIsAsked) {
  HttpClient client;
  S3Config good;
  good.bucket = "dr-bucket";
  good.credentials = {"a", "b", ""};
  EXPECT_EQ(S3Store::open(good, client)->config().endpoint, "https://s3.us-east-1.amazonaws.com");
  EXPECT_EQ(S3Store::open(good, client)->config().style, S3Style::host);
  for (const char* endpoint : {"store.test:9000", "http://store.test", "https://a/b", "https://u:p@h", "https://"}) {
    S3Config config = good;
    config.endpoint = endpoint;
    EXPECT_FALSE(S3Store::open(config, client).has_value()) << endpoint;
  }
  S3Config open_text = good;
  open_text.endpoint = "http://store.test";
  open_text.plain_http = true;
  EXPECT_TRUE(S3Store::open(open_text, client).has_value());
  for (const char* bucket : {"", "ab", "UPPER", "a/b/c", "über"}) {
    S3Config config = good;
    config.bucket = bucket;
    EXPECT_FALSE(S3Store::open(config, client).has_value()) << bucket;
  }
  S3Config no_keys = good;
  no_keys.credentials = {};
  EXPECT_THAT(S3Store::open(no_keys, client).error().hint, HasSubstr("AWS_ACCESS_KEY_ID"));
}

}  // namespace
}  // namespace lifeboat
