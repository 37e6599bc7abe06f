// Runs the ownership machine of each postgres service: feeds it what agents say and carries out its commands. No rule
// about safety lives here; they are all in core/ownership.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "actions/world.hpp"
#include "controller/agent_hub.hpp"
#include "core/ownership/held_answers.hpp"
#include "core/ownership/machine.hpp"
#include "store/store.hpp"

namespace lifeboat {

class DatabaseKeeper : public Databases {
 public:
  using OnNote = std::function<void(const std::string& service, const ownership::Note& note)>;

  DatabaseKeeper(asio::any_io_executor executor, Store& store, const Plan& plan, AgentHub& hub, Scope& scope,
                 OnNote on_note);
  ~DatabaseKeeper() override;

  // Reads who holds what and begins to watch. Until then nothing is granted.
  Task<Result<>> start();

  void agent_connected(const std::string& host);
  void agent_lost(const std::string& host);
  // report, renew and release messages; others are ignored. Malformed ones are logged and dropped.
  void agent_said(const std::string& host, const std::string& type, const Json& message);

  std::vector<std::string> services() const;
  // What was done by itself so far does not count any more. The caller has written "automatic-acknowledged" to each database's
  // stream, so that the controllers that come after begin from there too.
  void acknowledge();

  Result<DatabaseView> view(std::string service) override;
  Result<LossEstimate> loss_if_failed_over(std::string service, std::string to) override;
  Task<Result<Json>> failover(std::string service, std::string to, bool accept_loss, Deadline deadline,
                              ProgressLine progress) override;
  Task<Result<Json>> switchover(std::string service, std::string to, Deadline deadline, ProgressLine progress) override;
  Task<Result<Json>> reprotect(std::string service, std::string member, bool pages, Deadline deadline,
                               ProgressLine progress) override;
  Task<Result<Json>> put_back(std::string service, std::string member, std::string restored, Deadline deadline,
                              ProgressLine progress) override;

 private:
  struct Database;
  struct Waiter;
  asio::any_io_executor executor_;
  Store& store_;
  const Plan& plan_;
  AgentHub& hub_;
  Scope& scope_;
  OnNote on_note_;
  std::map<std::string, std::unique_ptr<Database>> databases_;
  std::map<uint64_t, std::shared_ptr<Waiter>> waiters_;
  uint64_t next_transfer_ = 1;
  MonoTime began_ = boot_now();
  // What was asked to be renewed and is answered when the store has said that this controller still leads.
  struct Renewal {
    std::string host;
    Json answer;
  };
  ownership::HeldAnswers<Renewal> renewals_;

  Task<Result<ownership::Past>> past_of(std::string service);
  Task<> tick();
  void feed(Database& database, const ownership::Input& input);
  void carry_out(Database& database, const ownership::Command& command);
  void answer_renewal(const Database& database, const ownership::AnswerRenew& answer);
  Task<> answer_renewals();
  Task<> order_the_lead(std::string service, ownership::SendLead lead);
  Task<> make_grant(std::string service, ownership::MakeGrant grant);
  Task<> record_sync(std::string service, ownership::RecordSync record);
  Task<> ask_agent(std::string service, ownership::CommandDone::What what, std::string member, uint64_t term,
                   std::string method, Json params, Duration within);
  Task<> write_note(std::string service, ownership::Note note);
  Task<Result<Json>> transfer(std::string service, ownership::Transfer wanted, Deadline deadline,
                              ProgressLine progress);
  std::string waiting_reason(const Database& database, const ownership::Transfer& wanted) const;
};

}  // namespace lifeboat
