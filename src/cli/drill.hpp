// `lifeboat drill SCENARIO`: breaks a lab, lets Lifeboat recover it, and judges what users saw.
#pragma once

#include <string>

namespace lifeboat::cli {

struct DrillCommand {
  std::string scenario;
  std::string plan;
  std::string fault;
  std::string target;           // what the scenario is about when empty
  std::string profile;          // "compressed" when empty and the plan has it
  std::string report;           // JSON file; Markdown and HTML go beside it. With repeats: NAME-1.json, NAME-2.json …
                                // and least, median and most of all figures in NAME.json
  std::string format = "text";  // or json: the report, and no progress
  bool keep = false;            // leave the lab running
  int repeat = 1;
  int in_a_row = 1;
  double heal_after = -1;        // seconds; when Lifeboat is done if negative
  bool kill_controller = false;  // before and after the effect of every step
  std::string lose_leader_at;    // STEP:before or STEP:after: the region of the leading controller dies there
};

// 0 only if every drill met the objectives with the data whole: what was lost is within the RPO, nothing was lost by the failback,
// and no two servers acknowledged writes at once. 1 when one did not; otherwise the code of what went wrong.
int run_drill_command(const DrillCommand& command);

}  // namespace lifeboat::cli
