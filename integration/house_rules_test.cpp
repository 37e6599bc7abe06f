// The rules of the house that a compiler does not know, checked over the files themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct File {
  std::string path;  // from the top of the checkout
  std::vector<std::string> lines;

  bool in(std::string_view folder) const { return path.starts_with(folder); }
  bool is_test() const {
    return path.ends_with("_test.cpp") || path.ends_with("_test.hpp") || path.find("/test_") != std::string::npos;
  }
  bool is_code() const { return path.ends_with(".cpp") || path.ends_with(".hpp"); }
};

std::vector<File> read_checkout() {
  const fs::path top = LIFEBOAT_SOURCE_DIR;
  std::vector<File> files;
  for (auto walk = fs::recursive_directory_iterator(top); walk != fs::end(walk); ++walk) {
    std::string name = walk->path().filename().string();
    if (walk->is_directory() && (name == ".git" || name == "build")) walk.disable_recursion_pending();
    if (!walk->is_regular_file()) continue;
    File file{walk->path().lexically_relative(top).string(), {}};
    std::ifstream in(walk->path());
    for (std::string line; std::getline(in, line);) file.lines.push_back(line);
    files.push_back(std::move(file));
  }
  return files;
}

const std::vector<File>& checkout() {
  static const std::vector<File> files = read_checkout();
  return files;
}

bool is_word_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// Whether `word` stands in the line with no letter or digit on either side.
bool has_word(std::string_view line, std::string_view word) {
  for (size_t at = line.find(word); at != line.npos; at = line.find(word, at + 1)) {
    size_t end = at + word.size();
    if ((at == 0 || !is_word_part(line[at - 1])) && (end == line.size() || !is_word_part(line[end]))) return true;
  }
  return false;
}

std::string lowered(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string_view without_comment(std::string_view line) {
  size_t at = line.find("//");
  return at == line.npos ? line : line.substr(0, at);
}

// Collects "file:line: text" of every line that breaks a rule, and fails with all of them at once.
class Offences {
 public:
  void add(const File& file, size_t index) {
    text_ +=
        "\n  " + file.path + ":" + std::to_string(index + 1) + ": " + (file.lines.empty() ? "" : file.lines[index]);
  }
  template <class Rule>
  void add_lines(const File& file, Rule broken) {
    for (size_t index = 0; index < file.lines.size(); ++index) {
      if (broken(file.lines[index])) add(file, index);
    }
  }
  ~Offences() { EXPECT_TRUE(text_.empty()) << text_; }

 private:
  std::string text_;
};

TEST(HouseRules, SeeTheWholeCheckout) {
  auto code = std::ranges::count_if(checkout(), [](const File& file) { return file.in("src/") && file.is_code(); });
  EXPECT_GT(code, 30) << "read from " << LIFEBOAT_SOURCE_DIR;
}

TEST(HouseRules, EveryHeaderOpensByTellingWhatItIs) {
  Offences offences;
  for (const File& file : checkout()) {
    if (!file.path.ends_with(".hpp")) continue;
    if (file.lines.empty() || !file.lines[0].starts_with("// ")) offences.add(file, 0);
  }
}

TEST(HouseRules, NoSourceFileIsLongerThanSevenHundredLines) {
  Offences offences;
  for (const File& file : checkout()) {
    if (file.in("src/") && file.is_code() && file.lines.size() > 700) offences.add(file, 700);
  }
}

// Some compilers destroy such temporaries twice, and it reads better with a name.
TEST(HouseRules, NothingIsBracedTogetherInAnExpressionThatAwaits) {
  Offences offences;
  for (const File& file : checkout()) {
    if (!file.is_code() || file.is_test()) continue;
    std::string statement;
    for (size_t index = 0; index < file.lines.size(); ++index) {
      std::string_view line = without_comment(file.lines[index]);
      statement += line;
      size_t last = line.find_last_not_of(' ');
      bool ends = last == line.npos || line[last] == ';' || line[last] == '{' || line[last] == '}';
      if (!ends) continue;
      if (statement.find("co_await") != statement.npos && statement.find("{.") != statement.npos) {
        offences.add(file, index);
      }
      statement.clear();
    }
  }
}

// What is spawned and then awaited by the same expression (deferred) has an owner; all else is given to a Scope.
TEST(HouseRules, BackgroundWorkIsStartedByScopeAlone) {
  Offences offences;
  for (const File& file : checkout()) {
    if (!file.in("src/") || !file.is_code() || file.is_test() || file.in("src/io/task.")) continue;
    offences.add_lines(file, [](const std::string& line) {
      std::string_view code = without_comment(line);
      return has_word(code, "co_spawn") && !code.starts_with("#include") && !has_word(code, "deferred");
    });
  }
}

TEST(HouseRules, ARoomIncludesOnlyTheRoomsItMayUse) {
  const std::map<std::string, std::set<std::string>, std::less<>> may_use = {
      {"core", {}},
      {"plan", {"core"}},
      {"io", {"core"}},
      {"recovery", {"core", "io"}},
      {"store", {"core", "io"}},
      {"actions", {"core", "io", "recovery"}},
      {"report", {"core", "io", "store"}},
      {"witness", {"core", "io", "report"}},
      {"statuspage", {"core", "io"}},
      {"agent", {"core", "io", "recovery"}},
      {"controller", {"core", "plan", "io", "store", "actions", "report", "agent"}},
      {"lab", {"core", "plan", "io", "store", "report", "witness"}},
  };
  Offences offences;
  for (const File& file : checkout()) {
    if (!file.in("src/") || !file.is_code()) continue;
    std::string room = file.path.substr(4, file.path.find('/', 4) - 4);
    auto allowed = may_use.find(room);
    if (allowed == may_use.end()) continue;  // cli ties everything together
    offences.add_lines(file, [&](std::string_view line) {
      constexpr std::string_view kInclude = "#include \"";
      if (!line.starts_with(kInclude)) return false;
      std::string_view target = line.substr(kInclude.size());
      std::string used(target.substr(0, std::min(target.find('/'), target.find('"'))));
      return used != room && !allowed->second.contains(used);
    });
  }
}

TEST(HouseRules, NothingIsLeftToBeDoneLater) {
  Offences offences;
  for (const File& file : checkout()) {
    if (file.path.ends_with("house_rules_test.cpp")) continue;
    offences.add_lines(file, [](std::string_view line) {
      return has_word(line, "TODO") || has_word(line, "FIXME") || has_word(line, "XXX");
    });
  }
}

// A checkout works wherever it lies, and everything comes from the machine's own package sources. The names are put together here, so
// that this file names none of them either.
TEST(HouseRules, NoFileNamesAPlaceOfSomebodysMachine) {
  auto folder = [](std::string_view name) { return "/" + std::string(name) + "/"; };
  auto host = [](std::string_view name, std::string_view domain) {
    return std::string(name) + "." + std::string(domain);
  };
  const std::array<std::string, 9> places = {folder("work"),
                                             folder("root"),
                                             folder("home"),
                                             host("pypi", "org"),
                                             host("registry", "npmjs"),
                                             host("crates", "io"),
                                             host("pythonhosted", "org"),
                                             host("proxy", "golang"),
                                             host("deb", "debian.org")};
  Offences offences;
  for (const File& file : checkout()) {
    offences.add_lines(file, [&](std::string_view line) {
      return std::ranges::any_of(places, [&](const std::string& place) { return line.find(place) != line.npos; });
    });
  }
}

// The reference platform is one user of Lifeboat among others: what is special to it belongs under examples/.
TEST(HouseRules, TheProductKnowsNothingOfTheReferencePlatform) {
  Offences offences;
  for (const File& file : checkout()) {
    if (!file.in("src/") || !file.is_code() || file.is_test()) continue;
    offences.add_lines(file, [](const std::string& line) {
      std::string low = lowered(line);
      return has_word(low, "dating") || low.find("datingoptimizer") != low.npos || low.find("photo_analys") != low.npos;
    });
  }
}

}  // namespace
