// The public page: complete without JavaScript, in one file, readable by a screen reader and on a
// phone. Grey is normal.
#pragma once

#include <string>

#include "statuspage/board.hpp"

namespace lifeboat::statuspage {

std::string page(const Board& board, std::string_view title, WallTime now);
std::string escape_html(std::string_view text);

}  // namespace lifeboat::statuspage
