// Redis over Asio: hiredis formats commands and parses replies, the socket and the time are ours. One connection, one
// caller at a time. Replies are values; an error reply of the server is a reply (Kind::error) that `ok()` turns into an
// Error. After a timeout the answers would be out of step with the questions, so the connection is closed.
//
// Below the connection: what INFO, ROLE, CLUSTER NODES and CLUSTER INFO say, as data.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/task.hpp"

namespace lifeboat {

struct RedisReply {
  enum class Kind { nil, string, integer, array, error };
  Kind kind = Kind::nil;
  std::string text;  // string and error
  int64_t integer = 0;
  std::vector<RedisReply> items;

  bool is_error() const { return kind == Kind::error; }
  // The code word of an error: "READONLY", "NOAUTH", "ERR".
  std::string_view code() const;
};

class RedisConnection {
 public:
  RedisConnection();  // closed
  ~RedisConnection();
  RedisConnection(RedisConnection&&) noexcept;
  RedisConnection& operator=(RedisConnection&&) noexcept;

  // Connects and, when `password` is not empty, authenticates. `refused` when the password is wrong or missing.
  static Task<Result<RedisConnection>> connect(std::string address, int port, std::string password, Deadline deadline);

  // Sends one command. `unknown_outcome` when it was sent and no answer came; `unreachable` when it is closed.
  Task<Result<RedisReply>> command(std::vector<std::string> words, Deadline deadline);
  // Sends several at once and gives their replies in order.
  Task<Result<std::vector<RedisReply>>> commands(std::vector<std::vector<std::string>> list, Deadline deadline);

  bool is_open() const;
  void close();
  const std::string& peer() const;  // "10.1.0.5:6379"

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The reply, or its error as an Error of kind refused with a hint where one is known. `what`: what was asked of whom.
Result<RedisReply> ok(Result<RedisReply> reply, std::string_view what);

// INFO: key → value of all sections.
using RedisInfo = std::map<std::string, std::string, std::less<>>;
RedisInfo parse_redis_info(std::string_view text);
std::string info_text(const RedisInfo& info, std::string_view key);
int64_t info_number(const RedisInfo& info, std::string_view key, int64_t otherwise);

struct RedisRole {
  enum class Kind { master, replica, sentinel } kind = Kind::master;
  int64_t offset = 0;  // of a replica: -1 while it has no link to its master
  std::string master_host;
  int master_port = 0;
  std::string link;  // of a replica: connect, connecting, sync, connected, handshake
  struct Replica {
    std::string host;
    int port = 0;
    int64_t offset = 0;
  };
  std::vector<Replica> replicas;  // of a master
};
Result<RedisRole> parse_redis_role(const RedisReply& reply);

// What a server says of its part in replication, from INFO replication and persistence.
struct RedisReplication {
  bool is_master = false;
  bool link_up = false;     // replica: to its master
  bool syncing = false;     // replica: a full copy is under way
  bool loading = false;     // reading its data set from disk
  bool has_synced = false;  // replica: it has had its master's data at least once
  int64_t offset = 0;       // bytes of the stream it has
  std::string replid;
  std::string replid2;       // what the stream was called before a promotion
  int64_t promoted_at = -1;  // offset at which that ended; -1: never promoted
  std::string master_host;   // replica
  int master_port = 0;
};
RedisReplication parse_redis_replication(const RedisInfo& info);

struct RedisClusterNode {
  std::string id;
  std::string address;  // ip:port
  bool myself = false;
  bool master = false;
  bool fail = false;  // agreed by a majority ("fail", not "fail?")
  bool suspected = false;
  bool noaddr = false;
  std::string master_id;  // of a replica
  uint64_t epoch = 0;
  bool link_up = false;   // of the cluster bus
  int slots = 0;          // how many it serves
  std::string slot_text;  // "0-5460"
};
// Unreadable lines are an error: better than deciding on half of a cluster.
Result<std::vector<RedisClusterNode>> parse_cluster_nodes(std::string_view text);

struct RedisClusterInfo {
  bool ok = false;
  int slots_assigned = 0;
  int known_nodes = 0;
  uint64_t current_epoch = 0;
};
RedisClusterInfo parse_cluster_info(std::string_view text);

}  // namespace lifeboat
