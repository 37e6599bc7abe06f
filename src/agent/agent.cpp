#include "agent/agent.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <deque>
#include <filesystem>

#include "agent/backup_host.hpp"
#include "agent/close_log.hpp"
#include "agent/data_look.hpp"
#include "agent/database_member.hpp"
#include "agent/isolation.hpp"
#include "agent/member_line.hpp"
#include "agent/restores.hpp"
#include "agent/role_password.hpp"
#include "agent/unit_group.hpp"
#include "core/data/encode.hpp"
#include "core/detection/pace.hpp"
#include "io/crypto.hpp"
#include "io/dial.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"
#include "io/priority.hpp"
#include "io/secrets.hpp"
#include "io/websocket.hpp"

namespace lifeboat {
namespace {

constexpr Duration kConnect{1'000};
constexpr Duration kHandshake{3'000};
constexpr Duration kWrite{2'000};
constexpr Duration kSilence{3'000};
constexpr Duration kShutdown{5'000};
constexpr Duration kTellAgain{30'000};

class Agent {
 public:
  Agent(asio::io_context& context, const AgentOptions& options)
      : context_(context),
        options_(options),
        secrets_(options.secrets_dir),
        scope_(context.get_executor(),
               [this](std::string_view task, std::string_view what) { say(fmt::format("{} failed: {}", task, what)); }),
        outgoing_(context.get_executor()),
        report_due_(context.get_executor()),
        isolation_(scope_, options.data_dir, options.controllers,
                   {[this](const std::string& line) { say(line); },
                    [this] { send(message_of(wire::CutOff{isolation_.stands()})); }}),
        backups_(scope_, secrets_, options.host, options.data_dir, options.run_as,
                 {[this](const std::string& line) { say(line); },
                  [this](std::string service, std::string sql, Deadline deadline) {
                    return ask_server(std::move(service), std::move(sql), deadline);
                  }}),
        restores_(scope_, options.host, options.data_dir, options.run_as,
                  [this](const std::string& line) { say(line); }) {}

  Task<> run(asio::signal_set& signals) {
    std::error_code ignored;
    std::filesystem::create_directories(options_.data_dir, ignored);
    // The servers' own user passes through on its way to its folders; what lies beside them is closed to it.
    chmod(options_.data_dir.c_str(), 0711);
    co_await isolation_.restore();
    co_await recall();
    scope_.spawn("link", keep_link());
    scope_.spawn("reports", send_reports());
    scope_.spawn("orphans", reap_orphans());
    co_await signals.async_wait(asio::use_awaitable);
    say("stops");
    Deadline all = Deadline::after(kShutdown);
    for (auto& [service, member] : members_) co_await member->shut_down(all);
    for (auto& [service, group] : units_) co_await group->shut_down(all.at_most(Duration{1'000}));
    co_await backups_.stop(all.at_most(Duration{1'000}));
    // The last releases go out before the link is closed.
    for (int wait = 0; wait < 20 && socket_ != nullptr && !queue_.empty(); ++wait) co_await sleep_for(Duration{10});
    co_await scope_.stop(Duration{1'000});
    context_.stop();
  }

 private:
  asio::io_context& context_;
  AgentOptions options_;
  Secrets secrets_;
  HttpClient http_;
  Scope scope_;
  Wakeup outgoing_;
  Wakeup report_due_;
  std::shared_ptr<WebSocket> socket_;  // null while there is no link
  struct Outgoing {
    std::string text;
    bool is_release = false;
  };
  std::deque<Outgoing> queue_;
  std::map<std::string, std::pair<std::string, MonoTime>> told_ends_;  // by controller: why, and when that was told
  std::deque<std::string> releases_;          // not sent while there was a link; they go first when it is back
  MonoTime asked_{};                          // its last renewal
  std::optional<MonoTime> unanswered_since_;  // the first renewal since the controller last said anything
  bool hears_regularly_ = false;              // the controller says so when it has nothing to say
  std::string leader_;                        // whom a controller named that does not lead
  wire::Configure configuration_;
  bool configured_ = false;
  int probe_generation_ = 0;
  detection::Pace pace_;
  std::map<std::string, std::unique_ptr<DatabaseMember>> members_;
  std::map<std::string, std::unique_ptr<MemberLine>> lines_;  // by service: to the other members
  std::map<std::string, std::unique_ptr<DataLooks>> looks_;   // by service
  std::map<std::string, std::unique_ptr<UnitGroup>> units_;
  Isolation isolation_;
  BackupHost backups_;
  Restores restores_;

  void say(const std::string& text) { spdlog::info("{}", secrets_.redact(text)); }
  std::string configuration_file() const { return options_.data_dir + "/configuration.json"; }

  // ---- messages out

  template <class Message>
  static Json message_of(const Message& message) {
    Json body = encode(message);
    body.as_object()["type"] = Message::kType;
    return body;
  }

  void send(Json message) {
    std::string type = text_or(message, "type");
    bool is_release = type == wire::Release::kType;
    if (socket_ == nullptr) {
      if (is_release) releases_.push_back(to_text(message));
      return;
    }
    // A lease is lost if the link dies without a word and nobody notices. It counts from the first renewal that nothing was
    // heard after: an agent that stood still itself has not been listening.
    if (type == wire::Renew::kType) {
      MonoTime now = boot_now();
      bool stood_still = now - asked_ > shortest_lease() / 4;
      asked_ = now;
      if (!unanswered_since_ || stood_still) unanswered_since_ = now;
      if (now - *unanswered_since_ > shortest_lease() * wire::kSilentShare) {
        say("the controller is silent; the link is made anew");
        socket_->drop();
      }
    }
    Outgoing next{to_text(message), is_release};
    if (is_release) {
      queue_.push_front(std::move(next));
    } else {
      queue_.push_back(std::move(next));
    }
    outgoing_.notify();
  }

  Duration shortest_lease() const {
    Duration shortest{3'600'000};
    for (const auto& [service, config] : configuration_.servers)
      shortest = std::min(shortest, Duration{config.lease_ms});
    return shortest;
  }

  Task<> write_messages(std::shared_ptr<WebSocket> socket) {
    while (socket->open() && socket == socket_) {
      if (queue_.empty()) {
        co_await outgoing_.wait_until(boot_now() + std::chrono::seconds(1));
        continue;
      }
      Outgoing message = std::move(queue_.front());
      queue_.pop_front();
      auto written = co_await socket->write(message.text, Deadline::after(kWrite));
      if (written) continue;
      if (message.is_release) releases_.push_back(std::move(message.text));
      socket->drop();
    }
  }

  Task<> send_reports() {
    while (true) {
      co_await report_due_.wait_until(boot_now() + Duration{std::max<int64_t>(20, configuration_.report_every_ms)});
      if (socket_ == nullptr || !configured_) continue;
      wire::Report report;
      report.boot_ns = boot_now().time_since_epoch().count();
      for (const auto& [service, member] : members_) {
        MemberReport one = member->report();
        if (auto line = lines_.find(service); line != lines_.end()) line->second->add_to(one);
        report.members.add(service, std::move(one));
      }
      for (const auto& [service, group] : units_) report.units.add(service, group->up());
      backups_.add_to(report);
      Json body = encode(report);
      body.as_object()["type"] = wire::Report::kType;
      send(std::move(body));
    }
  }

  // What its children leave behind becomes the agent's own child. Whoever started a process reaps it at once, so one that
  // is found dead twice has nobody else.
  static Task<> reap_orphans() {
    pid_t found_before = 0;
    while (true) {
      co_await sleep_for(Duration{500});
      siginfo_t info{};
      if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) continue;
      if (info.si_pid != 0 && info.si_pid == found_before) waitpid(info.si_pid, nullptr, WNOHANG);
      found_before = info.si_pid;
    }
  }

  // ---- the link

  Task<> keep_link() {
    Duration pause{50};
    for (size_t turn = 0;; ++turn) {
      const std::string& controller = options_.controllers[turn % options_.controllers.size()];
      MonoTime begun = boot_now();
      auto linking = link_to(controller);
      auto ended = co_await std::move(linking);
      tell_end(controller, ended.error().text());
      bool lasted = boot_now() - begun > std::chrono::seconds(5);
      // Where there are several, one of them is being elected while none takes this agent.
      Duration most{options_.controllers.size() > 1 ? 200 : 500};
      pause = lasted ? Duration{50} : std::min(pause * 2, most);
      auto told = std::ranges::find(options_.controllers, std::exchange(leader_, {}));
      if (told != options_.controllers.end())
        turn = static_cast<size_t>(told - options_.controllers.begin()) + options_.controllers.size() - 1;
      co_await sleep_for(pause);
    }
  }

  // Without a controller the same is found several times a second, for as long as it takes.
  void tell_end(const std::string& controller, const std::string& why) {
    auto& [told, at] = told_ends_[controller];
    if (told == why && boot_now() - at < kTellAgain) return;
    told = why;
    at = boot_now();
    say(fmt::format("link to {}: {}", controller, why));
  }

  Task<Result<>> link_to(std::string controller) {
    size_t colon = controller.rfind(':');
    if (colon == std::string::npos)
      co_return fail(ErrorKind::invalid_input, fmt::format("'{}' is no ADDRESS:PORT", controller));
    auto connecting = connect_websocket(controller.substr(0, colon), std::atoi(controller.c_str() + colon + 1),
                                        "/agent", {}, Deadline::after(kConnect));
    CO_TRY(WebSocket connected, co_await std::move(connecting));
    auto socket = std::make_shared<WebSocket>(std::move(connected));
    auto shaking = shake_hands(socket);
    CO_TRY_VOID(co_await std::move(shaking));
    say(fmt::format("linked to {}", controller));
    socket_ = socket;
    unanswered_since_.reset();
    hears_regularly_ = false;
    for (std::string& release : releases_) queue_.push_back({std::move(release), true});
    releases_.clear();
    for (auto& [service, member] : members_) member->linked();
    scope_.spawn("writer", write_messages(socket));
    report_due_.notify();
    auto reading = read_messages(socket);
    auto ended = co_await std::move(reading);
    socket_.reset();
    socket->drop();
    for (Outgoing& message : queue_) {
      if (message.is_release) releases_.push_back(std::move(message.text));
    }
    queue_.clear();
    outgoing_.notify();
    co_return ended;
  }

  Task<Result<>> shake_hands(std::shared_ptr<WebSocket> socket) {
    Deadline deadline = Deadline::after(kHandshake);
    CO_TRY(std::string token, secrets_.get("agent-" + options_.host));
    std::string nonce = random_hex(16);
    JsonObject hello{{"type", "hello"}, {"agent", options_.host}, {"nonce", nonce}, {"cut_off", isolation_.stands()}};
    CO_TRY_VOID(co_await socket->write(to_text(hello), deadline));
    CO_TRY(std::string challenge_text, co_await socket->read(deadline));
    CO_TRY(Json challenge, parse_json(challenge_text));
    if (text_or(challenge, "type") == wire::kElsewhere) {
      leader_ = text_or(challenge, "controller");
      co_return fail(ErrorKind::refused, leader_.empty() ? "no controller leads" : leader_ + " leads");
    }
    std::string both = options_.host + "\n" + nonce + "\n" + text_or(challenge, "nonce");
    bool known = text_or(challenge, "type") == "challenge" && text_or(challenge, "nonce").size() >= 16 &&
                 equal_in_constant_time(text_or(challenge, "proof"), hmac_sha256_hex(token, "controller\n" + both));
    if (!known)
      co_return fail(ErrorKind::refused, "the controller does not know this agent's token",
                     "compare the secret agent-" + options_.host + " on both sides");
    JsonObject proof{{"type", "proof"}, {"proof", hmac_sha256_hex(token, "agent\n" + both)}};
    CO_TRY_VOID(co_await socket->write(to_text(proof), deadline));
    CO_TRY(std::string welcome_text, co_await socket->read(deadline));
    CO_TRY(Json welcome, parse_json(welcome_text));
    if (text_or(welcome, "type") != "welcome") co_return fail(ErrorKind::refused, "the controller said no");
    co_return Result<>{};
  }

  Task<Result<>> read_messages(std::shared_ptr<WebSocket> socket) {
    while (true) {
      auto text = co_await socket->read(Deadline::after(hears_regularly_ ? wire::kHereWithin : kSilence));
      if (!text) {
        if (text.error().kind == ErrorKind::timed_out && hears_regularly_)
          co_return fail(ErrorKind::unreachable, "the controller went silent");
        // Silence alone is no end: the socket asks the other side by itself and ends when that does not answer.
        if (text.error().kind == ErrorKind::timed_out && socket->open()) continue;
        co_return std::unexpected(std::move(text).error());
      }
      unanswered_since_.reset();
      isolation_.heard();
      CO_TRY(Json message, parse_json(*text));
      if (!message.is_object()) co_return fail(ErrorKind::invalid_input, "the controller sent what is no message");
      take(std::move(message));
    }
  }

  void take(Json message) {
    std::string type = text_or(message, "type");
    message.as_object().erase("type");
    if (type == wire::kHere) {
      hears_regularly_ = true;
    } else if (type == wire::Renewed::kType) {
      auto renewed = decode<wire::Renewed>(message);
      if (!renewed) return say("a renewal's answer does not fit");
      auto member = members_.find(renewed->service);
      if (member != members_.end()) member->second->renewed(*renewed);
    } else if (type == wire::LookAgain::kType) {
      auto asked = decode<wire::LookAgain>(message);
      if (!asked) return say("a question to look again does not fit");
      auto member = members_.find(asked->service);
      if (member != members_.end()) member->second->look_again(asked->mark);
    } else if (type == wire::SyncWith::kType) {
      auto order = decode<wire::SyncWith>(message);
      if (!order) return say("a set of standbys to wait for does not fit");
      auto member = members_.find(order->service);
      if (member != members_.end()) member->second->sync_with(*order);
    } else if (type == wire::OrphansNoted::kType) {
      auto noted = decode<wire::OrphansNoted>(message);
      if (!noted) return say("a note does not fit");
      auto member = members_.find(noted->service);
      if (member != members_.end()) member->second->orphans().noted(*noted);
    } else if (type == wire::Request::kType) {
      auto request = decode<wire::Request>(message);
      if (!request) return say("a request does not fit");
      scope_.spawn("request " + request->method, answer(std::move(*request), socket_));
    } else if (type == wire::Configure::kType) {
      auto configuration = decode<wire::Configure>(message);
      if (!configuration) return say("a configuration does not fit");
      // It holds passwords: only the agent itself may read it.
      if (auto kept = write_file_atomic(configuration_file(), to_text(message), 0600); !kept) say(kept.error().text());
      scope_.spawn("configure", configure(std::move(*configuration)));
    }
  }

  // ---- what it is told to do

  // What was told before a restart: instances and standbys do not wait for a controller.
  Task<> recall() {
    auto text = read_file(configuration_file());
    auto message = text ? parse_json(*text) : Result<Json>(fail(ErrorKind::not_found, ""));
    if (!message) co_return;
    auto configuration = decode<wire::Configure>(*message);
    if (configuration) co_await configure(std::move(*configuration));
  }

  Task<> configure(wire::Configure next) {
    configuration_ = std::move(next);
    backups_.configure(configuration_);
    restores_.configure(configuration_);
    for (const auto& [service, config] : configuration_.servers) {
      if (auto found = members_.find(service); found != members_.end()) {
        found->second->reconfigure(config);
        lines_[service]->reconfigure(config);
        looks_[service]->every(between_looks(service));
        continue;
      }
      DatabaseMember::Hooks hooks{[this](const wire::Renew& renew) { send(message_of(renew)); },
                                  [this](const wire::Release& release) { send(message_of(release)); },
                                  [this](const wire::Keep& asked) {
                                    if (auto line = lines_.find(asked.service); line != lines_.end())
                                      line->second->ask(asked);
                                  },
                                  [this] { report_due_.notify(); }, [this](const std::string& line) { say(line); }};
      auto& member = members_[service] =
          std::make_unique<DatabaseMember>(context_.get_executor(), scope_, service, config,
                                           options_.data_dir + "/" + service, options_.run_as, std::move(hooks));
      member->orphans().begin(scope_, {[this](const wire::OrphansSaved& saved) { send(message_of(saved)); },
                                       [this](const std::string& line) { say(line); }});
      lines_[service] = std::make_unique<MemberLine>(
          context_.get_executor(), scope_, service, config,
          MemberLine::Hooks{[to = member.get()](const wire::Keep& asked) { return to->keep(asked); },
                            [to = member.get()](const wire::Kept& answer) { to->kept(answer); },
                            [this](const std::string& line) { say(line); }});
      looks_[service] =
          std::make_unique<DataLooks>(*member, service,
                                      DataLooks::Hooks{[this](const wire::DataLook& seen) { send(message_of(seen)); },
                                                       [this](const std::string& line) { say(line); }});
      looks_[service]->every(between_looks(service));
      looks_[service]->begin(scope_);
      auto beginning = member->begin();
      if (auto begun = co_await std::move(beginning); !begun) say(fmt::format("{}: {}", service, begun.error().text()));
    }
    for (const auto& [service, config] : configuration_.units) {
      if (auto found = units_.find(service); found != units_.end()) {
        found->second->reconfigure(config);
        continue;
      }
      UnitGroup::Hooks hooks{[this] { report_due_.notify(); }, [this](const std::string& line) { say(line); }};
      auto& group = units_[service] =
          std::make_unique<UnitGroup>(scope_, http_, service, config, options_.data_dir + "/" + service,
                                      options_.unit_path, options_.run_as, std::move(hooks));
      group->begin();
    }
    configured_ = true;
    ++probe_generation_;
    for (const wire::ProbeConfig& probe : configuration_.probes)
      scope_.spawn("probe " + probe.id, watch(probe, probe_generation_));
    report_due_.notify();
  }

  Duration between_looks(const std::string& service) const {
    const wire::LookConfig* looks = configuration_.looks.find(service);
    return Duration{looks == nullptr ? 0 : looks->every_ms};
  }

  Task<> watch(wire::ProbeConfig probe, int generation) {
    const detection::Asked asked{probe.id, probe.region, probe.spared, Duration{probe.every_ms}};
    while (generation == probe_generation_) {
      MonoTime begun = boot_now();
      if (!pace_.is_due(asked, begun)) {
        co_await sleep_until(begun + asked.every);
        continue;
      }
      Deadline deadline = Deadline::after(Duration{probe.within_ms});
      Result<> seen;
      if (probe.kind == "tcp") {
        auto connecting = dial(probe.address, static_cast<int>(probe.port), deadline);
        auto connected = co_await std::move(connecting);
        if (!connected) seen = std::unexpected(std::move(connected).error());
      } else {
        HttpRequest request;
        request.url = fmt::format("http://{}:{}{}", probe.address, probe.port, probe.path);
        if (!probe.host_header.empty()) request.headers.emplace_back("Host", probe.host_header);
        request.fresh_connection = true;
        auto asking = http_.send(std::move(request), deadline);
        auto answer = co_await std::move(asking);
        if (!answer) {
          seen = std::unexpected(answer.error());
        } else if (answer->status < 200 || answer->status >= 400) {
          seen = fail(ErrorKind::refused, fmt::format("answered {}", answer->status));
        }
      }
      pace_.heard(asked, seen.has_value(), begun, boot_now());
      wire::ProbeResult result{probe.id, seen.has_value(), seen ? "" : seen.error().what,
                               to_duration(boot_now() - begun).count()};
      Json body = encode(result);
      body.as_object()["type"] = wire::ProbeResult::kType;
      send(std::move(body));
      co_await sleep_until(begun + Duration{probe.every_ms});
    }
  }

  // An answer belongs to the link its request came over: the next controller counts its requests anew, and would take it for
  // that of another.
  Task<> answer(wire::Request request, std::shared_ptr<WebSocket> over) {
    auto doing = carry_out(request, over);
    auto done = co_await std::move(doing);
    wire::Reply reply;
    reply.id = request.id;
    reply.ok = done.has_value();
    if (done) {
      reply.result = std::move(*done);
    } else {
      Error error = secrets_.redact(std::move(done).error());
      reply.error_kind = to_string(error.kind);
      reply.hint = error.hint;
      error.hint.clear();
      reply.error = error.text();
      say(fmt::format("{}: {}", request.method, reply.error));
    }
    Json body = encode(reply);
    body.as_object()["type"] = wire::Reply::kType;
    body.as_object()["id"] = reply.id;
    body.as_object()["ok"] = reply.ok;
    if (socket_ == over) send(std::move(body));
  }

  template <class Params>
  static Result<Params> params_of(const wire::Request& request) {
    auto params = decode<Params>(request.params);
    if (!params) return std::unexpected(to_error(params.error(), "the parameters do not fit"));
    return std::move(*params);
  }

  Task<Result<PgRows>> ask_server(std::string service, std::string sql, Deadline deadline) {
    CO_TRY(DatabaseMember * member, member_of(service));
    co_return co_await member->ask(std::move(sql), deadline);
  }

  Result<DatabaseMember*> member_of(const std::string& service) {
    auto found = members_.find(service);
    if (found == members_.end())
      return fail(ErrorKind::not_found, fmt::format("{} runs no server of '{}'", options_.host, service));
    return found->second.get();
  }

  Task<Result<Json>> carry_out(wire::Request request, std::shared_ptr<WebSocket> over) {
    Deadline deadline = Deadline::after(Duration{std::max<int64_t>(0, request.within_ms)});
    auto progress = [this, id = request.id, over = std::move(over)](std::string text) {
      if (socket_ != over) return;
      wire::Progress line{id, std::move(text)};
      Json body = encode(line);
      body.as_object()["type"] = wire::Progress::kType;
      send(std::move(body));
    };
    if (request.method == wire::Lead::kMethod) {
      CO_TRY(wire::Lead order, params_of<wire::Lead>(request));
      CO_TRY(DatabaseMember * member, member_of(order.service));
      co_return co_await member->lead(std::move(order), deadline, progress);
    }
    if (request.method == wire::Follow::kMethod) {
      CO_TRY(wire::Follow order, params_of<wire::Follow>(request));
      CO_TRY(DatabaseMember * member, member_of(order.service));
      co_return co_await member->follow(std::move(order), deadline, progress);
    }
    if (request.method == wire::StepDown::kMethod) {
      CO_TRY(wire::StepDown order, params_of<wire::StepDown>(request));
      CO_TRY(DatabaseMember * member, member_of(order.service));
      co_return co_await member->step_down(std::move(order), deadline);
    }
    if (request.method == wire::Adopt::kMethod) {
      CO_TRY(wire::Adopt order, params_of<wire::Adopt>(request));
      CO_TRY(DatabaseMember * member, member_of(order.service));
      co_return co_await member->adopt(std::move(order), deadline, progress);
    }
    if (request.method == wire::LogClose::kMethod) {
      CO_TRY(wire::LogClose order, params_of<wire::LogClose>(request));
      CO_TRY(DatabaseMember * member, member_of(order.service));
      if (isolation_.stands())
        co_return fail(ErrorKind::refused, "this host is cut off from the network, so nothing of it gets archived");
      co_return co_await close_log(*member, deadline);
    }
    if (request.method == wire::SetPassword::kMethod) {
      CO_TRY(wire::SetPassword order, params_of<wire::SetPassword>(request));
      CO_TRY(DatabaseMember * member, member_of(order.service));
      auto setting = set_role_password(*member, std::move(order), deadline);
      co_return co_await std::move(setting);
    }
    if (request.method == wire::ReplicationPassword::kMethod) {
      CO_TRY(wire::ReplicationPassword order, params_of<wire::ReplicationPassword>(request));
      CO_TRY(DatabaseMember * member, member_of(order.service));
      // It has not been told the one that counts, and nobody hears its server.
      if (isolation_.stands()) co_return Json(JsonObject{{"cut_off", true}});
      auto keeping = replication_password(*member, std::move(order), deadline);
      co_return co_await std::move(keeping);
    }
    if (request.method == wire::ReadOrphans::kMethod) {
      CO_TRY(wire::ReadOrphans what, params_of<wire::ReadOrphans>(request));
      CO_TRY(DatabaseMember * member, member_of(what.service));
      co_return co_await member->orphans().keeper().read(std::move(what));
    }
    if (request.method == wire::LookUpRows::kMethod) {
      CO_TRY(wire::LookUpRows what, params_of<wire::LookUpRows>(request));
      CO_TRY(DatabaseMember * member, member_of(what.service));
      co_return co_await member->orphans().keeper().look_up(std::move(what), deadline);
    }
    if (request.method == wire::Scale::kMethod) {
      CO_TRY(wire::Scale order, params_of<wire::Scale>(request));
      auto group = units_.find(order.service);
      if (group == units_.end())
        co_return fail(ErrorKind::not_found, fmt::format("{} runs no instances of '{}'", options_.host, order.service));
      co_return co_await group->second->scale(order.count, deadline, progress);
    }
    if (Isolation::knows(request.method)) co_return co_await isolation_.carry_out(request.method, request.params);
    if (Restores::knows(request.method))
      co_return co_await restores_.carry_out(request.method, request.params, deadline, progress);
    if (BackupHost::knows(request.method))
      co_return co_await backups_.carry_out(request.method, request.params, deadline, progress);
    co_return fail(ErrorKind::unsupported, fmt::format("this agent does not know '{}'", request.method),
                   "it may be older than the controller");
  }
};

// Two agents in one folder would end each other's servers. The lock goes with the process, however it ends.
bool hold_alone(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  int lock = open((folder + "/agent.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return false;
  // One that is about to end is waited for.
  for (MonoTime end = boot_now() + std::chrono::seconds(2); boot_now() < end;) {
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) return true;
    usleep(20'000);
  }
  return false;
}

}  // namespace

int run_agent(const AgentOptions& options) {
  go_first();
  spdlog::set_default_logger(spdlog::stderr_logger_mt("agent"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
  spdlog::flush_on(spdlog::level::info);
  std::signal(SIGPIPE, SIG_IGN);
  // What a guard that died leaves behind comes to the agent, which ends it.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (!hold_alone(options.data_dir)) {
    spdlog::error("another agent works in {}", options.data_dir);
    return 1;
  }
  asio::io_context context(1);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  auto agent = std::make_unique<Agent>(context, options);
  Scope main_scope(context.get_executor(), [](std::string_view, std::string_view what) { spdlog::error("{}", what); });
  main_scope.spawn("agent", agent->run(signals));
  context.run();
  return 0;
}

}  // namespace lifeboat
