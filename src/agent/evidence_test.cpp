#include "agent/evidence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/postgres_files.hpp"
#include "core/base/split.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/sha256.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Kept : public testing::Test {
 protected:
  fs::path top;
  std::string kept, outside;

  void SetUp() override {
    char name[] = "/tmp/lifeboat-kept-XXXXXX";
    top = mkdtemp(name);
    kept = top.string() + "/data" + std::string(kSuffix);
    outside = top / "elsewhere";
    fs::create_directories(kept + "/base/5");
    put("PG_VERSION", "15\n");
    put("base/5/1259", std::string(20'000, 'r'));
    put("base/5/empty", "");
    std::ofstream(outside) << "of somebody else";
    chmod(outside.c_str(), 0644);
    fs::create_symlink(outside, kept + "/link");
  }
  void TearDown() override {
    for (const char* folder : {"", "/base", "/base/5"}) chmod((kept + folder).c_str(), 0700);
    fs::remove_all(top);
  }
  void put(const std::string& file, const std::string& text) const { std::ofstream(kept + "/" + file) << text; }
  // Whether sha256sum finds each file as it was, as an operator would ask it.
  int compare() const {
    std::string command =
        "cd '" + kept + "' && sha256sum --check --strict --quiet '" + manifest_of(kept) + "' >/dev/null 2>&1";
    return std::system(command.c_str());
  }
  static mode_t rights_of(const std::string& path) {
    struct stat about{};
    return lstat(path.c_str(), &about) == 0 ? about.st_mode & 07777 : 0;
  }

  static constexpr std::string_view kSuffix = ".kept-1";
};

TEST_F(Kept, EveryFileStandsInTheListWithItsHash) {
  ASSERT_TRUE(write_manifest(kept));
  auto lines = lines_of(*read_file(manifest_of(kept)));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], HasSubstr("# 3 files, 20003 bytes"));
  EXPECT_EQ(lines[1], sha256_hex("15\n") + "  PG_VERSION");
  EXPECT_EQ(lines[2], sha256_hex(std::string(20'000, 'r')) + "  base/5/1259");
  EXPECT_EQ(lines[3], sha256_hex("") + "  base/5/empty");
  EXPECT_EQ(compare(), 0);
  Json said = evidence_in_json(kept);
  EXPECT_TRUE(bool_or(said, "done"));
  EXPECT_EQ(int_or(said, "files"), 3);
  EXPECT_EQ(int_or(said, "bytes"), 20'003);
  EXPECT_EQ(text_or(said, "sha256"), sha256_hex(*read_file(manifest_of(kept))));
}

TEST_F(Kept, NobodyMayWriteToItAnyMoreAndWhatALinkLeadsToIsLeftAlone) {
  ASSERT_TRUE(write_manifest(kept));
  for (const char* path : {"", "/base", "/base/5", "/PG_VERSION", "/base/5/1259", "/base/5/empty"})
    EXPECT_EQ(rights_of(kept + path) & 0222, 0u) << path;
  EXPECT_EQ(rights_of(manifest_of(kept)), 0400u);
  EXPECT_EQ(rights_of(outside), 0644u);
}

TEST_F(Kept, AFileThatIsChangedAfterwardsDoesNotFitItsHashAndTheListStays) {
  ASSERT_TRUE(write_manifest(kept));
  std::string before = *read_file(manifest_of(kept));
  chmod((kept + "/base/5/1259").c_str(), 0600);
  std::fstream file(kept + "/base/5/1259", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(12'345);
  file.put('x');
  file.close();
  EXPECT_NE(compare(), 0);
  // Made again, it would vouch for the change.
  ASSERT_TRUE(write_manifest(kept));
  EXPECT_EQ(*read_file(manifest_of(kept)), before);
  EXPECT_NE(compare(), 0);
}

TEST_F(Kept, WithoutAListItIsNotDone) {
  Json said = evidence_in_json(kept);
  EXPECT_FALSE(bool_or(said, "done"));
  EXPECT_EQ(text_or(said, "kept"), kept);
  EXPECT_FALSE(write_manifest(top.string() + "/nothing"));
  EXPECT_FALSE(fs::exists(manifest_of(top.string() + "/nothing")));
}

TEST_F(Kept, ThoseOfADataDirectoryAreFoundByItsName) {
  std::string data = top.string() + "/data";
  std::string first = data + std::string(kKeptAside) + "1", second = data + std::string(kKeptAside) + "2";
  for (const std::string& folder : {second, first, data, top.string() + "/database" + std::string(kKeptAside) + "1"})
    fs::create_directories(folder);
  std::ofstream(first + ".sha256") << "no folder";
  EXPECT_THAT(kept_for(data), ElementsAre(first, second));
}

}  // namespace
}  // namespace lifeboat
