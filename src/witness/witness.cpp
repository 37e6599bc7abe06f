#include "witness/witness.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <deque>
#include <set>

#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/postgres.hpp"
#include "io/secrets.hpp"
#include "witness/user.hpp"

namespace lifeboat {
namespace {

// What a user waits before giving up.
constexpr Duration kPatience{1'500};
constexpr size_t kInFlight = 400;
constexpr Duration kLiveWindow{3'000};
// Of a witness that writes to one server, with a new session; as long again after each that took too long, up to the most.
constexpr Duration kDirectPatience{300};
constexpr Duration kDirectPatienceMost{2'400};
// Each try costs the server a process: not before ten times what the last one took.
constexpr Duration kDirectRetry{40};
constexpr Duration kDirectRetryMost{500};
constexpr int kDirectPause = 10;

// Appends whole lines and hands each to the kernel at once, so that a killed witness loses at most the newest.
class Lines {
 public:
  explicit Lines(const std::string& path) : file_(std::fopen(path.c_str(), "ae")) {}
  ~Lines() {
    if (file_ != nullptr) std::fclose(file_);
  }
  bool usable() const { return file_ != nullptr; }
  void add(const Json& line) {
    std::string text = to_text(line) + "\n";
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
  }

 private:
  std::FILE* file_;
};

void report_failure(std::string_view task, std::string_view what) {
  fmt::print(stderr, "witness: {}: {}\n", task, what);
}

// At a signal: begin nothing more, let what is under way come to its end, stop.
Task<> end_at_signal(asio::signal_set& signals, Scope& scope, std::string name, asio::io_context& context) {
  co_await signals.async_wait(asio::use_awaitable);
  scope.cancel(name);
  scope.cancel("report");
  Deadline deadline = Deadline::after(kPatience);
  while (scope.size() > 0 && !deadline.passed()) co_await sleep_for(Duration{10});
  co_await scope.stop(Duration{500});
  context.stop();
}

// Runs `work` until a signal to end.
int until_told(asio::io_context& context, Scope& scope, std::string name, Task<> work) {
  std::signal(SIGPIPE, SIG_IGN);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  Scope outer(context.get_executor(), report_failure);
  scope.spawn(name, std::move(work));
  outer.spawn("signals", end_at_signal(signals, scope, name, context));
  context.run();
  return 0;
}

Result<std::string> token_of(const Plan& plan, const std::string& secrets_dir) {
  if (!plan.journey->token) return std::string();
  Secrets secrets(secrets_dir);
  return secrets.get(*plan.journey->token);
}

class Witness {
 public:
  Witness(asio::io_context& context, const WitnessOptions& options, std::string token, std::string api_token)
      : options_(options),
        path_(options.plan, http_, std::move(token)),
        api_token_(std::move(api_token)),
        lines_(options.out),
        scope_(context.get_executor(), report_failure) {}

  bool usable() const { return lines_.usable(); }
  Scope& scope() { return scope_; }

  Task<> walk() {
    const Journey& journey = *options_.plan.journey;
    auto step = std::chrono::nanoseconds(static_cast<int64_t>(1e9 / std::max(0.1, journey.rate)));
    MonoTime next = boot_now();
    if (!options_.report_to.empty()) scope_.spawn("report", report_live());
    for (uint64_t number = 1;; ++number) {
      // Open loop: what is slow shows as slow and holds nothing up. A world that answers nothing must not eat all
      // memory; who is turned away for that is a user without an answer.
      if (scope_.size() < kInFlight) {
        scope_.spawn("journey", travel(number));
      } else {
        turn_away(number);
      }
      next += step;
      // A witness that was itself held up goes on from now; it does not fire what it missed at once.
      if (boot_now() - next > std::chrono::seconds(1)) next = boot_now();
      co_await sleep_until(next);
    }
  }

 private:
  WitnessOptions options_;
  HttpClient http_;
  UsersPath path_;
  std::string api_token_;
  Lines lines_;
  Scope scope_;
  std::string run_ = random_hex(4);
  std::deque<measure::Sample> recent_;

  measure::Sample begin(uint64_t number) const {
    measure::Sample sample;
    sample.write = number % 2 == 0 && !options_.plan.journey->write.empty();
    if (sample.write) sample.key = fmt::format("w-{}-{}", run_, number);
    sample.sent = boot_now();
    return sample;
  }

  void end(measure::Sample sample) {
    sample.done = boot_now();
    lines_.add(measure::encode_sample(sample));
    recent_.push_back(std::move(sample));
    while (!recent_.empty() && boot_now() - recent_.front().done > kLiveWindow) recent_.pop_front();
  }

  void turn_away(uint64_t number) {
    measure::Sample sample = begin(number);
    sample.error = "not sent: too many journeys wait for their answer";
    end(std::move(sample));
  }

  Task<> travel(uint64_t number) {
    const Journey& journey = *options_.plan.journey;
    std::string id = std::to_string(number);
    measure::Sample sample = begin(number);
    std::string body = sample.write ? fill_in(journey.write_body, id, sample.key) : std::string();
    auto asking =
        path_.ask(sample.write ? "POST" : "GET", fill_in(sample.write ? journey.write : journey.read, id, sample.key),
                  std::move(body), Deadline::after(kPatience), true);
    Asked asked = co_await std::move(asking);
    sample.address = asked.address;
    sample.status = asked.answer ? asked.answer->status : 0;
    sample.ok = asked.answer && asked.answer->status >= 200 && asked.answer->status < 300;
    if (!asked.answer) sample.error = asked.answer.error().what.substr(0, 200);
    end(std::move(sample));
  }

  // Best effort: a controller that is gone is none of the witness's business.
  Task<> report_live() {
    for (size_t turn = 0;;) {
      co_await sleep_for(Duration{1'000});
      std::vector<measure::Sample> window(recent_.begin(), recent_.end());
      MonoTime now = boot_now();
      auto latency = measure::latency_of(window, now - kLiveWindow - kPatience, now);
      auto failed = std::ranges::count_if(window, [](const measure::Sample& sample) { return !sample.ok; });
      MonoTime first = now;
      for (const measure::Sample& sample : window) first = std::min(first, sample.sent);
      JsonObject seen{
          {"error_rate", window.empty() ? 0.0 : static_cast<double>(failed) / static_cast<double>(window.size())},
          {"p95_ms", latency.p95_ms},
          {"rps", static_cast<double>(window.size()) / to_seconds(kLiveWindow)},
          {"reach_ms", to_duration(now - first).count()}};
      HttpRequest request;
      request.method = "POST";
      request.url = options_.report_to[turn % options_.report_to.size()] + "/api/witness";
      request.bearer = api_token_;
      request.headers.emplace_back("Content-Type", "application/json");
      request.body = to_text(seen);
      auto telling = http_.send(std::move(request), Deadline::after(Duration{800}));
      auto told = co_await std::move(telling);
      if (!told || told->status != 200) ++turn;
    }
  }
};

Task<> look_for(UsersPath& path, const Journey& journey, std::vector<std::string>& left, Verified& out,
                Deadline deadline) {
  while (!left.empty()) {
    std::string key = std::move(left.back());
    left.pop_back();
    bool settled = false;
    while (!settled && !deadline.passed()) {
      auto asking = path.ask("GET", fill_in(journey.verify, key, key), {}, Deadline::after(Duration{2'000}), false);
      Asked asked = co_await std::move(asking);
      int status = asked.answer ? asked.answer->status : 0;
      settled = status == 200 || status == 404;
      if (status == 200) ++out.present;
      if (status == 404) out.missing.push_back(key);
      if (!settled) co_await sleep_for(Duration{100});
    }
    if (!settled) out.unknown.push_back(key);
  }
}

// How the application's user reaches that server.
Result<PgParams> params_of(const Plan& plan, const PostgresService& service, const PostgresMember& where,
                           Secrets& secrets) {
  PgParams params{{"host", address_of(plan, where.host.text)},
                  {"port", std::to_string(where.port)},
                  {"dbname", service.database},
                  {"user", service.user}};
  if (service.password) {
    TRY(params["password"], secrets.get(*service.password));
  }
  return params;
}

// The password may be renewed while it is at work, and a server that is not there yet may still have the former one: the next
// generation is tried when one is refused, and the first again behind the last.
void try_other_password(const PostgresService& service, Secrets& secrets, const Error& error) {
  if (!service.password || !error.what.contains("password authentication failed")) return;
  const std::string& name = service.password->name;
  secrets.use(name, secrets.next(name) ? secrets.generation(name) + 1 : 1);
}

// Whether the server takes writes; then its rows are added.
Task<Result<bool>> add_rows(PgParams params, std::set<std::string>& keys, Deadline deadline) {
  auto asking = pg_query_once(params, "SELECT pg_is_in_recovery() AS standby", {}, deadline);
  CO_TRY(PgRows role, co_await std::move(asking));
  if (role.text(0, "standby") != "f") co_return false;
  auto reading = pg_query_once(params, "SELECT key FROM lifeboat_witness", {}, deadline);
  CO_TRY(PgRows rows, co_await std::move(reading));
  for (size_t row = 0; row < rows.rows.size(); ++row) keys.insert(rows.text(row, "key"));
  co_return true;
}

// Asks every server of the database once; a server that does not answer takes no writes as far as anybody can see.
Task<> ask_for_rows(const Plan& plan, const PostgresService& service, Secrets& secrets, Deadline deadline,
                    Result<std::set<std::string>>& out) {
  std::string what = "no server takes writes";
  while (true) {
    std::set<std::string> keys;
    std::vector<std::string> writable;
    for (const auto& [name, where] : service.members) {
      auto params = params_of(plan, service, where, secrets);
      if (!params) {
        out = std::unexpected(std::move(params).error());
        co_return;
      }
      auto adding = add_rows(std::move(*params), keys, deadline.at_most(Duration{5'000}));
      auto added = co_await std::move(adding);
      if (!added) what = name + ": " + added.error().text();
      if (!added) try_other_password(service, secrets, added.error());
      if (added && *added) writable.push_back(name);
    }
    if (writable.size() > 1) {
      out = fail(ErrorKind::conflict, fmt::format("{} take writes at once", fmt::join(writable, " and ")));
      co_return;
    }
    if (writable.size() == 1) {
      out = std::move(keys);
      co_return;
    }
    if (deadline.passed()) break;
    co_await sleep_for(Duration{100});
  }
  out = fail(ErrorKind::timed_out, "the rows of witnesses cannot be read: " + what);
}

class DirectWitness {
 public:
  DirectWitness(const DirectOptions& options, const PostgresService& service, const PostgresMember& where,
                Secrets& secrets)
      : options_(options), service_(service), where_(where), secrets_(secrets), lines_(options.out) {}
  bool usable() const { return lines_.usable(); }

  Task<> ask_for_ever() {
    MonoTime next = boot_now();
    while (true) {
      co_await sleep_until(next);
      next = std::max(next + options_.every, boot_now());
      MonoTime begun = boot_now();
      auto asking = ask_once();
      bool answered = co_await std::move(asking);
      if (answered) {
        patience_ = kDirectPatience;
        continue;
      }
      connection_.reset();
      Duration took = to_duration(boot_now() - begun);
      next = boot_now() + std::clamp(took * kDirectPause, kDirectRetry, kDirectRetryMost);
    }
  }

 private:
  DirectOptions options_;
  const PostgresService& service_;
  const PostgresMember& where_;
  Secrets& secrets_;
  Lines lines_;
  std::unique_ptr<PgConnection> connection_;
  Duration patience_ = kDirectPatience;
  bool table_ = false;
  // No two witnesses write the same key, also not one that is started again.
  std::string prefix_ = fmt::format("{}-{}", options_.writer, boot_now().time_since_epoch().count());
  uint64_t asked_ = 0;

  Task<bool> ask_once() {
    Deadline deadline = Deadline::after(patience_);
    if (!connection_ || !connection_->usable()) {
      auto params = params_of(options_.plan, service_, where_, secrets_);
      if (!params) co_return false;
      auto connecting = PgConnection::connect(std::move(*params), deadline);
      auto connected = co_await std::move(connecting);
      if (!connected) try_other_password(service_, secrets_, connected.error());
      // A server that has too much to do has even more when those whom it is about to answer give up and come anew.
      if (deadline.passed()) patience_ = std::min(2 * patience_, kDirectPatienceMost);
      if (!connected) co_return false;
      connection_ = std::move(*connected);
      deadline = Deadline::after(kDirectPatience);
    }
    if (!table_) {
      auto making = connection_->query(
          "CREATE TABLE IF NOT EXISTS lifeboat_witness (key text, member text, at timestamptz DEFAULT "
          "clock_timestamp())",
          {}, deadline);
      table_ = (co_await std::move(making)).has_value();
      // A standby says that it is read-only; the table comes by replication.
      if (!table_) co_return connection_->usable();
    }
    measure::Ack ack;
    ack.key = fmt::format("{}-{}-{}", prefix_, options_.member, ++asked_);
    ack.sent = boot_now();
    std::vector<std::string> values{ack.key, options_.member};
    auto writing =
        connection_->query("INSERT INTO lifeboat_witness (key, member) VALUES ($1, $2)", std::move(values), deadline);
    auto written = co_await std::move(writing);
    ack.done = boot_now();
    if (written) lines_.add(measure::encode_ack(ack));
    co_return written.has_value() || connection_->usable();
  }
};

}  // namespace

int run_witness(const WitnessOptions& options) {
  if (!options.plan.journey) {
    fmt::print(stderr, "lifeboat: the plan has no journey, so there is nothing a witness could do\n");
    return 2;
  }
  auto token = token_of(options.plan, options.secrets_dir);
  if (!token) {
    fmt::print(stderr, "lifeboat: {}\n", token.error().text());
    return 2;
  }
  Secrets secrets(options.secrets_dir);
  asio::io_context context(1);
  Witness witness(context, options, *token, secrets.get("api-token").value_or(""));
  if (!witness.usable()) {
    fmt::print(stderr, "lifeboat: {} cannot be written\n", options.out);
    return 2;
  }
  return until_told(context, witness.scope(), "walk", witness.walk());
}

Result<Verified> verify_writes(const VerifyOptions& options) {
  if (!options.plan.journey) return fail(ErrorKind::invalid_input, "the plan has no journey");
  TRY(std::string token, token_of(options.plan, options.secrets_dir));
  asio::io_context context(1);
  HttpClient http;
  UsersPath path(options.plan, http, token);
  Verified out;
  std::vector<std::string> left = options.keys;
  Scope scope(context.get_executor(), report_failure);
  constexpr int kAtOnce = 16;
  for (int worker = 0; worker < kAtOnce; ++worker)
    scope.spawn("verify", look_for(path, *options.plan.journey, left, out, Deadline::after(options.patience)));
  context.run();
  return out;
}

int run_verify(const VerifyCommand& command) {
  auto complain = [](const Error& error) {
    fmt::print(stderr, "lifeboat: {}\n", error.text());
    return 2;
  };
  constexpr size_t kLargestFile = size_t{1} << 30;
  auto text = read_file(command.samples, kLargestFile);
  if (!text) return complain(text.error());
  auto samples = measure::read_samples(*text);
  if (!samples) return complain(std::move(samples).error().with(command.samples));
  std::set<std::string> keys;
  for (const measure::Sample& sample : *samples) {
    bool within = (!command.from || sample.done >= *command.from) && (!command.to || sample.done < *command.to);
    if (sample.write && sample.ok && within) keys.insert(sample.key);
  }
  VerifyOptions options{.plan = command.plan, .secrets_dir = command.secrets_dir, .keys = {keys.begin(), keys.end()}};
  auto verified = verify_writes(options);
  if (!verified) return complain(verified.error());
  auto list = [](std::vector<std::string>& of) {
    std::ranges::sort(of);
    return JsonArray(of.begin(), of.end());
  };
  JsonObject found{{"acknowledged", keys.size()},
                   {"present", verified->present},
                   {"missing", list(verified->missing)},
                   {"unknown", list(verified->unknown)}};
  std::string answer = to_pretty_text(found) + "\n";
  if (command.out.empty()) {
    fmt::print("{}", answer);
    return 0;
  }
  auto written = write_file_atomic(command.out, answer);
  return written ? 0 : complain(written.error());
}

int run_direct_witness(const DirectOptions& options) {
  const auto* service = service_as<PostgresService>(options.plan, options.service);
  const PostgresMember* where = service == nullptr ? nullptr : service->members.find(options.member);
  if (where == nullptr) {
    fmt::print(stderr, "lifeboat: the plan has no database member {}/{}\n", options.service, options.member);
    return 2;
  }
  Secrets secrets(options.secrets_dir);
  auto params = params_of(options.plan, *service, *where, secrets);
  if (!params) {
    fmt::print(stderr, "lifeboat: {}\n", params.error().text());
    return 2;
  }
  asio::io_context context(1);
  DirectWitness witness(options, *service, *where, secrets);
  if (!witness.usable()) {
    fmt::print(stderr, "lifeboat: {} cannot be written\n", options.out);
    return 2;
  }
  Scope scope(context.get_executor(), report_failure);
  return until_told(context, scope, "direct", witness.ask_for_ever());
}

Result<std::set<std::string>> direct_rows(const DirectRowsOptions& options) {
  const auto* service = service_as<PostgresService>(options.plan, options.service);
  if (service == nullptr) return fail(ErrorKind::not_found, "the plan has no database " + options.service);
  Secrets secrets(options.secrets_dir);
  asio::io_context context(1);
  Scope scope(context.get_executor(), report_failure);
  Result<std::set<std::string>> out = fail(ErrorKind::internal, "nobody was asked");
  scope.spawn("rows", ask_for_rows(options.plan, *service, secrets, Deadline::after(options.patience), out));
  context.run();
  return out;
}

}  // namespace lifeboat
