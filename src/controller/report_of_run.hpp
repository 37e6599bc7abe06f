// From what the journal knows of a run to its report.
#pragma once

#include "core/model/plan.hpp"
#include "core/run/state.hpp"
#include "report/report.hpp"
#include "store/store.hpp"

namespace lifeboat {

struct ReportSource {
  const Plan& plan;
  std::string plan_hash;
  Store& store;
  const run::RunState& state;
};

// All of it that does not need a witness: steps, decisions, approvals, timeline, chain.
Task<Result<RunReport>> report_of_run(ReportSource source);

struct RenderedReport {
  std::string text;
  std::string type;  // MIME type
};
// format: markdown, html or json.
Task<Result<RenderedReport>> render_run_report(ReportSource source, std::string format);

}  // namespace lifeboat
