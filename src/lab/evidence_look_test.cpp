#include "lab/evidence_look.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "lab/system.hpp"

namespace lifeboat::lab {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A folder with two files that may not be written, and the list of their hashes as sha256sum makes it.
class Evidence : public testing::Test {
 protected:
  fs::path top;
  std::string kept, manifest;

  void SetUp() override {
    char name[] = "/tmp/lifeboat-evidence-XXXXXX";
    top = mkdtemp(name);
    kept = top / "data.kept";
    manifest = kept + ".sha256";
    fs::create_directories(kept + "/base/5");
    put("PG_VERSION", "15\n");
    put("base/5/1259", "rows");
    std::string command = "cd \"$1\" && { echo '# 2 files'; sha256sum PG_VERSION base/5/1259; } > \"$2\"";
    ASSERT_TRUE(run_program({"/bin/sh", "-c", command, "sh", kept, manifest}, "", Duration{10'000}));
    allow("", false);
  }
  void TearDown() override {
    allow("", true);
    fs::remove_all(top);
  }
  void put(const std::string& file, const std::string& text) const { std::ofstream(kept + "/" + file) << text; }
  // All of it, or one file.
  void allow(const std::string& file, bool write) const {
    mode_t folder = write ? 0700 : 0500, of_file = write ? 0600 : 0400;
    if (!file.empty()) {
      chmod((kept + "/" + file).c_str(), of_file);
      return;
    }
    for (const char* one : {"", "/base", "/base/5"}) chmod((kept + one).c_str(), folder);
    for (const char* one : {"/PG_VERSION", "/base/5/1259"}) chmod((kept + one).c_str(), of_file);
  }
  std::string reported() const {
    return run_program({"sha256sum", manifest}, "", Duration{10'000}).value_or("").substr(0, 64);
  }
  std::string problem() const { return text_or(look_at_evidence(kept, manifest, reported()), "problem"); }
};

TEST_F(Evidence, AllFilesAreComparedWithTheirHashes) {
  Json found = look_at_evidence(kept, manifest, reported());
  EXPECT_EQ(text_or(found, "problem"), "");
  EXPECT_EQ(int_or(found, "files"), 2);
  EXPECT_EQ(int_or(found, "checked"), 2);
  EXPECT_EQ(int_or(found, "writable"), 0);
}

TEST_F(Evidence, AFileThatWasChangedAddedOrTakenAwayIsNoticed) {
  allow("", true);
  put("base/5/1259", "Rows");
  allow("", false);
  EXPECT_THAT(problem(), HasSubstr("base/5/1259"));
  allow("", true);
  put("base/5/1259", "rows");
  put("note", "from somebody");
  allow("note", false);
  allow("", false);
  EXPECT_THAT(problem(), HasSubstr("names 2 files, and 3 are there"));
  allow("", true);
  fs::remove(kept + "/note");
  fs::remove(kept + "/base/5/1259");
  allow("", false);
  EXPECT_THAT(problem(), HasSubstr("names 2 files, and 1 are there"));
}

TEST_F(Evidence, AFileThatMayBeWrittenIsNoticed) {
  allow("base/5/1259", true);
  EXPECT_THAT(problem(), HasSubstr("1 files or folders"));
}

TEST_F(Evidence, AListThatWasWrittenAnewIsNoticed) {
  std::string before = reported();
  std::ofstream(manifest, std::ios::app) << "# more\n";
  EXPECT_THAT(text_or(look_at_evidence(kept, manifest, before), "problem"), HasSubstr("another hash"));
  fs::remove(manifest);
  EXPECT_NE(text_or(look_at_evidence(kept, manifest, before), "problem"), "");
}

}  // namespace
}  // namespace lifeboat::lab
