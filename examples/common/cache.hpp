// A Redis cluster as a cache: what cannot be had at once is a miss, never an error.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct redisContext;

namespace example {

class Cache {
 public:
  // "host:port,host:port"; empty: no cache.
  explicit Cache(const std::string& nodes);
  ~Cache();
  std::optional<std::string> get(const std::string& key);
  void put(const std::string& key, const std::string& value, int seconds);

 private:
  std::vector<std::string> nodes_;
  std::mutex mutex_;
  std::map<std::string, redisContext*> connections_;
  std::string newest_;  // the node that answered last
  long retry_at_ms_ = 0;

  std::optional<std::string> command(const std::vector<std::string>& words);
};

}  // namespace example
