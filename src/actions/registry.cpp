#include "actions/registry.hpp"

#include <algorithm>
#include <array>

namespace lifeboat {
namespace {

// Sorted by name; contract_test.cpp watches over it.
const auto& table() {
  static const auto all = std::to_array<const ActionDescriptor*>({
      &approval_action(),
      &dns_switch_action(),
      &http_check_action(),
      &incident_close_action(),
      &incident_open_action(),
      &incident_update_action(),
      &manual_action(),
      &network_isolate_action(),
      &network_rejoin_action(),
      &notify_action(),
      &postgres_adopt_action(),
      &postgres_assess_action(),
      &postgres_clean_point_action(),
      &postgres_dump_action(),
      &postgres_failover_action(),
      &postgres_forensics_action(),
      &postgres_reprotect_action(),
      &postgres_restore_action(),
      &postgres_restore_drill_action(),
      &postgres_switchover_action(),
      &probe_quorum_action(),
      &redis_cluster_promote_action(),
      &redis_cluster_replicate_action(),
      &redis_promote_action(),
      &redis_replicate_action(),
      &secrets_rotate_action(),
      &service_scale_action(),
      &shell_action(),
      &sql_check_action(),
      &statuspage_update_action(),
      &tcp_check_action(),
      &traffic_drain_action(),
      &traffic_ramp_action(),
      &traffic_weights_action(),
      &validate_application_action(),
      &validate_database_action(),
      &validate_profile_action(),
      &wait_action(),
  });
  return all;
}

}  // namespace

std::span<const ActionDescriptor* const> all_actions() { return table(); }

const ActionDescriptor* find_action(std::string_view name) {
  auto found = std::ranges::find(table(), name, &ActionDescriptor::name);
  return found == table().end() ? nullptr : *found;
}

std::vector<std::string> action_names() {
  std::vector<std::string> names;
  for (const ActionDescriptor* action : table()) names.emplace_back(action->name);
  return names;
}

}  // namespace lifeboat
