#include "io/task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "io/run_in_test.hpp"

namespace lifeboat {
namespace {

Task<Result<int>> gives(int value) { co_return value; }
Task<Result<int>> never() {
  co_await sleep_for(Duration{60'000});
  co_return 0;
}
Task<Result<int>> throws_it() {
  co_await sleep_for(Duration{1});
  throw std::runtime_error("broken");
  co_return 0;
}

Result<int> bounded(Task<Result<int>> op, Duration span) {
  asio::io_context context(1);
  return run_in_test(context, within(Deadline::after(span), "asking", std::move(op)));
}

TEST(Within, GivesTheResultOfWhatEndsInTime) { EXPECT_EQ(bounded(gives(7), Duration{5'000}).value(), 7); }

TEST(Within, NamesWhatDidNotEndInTime) {
  MonoTime begun = boot_now();
  auto outcome = bounded(never(), Duration{30});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::timed_out);
  EXPECT_TRUE(outcome.error().text().starts_with("asking")) << outcome.error().text();
  EXPECT_LT(boot_now() - begun, std::chrono::seconds(5));
}

TEST(Within, DoesNotBeginWhenNoTimeIsLeft) {
  auto outcome = bounded(gives(7), Duration{-1});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::timed_out);
}

TEST(Within, PassesOnAtOnceWhatTheOperationThrows) {
  MonoTime begun = boot_now();
  EXPECT_THROW((void)bounded(throws_it(), Duration{10'000}), std::runtime_error);
  EXPECT_LT(boot_now() - begun, std::chrono::seconds(5));
}

TEST(Within, IsCancelledWithTheOneWhoWaits) {
  asio::io_context context(1);
  asio::cancellation_signal signal;
  std::exception_ptr problem;
  bool ended = false;
  asio::co_spawn(context, within(Deadline::after(Duration{60'000}), "asking", never()),
                 asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown, Result<int>) {
                   problem = thrown;
                   ended = true;
                 }));
  context.run_for(Duration{10});
  signal.emit(asio::cancellation_type::terminal);
  context.run_for(Duration{5'000});
  EXPECT_TRUE(ended);
  EXPECT_THROW(std::rethrow_exception(problem), boost::system::system_error);
}

Task<> blocks_again_and_again() {
  for (int turn = 0; turn < 50; ++turn) {
    auto working = blocking([] { return 1; });
    co_await std::move(working);
  }
}

// At whatever moment it comes, the one who waits learns of it, and the thread of the pool does not.
TEST(Blocking, ACancellationStaysOnTheSideOfWhoWaits) {
  for (int round = 0; round < 2'000; ++round) {
    asio::io_context context(1);
    asio::cancellation_signal signal;
    bool ended = false;
    asio::co_spawn(context, blocks_again_and_again(),
                   asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr) { ended = true; }));
    for (int step = 0; step < round % 40; ++step) context.poll_one();
    signal.emit(asio::cancellation_type::terminal);
    context.run_for(Duration{5'000});
    ASSERT_TRUE(ended);
  }
}

}  // namespace
}  // namespace lifeboat
