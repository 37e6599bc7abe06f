#include "agent/looks.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "io/clock.hpp"

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

// A server is ended and a folder removed in that time; no look has more than one copy.
constexpr Duration kEndsWithin{30'000};
constexpr Duration kLookEvery{20};
constexpr std::string_view kFolders = "clean-point.";
// Of agents before this one.
constexpr std::string_view kOldFolder = "clean-point";

bool is_there(const std::string& path) { return !path.empty() && access(path.c_str(), F_OK) == 0; }

}  // namespace

Task<> Looks::run(std::shared_ptr<Look> look, Task<Result<Json>> doing) {
  // A look whose task goes away without a word is over, too.
  struct Ended {
    Look& look;
    ~Ended() {
      if (!look.ended) look.ended = fail(ErrorKind::cancelled, look.what + " was ended", "order it again");
      look.at_end->notify();
    }
  } ended{*look};
  look->ended = co_await std::move(doing);
}

Task<Result<Json>> Looks::carry_out(Look wanted, Task<Result<Json>> doing) {
  auto look = std::make_shared<Look>(std::move(wanted));
  look->number = next_++;
  look->began_at = format_wall(wall_now());
  look->at_end = std::make_shared<Wakeup>(co_await asio::this_coro::executor);
  running_.push_back(look);
  scope_.spawn(fmt::format("look {}", look->number), run(look, std::move(doing)));
  while (!look->ended) {
    auto waiting = look->at_end->wait_until(boot_now() + std::chrono::hours(1));
    co_await std::move(waiting);
  }
  std::erase(running_, look);
  co_return std::move(*look->ended);
}

Task<Result<Json>> Looks::end(wire::EndLook order) {
  std::vector<std::shared_ptr<Look>> meant;
  for (const auto& look : running_) {
    bool is_meant = look->service == order.service && look->what == order.what && !look->order.empty() &&
                    (order.order.empty() || look->order == order.order);
    if (is_meant && !look->ended) meant.push_back(look);
  }
  for (const auto& look : meant) scope_.cancel(fmt::format("look {}", look->number));
  auto goes_on = [](const auto& look) { return !look->ended || is_there(look->folder); };
  for (Deadline end = Deadline::after(kEndsWithin); std::ranges::any_of(meant, goes_on);) {
    if (end.passed()) co_return fail(ErrorKind::timed_out, order.what + " does not end", "look at the agent's host");
    co_await sleep_for(kLookEvery);
  }
  co_return Json(JsonObject{{"ended", meant.size()}});
}

JsonArray Looks::list(const std::string& service) const {
  JsonArray out;
  for (const auto& look : running_) {
    if (look->service == service && !look->ended)
      out.push_back(JsonObject{{"what", look->what}, {"order", look->order}, {"began_at", look->began_at}});
  }
  return out;
}

std::string Looks::free_folder(const std::string& folder) const {
  for (int number = 1;; ++number) {
    std::string path = fmt::format("{}/{}{}", folder, kFolders, number);
    bool used = std::ranges::any_of(running_, [&](const auto& look) { return look->folder == path; });
    if (!used && !is_there(path)) return path;
  }
}

std::vector<std::string> Looks::left_behind(const std::string& folder) const {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    std::string name = entry.path().filename().string(), path = entry.path().string();
    bool numbered = name.starts_with(kFolders) && name.find_first_of("123456789") == kFolders.size();
    bool of_a_look = numbered || (name == kOldFolder && !is_there(path + ".json"));
    bool used = std::ranges::any_of(running_, [&](const auto& look) { return look->folder == path; });
    if (of_a_look && !used && entry.is_directory(ignored)) out.push_back(path);
  }
  return out;
}

}  // namespace lifeboat
