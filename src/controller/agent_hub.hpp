// The controller's end of all agent links: who is connected, requests to them and their answers, what they report.
// An agent proves that it knows its token without sending it (agent/protocol.hpp). A second link of the same host
// replaces the first. All on one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "actions/world.hpp"
#include "core/data/json.hpp"
#include "io/http_server.hpp"
#include "io/secrets.hpp"
#include "io/task.hpp"
#include "io/websocket.hpp"

namespace lifeboat {

class AgentHub : public Agents {
 public:
  struct Callbacks {
    std::function<void(const std::string& host)> connected;
    std::function<void(const std::string& host)> lost;
    std::function<void(const std::string& host, const std::string& type, const Json& message)> said;
    std::function<void(const std::string& text)> log;
  };

  // `hosts`: those that may connect.
  AgentHub(asio::any_io_executor executor, Secrets& secrets, std::vector<std::string> hosts, Callbacks callbacks);
  ~AgentHub() override;

  // The controller leads from now on.
  void begin() { began_ = boot_now(); }
  // Serves one link to its end: handshake, then messages. Never throws but for cancellation.
  Task<> serve(WebSocket socket);

  // One message, in order, without an answer. Dropped when the host is not connected: whoever needs an answer uses call().
  void send(const std::string& host, Json message);

  bool connected(std::string host) override;
  // Its host is cut off from the network, as it said last (network.isolate).
  bool cut_off(const std::string& host) const;
  // Right after the controller began to lead, agents that were linked before are on their way to it, and are waited for.
  Task<Result<Json>> call(std::string host, std::string method, Json params, Deadline deadline,
                          ProgressLine progress) override;
  int64_t units_up(std::string host, std::string service) override;

 private:
  struct Link;
  struct Known {
    std::string host;
    bool cut_off = false;
  };
  asio::any_io_executor executor_;
  Secrets& secrets_;
  std::vector<std::string> hosts_;
  Callbacks callbacks_;
  Scope writers_;
  std::map<std::string, std::shared_ptr<Link>> links_;
  uint64_t next_request_ = 1;
  MonoTime began_ = boot_now();

  Task<> wait_for_return(std::string host, Deadline deadline);
  Task<Result<Known>> shake_hands(WebSocket& socket);
  Task<> read_messages(std::shared_ptr<Link> link);
  void take(const std::shared_ptr<Link>& link, const Json& message);
  void drop(const std::shared_ptr<Link>& link);
};

}  // namespace lifeboat
