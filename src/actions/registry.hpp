// Every action there is: one line here and one in registry.cpp for each.
#pragma once

#include "actions/action.hpp"

namespace lifeboat {

const ActionDescriptor& approval_action();
const ActionDescriptor& dns_switch_action();
const ActionDescriptor& http_check_action();
const ActionDescriptor& incident_close_action();
const ActionDescriptor& incident_open_action();
const ActionDescriptor& incident_update_action();
const ActionDescriptor& manual_action();
const ActionDescriptor& network_isolate_action();
const ActionDescriptor& network_rejoin_action();
const ActionDescriptor& notify_action();
const ActionDescriptor& postgres_adopt_action();
const ActionDescriptor& postgres_assess_action();
const ActionDescriptor& postgres_clean_point_action();
const ActionDescriptor& postgres_dump_action();
const ActionDescriptor& postgres_failover_action();
const ActionDescriptor& postgres_forensics_action();
const ActionDescriptor& postgres_reprotect_action();
const ActionDescriptor& postgres_restore_action();
const ActionDescriptor& postgres_restore_drill_action();
const ActionDescriptor& postgres_switchover_action();
const ActionDescriptor& probe_quorum_action();
const ActionDescriptor& redis_cluster_promote_action();
const ActionDescriptor& redis_cluster_replicate_action();
const ActionDescriptor& redis_promote_action();
const ActionDescriptor& redis_replicate_action();
const ActionDescriptor& secrets_rotate_action();
const ActionDescriptor& service_scale_action();
const ActionDescriptor& shell_action();
const ActionDescriptor& sql_check_action();
const ActionDescriptor& statuspage_update_action();
const ActionDescriptor& tcp_check_action();
const ActionDescriptor& traffic_drain_action();
const ActionDescriptor& traffic_ramp_action();
const ActionDescriptor& traffic_weights_action();
const ActionDescriptor& validate_application_action();
const ActionDescriptor& validate_database_action();
const ActionDescriptor& validate_profile_action();
const ActionDescriptor& wait_action();

}  // namespace lifeboat
