// A real etcd for tests, on loopback, one for the whole test program. It ends with the program, and its folder with it.
#pragma once

#include <string>
#include <vector>

#include "store/store.hpp"

namespace lifeboat::etcd {

class TestEtcd {
 public:
  // Starts it at the first call.
  static TestEtcd& shared();

  // With a quota, in bytes, one of its own that takes no writes when it is used up.
  explicit TestEtcd(int64_t quota = 0);
  ~TestEtcd();
  TestEtcd(const TestEtcd&) = delete;
  TestEtcd& operator=(const TestEtcd&) = delete;

  // Why there is none; empty when there is one.
  const std::string& missing() const { return missing_; }
  EtcdOptions options(const std::string& prefix, Duration lease = Duration{60'000}) const;
  const std::string& endpoint() const { return endpoint_; }
  // SIGSTOP and SIGCONT.
  void freeze();
  void thaw();

 private:
  std::string missing_;
  std::string endpoint_;
  std::string folder_;
  int64_t quota_ = 0;
  int process_ = -1;

  void start(const std::string& program);
};

}  // namespace lifeboat::etcd
