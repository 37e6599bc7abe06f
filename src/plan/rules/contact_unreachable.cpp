#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_contact_unreachable(const RuleInput& input, Findings& out) {
  std::vector<std::string> silent, short_numbers;
  for (const auto& [name, contact] : input.plan.people.contacts) {
    if (contact.phone.empty() && contact.email.empty() && contact.note.empty()) silent.push_back(name);
    auto digits = std::ranges::count_if(contact.phone, [](char c) { return c >= '0' && c <= '9'; });
    // North American numbers have 10 digits after the country code.
    if (contact.phone.starts_with("+1") && digits != 11) short_numbers.push_back(name);
  }
  if (!silent.empty()) {
    tell(out, "contact-unreachable", Severity::warning, "/people/contacts/" + silent.front(),
         fmt::format("{} contacts have neither phone nor mail: {}", silent.size(), some_of(silent)),
         "add a way to reach them");
  }
  if (!short_numbers.empty()) {
    tell(out, "contact-unreachable", Severity::warning, "/people/contacts/" + short_numbers.front() + "/phone",
         fmt::format("{} phone numbers are incomplete (+1 is followed by 10 digits): {}", short_numbers.size(),
                     some_of(short_numbers)),
         "write the number in full");
  }
}

}  // namespace lifeboat
