// A server whose disk has no room left at all: nothing it does not need to write may keep it from handing over.
#include <fcntl.h>
#include <sys/mount.h>

#include "agent/test_pair.hpp"

namespace lifeboat {
namespace {

class FullDisk : public PairTest {
 protected:
  std::string folder, disk;

  void SetUp() override {
    PairTest::SetUp();
    if (!pair) return;
    folder = pair->folder;
    fs::create_directory(folder + "/a");
    if (mount("none", (folder + "/a").c_str(), "tmpfs", 0, "size=256m,mode=0711") != 0)
      GTEST_SKIP() << "no file system can be mounted here";
    disk = folder + "/a";
  }
  void TearDown() override {
    pair.reset();
    if (!disk.empty()) EXPECT_EQ(umount(disk.c_str()), 0);
    fs::remove_all(folder);
  }
};

void fill(const std::string& disk) {
  int ballast = open((disk + "/ballast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  std::string piece(4096, 'x');
  while (write(ballast, piece.data(), piece.size()) > 0) continue;
  close(ballast);
}

// Case 73, patroni#3196: with a full disk nothing could be written of a demotion, and so it was not carried out.
// A checkpoint made there ends all sessions of the server, for nobody's good.
Task<bool> steps_down_without_a_checkpoint_before(Pair& p) {
  REQUIRE(co_await p.stand_up());
  EXPECT_TRUE(co_await p.takes_writes("a"));
  fill(p.folder + "/a");
  auto noticing = p.until([&] { return p.controller.member("a")->disk_full; });
  REQUIRE(co_await std::move(noticing));
  auto stepping = p.step_down("a");
  auto stepped = co_await std::move(stepping);
  // Its shutdown checkpoint has no room either, so it may not end cleanly; its right is free then all the same.
  if (!stepped)
    EXPECT_NE(stepped.error().text().find("did not stop cleanly"), std::string::npos) << stepped.error().text();
  REQUIRE(p.controller.releases.size() == 1);
  EXPECT_EQ(p.controller.releases[0].what.term, p.term);
  EXPECT_FALSE(co_await p.takes_writes("a"));
  auto leading = p.lead("b");
  auto led = co_await std::move(leading);
  EXPECT_TRUE(led) << led.error().text();
  EXPECT_TRUE(co_await p.takes_writes("b"));
  co_return true;
}
TEST_F(FullDisk, ItsServerHandsOverWithoutACheckpointBefore) { play(steps_down_without_a_checkpoint_before(*pair)); }

}  // namespace
}  // namespace lifeboat
