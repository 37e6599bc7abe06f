// A controller until it leads: asks to be elected, says to agents who leads, and hands requests of people on to the one that
// does. A controller that does not lead changes nothing, and what it read of the store it holds for a guess.
//
// One that meets what a newer Lifeboat wrote stands aside from then on: it is not elected any more, says why, and hands requests on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "io/http_client.hpp"
#include "io/http_server.hpp"
#include "store/store.hpp"

namespace lifeboat {

struct Candidacy {
  Leader me;
  std::string listen;  // "10.1.0.2:7400"
  // When all start together the first of the plan is preferred: the others wait this long for it.
  Duration give_way{0};
  std::function<void(const std::string& line)> say;
};

class Election {
 public:
  Election(asio::any_io_executor executor, Store& store, HttpClient& http, Candidacy candidacy);

  // Returns when this controller leads and nothing of the election listens any more.
  Task<Result<void>> win();

 private:
  asio::any_io_executor executor_;
  Store& store_;
  HttpClient& http_;
  Candidacy candidacy_;
  std::optional<Leader> leader_;
  std::string said_;
  std::string stands_aside_;  // why; empty: it does not
  std::unique_ptr<HttpServer> server_;

  Result<void> serve();
  Task<> wait_for_turn();
  Task<bool> look_and_try();
  Task<Result<bool>> try_to_lead();
  HttpReply nobody_leads() const;
  void tell(const std::string& line);
  Task<HttpReply> answer(HttpIncoming request);
  Task<> turn_away(WebSocket socket);
};

// "ADDRESS:PORT" taken apart; invalid_input when it is none.
Result<std::pair<std::string, int>> split_listen(const std::string& listen);

}  // namespace lifeboat
