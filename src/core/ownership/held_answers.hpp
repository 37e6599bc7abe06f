// Answers that let a member write and are held back until the store has said that this controller still leads. What it remembers of its
// election is not enough: the store may have ended that before its time, and the next controller counts every lease from its own election
// on. So an answer counts only by a question that was put to the store after the answer was given here. Pure.
#pragma once

#include <utility>
#include <vector>

namespace lifeboat::ownership {

template <class Answer>
class HeldAnswers {
 public:
  void hold(Answer answer) { waiting_.push_back(std::move(answer)); }
  // Whether a question is to be put to the store now. All that is held hangs on it; what comes later waits for the next one.
  bool asks() {
    if (asking_ || waiting_.empty()) return false;
    asking_ = true;
    asked_ = std::exchange(waiting_, {});
    return true;
  }
  // The question was answered. Gives what may be said now: nothing, when the store did not say that this controller leads. Whoever is not
  // answered asks again.
  std::vector<Answer> may_be_said(bool leads) {
    asking_ = false;
    std::vector<Answer> out = std::exchange(asked_, {});
    if (!leads) out.clear();
    return out;
  }
  // It leads no more, and what was held is worth nothing.
  void forget() { *this = {}; }

 private:
  std::vector<Answer> waiting_, asked_;
  bool asking_ = false;
};

}  // namespace lifeboat::ownership
