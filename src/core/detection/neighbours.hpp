// Which of those who are asked again and again do not answer, on a way that is needed only on a bad day: what fails there hurts
// nobody on a calm one, and is to be seen then.
#pragma once

#include <map>
#include <string>

#include "core/base/time.hpp"

namespace lifeboat::detection {

inline constexpr Duration kSilentAfter{10'000};
// Whoever asks does so every second or more often. After a longer pause it did something else, or stood still itself, and what was
// unanswered before says nothing.
inline constexpr Duration kAsksAnew{5'000};

class Neighbours {
 public:
  void asked(const std::string& whom, MonoTime now) {
    Question& last = asked_[whom];
    bool anew = last.unanswered_since == MonoTime{} || now - last.at > kAsksAnew;
    if (anew) last.unanswered_since = now;
    last.at = now;
  }
  // It answered the question of that time. One that was answered before, and is heard again later, says nothing.
  void answered(const std::string& who, MonoTime question) {
    auto found = asked_.find(who);
    if (found == asked_.end()) return;
    bool counts = question >= found->second.unanswered_since && question <= found->second.at;
    if (counts) found->second.unanswered_since = {};
  }
  bool is_silent(const std::string& who, MonoTime now) const {
    auto found = asked_.find(who);
    if (found == asked_.end() || found->second.unanswered_since == MonoTime{}) return false;
    return now - found->second.at <= kAsksAnew && now - found->second.unanswered_since >= kSilentAfter;
  }

 private:
  struct Question {
    MonoTime at{};                // the last one
    MonoTime unanswered_since{};  // the first since the last answer; zero: that was answered
  };
  std::map<std::string, Question> asked_;
};

}  // namespace lifeboat::detection
