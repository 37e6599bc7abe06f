#include "store/store.hpp"

namespace lifeboat {

namespace {
constexpr Duration kLong{std::chrono::hours(1)};
}  // namespace

Task<Result<void>> Store::understands() { co_return Result<void>{}; }

Task<Result<bool>> Store::campaign(Leader) { co_return true; }

Task<Error> Store::keep_leading() {
  while (true) co_await sleep_for(kLong);
}

Task<Result<void>> Store::still_leads(Deadline) { co_return Result<void>{}; }

Task<> Store::resign() { co_return; }

Task<Result<std::optional<Leader>>> Store::leader() { co_return std::optional<Leader>{}; }

Task<> Store::leader_may_change(Deadline deadline) { co_await sleep_until(deadline.at); }

Task<Result<OwnershipRecord>> Store::grant_above(std::string service, uint64_t expected_term, uint64_t floor,
                                                 std::string holder, NewEvent journal) {
  if (floor > expected_term) co_return fail(ErrorKind::unsupported, "this store cannot raise a term");
  auto granting = grant(std::move(service), expected_term, std::move(holder), std::move(journal));
  co_return co_await std::move(granting);
}

Task<Result<StoreContents>> Store::copy() { co_return fail(ErrorKind::unsupported, "this store cannot be copied"); }

Task<Result<void>> Store::restore(StoreContents) {
  co_return fail(ErrorKind::unsupported, "this store cannot be restored");
}

}  // namespace lifeboat
