#include "core/recovery/copies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace lifeboat::recovery {
namespace {

constexpr size_t kLongestName = 48;  // it stands in the path of a socket

// The how-manieth of its name it is.
uint64_t number_of(const KnownCopy& copy) {
  size_t dash = copy.name.rfind('-');
  if (copy.name == copy.asked_as || dash == std::string::npos) return 1;
  return std::strtoull(copy.name.c_str() + dash + 1, nullptr, 10);
}

std::string numbered(const std::string& name, uint64_t number) {
  std::string suffix = fmt::format("-{}", number);
  return name.substr(0, kLongestName - suffix.size()) + suffix;
}

std::string free_name(std::span<const KnownCopy> copies, const KnownCopy& newest, const std::string& asked_as) {
  for (uint64_t number = number_of(newest) + 1;; ++number) {
    std::string name = numbered(asked_as, number);
    if (std::ranges::none_of(copies, [&](const KnownCopy& one) { return one.name == name; })) return name;
  }
}

std::string by(const KnownCopy& copy) { return copy.order.empty() ? "an older order" : copy.order; }

}  // namespace

KnownCopy known_copy(const Json& listed) {
  const Json& wish = member(listed, "wish");
  std::string name = text_or(listed, "name");
  return {.name = name,
          .asked_as = text_or(wish, "name", name),
          .order = text_or(wish, "order"),
          .state = text_or(listed, "state"),
          .wish = to_canonical_text(wish)};
}

const KnownCopy* copy_called(std::span<const KnownCopy> copies, std::string_view name) {
  const KnownCopy* newest = nullptr;
  for (const KnownCopy& copy : copies) {
    if (copy.asked_as == name && (newest == nullptr || number_of(copy) > number_of(*newest))) newest = &copy;
  }
  if (newest != nullptr) return newest;
  auto called = std::ranges::find(copies, name, &KnownCopy::name);
  return called == copies.end() ? nullptr : &*called;
}

Result<CopyChoice> choose_copy(std::span<const KnownCopy> copies, const KnownCopy& wanted, bool again) {
  const KnownCopy* there = copy_called(copies, wanted.asked_as);
  if (there == nullptr) return CopyChoice{.name = wanted.asked_as};
  bool same = there->wish == wanted.wish;
  if (there->state == "adopted") {
    if (same)
      return fail(ErrorKind::conflict, fmt::format("the data of restore '{}' were given to the member", there->name),
                  "order another copy");
    return CopyChoice{.name = free_name(copies, *there, wanted.asked_as)};
  }
  // One that was cut off is taken up by checksum, whoever ordered it.
  if (there->state == "failed") return CopyChoice{.name = there->name};
  if (same) return CopyChoice{.name = there->name, .there = true};
  if (there->state == "running")
    return fail(ErrorKind::conflict, fmt::format("restore '{}' is being made for {}", there->name, by(*there)),
                "wait for its end, or end it: lifeboat restores stop");
  if (!again)
    return fail(ErrorKind::conflict,
                fmt::format("restore '{}' was made for {} and says nothing of today", there->name, by(*there)),
                "take another name, or give that copy up with --again");
  return CopyChoice{.name = there->name, .give_up = true};
}

}  // namespace lifeboat::recovery
