// etcd's HTTP gateway, one call at a time: endpoints in turn, authentication, base64, numbers that come as text.
//
// Everything Lifeboat sends may be sent twice: reads, renewals, and transactions that compare the revision they change. So
// a call whose outcome is not known is made again, at the next endpoint, until its deadline.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/json.hpp"
#include "io/http_client.hpp"
#include "store/store.hpp"

namespace lifeboat::etcd {

// One key with its value, as etcd tells it. `mod_revision` 0: there is no such key.
struct KeyValue {
  std::string key;
  std::string value;
  int64_t create_revision = 0;
  int64_t mod_revision = 0;
};

// What a range answered.
struct Found {
  int64_t revision = 0;  // of the whole store when it answered
  std::vector<KeyValue> values;
  bool more = false;
};

// What to do about the alarm NOSPACE (etcd's maintenance guide, "Space quota").
inline constexpr std::string_view kFullHint =
    "its quota is used up, and it takes no writes: `etcdctl compact`, `etcdctl defrag` on each voter (or a larger "
    "--quota-backend-bytes), then `etcdctl alarm disarm`";

class Client {
 public:
  explicit Client(EtcdOptions options);

  // The answer's JSON. `refused`: etcd said no, in its words; `unknown_outcome`: it may have been done; `unreachable` or
  // `timed_out`: it was not done.
  Task<Result<Json>> call(std::string path, Json body, Deadline deadline);
  // The same at one endpoint, once.
  Task<Result<Json>> call_at(std::string endpoint, std::string path, Json body, Deadline deadline);

  // Linearizable, unless one voter alone is asked.
  Task<Result<Found>> range(std::string key, std::string end, int64_t limit, int64_t revision, Deadline deadline);
  // Returns at the first change of the key since `revision`, when the watch ends for any reason, or at the deadline.
  Task<> changed(std::string key, int64_t revision, Deadline deadline);
  // Takes the parts of an endless answer as they come.
  Task<Result<void>> stream(std::string endpoint, std::string path, Json body,
                            std::function<bool(std::string_view piece)> on_piece, Deadline deadline);

  const std::vector<std::string>& endpoints() const { return options_.endpoints; }

 private:
  EtcdOptions options_;
  HttpClient http_;
  size_t preferred_ = 0;  // the endpoint that answered last
  std::string token_;
  std::string cluster_;  // the id of the cluster that answered first

  Task<Result<void>> sign_in(std::string endpoint, Deadline deadline);
  HttpRequest request_for(const std::string& endpoint, const std::string& path, const Json& body) const;
};

// Whole numbers come as text; what is absent is 0.
int64_t number_in(const Json& object, std::string_view name);
// One of etcd's key-value objects.
KeyValue key_value_of(const Json& json);
// The values of a range, whether asked alone or within a transaction.
Found found_in(const Json& answer);

// Parts of requests.
Json range_request(std::string_view key, std::string_view end = {}, int64_t limit = 0, int64_t revision = 0);
Json put_request(std::string_view key, std::string_view value, int64_t lease = 0);
Json mod_is(std::string_view key, int64_t revision);
Json created_at(std::string_view key, int64_t revision);
Json value_is(std::string_view key, std::string_view value);
// The first key after all that begin with `prefix`.
std::string end_of_prefix(std::string prefix);

}  // namespace lifeboat::etcd
