// A lab's folder on disk, its number, and the process that removes the folder when the lab is gone, however it went.
//
// The folder is /var/tmp/lifeboat-lab-N, mode 0711 so that database servers (which never run as root) can enter theirs.
// Whoever holds the folder's lock owns the number. A folder without a lock is what a lab left behind that was killed
// together with its janitor; the next lab command removes it.
#pragma once

#include <string>
#include <vector>

#include "lab/system.hpp"

namespace lifeboat::lab {

inline constexpr int kMostLabs = 128;

struct StateDir {
  int number = -1;
  std::string path;
  Fd lock;
};

// Removes what dead labs left, then takes the lowest free number and makes its folder.
Result<StateDir> claim_state_dir();
// Removes what dead labs left; gives the folders of labs that are alive.
std::vector<std::string> sweep_and_list();

// The janitor: a process outside the lab that waits until every holder of the pipe's other end is gone, then removes the
// folder and ends. It keeps the folder's lock until then.
struct Janitor {
  pid_t pid = -1;
  Fd lifeline;  // to be held by the lab's own processes, and by nobody else
};
Result<Janitor> start_janitor(const StateDir& dir);

}  // namespace lifeboat::lab
