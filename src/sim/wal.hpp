// The write-ahead logs of one database as a tree: every promotion grows a branch. What a server has is a place in this tree.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lifeboat::sim {

struct WalPlace {
  int branch = 0;
  uint64_t lsn = 0;
  bool operator==(const WalPlace&) const = default;
};

class WalTree {
 public:
  struct Branch {
    uint32_t timeline = 1;
    int parent = -1;
    uint64_t fork = 0;
    uint64_t end = 0;
  };

  WalTree() { branches_.push_back({1, -1, 0, kBegin}); }
  static constexpr uint64_t kBegin = 0x1000;

  const Branch& branch(int index) const { return branches_[static_cast<size_t>(index)]; }
  uint32_t timeline(const WalPlace& at) const { return branch(at.branch).timeline; }

  bool is_taken(uint32_t timeline) const {
    return std::ranges::find(branches_, timeline, &Branch::timeline) != branches_.end();
  }
  int grow(const WalPlace& from, uint32_t timeline) {
    branches_.push_back({timeline, from.branch, from.lsn, from.lsn});
    return static_cast<int>(branches_.size()) - 1;
  }
  // Appends `bytes` where a server stands. Two servers that append at the same place are two histories under one number; that
  // is said by `parted`.
  WalPlace append(WalPlace at, uint64_t bytes, bool& parted) {
    parted = branch(at.branch).end != at.lsn;
    if (parted) at.branch = grow(at, branch(at.branch).timeline);
    at.lsn += bytes;
    branches_[static_cast<size_t>(at.branch)].end = at.lsn;
    return at;
  }
  // The place of `lsn` on the way that leads to `tip`.
  WalPlace on_way(const WalPlace& tip, uint64_t lsn) const {
    WalPlace out{tip.branch, lsn};
    while (branch(out.branch).parent >= 0 && lsn <= branch(out.branch).fork) out.branch = branch(out.branch).parent;
    return out;
  }
  // Whether everything up to `part` is also in what leads to `whole`.
  bool holds(const WalPlace& whole, const WalPlace& part) const {
    uint64_t limit = whole.lsn;
    for (int at = whole.branch; at >= 0; at = branch(at).parent) {
      if (at == part.branch) return part.lsn <= limit;
      limit = std::min(limit, branch(at).fork);
    }
    return false;
  }
  // Up to where both are the same.
  WalPlace common(const WalPlace& a, const WalPlace& b) const {
    for (WalPlace x = a;;) {
      WalPlace y = b;
      while (true) {
        if (x.branch == y.branch) return {x.branch, std::min(x.lsn, y.lsn)};
        if (branch(y.branch).parent < 0) break;
        y = {branch(y.branch).parent, std::min(y.lsn, branch(y.branch).fork)};
      }
      if (branch(x.branch).parent < 0) return {0, 0};
      x = {branch(x.branch).parent, std::min(x.lsn, branch(x.branch).fork)};
    }
  }

 private:
  std::vector<Branch> branches_;
};

}  // namespace lifeboat::sim
