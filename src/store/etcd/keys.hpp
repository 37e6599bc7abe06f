// Where things stand in etcd, below the store's prefix, and what they hold. Each write of the store also writes `head`, and
// compares that nobody else did: so all writes of one store are one after the other, whoever makes them.
//
//   format             {format}                         version of the layout
//   leader             {name, address, instance}        on the leader's lease
//   head               {seq, hash, writes, instance}    the last event; `writes` counts all writes
//   journal/HEX16      {events: [{at, body, hash, kind, seq, stream}]}   of one write; the key is the number of the last one
//   counter/NAME       {value}
//   owner/SERVICE      {term, holder}
#pragma once

#include <string>

#include "store/etcd/value.hpp"
#include "store/store.hpp"

namespace lifeboat::etcd {

struct Keys {
  std::string prefix;

  std::string format() const { return prefix + "format"; }
  std::string leader() const { return prefix + "leader"; }
  std::string head() const { return prefix + "head"; }
  std::string journal(uint64_t last_seq) const;
  std::string journal_end() const { return prefix + "journal/g"; }  // after the last hex digit
  std::string counter(const std::string& name) const { return prefix + "counter/" + name; }
  std::string owner(const std::string& service) const { return prefix + "owner/" + service; }
};

struct Head {
  uint64_t seq = 0;
  std::string hash;
  uint64_t writes = 0;
};

// Absent keys (empty values) are what a new store holds.
Result<Head> head_of(const std::string& key, const std::string& value);
std::string head_text(const std::string& key, const Head& head, const std::string& instance);
Result<OwnershipRecord> owner_of(const std::string& key, const std::string& value);
std::string owner_text(const std::string& key, const OwnershipRecord& owner);
Result<uint64_t> counter_of(const std::string& key, const std::string& value);
std::string counter_text(const std::string& key, uint64_t value);
Result<std::vector<StoredEvent>> events_of(const std::string& key, const std::string& value);
std::string events_text(const std::string& key, const std::vector<StoredEvent>& events);

}  // namespace lifeboat::etcd
