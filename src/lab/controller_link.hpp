// The controller's HTTP API as a drill needs it. Blocking; every call is bounded.
#pragma once

#include <string>
#include <vector>

#include "lab/system.hpp"

namespace lifeboat::lab {

class ControllerLink {
 public:
  ControllerLink(std::string address, int port, std::string token)
      : address_(std::move(address)), port_(port), token_(std::move(token)) {}

  Result<Json> get(const std::string& path) const;
  Result<Json> post(const std::string& path, const Json& body) const;
  // The answer as it is, for pages.
  Result<std::string> text(const std::string& path) const;
  // All journal events after that number, oldest first.
  Result<JsonArray> events_after(uint64_t seq) const;

 private:
  Result<Json> call(const std::string& method, const std::string& path, const std::string& body) const;
  std::string address_;
  int port_;
  std::string token_;
};

}  // namespace lifeboat::lab
