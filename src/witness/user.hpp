// One user's way to the service: the plan's name resolved as a user's machine would, then one HTTP request.
#pragma once

#include <string>
#include <vector>

#include "core/model/plan.hpp"
#include "io/http_client.hpp"
#include "io/task.hpp"

namespace lifeboat {

struct Asked {
  Result<HttpResponse> answer;
  std::string address;  // where the name led; empty when it could not be resolved
};

class UsersPath {
 public:
  // `token` is sent as bearer; may be empty.
  UsersPath(const Plan& plan, HttpClient& http, std::string token);

  // One request to the entry's name, on a new connection if `fresh`. Errors of resolving are errors of the request; a
  // request that is cut by the deadline is `unknown_outcome` once it was sent.
  Task<Asked> ask(std::string method, std::string path, std::string body, Deadline deadline, bool fresh);

 private:
  const Plan& plan_;
  HttpClient& http_;
  std::string token_;
  std::string name_;
  int port_ = 80;
  std::string resolver_;
  int resolver_port_ = 53;
  bool recursive_ = true;
  std::vector<std::string> addresses_;
  MonoTime valid_until_{};
  size_t turn_ = 0;

  Task<Result<std::string>> resolve(Deadline deadline);
};

// ${id} and ${key} of a journey's paths and body.
std::string fill_in(std::string text, const std::string& id, const std::string& key);

}  // namespace lifeboat
