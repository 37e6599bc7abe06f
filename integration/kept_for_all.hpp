// What all tests of a program stand on and what takes long to make: made when first asked for, gone after the last test.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

namespace lifeboat {

template <class T>
class KeptForAll : public testing::Environment {
 public:
  explicit KeptForAll(std::function<std::unique_ptr<T>()> make) : make_(std::move(make)) {}
  T& get() {
    if (!it_) it_ = make_();
    return *it_;
  }
  void TearDown() override { it_.reset(); }

 private:
  std::function<std::unique_ptr<T>()> make_;
  std::unique_ptr<T> it_;
};

// To be called before any test runs: for a variable of the program.
template <class T>
KeptForAll<T>& keep_for_all(std::function<std::unique_ptr<T>()> make) {
  auto* kept = new KeptForAll<T>(std::move(make));  // the tests' framework owns it from here on
  testing::AddGlobalTestEnvironment(kept);
  return *kept;
}

}  // namespace lifeboat
