#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/run_in_test.hpp"
#include "statuspage/page.hpp"
#include "statuspage/server.hpp"

namespace lifeboat {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

constexpr std::string_view kKey = "a key of the status page";

class StatuspageTest : public testing::Test {
 protected:
  StatuspageTest() {
    char name[] = "/tmp/lifeboat-page-XXXXXX";
    folder = ::mkdtemp(name);
    EXPECT_TRUE(write_file_atomic(folder + "/page-key", kKey, 0600).has_value());
    options = {
        .data_file = folder + "/page.json", .secrets_folder = folder, .key = "page-key", .title = "Notes <status>"};
  }
  ~StatuspageTest() override { fs::remove_all(folder); }

  Statuspage& site() {
    if (!site_) site_ = std::make_unique<Statuspage>(options, *statuspage::Board::load(options.data_file));
    return *site_;
  }
  void restart() { site_.reset(); }
  HttpReply ask(HttpIncoming incoming) { return run_in_test(context, site().handle(std::move(incoming))); }
  HttpReply get(std::string path) { return ask({.method = "GET", .path = std::move(path)}); }
  HttpIncoming signed_update(std::string body, WallTime at = wall_now(), std::string_view key = kKey) {
    std::string seconds =
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
    return {.method = "POST",
            .path = "/api/v1/updates",
            .headers = {{"x-lifeboat-timestamp", seconds},
                        {"x-lifeboat-signature", "v1=" + hmac_sha256_hex(key, seconds + "." + body)}},
            .body = body,
            .peer = "192.0.2.7"};
  }
  static std::string update(std::string id, std::string state, std::string text, std::string title = "",
                            bool drill = false) {
    return to_text(JsonObject{{"id", id}, {"state", state}, {"text", text}, {"title", title}, {"drill", drill}});
  }
  Json status() { return *parse_json(get("/api/v1/status").body); }

  asio::io_context context;
  std::string folder;
  StatuspageOptions options;

 private:
  std::unique_ptr<Statuspage> site_;
};

TEST_F(StatuspageTest, SaysThatNothingIsKnownWhenNothingWasPosted) {
  HttpReply page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body,
              AllOf(HasSubstr("We know of no problem."), HasSubstr("Notes &lt;status&gt;"), Not(HasSubstr("<script"))));
  EXPECT_EQ(text_or(status(), "state"), "normal");
}

TEST_F(StatuspageTest, ShowsAnIncidentFromItsFirstUpdateToItsEnd) {
  EXPECT_EQ(ask(signed_update(update("1", "investigating", "Pages do not load.", "Service <disruption>"))).status, 201);
  EXPECT_EQ(ask(signed_update(update("2", "monitoring", "They load again."))).status, 201);
  EXPECT_THAT(get("/").body, AllOf(HasSubstr("Service &lt;disruption&gt;"), HasSubstr("They load again."),
                                   HasSubstr("Pages do not load."), Not(HasSubstr("We know of no problem."))));
  EXPECT_EQ(text_or(status(), "state"), "monitoring");
  EXPECT_EQ(ask(signed_update(update("3", "resolved", "Over."))).status, 201);
  EXPECT_THAT(get("/").body,
              AllOf(HasSubstr("We know of no problem."), HasSubstr("Before"), HasSubstr("Service &lt;disruption&gt;")));
}

TEST_F(StatuspageTest, KeepsWhatWasSaidAcrossARestart) {
  EXPECT_EQ(ask(signed_update(update("1", "identified", "We know why.", "Slow"))).status, 201);
  restart();
  EXPECT_EQ(text_or(status(), "headline"), "Slow");
  EXPECT_EQ(ask(signed_update(update("1", "identified", "We know why.", "Slow"))).body, R"({"repeated":true})");
  Json shown = status();
  EXPECT_EQ(member(shown, "updates").get_array().size(), 1u);
}

TEST_F(StatuspageTest, TakesNothingThatIsNotSignedFreshAndWhole) {
  std::string body = update("1", "resolved", "x");
  auto tampered = signed_update(body);
  tampered.body = update("1", "investigating", "x");
  EXPECT_EQ(ask(tampered).status, 401);
  EXPECT_EQ(ask(signed_update(body, wall_now(), "another key")).status, 401);
  EXPECT_EQ(ask(signed_update(body, wall_now() - std::chrono::minutes{6})).status, 401);
  EXPECT_EQ(ask(signed_update(body, wall_now() + std::chrono::minutes{6})).status, 401);
  EXPECT_EQ(ask({.method = "POST", .path = "/api/v1/updates", .body = body, .peer = "127.0.0.1"}).status, 401);
  Json shown = status();
  EXPECT_EQ(member(shown, "updates").get_array().size(), 0u);
  EXPECT_EQ(ask(signed_update(body, wall_now() - std::chrono::minutes{4})).status, 201);
}

TEST_F(StatuspageTest, TakesUpdatesOfItsOwnMachineWhenItHasNoKey) {
  options.key.clear();
  std::string body = update("1", "identified", "x");
  EXPECT_EQ(ask({.method = "POST", .path = "/api/v1/updates", .body = body, .peer = "192.0.2.7"}).status, 401);
  EXPECT_EQ(ask({.method = "POST", .path = "/api/v1/updates", .body = body, .peer = "127.0.0.1"}).status, 201);
}

TEST_F(StatuspageTest, RefusesWhatItCannotShow) {
  for (std::string body :
       {std::string("no json"), std::string("[]"), update("", "resolved", "x"), update("1", "fine", "x"),
        update("1", "resolved", ""), update("1", "resolved", std::string(20'000, 'x'))})
    EXPECT_EQ(ask(signed_update(body)).status, 400) << body.substr(0, 50);
  EXPECT_EQ(get("/other").status, 404);
  EXPECT_EQ(get("/api/v1/updates").status, 405);
  EXPECT_EQ(ask({.method = "DELETE", .path = "/"}).status, 405);
}

TEST_F(StatuspageTest, ShowsADrillAsADrillAndARealIncidentAboveIt) {
  ask(signed_update(update("1", "investigating", "Rehearsed words.", "Disruption", true)));
  EXPECT_THAT(get("/").body, AllOf(HasSubstr("Drill: Disruption. Nothing is wrong."), HasSubstr("now drill")));
  ask(signed_update(update("2", "investigating", "Really.", "Real disruption")));
  EXPECT_THAT(text_or(status(), "headline"), "Real disruption");
}

TEST_F(StatuspageTest, DoesNotOverwriteAFileThatItCannotRead) {
  ASSERT_TRUE(write_file_atomic(options.data_file, "{broken").has_value());
  EXPECT_FALSE(statuspage::Board::load(options.data_file).has_value());
  ASSERT_TRUE(
      write_file_atomic(options.data_file, R"({"updates":[{"id":"1","at":"yesterday","state":"resolved","text":"x"}]})")
          .has_value());
  EXPECT_FALSE(statuspage::Board::load(options.data_file).has_value());
}

TEST_F(StatuspageTest, DoesNotAcknowledgeWhatItCouldNotKeep) {
  options.data_file = folder + "/none/page.json";
  EXPECT_EQ(ask(signed_update(update("1", "identified", "x"))).status, 503);
  EXPECT_EQ(text_or(status(), "state"), "normal");
}

}  // namespace
}  // namespace lifeboat
