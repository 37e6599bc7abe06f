#include "plan/rules/tell.hpp"

namespace lifeboat {

void judge_status_page_without_key(const RuleInput& input, Findings& out) {
  for (const auto& [name, service] : input.plan.services) {
    const auto* page = std::get_if<StatuspageService>(&service);
    if (page == nullptr || page->key) continue;
    for (const auto& [host, settings] : input.plan.hosts) {
      if (!settings.controller || host == page->host.text) continue;
      tell(out, "status-page-without-key", Severity::warning, "/services/" + name,
           fmt::format("{} takes updates without a key only from {}; those of the controller on {} are refused", name,
                       page->host.text, host),
           "key: the name of a secret that the page and the controllers have");
      break;
    }
  }
}

}  // namespace lifeboat
