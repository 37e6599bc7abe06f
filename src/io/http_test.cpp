// The HTTP client, the server and WebSockets against each other, and against things that misbehave, on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>

#include "io/dial.hpp"
#include "io/http_client.hpp"
#include "io/http_server.hpp"
#include "io/run_in_test.hpp"
#include "io/smtp.hpp"
#include "io/test_peers.hpp"
#include "io/websocket.hpp"

namespace lifeboat {
namespace {

using asio::ip::tcp;
using testing::HasSubstr;
using testing::Not;

Deadline soon() { return Deadline::after(Duration{5'000}); }

class Http : public testing::Test {
 protected:
  template <class T>
  T run(Task<T> task) {
    return run_in_test(context, std::move(task));
  }
  Result<HttpResponse> get(std::string url, Duration within = Duration{5'000}) {
    HttpRequest request;
    request.url = std::move(url);
    return run(client.send(std::move(request), Deadline::after(within)));
  }
  HttpServer& serve(HttpServer::Handler handler, HttpLimits limits = {}) {
    server = std::make_unique<HttpServer>(
        context.get_executor(), std::move(handler),
        [this](std::string_view what) { failures += std::string(what) + "\n"; }, limits);
    EXPECT_TRUE(server->listen("127.0.0.1", 0).has_value());
    return *server;
  }
  std::string url(std::string path = "/") { return fmt::format("http://127.0.0.1:{}{}", server->port(), path); }
  // Sends bytes to the server and gives all that comes back until it closes.
  std::string raw(std::string bytes) { return run(raw_exchange(server->port(), std::move(bytes))); }

  static Task<std::string> raw_exchange(int port, std::string bytes) {
    auto dialled = co_await dial("127.0.0.1", port, soon());
    if (!dialled) co_return "no connection";
    co_await say(*dialled, std::move(bytes));
    std::string out;
    while (true) {
      char piece[4096];
      auto [problem, count] =
          co_await dialled->async_read_some(asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
      if (problem) co_return out;
      out.append(piece, count);
    }
  }

  asio::io_context context;
  HttpClient client;
  std::string failures;
  std::unique_ptr<HttpServer> server;
};

Task<HttpReply> echo(HttpIncoming incoming) {
  HttpReply reply;
  reply.type = "text/plain";
  reply.body = fmt::format("{} {} a={} auth={} body={} from={}", incoming.method, incoming.path, incoming.query["a"],
                           incoming.header("authorization"), incoming.body, incoming.peer);
  reply.headers = {{"X-Seen", incoming.header("x-mine")}};
  co_return reply;
}

TEST_F(Http, CarriesMethodPathQueryHeadersAndBody) {
  serve(echo);
  HttpRequest request;
  request.method = "POST";
  request.url = url("/a%20b?a=1%2B1&b");
  request.headers = {{"X-Mine", "yes"}};
  request.bearer = "token-1";
  request.body = "{}";
  auto answer = run(client.send(request, soon()));
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "POST /a b a=1+1 auth=Bearer token-1 body={} from=127.0.0.1");
  EXPECT_EQ(answer->header("x-seen"), "yes");
  auto head = request;
  head.method = "HEAD";
  head.body.clear();
  auto second = run(client.send(head, soon()));
  ASSERT_TRUE(second.has_value()) << second.error().text();
  EXPECT_EQ(second->body, "");
}

TEST_F(Http, ConnectsElsewhereButKeepsTheHost) {
  serve([](HttpIncoming incoming) -> Task<HttpReply> {
    co_return HttpReply{200, incoming.header("host"), "text/plain", {}};
  });
  HttpRequest request;
  request.url = fmt::format("http://api.example.test:{}/", server->port());
  request.connect_to = "127.0.0.1";
  auto answer = run(client.send(request, soon()));
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->body, fmt::format("api.example.test:{}", server->port()));
}

TEST_F(Http, FollowsNoRedirects) {
  serve([](HttpIncoming) -> Task<HttpReply> { co_return HttpReply{302, "", "", {{"Location", "/elsewhere"}}}; });
  EXPECT_EQ(get(url())->status, 302);
}

TEST_F(Http, TellsWhatWasNeverSentFromWhatHasNoAnswer) {
  int closed = 0;
  {
    tcp::acceptor once(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    closed = once.local_endpoint().port();
  }
  auto refused = get(fmt::format("http://127.0.0.1:{}/token-in-path", closed));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::unreachable);
  EXPECT_THAT(refused.error().text(), Not(HasSubstr("token-in-path")));

  RawServer silent(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await sleep_for(Duration{60'000});
  });
  auto unknown = get(silent.url(), Duration{300});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().kind, ErrorKind::unknown_outcome);

  RawServer hangs_up(context, [](tcp::socket& socket) -> Task<> { co_await read_request(socket); });
  auto gone = get(hangs_up.url());
  ASSERT_FALSE(gone.has_value());
  EXPECT_EQ(gone.error().kind, ErrorKind::unknown_outcome);

  auto late = run(client.send(HttpRequest{.url = hangs_up.url()}, Deadline::after(Duration{-1})));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().kind, ErrorKind::timed_out);
}

TEST_F(Http, DoesNotBelieveGarbageAndTakesNoEndlessBody) {
  RawServer garbage(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await say(socket, std::string("\0\x01nonsense\r\n\r\n", 14));
  });
  auto odd = get(garbage.url());
  ASSERT_FALSE(odd.has_value());

  RawServer endless(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await say(socket, "HTTP/1.1 200 OK\r\n\r\n");
    std::string piece(64 * 1024, 'x');
    while (true) {
      auto [problem, bytes] =
          co_await asio::async_write(socket, asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
      if (problem) co_return;
    }
  });
  auto large = get(endless.url());
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(large.error().kind, ErrorKind::refused);
}

TEST_F(Http, HandsOverPiecesAsTheyComeUntilToldToStop) {
  serve([](HttpIncoming) -> Task<HttpReply> { co_return HttpReply{200, std::string(200'000, 'x'), "text/plain", {}}; });
  struct Seen {
    size_t bytes = 0, pieces = 0;
  };
  auto seen = std::make_shared<Seen>();
  HttpRequest request;
  request.url = url();
  request.largest_body = 1'000;  // of what is kept; pieces are not
  request.on_piece = [seen](std::string_view piece) {
    seen->bytes += piece.size();
    ++seen->pieces;
    return true;
  };
  auto whole = run(client.send(request, soon()));
  ASSERT_TRUE(whole.has_value()) << whole.error().text();
  EXPECT_EQ(seen->bytes, 200'000u);
  EXPECT_EQ(whole->body, "");
  auto stopped = std::make_shared<Seen>();
  request.on_piece = [stopped](std::string_view) { return ++stopped->pieces < 1; };
  EXPECT_EQ(run(client.send(request, soon())).error().kind, ErrorKind::unknown_outcome);
  EXPECT_EQ(stopped->pieces, 1u);
}

TEST_F(Http, RefusesAddressesAndHeadersThatSmuggle) {
  EXPECT_EQ(get("file:///etc/passwd").error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(get("http://a b/").error().kind, ErrorKind::invalid_input);
  HttpRequest request;
  request.url = "http://127.0.0.1:1/";
  request.headers = {{"X-A", "1\r\nX-B: 2"}};
  EXPECT_EQ(run(client.send(request, soon())).error().kind, ErrorKind::invalid_input);
}

TEST_F(Http, RepeatsNothingThatChangesSomethingOnAConnectionThatDied) {
  RawServer once(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await say(socket, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    co_await read_request(socket);  // and hangs up on the second
  });
  HttpRequest request;
  request.method = "POST";
  request.url = once.url();
  for (int turn = 0; turn < 3; ++turn) EXPECT_TRUE(run(client.send(request, soon())).has_value());
  EXPECT_EQ(once.connections(), 3);
}

TEST_F(Http, IsGivenUpAtOnceByACancelledCaller) {
  RawServer silent(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await sleep_for(Duration{60'000});
  });
  MonoTime begin = boot_now();
  auto outcome =
      run(within(Deadline::after(Duration{100}), "waiting", client.send(HttpRequest{.url = silent.url()}, soon())));
  EXPECT_EQ(outcome.error().kind, ErrorKind::timed_out);
  EXPECT_LT(boot_now() - begin, std::chrono::seconds{2});
}

TEST_F(Http, OutlivesAContextThatIsDestroyedWhileRequestsAreUnderWay) {
  for (int turn = 0; turn < 20; ++turn) {
    asio::io_context short_lived;
    RawServer silent(short_lived, [](tcp::socket& socket) -> Task<> {
      co_await read_request(socket);
      co_await sleep_for(Duration{60'000});
    });
    Scope scope(short_lived.get_executor(), [](std::string_view, std::string_view) {});
    auto ask = [](HttpClient* with, std::string to) -> Task<> {
      auto unused = co_await with->send(HttpRequest{.url = std::move(to)}, soon());
      (void)unused;
    };
    for (int n = 0; n < 5; ++n) scope.spawn("ask", ask(&client, silent.url()));
    short_lived.run_for(std::chrono::milliseconds{turn});
  }
}

TEST_F(Http, CarriesAThousandProbesASecondWithTimeToSpare) {
  serve([](HttpIncoming) -> Task<HttpReply> { co_return HttpReply{200, "ok", "text/plain", {}}; });
  auto probe = [](HttpClient* with, std::string to) -> Task<int> {
    HttpRequest request;
    request.url = std::move(to);
    request.fresh_connection = true;
    auto answer = co_await with->send(std::move(request), Deadline::after(Duration{10'000}));
    co_return answer && answer->status == 200 ? 1 : 0;
  };
  auto all = [probe](HttpClient* with, std::string to) -> Task<int> {
    std::vector<Task<int>> tasks;
    for (int n = 0; n < 500; ++n) tasks.push_back(probe(with, to));
    std::vector<int> good = co_await gather(std::move(tasks));
    co_return std::accumulate(good.begin(), good.end(), 0);
  };
  MonoTime begin = boot_now();
  EXPECT_EQ(run(all(&client, url())), 500);
  RecordProperty("milliseconds", static_cast<int>(to_duration(boot_now() - begin).count()));
}

TEST_F(Http, ServerAnswersBadRequestsAndGoesOn) {
  HttpLimits limits;
  limits.largest_body = 1'000;
  limits.largest_headers = 2'000;
  serve(echo, limits);
  EXPECT_THAT(raw("\x16\x03\x01 nonsense\r\n\r\n"), HasSubstr("400"));
  EXPECT_THAT(raw("GET / HTTP/1.1\r\nX: " + std::string(5'000, 'x') + "\r\n\r\n"), HasSubstr("431"));
  EXPECT_THAT(raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + std::string(2'000, 'x')),
              HasSubstr("413"));
  EXPECT_THAT(raw("GET /twice HTTP/1.1\r\nHost: a\r\n\r\nGET /again HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
              testing::AllOf(HasSubstr("/twice"), HasSubstr("/again")));
  EXPECT_EQ(get(url())->status, 200);
  EXPECT_EQ(failures, "");
}

TEST_F(Http, ServerDoesNotWaitForeverForASlowRequest) {
  HttpLimits limits;
  limits.request = Duration{200};
  serve(echo, limits);
  MonoTime begin = boot_now();
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab"), "");
  EXPECT_EQ(raw(""), "");
  EXPECT_LT(boot_now() - begin, std::chrono::seconds{5});
}

TEST_F(Http, ServerReportsAHandlerThatThrows) {
  serve([](HttpIncoming) -> Task<HttpReply> {
    throw std::runtime_error("broken");
    co_return HttpReply{};
  });
  EXPECT_EQ(get(url("/x"))->status, 500);
  EXPECT_THAT(failures, HasSubstr("GET /x: broken"));
}

TEST_F(Http, ServerSaysThatItsPortIsTaken) {
  serve(echo);
  HttpServer second(context.get_executor(), echo, [](std::string_view) {});
  auto outcome = second.listen("127.0.0.1", server->port());
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().kind, ErrorKind::conflict);
  EXPECT_EQ(second.listen("not an address", 0).error().kind, ErrorKind::invalid_input);
}

TEST_F(Http, ServerLetsAnswersUnderWayFinishWhenItStops) {
  serve([](HttpIncoming) -> Task<HttpReply> {
    co_await sleep_for(Duration{200});
    co_return HttpReply{200, "late", "text/plain", {}};
  });
  auto both = [](HttpClient* with, HttpServer* at, std::string to) -> Task<Result<HttpResponse>> {
    using namespace asio::experimental::awaitable_operators;
    auto stop = [](HttpServer* which) -> Task<> {
      co_await sleep_for(Duration{50});
      co_await which->stop(Duration{5'000});
    };
    co_return co_await (with->send(HttpRequest{.url = std::move(to)}, soon()) && stop(at));
  };
  auto answer = run(both(&client, server.get(), url()));
  ASSERT_TRUE(answer.has_value()) << answer.error().text();
  EXPECT_EQ(answer->body, "late");
  EXPECT_EQ(get(url()).error().kind, ErrorKind::unreachable);
}

Task<> echo_socket(WebSocket socket, HttpIncoming incoming) {
  while (true) {
    auto message = co_await socket.read(Deadline::after(Duration{10'000}));
    if (!message) co_return;
    auto written = co_await socket.write(incoming.header("x-host") + ":" + *message, soon());
    if (!written) co_return;
  }
}

TEST_F(Http, WebSocketsCarryMessagesBothWaysAtOnce) {
  serve(echo).on_websocket("/link", echo_socket);
  auto talk = [](int port) -> Task<std::string> {
    auto socket = co_await connect_websocket("127.0.0.1", port, "/link", {{"X-Host", "db-1"}}, soon());
    if (!socket) co_return socket.error().text();
    using namespace asio::experimental::awaitable_operators;
    auto send = [](WebSocket* over) -> Task<int> {
      for (int n = 0; n < 200; ++n) {
        auto sent = co_await over->write(std::to_string(n), soon());
        if (!sent) co_return n;
      }
      co_return 200;
    };
    auto receive = [](WebSocket* over) -> Task<std::string> {
      std::string last;
      for (int n = 0; n < 200; ++n) {
        auto message = co_await over->read(soon());
        if (!message) co_return message.error().text();
        last = *message;
      }
      co_return last;
    };
    auto [sent, last] = co_await (send(&*socket) && receive(&*socket));
    co_await socket->close(soon());
    co_return fmt::format("{} {} {}", sent, last, socket->open());
  };
  EXPECT_EQ(run(talk(server->port())), "200 db-1:199 false");
}

TEST_F(Http, WebSocketsThatAreRefusedSayWhy) {
  serve(echo);
  auto none = run(connect_websocket("127.0.0.1", server->port(), "/other", {}, soon()));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().kind, ErrorKind::refused) << none.error().text();
  RawServer silent(context, [](tcp::socket& socket) -> Task<> {
    co_await read_request(socket);
    co_await sleep_for(Duration{60'000});
  });
  auto nothing = run(connect_websocket("127.0.0.1", silent.port(), "/", {}, Deadline::after(Duration{200})));
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().kind, ErrorKind::timed_out);
}

TEST_F(Http, AWebSocketThatSaysNothingInTimeStaysUsable) {
  serve(echo).on_websocket("/link", echo_socket);
  auto talk = [](int port) -> Task<std::string> {
    auto socket = co_await connect_websocket("127.0.0.1", port, "/link", {{"X-Host", "a"}}, soon());
    if (!socket) co_return socket.error().text();
    auto none = co_await socket->read(Deadline::after(Duration{50}));
    auto written = co_await socket->write("x", soon());
    auto some = co_await socket->read(soon());
    co_return fmt::format("{} {} {}", none.error().kind == ErrorKind::timed_out, written.has_value(),
                          some.value_or("nothing"));
  };
  EXPECT_EQ(run(talk(server->port())), "true true a:x");
}

TEST_F(Http, AWebSocketEndsWhenAMessageIsTooLarge) {
  std::string ending;
  serve(echo).on_websocket("/link", [&](WebSocket socket, HttpIncoming) -> Task<> {
    auto message = co_await socket.read(soon());
    ending = message ? "read" : message.error().text();
  });
  auto talk = [](int port) -> Task<std::string> {
    auto socket = co_await connect_websocket("127.0.0.1", port, "/link", {}, soon());
    if (!socket) co_return socket.error().text();
    auto written = co_await socket->write(std::string(WebSocket::kLargestMessage + 1, 'x'), soon());
    auto answer = co_await socket->read(soon());
    co_return answer ? "an answer" : std::string(to_string(answer.error().kind));
  };
  EXPECT_EQ(run(talk(server->port())), "unreachable");
  EXPECT_THAT(ending, HasSubstr("larger than"));
}

TEST_F(Http, AWebSocketNoticesThatTheOtherSideWentSilent) {
  // A peer that shakes hands properly and then neither answers pings nor closes, as after a cut cable.
  RawServer mute(context, [](tcp::socket& socket) -> Task<> {
    std::string request = co_await read_request(socket);
    boost::beast::http::request_parser<boost::beast::http::empty_body> parser;
    boost::system::error_code problem;
    parser.put(asio::buffer(request), problem);
    boost::beast::websocket::stream<tcp::socket> stream(std::move(socket));
    co_await stream.async_accept(parser.get(), asio::use_awaitable);
    co_await sleep_for(Duration{60'000});
  });
  auto wait = [](int port) -> Task<std::string> {
    auto socket = co_await connect_websocket("127.0.0.1", port, "/", {}, soon());
    if (!socket) co_return socket.error().text();
    auto nothing = co_await socket->read(Deadline::after(Duration{15'000}));
    co_return nothing ? "a message" : nothing.error().text();
  };
  MonoTime begin = boot_now();
  EXPECT_THAT(run(wait(mute.port())), HasSubstr("went silent"));
  EXPECT_LT(boot_now() - begin, std::chrono::seconds{8});
}

TEST_F(Http, AWebSocketThatIsDestroyedEndsBothSides) {
  std::string ending;
  serve(echo).on_websocket("/link", [&](WebSocket socket, HttpIncoming) -> Task<> {
    auto message = co_await socket.read(soon());
    ending = message ? "read" : std::string(to_string(message.error().kind));
  });
  auto talk = [](int port, std::string* seen) -> Task<bool> {
    {
      auto socket = co_await connect_websocket("127.0.0.1", port, "/link", {}, soon());
      if (!socket) co_return false;
    }
    Deadline deadline = soon();
    while (seen->empty() && !deadline.passed()) co_await sleep_for(Duration{5});
    co_return true;
  };
  EXPECT_TRUE(run(talk(server->port(), &ending)));
  EXPECT_EQ(ending, "unreachable");
}

class Smtp : public Http {
 protected:
  Mail mail_to(int port) {
    Mail mail;
    mail.host = "127.0.0.1";
    mail.port = port;
    mail.tls = false;
    mail.from = "lifeboat@example.test";
    mail.to = {"ana@example.test", "kim@example.test"};
    mail.subject = "us-east-1 is lost";
    mail.body = "Users cannot reach the API.\n.hidden dot\n";
    mail.message_id = "R-1.tell@lifeboat";
    return mail;
  }
  Result<void> send(std::string final_answer, std::string* heard) {
    RawServer mail_server(context,
                          [=](tcp::socket& socket) -> Task<> { co_await smtp_session(socket, heard, final_answer); });
    return run(send_mail(client, mail_to(mail_server.port()), soon()));
  }
};

TEST_F(Smtp, HandsAMailOver) {
  std::string heard;
  auto sent = send("250 queued", &heard);
  ASSERT_TRUE(sent.has_value()) << sent.error().text();
  EXPECT_THAT(heard,
              testing::AllOf(HasSubstr("MAIL FROM:<lifeboat@example.test>"), HasSubstr("RCPT TO:<kim@example.test>"),
                             HasSubstr("Subject: us-east-1 is lost"), HasSubstr("Message-ID: <R-1.tell@lifeboat>"),
                             HasSubstr("Users cannot reach the API."), HasSubstr("..hidden dot")));
}

TEST_F(Smtp, TellsARefusalFromNoAnswerAndFromABusyServer) {
  std::string heard;
  EXPECT_EQ(send("550 no such user", &heard).error().kind, ErrorKind::refused);
  EXPECT_EQ(send("451 later", &heard).error().kind, ErrorKind::unreachable);
  EXPECT_EQ(send("", &heard).error().kind, ErrorKind::unknown_outcome);
}

TEST_F(Smtp, RequiresTlsWhenItWasAskedFor) {
  std::string heard;
  RawServer mail_server(context,
                        [&](tcp::socket& socket) -> Task<> { co_await smtp_session(socket, &heard, "250 queued"); });
  Mail mail = mail_to(mail_server.port());
  mail.tls = true;
  EXPECT_FALSE(run(send_mail(client, mail, soon())).has_value());
  EXPECT_THAT(heard, Not(HasSubstr("MAIL FROM")));
}

TEST_F(Smtp, RefusesLineBreaksThatWouldBecomeHeaders) {
  for (auto spoil : {+[](Mail& m) { m.subject = "a\r\nBcc: x@example.test"; },
                     +[](Mail& m) { m.to = {"a@b\r\nRCPT TO:<x@y>"}; }, +[](Mail& m) { m.from = "a b@c"; },
                     +[](Mail& m) { m.message_id = "a>\r\n"; }, +[](Mail& m) { m.headers = {{"X-A", "1\n2"}}; },
                     +[](Mail& m) { m.host = "h/x"; }, +[](Mail& m) { m.to = {}; }}) {
    Mail mail = mail_to(25);
    spoil(mail);
    auto outcome = run(send_mail(client, mail, soon()));
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().kind, ErrorKind::invalid_input);
  }
}

TEST_F(Smtp, EncodesWhatIsNotAscii) {
  Mail mail = mail_to(25);
  mail.subject = "Störung der Anmeldung, eine ziemlich lange Betreffzeile für alle Fälle";
  mail.body = "größer\n";
  auto text = compose(mail, WallTime{std::chrono::milliseconds{0}});
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text, testing::AllOf(HasSubstr("Subject: =?UTF-8?B?"), HasSubstr("base64"),
                                    HasSubstr("Thu, 1 Jan 1970 00:00:00 +0000")));
  for (size_t at = 0; at < text->size();) {
    size_t end = text->find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 100u);
    at = end + 2;
  }
}

}  // namespace
}  // namespace lifeboat
