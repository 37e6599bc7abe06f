// Looks that go on until they are ended, as those into a long log do.
#include "agent/looks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "io/run_in_test.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class LooksOfAHost : public testing::Test {
 protected:
  std::string top;
  void SetUp() override {
    char made[] = "/tmp/lifeboat-looks-XXXXXX";
    ASSERT_NE(mkdtemp(made), nullptr);
    top = made;
  }
  void TearDown() override { fs::remove_all(top); }

  // A search has its copy for as long as it lives.
  struct Copy {
    std::string folder;
    explicit Copy(std::string path) : folder(std::move(path)) { fs::create_directories(folder); }
    ~Copy() { fs::remove_all(folder); }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
  };
  static Task<Result<Json>> search(std::string folder, Duration span) {
    Copy copy(std::move(folder));
    co_await sleep_for(span);
    co_return Json("found");
  }
  static Task<> keep(Looks* looks, Looks::Look look, Duration span, std::vector<std::string>* out) {
    auto looking = looks->carry_out(look, search(look.folder, span));
    auto found = co_await std::move(looking);
    out->push_back(look.order + ": " + (found ? "found" : std::string(to_string(found.error().kind))));
  }

  asio::io_context context_{1};
};

TEST_F(LooksOfAHost, AreEndedByTheirOrderAndTakeTheirCopiesWithThemButThoseOfRunsGoOn) {
  std::vector<std::string> out;
  auto ended = run_in_test(
      context_,
      [](asio::io_context& context, std::string folder, std::vector<std::string>* said) -> Task<Result<Json>> {
        Scope scope(context.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
        Looks looks(scope);
        for (const std::string order : {"ada", "bob", ""}) {
          Looks::Look look{.service = "shop", .what = "clean-point", .order = order};
          look.folder = looks.free_folder(folder);
          scope.spawn("ask " + order, keep(&looks, look, Duration{order.empty() ? 300 : 60'000}, said));
          co_await sleep_for(Duration{10});
        }
        EXPECT_EQ(looks.list("shop").size(), 3u);
        auto one = looks.end({"shop", "clean-point", "ada"});
        auto first = co_await std::move(one);
        EXPECT_TRUE(first && int_or(*first, "ended") == 1);
        EXPECT_FALSE(fs::exists(folder + "/clean-point.1")) << "it waits until the copy is gone";
        EXPECT_TRUE(fs::exists(folder + "/clean-point.2"));
        auto rest = looks.end({"shop", "clean-point", ""});
        auto others = co_await std::move(rest);
        EXPECT_EQ(looks.list("shop").size(), 1u) << "a run's is ended with the run";
        while (looks.list("shop").size() > 0) co_await sleep_for(Duration{10});
        co_await sleep_for(Duration{20});
        auto stopping = scope.stop(Duration{1'000});
        co_await std::move(stopping);
        co_return others;
      }(context_, top, &out));
  ASSERT_TRUE(ended) << ended.error().text();
  EXPECT_EQ(int_or(*ended, "ended"), 1);
  EXPECT_THAT(out, ElementsAre("ada: cancelled", "bob: cancelled", ": found"));
}

TEST_F(LooksOfAHost, TakeNoFolderThatACopyOrAnotherLookHasAndKnowWhatWasLeftBehind) {
  Scope scope(context_.get_executor(), [](std::string_view, std::string_view what) { ADD_FAILURE() << what; });
  Looks looks(scope);
  EXPECT_EQ(looks.free_folder(top), top + "/clean-point.1");
  fs::create_directories(top + "/clean-point.1");
  EXPECT_EQ(looks.free_folder(top), top + "/clean-point.2");
  fs::create_directories(top + "/clean-point");
  fs::create_directories(top + "/undo");
  EXPECT_THAT(looks.left_behind(top), testing::UnorderedElementsAre(top + "/clean-point.1", top + "/clean-point"));
  // One that somebody ordered by that name is no look's.
  std::ofstream(top + "/clean-point.json") << "{}";
  fs::create_directories(top + "/clean-point.going");
  EXPECT_THAT(looks.left_behind(top), ElementsAre(top + "/clean-point.1"));
}

}  // namespace
}  // namespace lifeboat
