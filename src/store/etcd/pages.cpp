#include "store/etcd/pages.hpp"

namespace lifeboat::etcd {
namespace {

constexpr Duration kPageWithin{10'000};
// A page of which several could not be fetched in the time of one try is given up for a small one before its time is over.
constexpr Duration kLargePageWithin{4'000};
constexpr int64_t kFirst = 64;
constexpr int64_t kMost = 4'096;
constexpr int64_t kGrowth = 8;
// Fetched within a second also over a slow line, and checked in some hundredths of one.
constexpr size_t kGoodPage = 512 * 1024;

}  // namespace

Pages::Pages(Client& client, std::string from, std::string end, int64_t revision)
    : client_(client),
      from_(std::move(from)),
      end_(std::move(end)),
      revision_(revision),
      limit_(kFirst),
      most_(kMost) {}

Task<Result<std::vector<KeyValue>>> Pages::next() {
  auto asking = client_.range(from_, end_, limit_, revision_, Deadline::after(kLargePageWithin));
  auto found = co_await std::move(asking);
  if (!found) {
    // It may have been too much for the line, or values much larger than those before it: one alone is all that can be asked.
    most_ = std::max<int64_t>(1, limit_ / kGrowth);
    limit_ = 1;
    auto asking_again = client_.range(from_, end_, limit_, revision_, Deadline::after(kPageWithin));
    found = co_await std::move(asking_again);
  }
  if (!found) co_return std::unexpected(std::move(found).error());
  more_ = found->more && !found->values.empty();
  if (!found->values.empty()) from_ = found->values.back().key + '\0';
  judge(found->values);
  co_return std::move(found->values);
}

void Pages::judge(const std::vector<KeyValue>& page) {
  size_t bytes = 0;
  for (const KeyValue& each : page) bytes += each.key.size() + each.value.size();
  if (bytes == 0) return;
  int64_t fitting = static_cast<int64_t>(kGoodPage * page.size() / bytes);
  limit_ = std::clamp<int64_t>(fitting, 1, std::min(most_, limit_ * kGrowth));
}

}  // namespace lifeboat::etcd
