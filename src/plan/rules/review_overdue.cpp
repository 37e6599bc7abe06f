#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_review_overdue(const RuleInput& input, Findings& out) {
  const std::optional<Date>& due = input.plan.document.review_by;
  if (!due) {
    return tell(out, "review-overdue", Severity::note, "/document", "nothing says when the plan must be reviewed",
                "add review_by");
  }
  int64_t late = days_of(input.today) - days_of(*due);
  if (late <= 0) return;
  tell(out, "review-overdue", Severity::warning, "/document/review_by",
       fmt::format("the review was due {}, {} days ago", ScalarText<Date>::format(*due), late),
       "review the plan and set the next date");
}

}  // namespace lifeboat
