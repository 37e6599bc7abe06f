// A range of etcd's keys, page by page. etcd bounds an answer by the number of its keys alone, and a value has 300 bytes or a
// megabyte; so each page asks for as many as make a good answer by the size of those before it.
#pragma once

#include "store/etcd/client.hpp"

namespace lifeboat::etcd {

class Pages {
 public:
  // All from `from` to before `end`, at one revision or (0) as each page finds it. `client` outlives it.
  Pages(Client& client, std::string from, std::string end, int64_t revision = 0);

  bool more() const { return more_; }
  // The next of them. Each page has a deadline of its own, so a long range that is far away takes the time that it takes.
  Task<Result<std::vector<KeyValue>>> next();

 private:
  Client& client_;
  std::string from_;
  std::string end_;
  int64_t revision_;
  int64_t limit_;
  int64_t most_;  // less once a page did not come
  bool more_ = true;

  void judge(const std::vector<KeyValue>& page);
};

}  // namespace lifeboat::etcd
