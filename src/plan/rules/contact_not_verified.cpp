#include "plan/rules/tell.hpp"

namespace lifeboat {

namespace {

constexpr int64_t kStaleDays = 120;

}  // namespace

void judge_contact_not_verified(const RuleInput& input, Findings& out) {
  std::vector<std::string> never, stale;
  for (const auto& [name, contact] : input.plan.people.contacts) {
    if (!contact.verified) {
      never.push_back(name);
    } else if (days_of(input.today) - days_of(*contact.verified) > kStaleDays) {
      stale.push_back(name);
    }
  }
  if (!never.empty()) {
    tell(out, "contact-not-verified", Severity::warning, "/people/contacts",
         fmt::format("{} of {} contacts were never verified: {}", never.size(), input.plan.people.contacts.size(),
                     some_of(never)),
         "call them and write the date down as verified");
  }
  if (!stale.empty()) {
    tell(out, "contact-not-verified", Severity::warning, "/people/contacts/" + stale.front() + "/verified",
         fmt::format("{} contacts were last verified more than {} days ago: {}", stale.size(), kStaleDays,
                     some_of(stale)),
         "call them and write the date down");
  }
}

}  // namespace lifeboat
