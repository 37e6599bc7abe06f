// The faults that a drill of a plan may name. What each does in a lab is in lab/faults, which has exactly these.
#pragma once

#include <array>
#include <string_view>

namespace lifeboat {

inline constexpr std::array<std::string_view, 26> kFaultNames{
    "kill-region",  "kill-workload",    "cut-region",   "kill-host",  "kill-process", "kill-node",   "freeze-node",
    "cut-node",     "cut-node-one-way", "cut-pair",     "flap-node",  "kill-agent",   "stop-agent",  "kill-guard",
    "kill-server",  "stop-server",      "slow-disk",    "full-disk",  "drop-table",   "mass-delete", "corrupt-pages",
    "lost-datadir", "ransomware",       "kill-control", "kill-store", "stop-store"};

}  // namespace lifeboat
