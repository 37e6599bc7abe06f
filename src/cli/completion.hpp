// Shell completion scripts, made from the very tree of commands that parses the arguments.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace lifeboat::cli {

// shell: bash, zsh or fish. Empty for another.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace lifeboat::cli
