#include "cli/service_orders.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <thread>

#include "core/run/events.hpp"
#include "io/clock.hpp"
#include "io/http_client.hpp"

namespace lifeboat::cli {
namespace {

constexpr std::chrono::milliseconds kAskEvery{300};
// An order may take hours; one question that is not answered meanwhile does not end it.
constexpr Duration kSilentFor{30'000};

// On a terminal one line, which is redrawn and goes away at the end; elsewhere a line whenever there is something new.
class Teller {
 public:
  explicit Teller(const Output& output) : output_(output) {}
  ~Teller() {
    if (drawn_) fmt::print("\r\x1b[K");
  }
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;

  void tell(const std::string& line) {
    if (output_.json || line.empty() || line == said_) return;
    said_ = line;
    if (!output_.terminal) {
      fmt::print(stderr, "{}\n", line);
      return;
    }
    fmt::print("\r\x1b[K{}", shown(line));
    std::fflush(stdout);
    drawn_ = true;
  }

 private:
  Output output_;
  std::string said_;
  bool drawn_ = false;

  // No control bytes, and no more than fits: a line that wraps could not be redrawn.
  static std::string shown(const std::string& line) {
    winsize size{};
    size_t columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40 ? size.ws_col : 80;
    std::string out;
    for (char c : line)
      if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out += c;
    if (out.size() >= columns) out = out.substr(0, columns - 4) + "...";
    return out;
  }
};

// The controller answers; whom it asked may not have.
ErrorKind kind_of(const std::string& named) {
  ErrorKind kind = run::error_kind_of(named);
  return kind == ErrorKind::unreachable || kind == ErrorKind::timed_out ? ErrorKind::unknown_outcome : kind;
}

bool may_answer_again(const Error& error) {
  return error.kind == ErrorKind::unreachable || error.kind == ErrorKind::timed_out ||
         error.kind == ErrorKind::unknown_outcome;
}

Result<Json> follow(Client& client, const ServiceOrder& order, const std::string& at, int64_t number, Teller& teller) {
  Deadline end = Deadline::after(order.within + order.beside);
  MonoTime heard = boot_now();
  while (!end.passed()) {
    auto job = client.get(fmt::format("{}/job/{}", at, number));
    if (!job && (!may_answer_again(job.error()) || boot_now() - heard > kSilentFor))
      return std::unexpected(std::move(job).error());
    if (job) {
      heard = boot_now();
      if (int_or(*job, "number") != number || text_or(*job, "what") != order.what)
        return fail(ErrorKind::unknown_outcome, "another controller leads since, which does not know the order",
                    order.if_lost);
      std::string state = text_or(*job, "state");
      if (state == "done") return member(*job, "result");
      if (state == "failed")
        return fail(kind_of(text_or(*job, "error_kind")), text_or(*job, "error"), text_or(*job, "hint"));
      teller.tell(text_or(*job, "progress"));
    }
    std::this_thread::sleep_for(kAskEvery);
  }
  return fail(ErrorKind::unknown_outcome,
              fmt::format("{} of {} was not done within {}", order.what, order.service, format_span(order.within)),
              "it goes on where it is done; " + order.if_lost);
}

}  // namespace

void add_order_options(CLI::App* command, ClientOptions& client, ServiceOrder& order) {
  command->add_option("--controller", client.controller, "address of a controller (LIFEBOAT_CONTROLLER)");
  command->add_option("--token-file", client.token_file, "file that holds the API token (LIFEBOAT_TOKEN_FILE)");
  command->add_option("--by", order.by, "who asks for it (LIFEBOAT_USER)");
  command->add_option("--on", order.on, "the member on whose host it is done; chosen when left out");
}

Result<Json> order_and_follow(Client& client, const ServiceOrder& order, JsonObject body, const Output& output) {
  std::string at = "/api/restores/" + percent_encode(order.service);
  body["by"] = order.by;
  body["on"] = order.on;
  body["within_ms"] = order.within.count();
  TRY(Json begun, client.post(at + "/" + order.what, body));
  Teller teller(output);
  return follow(client, order, at, int_or(begun, "number"), teller);
}

Result<Duration> duration_of(const std::string& text, const char* option, const char* example) {
  auto span = parse_duration(text);
  if (!span)
    return fail(ErrorKind::invalid_input, fmt::format("{} '{}' is no duration", option, text),
                fmt::format("such as {}", example));
  return *span;
}

}  // namespace lifeboat::cli
