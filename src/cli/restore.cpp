#include "cli/restore.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>

#include <csignal>

#include "cli/exit_codes.hpp"
#include "cli/restored_text.hpp"
#include "cli/service_orders.hpp"
#include "cli/wait.hpp"
#include "io/clock.hpp"
#include "recovery/restore.hpp"

namespace lifeboat::cli {
namespace {

using recovery::RestoreProgress;

std::string amounts(const RestoreProgress& at) {
  std::string out;
  if (at.total_bytes > 0) out = fmt::format("{} of {}", bytes_in_words(at.done_bytes), bytes_in_words(at.total_bytes));
  if (at.bytes_per_second > 0) out += fmt::format(", {}/s", bytes_in_words(static_cast<uint64_t>(at.bytes_per_second)));
  if (at.left) out += fmt::format(", ~{} left", format_span(*at.left));
  return out;
}

// A line that is redrawn on a terminal; in a pipe one line when a stage begins and one every few seconds.
class Teller {
 public:
  explicit Teller(const Output& output) : output_(output) {}

  void tell(const RestoreProgress& at) {
    bool fresh = at.stage != stage_ || !began_;
    if (output_.terminal) {
      if (fresh && began_) fmt::print("\n");
      fmt::print("\r\x1b[K{}", line(at));
    } else if (fresh || boot_now() - told_ > kPause) {
      fmt::print(stderr, "{}\n", line(at));
      told_ = boot_now();
    }
    std::fflush(stdout);
    stage_ = at.stage;
    began_ = true;
  }
  void end() const {
    if (output_.terminal && began_) fmt::print("\n");
  }

 private:
  static constexpr Duration kPause{5'000};
  Output output_;
  recovery::RestoreStage stage_{};
  bool began_ = false;
  MonoTime told_{};

  static std::string line(const RestoreProgress& at) {
    std::string much = amounts(at);
    return fmt::format("{} {:<8} {}{}{}", format_wall_clock(wall_now()), recovery::in_words(at.stage), much,
                       much.empty() || at.note.empty() ? "" : "; ", at.note);
  }
};

}  // namespace

int run_restore(const RestoreOptions& options, const Output& output) {
  std::signal(SIGPIPE, SIG_IGN);
  if (options.stanza.empty())
    return complain(
        fail(ErrorKind::invalid_input, "--repository needs --stanza", "the stanza of the repository").error());
  auto target = recovery::parse_target(options.target);
  if (!target) return complain(target.error());
  auto within_span = duration_of(options.within, "--within", "4h");
  if (!within_span) return complain(within_span.error());
  recovery::RestoreRequest request{
      .config = options.repository,
      .stanza = options.stanza,
      .repository = options.repository_number,
      .wish = {.target = *target, .set = options.set, .timeline = options.timeline, .accept_gap = options.accept_gap},
      .folder = options.into,
      .promote = options.promote,
      .again = options.again,
      .run_as = options.user,
      .processes = options.processes,
      .superuser = options.superuser};
  asio::io_context context(1);
  Teller teller(output);
  auto restored = wait(context, recovery::restore(
                                    std::move(request), [&](const RestoreProgress& at) { teller.tell(at); },
                                    Deadline::after(*within_span)));
  teller.end();
  if (!restored) return complain(restored.error());
  Json done = recovery::to_json(*restored);
  std::string what = options.service.empty() ? options.stanza : options.service;
  fmt::print("{}", output.json ? to_pretty_text(done) + "\n" : restored_in_words(what, done, options.superuser));
  return is_all_well(done) ? kOk : kNotWell;
}

}  // namespace lifeboat::cli
