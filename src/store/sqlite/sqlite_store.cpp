#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "store/sqlite/journal.hpp"
#include "store/store.hpp"

namespace lifeboat {
namespace {

using sqlite::Journal;

// What the store's thread does for one caller. `work` runs on that thread; `finish` hands the result over, and is told
// the error of the transaction if that failed as a whole.
struct Job {
  bool writes = false;
  std::move_only_function<bool(Journal&)> work;  // false: its part of the transaction is dropped
  std::move_only_function<void(const Error* transaction_failed)> finish;
};

// One thread owns the connection. Writing jobs that are waiting together share a transaction and so one fsync; each is
// a savepoint of its own, so that one that fails takes no other with it.
class Worker {
 public:
  Worker() = default;
  ~Worker() {
    {
      std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Result<void> open(const std::string& path) {
    TRY_VOID(journal_.open(path));
    thread_ = std::thread([this] { serve(); });
    return {};
  }

  void add(Job job) {
    {
      std::lock_guard guard(mutex_);
      waiting_.push_back(std::move(job));
    }
    wake_.notify_one();
  }

 private:
  Journal journal_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> waiting_;
  bool stopping_ = false;
  std::thread thread_;

  void serve() {
    while (true) {
      std::deque<Job> batch;
      {
        std::unique_lock guard(mutex_);
        wake_.wait(guard, [this] { return stopping_ || !waiting_.empty(); });
        // What was handed over is carried out, also when the store is being closed.
        if (waiting_.empty()) return;
        batch.swap(waiting_);
      }
      while (!batch.empty()) {
        if (batch.front().writes) {
          write_together(batch);
        } else {
          batch.front().work(journal_);
          batch.front().finish(nullptr);
          batch.pop_front();
        }
      }
    }
  }

  void write_together(std::deque<Job>& batch) {
    constexpr size_t kMost = 1'000;
    std::vector<Job> together;
    while (!batch.empty() && batch.front().writes && together.size() < kMost) {
      together.push_back(std::move(batch.front()));
      batch.pop_front();
    }
    Result<void> outcome = journal_.begin();
    for (size_t index = 0; outcome && index < together.size(); ++index) outcome = do_part(together[index]);
    if (outcome) outcome = journal_.commit();
    if (!outcome) journal_.roll_back();
    for (Job& job : together) job.finish(outcome ? nullptr : &outcome.error());
  }

  Result<void> do_part(Job& job) {
    TRY_VOID(journal_.mark());
    if (job.work(journal_)) return journal_.keep_mark();
    journal_.drop_mark();
    return {};
  }
};

class SqliteStore : public Store {
 public:
  Result<void> open(const std::string& path) { return worker_.open(path); }

  Task<Result<std::vector<StoredEvent>>> append(std::vector<NewEvent> events) override {
    for (const NewEvent& event : events) {
      if (event.stream.empty() || event.kind.empty())
        co_return fail(ErrorKind::invalid_input, "an event needs a stream and a kind");
    }
    auto work = [events = std::move(events)](Journal& journal) { return journal.append(events, wall_now()); };
    co_return co_await on_thread<std::vector<StoredEvent>>(true, std::move(work));
  }
  Task<Result<std::vector<StoredEvent>>> read(EventFilter filter) override {
    auto work = [filter = std::move(filter)](Journal& journal) { return journal.read(filter); };
    co_return co_await on_thread<std::vector<StoredEvent>>(false, std::move(work));
  }
  Task<Result<ChainReport>> verify() override {
    auto work = [](Journal& journal) { return journal.verify(); };
    co_return co_await on_thread<ChainReport>(false, std::move(work));
  }
  Task<Result<uint64_t>> next_number(std::string counter) override {
    auto work = [counter = std::move(counter)](Journal& journal) { return journal.next_number(counter); };
    co_return co_await on_thread<uint64_t>(true, std::move(work));
  }
  Task<Result<OwnershipRecord>> ownership(std::string service) override {
    auto work = [service = std::move(service)](Journal& journal) { return journal.ownership(service); };
    co_return co_await on_thread<OwnershipRecord>(false, std::move(work));
  }
  Task<Result<OwnershipRecord>> grant(std::string service, uint64_t expected_term, std::string holder,
                                      NewEvent event) override {
    auto granting = grant_above(std::move(service), expected_term, 0, std::move(holder), std::move(event));
    co_return co_await std::move(granting);
  }
  Task<Result<OwnershipRecord>> grant_above(std::string service, uint64_t expected_term, uint64_t floor,
                                            std::string holder, NewEvent event) override {
    auto work = [service = std::move(service), expected_term, floor, holder = std::move(holder),
                 event = std::move(event)](Journal& journal) {
      return journal.grant(service, expected_term, holder, event, wall_now(), floor);
    };
    co_return co_await on_thread<OwnershipRecord>(true, std::move(work));
  }

  Task<Result<StoreContents>> copy() override {
    auto work = [](Journal& journal) { return journal.copy(); };
    co_return co_await on_thread<StoreContents>(false, std::move(work));
  }
  Task<Result<void>> restore(StoreContents contents) override {
    auto work = [contents = std::move(contents)](Journal& journal) -> Result<bool> {
      TRY_VOID(journal.restore(contents));
      return true;
    };
    CO_TRY(bool done, co_await on_thread<bool>(true, std::move(work)));
    static_cast<void>(done);
    co_return Result<void>{};
  }

 private:
  Worker worker_;

  // Runs `work` on the store's thread and continues on the caller's executor.
  template <class T, class Work>
  Task<Result<T>> on_thread(bool writes, Work work) {
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<T>)>(
        [this, writes](auto handler, Work what) {
          auto executor = asio::get_associated_executor(handler);
          auto guard = asio::make_work_guard(executor);
          auto result = std::make_shared<Result<T>>(fail(ErrorKind::internal, "the store did nothing"));
          Job job;
          job.writes = writes;
          job.work = [result, what = std::move(what)](Journal& journal) mutable {
            *result = what(journal);
            return result->has_value();
          };
          job.finish = [result, executor, guard = std::move(guard),
                        handler = std::move(handler)](const Error* failed) mutable {
            // Nothing of a failed transaction remains, also not of the parts that went well.
            if (failed != nullptr && result->has_value()) *result = std::unexpected(*failed);
            asio::post(executor, [handler = std::move(handler), result, guard = std::move(guard)]() mutable {
              std::move(handler)(std::move(*result));
            });
          };
          worker_.add(std::move(job));
        },
        asio::use_awaitable, std::move(work));
  }
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(std::string path) {
  auto store = std::make_unique<SqliteStore>();
  if (auto opened = store->open(path); !opened) {
    return std::unexpected(std::move(opened).error().with("open the journal"));
  }
  return store;
}

Result<StoreContents> read_sqlite_store(std::string path) {
  Journal journal;
  TRY_VOID(journal.open_to_read(path));
  return journal.copy();
}

}  // namespace lifeboat
