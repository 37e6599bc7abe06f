// The controller's HTTP API for commands: one blocking call each.
#pragma once

#include <memory>
#include <string>

#include "core/base/time.hpp"
#include "core/data/json.hpp"

namespace lifeboat::cli {

struct ClientOptions {
  std::string controller = "http://127.0.0.1:7400";
  std::string token_file;
};

class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();

  // The JSON of the answer. An answer with status 400 or above becomes the Error that the controller meant.
  Result<Json> get(const std::string& path, Duration within = Duration{10'000});
  Result<Json> post(const std::string& path, const Json& body, Duration within = Duration{30'000});
  // The answer as it is, for reports.
  Result<std::string> get_text(const std::string& path, Duration within = Duration{30'000});

 private:
  struct State;
  std::unique_ptr<State> state_;

  Result<std::string> call(std::string method, const std::string& path, std::string body, Duration within);
};

}  // namespace lifeboat::cli
