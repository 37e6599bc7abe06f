#include "core/recovery/choose_place.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace lifeboat::recovery {

Result<RestorePlace> choose_place(const std::vector<RestorePlace>& places, const std::string& where, bool to_lead) {
  auto holder = std::ranges::find_if(places, &RestorePlace::holder);
  std::string region = holder == places.end() ? std::string() : holder->region;
  auto rank = [&](const RestorePlace& place) {
    return std::tuple(place.holder, place.region != region, place.streams, place.member);
  };
  const RestorePlace* best = nullptr;
  std::string refused;
  for (const RestorePlace& place : places) {
    if (!where.empty() && place.member != where && place.host != where) continue;
    std::string why = !place.connected              ? "its agent is not connected"
                      : to_lead && !place.candidate ? "the plan does not let it be promoted"
                                                    : "";
    if (!why.empty()) {
      refused += fmt::format("{}{}: {}", refused.empty() ? "" : "; ", place.member, why);
      continue;
    }
    if (best == nullptr || rank(place) < rank(*best)) best = &place;
  }
  if (best != nullptr) return *best;
  if (refused.empty())
    return fail(ErrorKind::not_found, fmt::format("no member of the database is '{}' or runs there", where));
  return fail(ErrorKind::unreachable, "there is no host to restore on: " + refused);
}

}  // namespace lifeboat::recovery
