// notify and statuspage.update against sinks that answer as Slack, Teams and mail servers do, well or badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "actions/messages.hpp"
#include "actions/registry.hpp"
#include "actions/test_world.hpp"
#include "io/crypto.hpp"
#include "io/http_server.hpp"
#include "io/test_peers.hpp"

namespace lifeboat {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Sinks on a thread of their own; what they heard is read after they have been stopped or the answer has come.
class Sinks {
 public:
  Sinks()
      : server_(
            context_.get_executor(), [this](HttpIncoming incoming) { return take(std::move(incoming)); },
            [](std::string_view) {}),
        mail_(context_,
              [this](asio::ip::tcp::socket& socket) { return smtp_session(socket, &mail_heard, "250 queued"); }),
        port_((server_.listen("127.0.0.1", 0), server_.port())),
        thread_([this] { context_.run(); }) {}
  ~Sinks() {
    context_.stop();
    thread_.join();
  }
  std::string url(const std::string& path) const { return fmt::format("http://127.0.0.1:{}{}", port_, path); }
  int port() const { return port_; }
  int mail_port() const { return mail_.port(); }

  std::mutex mutex;
  std::vector<HttpIncoming> heard;
  std::map<std::string, HttpReply> answers;  // by path; "ok" when there is none
  std::string mail_heard;

 private:
  Task<HttpReply> take(HttpIncoming incoming) {
    std::lock_guard lock(mutex);
    auto found = answers.find(incoming.path);
    HttpReply reply = found == answers.end() ? HttpReply{200, "ok", "text/plain", {}} : found->second;
    heard.push_back(std::move(incoming));
    co_return reply;
  }
  asio::io_context context_{1};
  HttpServer server_;
  RawServer mail_;
  int port_;
  std::thread thread_;
};

class Notify : public testing::Test {
 protected:
  Notify() {
    world.plan.plan.text = "test";
    world.add_secret("slack", sinks.url("/services/T0/slack-credential"));
    world.add_secret("teams", sinks.url("/teams"));
    world.add_secret("hook", sinks.url("/hook"));
    world.add_secret("hook-key", "a key of some length");
    auto& channels = world.plan.communications.channels;
    channels.add("war-room", SlackChannel{{"slack"}, "#incident-response"});
    channels.add("emergency", TeamsChannel{{"teams"}, ""});
    channels.add("hook", WebhookChannel{{"hook"}, SecretRef{"hook-key"}, ""});
    MailChannel mail;
    mail.host = {"mail"};
    mail.port = sinks.mail_port();
    mail.from = "incidents@example.test";
    mail.to = {"all@example.test"};
    mail.tls = false;
    channels.add("mail", mail);
    channels.add("phones", PhoneTreeChannel{{{"ana"}, {"kim"}}, "Phone tree"});
    world.add_host("mail", "internet", "127.0.0.1");
    world.plan.people.contacts.add("ana", Contact{.name = "Ana", .phone = "+1-555-0101", .email = "ana@example.test"});
    world.plan.communications.stakeholders.add("executives", Stakeholder{"CEO/CTO", {{"ana"}}, {"immediate"}});
    world.plan.communications.stakeholders.add("legal", Stakeholder{"Legal", {}, {"4h"}});
    world.plan.communications.templates.add("initial",
                                            Template{"Disruption", "Expected: [TIME]\nCause: [BRIEF DESCRIPTION] [1]"});
  }
  const ActionDescriptor& notify = notify_action();
  Sinks sinks;
  TestWorld world;
};

TEST_F(Notify, TellsEveryChannelInItsOwnForm) {
  auto told = world.apply(notify, R"({"channels":["war-room","emergency","hook","mail"],"stakeholders":"immediate",
                                      "severity":"critical","text":"<us-east-1> is lost. Users & agents wait."})");
  ASSERT_TRUE(told.has_value()) << told.error().text();
  EXPECT_EQ(told->summary, "told by Slack (#incident-response), Teams (emergency), webhook (hook), mail (mail)");
  std::lock_guard lock(sinks.mutex);
  ASSERT_EQ(sinks.heard.size(), 3u);
  std::string slack = text_or(*parse_json(sinks.heard[0].body), "text");
  EXPECT_THAT(slack, AllOf(HasSubstr("&lt;us-east-1&gt; is lost. Users &amp; agents"), HasSubstr("critical"),
                           HasSubstr("CEO/CTO"), Not(HasSubstr("Legal")), Not(HasSubstr("Drill"))));
  Json card = *parse_json(sinks.heard[1].body);
  EXPECT_EQ(text_or(card, "type"), "message");
  ASSERT_TRUE(member(card, "attachments").is_array());
  EXPECT_THAT(sinks.heard[1].body, HasSubstr("application/vnd.microsoft.card.adaptive"));
  const HttpIncoming& hook = sinks.heard[2];
  EXPECT_EQ(hook.header("x-lifeboat-signature"),
            "v1=" + hmac_sha256_hex("a key of some length", hook.header("x-lifeboat-timestamp") + "." + hook.body));
  EXPECT_EQ(hook.header("idempotency-key"), "R-1/step");
  EXPECT_THAT(sinks.mail_heard, AllOf(HasSubstr("RCPT TO:<all@example.test>"), HasSubstr("RCPT TO:<ana@example.test>"),
                                      HasSubstr("Message-ID: <R-1.step.mail@test.lifeboat>")));
}

TEST_F(Notify, SaysWhoWasToldWhenAChannelFailed) {
  sinks.answers["/services/T0/slack-credential"] = HttpReply{503, "later", "text/plain", {}};
  auto told = world.apply(notify, R"({"channels":["war-room","emergency"],"tell":"first","text":"x"})");
  ASSERT_TRUE(told.has_value()) << told.error().text();
  EXPECT_EQ(told->summary,
            "Slack (#incident-response) did not take it in 3 tries (answered 503: later). told by Teams (emergency)");
  std::lock_guard lock(sinks.mutex);
  EXPECT_EQ(sinks.heard.size(), 4u);
}

TEST_F(Notify, TellsOnlyTheFirstThatWorksWhenAskedTo) {
  auto told = world.apply(notify, R"({"channels":["war-room","emergency"],"tell":"first","text":"x"})");
  ASSERT_TRUE(told.has_value());
  std::lock_guard lock(sinks.mutex);
  EXPECT_EQ(sinks.heard.size(), 1u);
}

TEST_F(Notify, FailsWithoutACredentialInItsWordsWhenNobodyWasTold) {
  sinks.answers["/services/T0/slack-credential"] = HttpReply{404, "no_service", "text/plain", {}};
  auto told = world.apply(notify, R"({"channels":["war-room","phones"],"text":"x"})");
  ASSERT_FALSE(told.has_value());
  EXPECT_THAT(told.error().text(),
              AllOf(HasSubstr("nobody was told"), HasSubstr("no_service"), HasSubstr("1 try"),
                    HasSubstr("Phone tree) is not called automatically. Call in this order: Ana +1-555-0101, kim"),
                    Not(HasSubstr("slack-credential"))));
}

TEST_F(Notify, DoesNotTakeAnOkThatIsNone) {
  sinks.answers["/services/T0/slack-credential"] = HttpReply{200, "invalid_token", "text/plain", {}};
  EXPECT_FALSE(world.apply(notify, R"({"channels":["war-room"],"text":"x"})").has_value());
}

TEST_F(Notify, MarksEveryMessageOfADrill) {
  world.world.drill = true;
  auto told = world.apply(notify, R"({"channels":["war-room","emergency","hook","mail"],"text":"A is lost"})");
  ASSERT_TRUE(told.has_value());
  std::lock_guard lock(sinks.mutex);
  for (const HttpIncoming& message : sinks.heard) EXPECT_THAT(message.body, HasSubstr("rill"));
  EXPECT_THAT(sinks.mail_heard, AllOf(HasSubstr("Subject: Drill. A is lost"), HasSubstr("X-Lifeboat-Drill: yes")));
}

TEST_F(Notify, FillsInTemplatesAndSaysWhatIsNotKnown) {
  auto told = world.apply(notify, R"({"channels":["hook"],"template":"initial","values":{"time":"05:20 UTC"}})");
  ASSERT_TRUE(told.has_value());
  std::lock_guard lock(sinks.mutex);
  Json body = *parse_json(sinks.heard.at(0).body);
  EXPECT_EQ(text_or(body, "text"), "Expected: 05:20 UTC\nCause: not known yet [1]");
  EXPECT_EQ(text_or(body, "subject"), "Disruption");
}

TEST_F(Notify, RefusesChannelsAndMomentsThatThePlanDoesNotHave) {
  auto with = *parse_json(R"({"channels":["war-rom"],"stakeholders":"imediate","text":"x"})");
  auto problems = notify.validate(with, world.plan);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].path, "/channels/0");
  EXPECT_THAT(problems[0].suggestion, HasSubstr("war-room"));
  EXPECT_THAT(problems[1].suggestion, HasSubstr("immediate"));
}

class StatuspageUpdateAction : public Notify {
 protected:
  StatuspageUpdateAction() {
    world.add_host("control", "eu", "127.0.0.1");
    world.plan.services.add("page", StatuspageService{{"control"}, sinks.port(), SecretRef{"hook-key"}});
  }
  const ActionDescriptor& update = statuspage_update_action();
  const std::string with = R"({"service":"page","state":"monitoring","text":"It works again."})";
};

TEST_F(StatuspageUpdateAction, PostsASignedUpdate) {
  sinks.answers["/api/v1/updates"] = HttpReply{201, R"({"id":"x"})", "application/json", {}};
  auto done = world.apply(update, with);
  ASSERT_TRUE(done.has_value()) << done.error().text();
  std::lock_guard lock(sinks.mutex);
  const HttpIncoming& heard = sinks.heard.at(0);
  EXPECT_EQ(heard.header("x-lifeboat-signature"),
            "v1=" + hmac_sha256_hex("a key of some length", heard.header("x-lifeboat-timestamp") + "." + heard.body));
  EXPECT_EQ(text_or(*parse_json(heard.body), "state"), "monitoring");
}

TEST_F(StatuspageUpdateAction, IsRefusedForGoodOrForNow) {
  sinks.answers["/api/v1/updates"] =
      HttpReply{401, R"({"error":"the signature does not fit"})", "application/json", {}};
  auto refused = world.apply(update, with);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_THAT(refused.error().what, HasSubstr("the signature does not fit"));
  sinks.answers["/api/v1/updates"] = HttpReply{503, "", "text/plain", {}};
  EXPECT_EQ(world.apply(update, with).error().kind, ErrorKind::unreachable);
}

TEST_F(StatuspageUpdateAction, HoldsWhenThePageHasThisUpdateAlready) {
  std::string id = sha256_hex("R-1/step").substr(0, 16);
  sinks.answers["/api/v1/status"] =
      HttpReply{200, fmt::format(R"({{"headline":"h","updates":[{{"id":"{}"}}]}})", id), "application/json", {}};
  EXPECT_TRUE(world.observe(update, with)->holds);
  sinks.answers["/api/v1/status"] =
      HttpReply{200, R"({"headline":"h","updates":[{"id":"other"}]})", "application/json", {}};
  EXPECT_FALSE(world.observe(update, with)->holds);
}

}  // namespace
}  // namespace lifeboat
