#include "sim/shrink.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/data/describe.hpp"

namespace lifeboat::sim {
namespace {

std::string rule_of(const Setup& setup) {
  Outcome outcome = play(setup, false);
  return outcome.violations.empty() ? std::string() : outcome.violations.front().rule;
}

}  // namespace

Setup shrink(const Setup& failing) {
  std::string rule = rule_of(failing);
  Setup best = failing;
  if (rule.empty()) return best;
  auto take_if_it_fails = [&](Setup tried) {
    if (rule_of(tried) != rule) return false;
    best = std::move(tried);
    return true;
  };
  for (bool shorter = true; shorter;) {
    shorter = false;
    // Halves first, then one by one.
    for (size_t part = std::max<size_t>(1, best.faults.size() / 2); part > 0; part /= 2) {
      for (size_t from = 0; from + part <= best.faults.size();) {
        Setup tried = best;
        auto begin = tried.faults.begin() + static_cast<std::ptrdiff_t>(from);
        tried.faults.erase(begin, begin + static_cast<std::ptrdiff_t>(part));
        if (take_if_it_fails(std::move(tried))) {
          shorter = true;
        } else {
          from += part;
        }
      }
    }
    auto simplify = [&](auto change) {
      Setup tried = best;
      if (change(tried)) shorter = take_if_it_fails(std::move(tried)) || shorter;
    };
    simplify([](Setup& it) { return std::exchange(it.loose, false); });
    simplify([](Setup& it) { return std::exchange(it.loss, 0.0) > 0; });
    simplify([](Setup& it) { return std::exchange(it.drift, 0.0) > 0; });
    simplify([](Setup& it) { return std::exchange(it.fresh, false); });
    simplify([](Setup& it) {
      Nanos last = it.faults.empty() ? 0 : it.faults.back().at + 1'000'000'000;
      return last < it.storm && (it.storm = last, true);
    });
  }
  return best;
}

std::string describe(const Setup& setup) {
  std::string out = fmt::format(
      "seed {}: {} members in {} regions, {} controllers, lease {} ms, automatic {} at most {}, may lose {} ms, sync "
      "{}{}{}, "
      "loss {}, drift {}, faults until {:.1f} s\n",
      setup.seed, setup.members, setup.regions, setup.controllers, setup.lease.count(), enum_name(setup.automatic),
      setup.automatic_at_most, setup.loss_allowed.count(), setup.sync, setup.fresh ? ", fresh" : "",
      setup.loose ? ", loose messages" : "", setup.loss, setup.drift, static_cast<double>(setup.storm) / 1e9);
  if (!setup.core.empty()) out += fmt::format("  the core is {}\n", fmt::join(setup.core, ", "));
  for (const Fault& fault : setup.faults) out += "  " + in_words(fault) + "\n";
  return out;
}

}  // namespace lifeboat::sim
