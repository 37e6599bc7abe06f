#include "lab/outside.hpp"

#include <fcntl.h>
#include <sched.h>

#include "lab/lab.hpp"

namespace lifeboat::lab {

Result<Outside> Outside::enter(const std::string& folder) {
  Outside outside;
  outside.own_.reset(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  TRY_VOID(enter_outside(folder));
  return outside;
}

Outside::~Outside() {
  if (own_) setns(own_.get(), CLONE_NEWNET);
}

}  // namespace lifeboat::lab
