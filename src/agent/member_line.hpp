// How the members of one database reach each other when no controller answers (core/member: the promises). Datagrams, so that
// nothing has to be opened while the network is ill: UDP, to the port that has the number of the other's server. Without a
// replication password nothing is sent and nothing is believed.
//
// What is lost is not sent again: the member asks anew several times within a lease.
//
// On a calm day nobody needs this, so what keeps it from working is told with what else would hinder a failover.
#pragma once

#include <boost/asio/ip/udp.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "core/detection/neighbours.hpp"
#include "core/ownership/messages.hpp"
#include "core/ownership/report.hpp"
#include "io/task.hpp"

namespace lifeboat {

class MemberLine {
 public:
  struct Hooks {
    std::function<wire::Kept(const wire::Keep&)> asked;
    std::function<void(const wire::Kept&)> answered;
    std::function<void(const std::string& text)> log;
  };

  // Listens at the server's own address from then on; tries again when that cannot be had. `scope` ends it.
  MemberLine(asio::any_io_executor executor, Scope& scope, std::string service, wire::ServerConfig config, Hooks hooks);

  // Takes over other addresses, another password.
  void reconfigure(wire::ServerConfig config);
  // To every other member. Does not wait.
  void ask(const wire::Keep& question);
  // Adds to the handicaps what would keep the others' promises from this member, or its own from others.
  void add_to(MemberReport& report) const;

 private:
  using udp = boost::asio::ip::udp;

  std::string service_;
  wire::ServerConfig config_;
  Hooks hooks_;
  std::unique_ptr<udp::socket> socket_;  // null before it was first opened
  std::string why_shut_;                 // why it cannot be had; empty: it can
  MonoTime shut_since_{};
  detection::Neighbours neighbours_;
  std::map<std::string, udp::endpoint> there_;                 // where the others are
  std::map<std::string, std::pair<uint64_t, int64_t>> heard_;  // the newest question of each: term and time
  Wakeup look_up_due_;
  MonoTime quiet_until_{};  // trouble is told once in a while

  Task<> listen();
  Task<> look_up();
  Result<> open();
  void note_opened(const Result<>& opened);
  void take(std::string_view datagram);
  void send(const std::string& to, std::string_view type, Json body);
  void tell(const std::string& trouble);
};

}  // namespace lifeboat
