#include "store/etcd/status.hpp"

#include <fmt/format.h>

#include "store/etcd/client.hpp"

namespace lifeboat::etcd {

Task<std::vector<VoterStatus>> ask_voters(EtcdOptions options, Duration each) {
  Client client(options);
  std::vector<VoterStatus> out;
  for (const std::string& endpoint : options.endpoints) {
    VoterStatus voter{.endpoint = endpoint, .version = {}, .alarms = {}, .problem = {}};
    auto asking = client.call_at(endpoint, "/v3/maintenance/status", JsonObject{}, Deadline::after(each));
    auto answer = co_await std::move(asking);
    if (!answer) {
      voter.problem = std::move(answer).error();
      out.push_back(std::move(voter));
      continue;
    }
    voter.version = text_or(*answer, "version");
    voter.bytes = number_in(*answer, "dbSize");
    int64_t leader = number_in(*answer, "leader");
    voter.sees_leader = leader != 0;
    voter.leads = leader != 0 && leader == number_in(member(*answer, "header"), "member_id");
    Json ask_alarms = JsonObject{{"action", "GET"}};
    auto listing = client.call_at(endpoint, "/v3/maintenance/alarm", std::move(ask_alarms), Deadline::after(each));
    auto alarms = co_await std::move(listing);
    if (alarms && member(*alarms, "alarms").is_array()) {
      for (const Json& alarm : member(*alarms, "alarms").get_array()) {
        std::string kind = text_or(alarm, "alarm");
        voter.alarms.push_back(kind == "NOSPACE" ? fmt::format("{}: {}", kind, kFullHint) : kind);
      }
    }
    out.push_back(std::move(voter));
  }
  co_return out;
}

}  // namespace lifeboat::etcd
