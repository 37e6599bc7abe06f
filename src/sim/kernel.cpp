#include "sim/kernel.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat::sim {

ProcessId Kernel::add_process(std::string name) {
  processes_.emplace_back(std::move(name));
  return static_cast<ProcessId>(processes_.size() - 1);
}

void Kernel::kill(ProcessId process) {
  Process& it = processes_[process];
  it.alive = false;
  ++it.life;
  it.paused_until = 0;
}

void Kernel::pause(ProcessId process, Nanos until) {
  processes_[process].paused_until = std::max(processes_[process].paused_until, until);
}

Kernel::Timer Kernel::at(ProcessId process, Nanos when, Action action) {
  // What the destructors of a dead process ask for is not its next life's.
  if (!processes_[process].alive) return {};
  uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Slot& it = slots_[slot];
  it.action = std::move(action);
  it.process = process;
  it.life = processes_[process].life;
  it.order = next_order_++;
  heap_.push({std::max(when, now_), it.order, slot});
  return {slot, it.order};
}

void Kernel::cancel(Timer timer) {
  if (timer.slot >= slots_.size() || slots_[timer.slot].order != timer.order) return;
  release(timer.slot);
}

void Kernel::release(uint32_t slot) {
  slots_[slot].order = kNone;
  // What it holds is let go of last: its destructor may set other timers.
  Action dropped = std::move(slots_[slot].action);
  slots_[slot].action = nullptr;
  free_.push_back(slot);
}

void Kernel::run(Nanos end) {
  while (!heap_.empty() && !stopped_) {
    Event event = heap_.top();
    if (event.when > end) break;
    heap_.pop();
    Slot& slot = slots_[event.slot];
    if (slot.order != event.order) continue;
    const Process& process = processes_[slot.process];
    if (process.life != slot.life) {
      release(event.slot);
      continue;
    }
    now_ = event.when;
    if (process.paused_until > now_) {
      event.when = process.paused_until;
      heap_.push(event);
      continue;
    }
    ++events_;
    Action action = std::move(slot.action);
    release(event.slot);
    try {
      action();
    } catch (const ProcessDied&) {
      // Whoever threw it has already arranged for the end of the process.
    }
  }
  if (!stopped_) now_ = std::max(now_, end);
}

void Kernel::mix(std::string_view text) {
  for (char c : text) mix(static_cast<uint64_t>(static_cast<unsigned char>(c)));
}

void Kernel::tell(std::string line) {
  if (tells_) story_.push_back(fmt::format("{:9.3f}  {}", static_cast<double>(now_) / 1e9, line));
}

}  // namespace lifeboat::sim
