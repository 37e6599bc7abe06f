// The store in etcd (keys.hpp). Only the leader writes; each write is one transaction that compares the leader's key, the
// head of the journal and every record it changes, so that a deposed leader is refused by etcd itself and every decision
// rests on what was true at the moment of its write. What it knows from memory is therefore a guess that etcd checks.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/etcd/client.hpp"
#include "store/etcd/kept_journal.hpp"
#include "store/etcd/keys.hpp"
#include "store/store.hpp"

namespace lifeboat::etcd {

class EtcdStore : public Store {
 public:
  EtcdStore(asio::any_io_executor executor, EtcdOptions options);
  ~EtcdStore() override;

  Task<Result<void>> understands() override;
  Task<Result<bool>> campaign(Leader me) override;
  Task<Error> keep_leading() override;
  bool leads() const override;
  // By a read that a majority answers (etcd's API guarantees, linearizability).
  Task<Result<void>> still_leads(Deadline deadline) override;
  Task<> resign() override;
  Task<Result<std::optional<Leader>>> leader() override;
  Task<> leader_may_change(Deadline deadline) override;

  Task<Result<std::vector<StoredEvent>>> append(std::vector<NewEvent> events) override;
  Task<Result<std::vector<StoredEvent>>> read(EventFilter filter) override;
  Task<Result<ChainReport>> verify() override;
  Task<Result<uint64_t>> next_number(std::string counter) override;
  Task<Result<OwnershipRecord>> ownership(std::string service) override;
  Task<Result<OwnershipRecord>> grant(std::string service, uint64_t expected_term, std::string holder,
                                      NewEvent journal) override;
  Task<Result<OwnershipRecord>> grant_above(std::string service, uint64_t expected_term, uint64_t floor,
                                            std::string holder, NewEvent journal) override;
  Task<Result<StoreContents>> copy() override;
  Task<Result<void>> restore(StoreContents contents) override;

 private:
  static constexpr Duration kGiveBack{1'000};

  // One call that writes, until its transaction is done.
  struct Call {
    explicit Call(asio::any_io_executor executor) : done(std::move(executor)) {}
    std::vector<NewEvent> events;
    std::string counter;
    std::string service;
    uint64_t expected_term = 0;
    uint64_t floor = 0;
    std::vector<StoredEvent> stored;
    uint64_t number = 0;
    OwnershipRecord owner;
    std::optional<Result<void>> result;
    Wakeup done;
  };
  // A record with the revision at which it was like that.
  template <class T>
  struct Known {
    T value{};
    int64_t revision = 0;
  };
  struct Plan;

  asio::any_io_executor executor_;
  Duration lease_wanted_;
  Keys keys_;
  Client client_;
  std::string instance_;
  KeptJournal kept_;
  uint64_t understood_ = 0;  // the event up to which everything was found to be readable

  // Of the lead, while it lasts.
  std::string leader_text_;
  int64_t leader_revision_ = 0;
  int64_t format_revision_ = 0;
  int64_t lease_ = 0;
  Duration lease_length_{};
  MonoTime renewed_{};
  MonoTime lead_until_{};
  std::string lost_ = "it has not been elected";
  std::string last_problem_;
  Wakeup lost_now_{executor_};
  int64_t seen_revision_ = 0;

  Head head_;
  int64_t head_revision_ = 0;
  std::map<std::string, Known<OwnershipRecord>> owners_;
  std::map<std::string, Known<uint64_t>> counters_;
  std::deque<std::shared_ptr<Call>> waiting_;
  bool writing_ = false;
  Scope scope_;

  void lose(const std::string& why);
  Duration margin() const;
  Result<void> check_format(const KeyValue& format) const;
  Task<Result<KeyValue>> get(std::string key, Deadline deadline);
  Task<> give_back(int64_t lease);
  Task<Result<void>> carry_out(std::shared_ptr<Call> call);
  Task<> write_all();
  Task<Result<void>> write_together(std::vector<std::shared_ptr<Call>> together);
  Task<Result<std::vector<KeyValue>>> all_below(std::string prefix, int64_t revision);
  Task<Result<void>> write_parts(std::vector<std::pair<std::string, std::string>> parts, Deadline deadline);
  Task<Result<void>> clear_leftovers(Deadline deadline);
  Task<Result<void>> learn(const Call& call);
  void add_to(Plan& plan, Call& call, WallTime at) const;
  Result<int64_t> take_answer(const Json& answer, const Plan& plan);
};

}  // namespace lifeboat::etcd
