// How a run looks on a terminal: a page that is redrawn in place, or one line per event in a pipe. Pure: JSON of the
// controller's API in, text out.
#pragma once

#include <string>
#include <vector>

#include "core/data/json.hpp"

namespace lifeboat::cli {

struct ViewOptions {
  bool colour = false;
  size_t width = 80;
  size_t height = 24;
};

// The page for `GET /api/runs/ID`: what happened, the clock against the RTO, phases, steps, what is asked of whom.
std::vector<std::string> render_run(const Json& run, const ViewOptions& options);

// One plain line for one journal event, greppable, ASCII: "03:09:54 run     scale-api 1->3". Empty for events that
// say nothing to people.
std::string event_line(const Json& event);

// "3 lines" of what is left in one run when it has ended.
std::string closing_line(const Json& run);

}  // namespace lifeboat::cli
