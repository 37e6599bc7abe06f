#include "cli/restore.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>

#include <csignal>

#include "cli/exit_codes.hpp"
#include "cli/service_orders.hpp"
#include "cli/wait.hpp"
#include "io/clock.hpp"
#include "recovery/restore.hpp"

namespace lifeboat::cli {
namespace {

using recovery::Restored;
using recovery::RestoreProgress;

std::string gigabytes(uint64_t bytes) {
  return bytes < 1'000'000'000 ? fmt::format("{} MB", bytes / 1'000'000)
                               : fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::string amounts(const RestoreProgress& at) {
  std::string out;
  if (at.total_bytes > 0) out = fmt::format("{} of {}", gigabytes(at.done_bytes), gigabytes(at.total_bytes));
  if (at.bytes_per_second > 0) out += fmt::format(", {}/s", gigabytes(static_cast<uint64_t>(at.bytes_per_second)));
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

void print_restored(const RestoreOptions& options, const Restored& done) {
  const auto& at = done.reached;
  std::string what = options.service.empty() ? options.stanza : options.service;
  fmt::print("{} is restored to {}, {}.\n", what, recovery::in_words(done.target),
             done.promoted ? fmt::format("and takes writes on timeline {}", done.timeline) : "paused and read-only");
  fmt::print("  reached   position {} on timeline {}", ScalarText<Lsn>::format(at.lsn), at.timeline);
  if (at.time) fmt::print("; last commit {}", moment_in_words(*at.time));
  if (at.xid != 0) fmt::print(" (transaction {})", at.xid);
  fmt::print("\n");
  if (at.next_time)
    fmt::print("  left out  from transaction {} of {} on\n", at.next_xid, moment_in_words(*at.next_time));
  if (done.collateral_transactions)
    fmt::print("  behind it {} transactions that were committed later\n", *done.collateral_transactions);
  if (done.cut_by_gap) fmt::print("  NOT ALL   the log has a gap or damage behind this point, which was accepted\n");
  if (done.lost_transactions > 0)
    fmt::print("  NOT IN    {} transactions with a commit time up to the target stand behind it in the log\n",
               done.lost_transactions);
  fmt::print("  took      {:.2f} s: copy {:.2f} s ({}), replay {:.2f} s ({} of log), check {:.2f} s", done.seconds,
             done.copy_seconds, gigabytes(done.bytes), done.replay_seconds, gigabytes(done.log_bytes),
             done.check_seconds);
  if (done.promoted) fmt::print(", promotion {:.2f} s", done.promote_seconds);
  fmt::print("\n  from      set {}, {}\n", done.backup, done.repository_note);
  fmt::print("  enter     psql -h {} -p {} -U {}    (no network, archives nothing)\n", done.socket, done.port,
             options.superuser);
}

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
  if (output.json) {
    fmt::print("{}\n", to_pretty_text(recovery::to_json(*restored)));
  } else {
    print_restored(options, *restored);
  }
  return restored->cut_by_gap || restored->lost_transactions > 0 ? kNotWell : kOk;
}

}  // namespace lifeboat::cli
