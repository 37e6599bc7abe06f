// The made-up network: places, one-way cuts between them, delay, loss. Links are connections like TCP's: in order and whole
// until somebody lets go of them, however long a cut holds them up.
#pragma once

#include <deque>
#include <vector>

#include "sim/kernel.hpp"

namespace lifeboat::sim {

using Place = int;

class Network {
 public:
  Network(Random& random, int places) : random_(random), places_(places), ways_(static_cast<size_t>(places * places)) {}

  // Cuts are counted: two faults that cut the same way are both over before it is open again.
  void cut(Place from, Place to) { ++way(from, to).cuts; }
  void heal(Place from, Place to) { --way(from, to).cuts; }
  bool open(Place from, Place to) const { return from == to || way(from, to).cuts == 0; }
  bool open_both(Place a, Place b) const { return open(a, b) && open(b, a); }
  void slow(Place from, Place to, Nanos extra) { way(from, to).extra += extra; }
  void set_base(Place from, Place to, Nanos base) { way(from, to).base = base; }
  // How long a message takes now. A lost packet costs its retransmission.
  Nanos delay(Place from, Place to) {
    if (from == to) return 100'000;
    const Way& it = way(from, to);
    Nanos out = it.base + it.extra + static_cast<Nanos>(random_.below(static_cast<uint64_t>(it.base / 4 + 200'000)));
    if (loss > 0 && random_.chance(loss)) out += random_.between(200_ms, 450_ms);
    return out;
  }
  void heal_all() {
    for (Way& it : ways_) it.cuts = 0, it.extra = 0;
  }

  double loss = 0;

 private:
  struct Way {
    int cuts = 0;
    Nanos base = 500'000;
    Nanos extra = 0;
  };
  Way& way(Place from, Place to) { return ways_[static_cast<size_t>(from * places_ + to)]; }
  const Way& way(Place from, Place to) const { return ways_[static_cast<size_t>(from * places_ + to)]; }

  Random& random_;
  int places_;
  std::vector<Way> ways_;
};

}  // namespace lifeboat::sim
