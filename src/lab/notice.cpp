#include "lab/notice.hpp"

#include <fmt/format.h>

#include "core/data/json.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

namespace {

bool proposes(const Decision& row, const std::string& scenario) {
  return (row.manual && row.manual->text == scenario) || (row.full && row.full->text == scenario);
}

}  // namespace

Result<std::string> wait_for_signal(ControllerLink& link, const Plan& plan, const std::string& scenario,
                                    Duration within) {
  for (int64_t deadline = deadline_in(within); boot_ns() < deadline; pause_for(Duration{100})) {
    auto status = link.get("/api/status");
    if (!status || !member(*status, "signals").is_array()) continue;
    for (const Json& signal : member(*status, "signals").get_array()) {
      const Decision* row = plan.decision_matrix.find(text_or(signal, "signal"));
      if (row != nullptr && proposes(*row, scenario)) return text_or(signal, "text");
    }
  }
  return fail(ErrorKind::timed_out, fmt::format("no signal noticed it within {}", format_span(within)),
              "the plan needs a signal of kind data-change whose row of the decision matrix proposes " + scenario);
}

}  // namespace lifeboat::lab
