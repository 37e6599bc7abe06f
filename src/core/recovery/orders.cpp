#include "core/recovery/orders.hpp"

#include <fmt/format.h>

namespace lifeboat::recovery {
namespace {

bool makes_or_moves(std::string_view what) { return what == "restore" || what == "adopt"; }

bool bars(const OrderUnderWay& other, std::string_view what) {
  if (makes_or_moves(what)) return makes_or_moves(other.what);
  return is_look(what) && other.what == what;
}

std::string called(const OrderUnderWay& order) {
  return order.name.empty() ? order.what : fmt::format("{} {}", order.what, order.name);
}

}  // namespace

bool is_look(std::string_view what) { return what == "forensics" || what == "clean-point"; }

Result<> may_begin(std::string_view what, const std::string& service, std::span<const OrderUnderWay> under_way) {
  for (const OrderUnderWay& other : under_way) {
    if (!bars(other, what)) continue;
    std::string hint = other.swaps ? "wait for its end"
                                   : fmt::format("wait for its end, or end it: lifeboat restores stop {} {}", service,
                                                 other.name.empty() ? other.what : other.name);
    return fail(ErrorKind::conflict, fmt::format("{} of {} is under way, by {}", called(other), service, other.by),
                std::move(hint));
  }
  return {};
}

Result<std::vector<size_t>> meant_by_stop(const std::string& name, std::span<const OrderUnderWay> under_way) {
  std::vector<size_t> out;
  for (size_t at = 0; at < under_way.size(); ++at) {
    const OrderUnderWay& order = under_way[at];
    if (order.what == "stop") continue;
    bool meant = name.empty() || order.name == name || (is_look(order.what) && order.what == name);
    if (!meant) continue;
    if (order.swaps)
      return fail(ErrorKind::refused, fmt::format("{} is taking the database's place", called(order)),
                  "it is not ended half-way: it leads in a moment, or the old primary goes on");
    out.push_back(at);
  }
  return out;
}

}  // namespace lifeboat::recovery
