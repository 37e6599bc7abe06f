// Disks that can be filled: a lab made for it gives each database's host a small one, in memory, so that a full disk is a full disk to
// everything on that host and to nothing else.
#pragma once

#include <string>

#include "core/model/plan.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

// Over the folders of the hosts, which are empty yet. In a mount namespace of its own, with which they go.
Result<void> mount_small_disks(const Plan& plan, const std::string& lab_folder);

// Takes all room that is left. `unsupported` when this lab has no small disks.
Result<void> fill_disk(const std::string& lab_folder, const std::string& host);
// Gives that room back.
Result<void> empty_disk(const std::string& lab_folder, const std::string& host);

}  // namespace lifeboat::lab
