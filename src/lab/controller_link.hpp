// The controllers' HTTP API as a lab needs it: whichever answers is asked, and it hands on to the one that leads.
// Blocking; every call is bounded.
#pragma once

#include <string>
#include <vector>

#include "lab/system.hpp"

namespace lifeboat::lab {

class ControllerLink {
 public:
  // `addresses`: "ADDRESS:PORT". `patience`: how long a call waits for a controller that leads.
  ControllerLink(std::vector<std::string> addresses, std::string token, Duration patience = Duration{20'000})
      : addresses_(std::move(addresses)), token_(std::move(token)), patience_(patience) {}

  Result<Json> get(const std::string& path) const;
  Result<Json> post(const std::string& path, const Json& body) const;
  // The answer as it is, for pages.
  Result<std::string> text(const std::string& path) const;
  // All journal events after that number, oldest first.
  Result<JsonArray> events_after(uint64_t seq) const;

 private:
  struct Answer {
    int status = 0;
    std::string body;
  };
  Result<Answer> ask(const std::string& method, const std::string& path, const std::string& body) const;
  Result<Json> call(const std::string& method, const std::string& path, const std::string& body) const;
  std::vector<std::string> addresses_;
  std::string token_;
  Duration patience_;
  mutable size_t first_ = 0;  // the one that answered last
};

}  // namespace lifeboat::lab
