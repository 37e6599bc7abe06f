// Finds the last position of a history at which all checks of the data hold, to one transaction, at the least cost.
//
// A position counts the commits that are in: 0 is before the first of them, n after the last. A restored copy can be asked at
// a position, and can then only go forward, which is cheap; going back takes another restore, which is dear. So what
// matters is not the number of questions but how often the answer is no. Where suspects are known (forensics) they are
// asked about first: just before one, then just behind it.
//
// A pure state machine: `next` says what to ask or how it ended, `answer` takes what came back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/clean_point/costs.hpp"

namespace lifeboat::clean_point {

// A commit that may have done the damage.
struct Suspect {
  size_t commit = 0;  // index: positions up to `commit` are before it, from `commit` + 1 on behind it
  double weight = 1;  // against the other suspects
  std::string what;   // "deleted 1,500 rows of app.public.orders"
};

struct Probe {
  size_t position = 0;
  bool fresh = false;  // takes a new restore; else the copy that is there rolls forward
  std::string why;
};

// Holds at `last_good`, fails at `last_good` + 1; both were measured.
struct Found {
  size_t last_good = 0;
};
enum class NoAnswer {
  bad_from_the_start,  // fails at position 0: the damage is older than this history
  never_bad,           // holds at its end
  flaps,               // holds and fails in turn too often to name one moment
};

class Search {
 public:
  Search(size_t commits, std::vector<Suspect> suspects, Costs costs);

  std::variant<Probe, Found, NoAnswer> next();
  // Of the probe that `next` gave last. `which`: the checks that failed, for the explanation.
  void answer(bool holds, const std::string& which = {});

  // The copy is of no more use for going forward (it was promoted, or is gone).
  void copy_lost() { copy_.reset(); }
  // What was learnt of the costs.
  void set_costs(Costs costs) { costs_ = costs; }

  size_t restores() const { return restores_; }
  size_t probes() const { return probes_; }
  double cost() const { return cost_; }  // by `Costs`
  // Each step and each conclusion, a sentence each.
  const std::vector<std::string>& reasoning() const { return reasoning_; }
  // Stretches in which the checks failed though they hold again behind them.
  struct Flap {
    size_t bad = 0;   // failed here
    size_t good = 0;  // and held here, later
  };
  const std::vector<Flap>& flaps() const { return flaps_; }

 private:
  using Position = int64_t;  // -1 and n + 1 stand for "before all" and "behind all"
  struct Plan;

  std::optional<Probe> confirm();
  Probe choose();
  std::vector<Position> grid() const;
  double mass(Position good, Position bad) const;  // of the first bad position lying in (good, bad]
  std::string reason(Position at) const;
  Probe ask(Position at, std::string why);

  Position n_;
  std::vector<Suspect> suspects_;  // by commit
  double all_suspicion_ = 0;
  Costs costs_;
  Position good_ = -1;
  Position bad_;
  std::vector<Position> known_bad_;  // measured, ascending
  std::optional<Position> copy_;     // where the copy stands that can go forward
  std::optional<Position> asked_;
  size_t confirmed_ = 0;  // questions asked behind the point that was found
  std::optional<Position> confirming_;
  size_t restores_ = 0;
  size_t probes_ = 0;
  double cost_ = 0;
  std::vector<std::string> reasoning_;
  std::vector<Flap> flaps_;
};

}  // namespace lifeboat::clean_point
