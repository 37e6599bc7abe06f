// Parts of the HTML page that stand in files of their own.
#pragma once

#include <string>
#include <string_view>

#include "report/report.hpp"

namespace lifeboat {

// Safe as text and inside quoted attributes; control characters become spaces.
std::string html_escaped(std::string_view text);
// A small shape by its name: done, failed, skipped, undone, waiting, running, idle. Shape and word always go together.
std::string html_mark(std::string_view name);
// The shapes themselves, once for a page.
std::string_view html_shapes();
std::string_view html_style();
// Steps as bars by time after the fault, in their phases, with milestones and the objective. Empty without any step
// that began.
std::string html_timeline_chart(const RunReport& report);

}  // namespace lifeboat
