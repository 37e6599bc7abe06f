// The logical backups that a plan asks for by the clock: the controller that leads takes them itself, when core/logical/duty says so.
// In a drill none is taken. What became of each stands in the journal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "actions/world.hpp"
#include "core/logical/backups.hpp"
#include "core/logical/duty.hpp"
#include "store/store.hpp"

namespace lifeboat {

class DumpKeeper {
 public:
  DumpKeeper(Store& store, World& world, Scope& scope);

  // They are taken from now on.
  void start();
  std::vector<std::string> services() const;
  // {place, count, newest, newest_at, newest_bytes, next_at, busy, trouble} of a service; null when its plan asks for none.
  Json status(const std::string& service) const;
  // Why they are not what the plan asks for; empty: they are.
  std::string trouble(const std::string& service) const;

 private:
  struct Kept {
    const Dumps* dumps = nullptr;
    Duration every{};
    DumpSituation situation;
    MonoTime last_try{};
    MonoTime listed_at{};
    std::string database;
    LogicalBackup newest;
    size_t count = 0;
    std::string busy;
    bool list_failed = false;  // `problem` is of the last look, not of a dump
  };
  Store& store_;
  World& world_;
  Scope& scope_;
  std::map<std::string, Kept> kept_;

  DumpSituation situation_of(const std::string& service) const;
  Task<> tick();
  Task<> list(std::string service);
  Task<> take(std::string service);
  void failed(const std::string& service, bool listing, const Error& error);
  Task<> note(std::string service, std::string kind, std::string text, Json data);
};

}  // namespace lifeboat
