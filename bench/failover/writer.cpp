// The writer of the side-by-side benchmark: a client that does not know who the primary is. It keeps a connection to each node it
// was given and writes to all of them all the time, one row per commit, with short time-outs, so that nothing it waits for at one
// node holds it up at another. What it writes down is what a user could know: which node acknowledged which row, and when.
//
//   failover_writer --as NAME --out FILE [--every MS] [--timeout MS] NODE=CONNECTION_INFO...
//
// Lines of FILE: "ack NODE ROW SENT_NS DONE_NS" for each acknowledged row, "say NODE NS TEXT" when what a node answers changes.
// Times are CLOCK_BOOTTIME. A row that was sent and not answered in time is nobody's promise and is not written down.
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kReadOnlyPause = 5 * kMs;  // a standby said that it is one
constexpr int64_t kConnectPause = 20 * kMs;  // nobody listens
constexpr int64_t kFlushEvery = 100 * kMs;   // of the file, which somebody reads meanwhile

volatile std::sig_atomic_t told_to_end = 0;

int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct Options {
  std::string name;
  std::string out;
  int64_t every = 4 * kMs;
  int64_t timeout = 1'000 * kMs;
  std::vector<std::pair<std::string, std::string>> nodes;
};

struct Free {
  void operator()(PGconn* connection) const { PQfinish(connection); }
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(FILE* file) const { fclose(file); }
};
using Connection = std::unique_ptr<PGconn, Free>;
using Answer = std::unique_ptr<PGresult, Free>;
using File = std::unique_ptr<FILE, Free>;

// One node: connect, write a row, wait for the answer, again. Never blocks.
class Node {
 public:
  Node(std::string name, std::string info, const Options& options, int64_t& next_row, FILE* out)
      : name_(std::move(name)), info_(std::move(info)), options_(options), next_row_(next_row), out_(out) {}

  // What poll() is to wait for; fd -1 for nothing. `wake_at`: the latest moment at which step() is wanted.
  pollfd waits_for() const { return {stage_ == Stage::away ? -1 : PQsocket(connection_.get()), events_, 0}; }
  int64_t wake_at() const { return wake_at_; }

  void step(short ready, int64_t now) {
    if (stage_ == Stage::away) {
      if (now >= wake_at_) connect(now);
      return;
    }
    if (stage_ != Stage::idle && now >= wake_at_) return leave("no answer in time", now, 0);
    if (stage_ == Stage::connecting && ready != 0) return go_on_connecting(now);
    if (stage_ == Stage::waiting && ready != 0) return take_answer(now);
    if (stage_ != Stage::idle) return;
    // Something to read between two rows is a notice or the end of the connection.
    if (ready != 0 && PQconsumeInput(connection_.get()) == 0) return leave(problem(), now, kConnectPause);
    if (now >= wake_at_) send(now);
  }

 private:
  enum class Stage { away, connecting, idle, waiting };

  void connect(int64_t now) {
    connection_.reset(PQconnectStart(info_.c_str()));
    if (connection_ == nullptr || PQstatus(connection_.get()) == CONNECTION_BAD)
      return leave(problem(), now, kConnectPause);
    // What a dying server says is no news for the terminal.
    PQsetNoticeProcessor(connection_.get(), [](void*, const char*) {}, nullptr);
    stage_ = Stage::connecting;
    events_ = POLLOUT;
    wake_at_ = now + options_.timeout;
  }

  void go_on_connecting(int64_t now) {
    switch (PQconnectPoll(connection_.get())) {
      case PGRES_POLLING_READING: events_ = POLLIN; return;
      case PGRES_POLLING_WRITING: events_ = POLLOUT; return;
      case PGRES_POLLING_OK: PQsetnonblocking(connection_.get(), 1); return rest(now);
      default: return leave(problem(), now, kConnectPause);
    }
  }

  void send(int64_t now) {
    row_ = next_row_++;
    sent_at_ = now;
    std::string sql =
        "INSERT INTO bench_rows (writer, row) VALUES ('" + options_.name + "', " + std::to_string(row_) + ")";
    if (PQsendQuery(connection_.get(), sql.c_str()) == 0 || PQflush(connection_.get()) < 0)
      return leave(problem(), now, kConnectPause);
    stage_ = Stage::waiting;
    events_ = POLLIN;
    wake_at_ = now + options_.timeout;
  }

  void take_answer(int64_t now) {
    if (PQconsumeInput(connection_.get()) == 0) return leave(problem(), now, kConnectPause);
    while (PQisBusy(connection_.get()) == 0) {
      Answer answer(PQgetResult(connection_.get()));
      if (answer == nullptr) return rest(std::max(now, not_before_));
      take(answer.get(), now_ns());
    }
  }

  void take(PGresult* answer, int64_t now) {
    if (PQresultStatus(answer) == PGRES_COMMAND_OK) {
      fprintf(out_, "ack %s %lld %lld %lld\n", name_.c_str(), static_cast<long long>(row_),
              static_cast<long long>(sent_at_), static_cast<long long>(now));
      say("acknowledges", now);
      not_before_ = sent_at_ + options_.every;
      return;
    }
    say(PQresultErrorMessage(answer), now);
    not_before_ = now + kReadOnlyPause;
  }

  void rest(int64_t until) {
    stage_ = Stage::idle;
    events_ = POLLIN;
    wake_at_ = until;
  }

  void leave(std::string why, int64_t now, int64_t pause) {
    say(why, now);
    connection_.reset();
    stage_ = Stage::away;
    wake_at_ = now + pause;
  }

  std::string problem() const { return connection_ == nullptr ? "no memory" : PQerrorMessage(connection_.get()); }

  void say(std::string_view text, int64_t now) {
    std::string line(text.substr(0, text.find('\n')));
    if (line == said_) return;
    said_ = line;
    fprintf(out_, "say %s %lld %s\n", name_.c_str(), static_cast<long long>(now), line.c_str());
  }

  std::string name_;
  std::string info_;
  const Options& options_;
  int64_t& next_row_;
  FILE* out_;
  Connection connection_;
  Stage stage_ = Stage::away;
  short events_ = 0;
  int64_t wake_at_ = 0;
  int64_t not_before_ = 0;
  int64_t row_ = 0;
  int64_t sent_at_ = 0;
  std::string said_;
};

void write_until_told(const Options& options, FILE* out) {
  int64_t next_row = 1;
  std::vector<Node> nodes;
  for (const auto& [name, info] : options.nodes) nodes.emplace_back(name, info, options, next_row, out);
  int64_t flushed_at = 0;
  while (told_to_end == 0) {
    int64_t now = now_ns(), wake_at = now + kFlushEvery;
    std::vector<pollfd> waits;
    for (const Node& node : nodes) {
      waits.push_back(node.waits_for());
      wake_at = std::min(wake_at, node.wake_at());
    }
    int64_t pause = std::max<int64_t>(0, wake_at - now);
    timespec patience{pause / 1'000'000'000, pause % 1'000'000'000};
    if (ppoll(waits.data(), waits.size(), &patience, nullptr) < 0)
      for (pollfd& wait : waits) wait.revents = 0;
    for (size_t index = 0; index < nodes.size(); ++index) nodes[index].step(waits[index].revents, now_ns());
    if (now - flushed_at < kFlushEvery) continue;
    fflush(out);
    flushed_at = now;
  }
}

bool read_options(int count, char** words, Options& options) {
  for (int at = 1; at < count; ++at) {
    std::string word = words[at];
    if (word.starts_with("--")) {
      if (at + 1 == count) return false;
      std::string value = words[++at];
      if (word == "--as") {
        options.name = value;
      } else if (word == "--out") {
        options.out = value;
      } else if (word == "--every") {
        options.every = std::atoll(value.c_str()) * kMs;
      } else if (word == "--timeout") {
        options.timeout = std::atoll(value.c_str()) * kMs;
      } else {
        return false;
      }
      continue;
    }
    size_t equals = word.find('=');
    if (equals == std::string::npos) return false;
    options.nodes.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return !options.name.empty() && !options.out.empty() && !options.nodes.empty() && options.timeout > 0;
}

}  // namespace

int main(int count, char** words) {
  Options options;
  if (!read_options(count, words, options)) {
    fputs("usage: failover_writer --as NAME --out FILE [--every MS] [--timeout MS] NODE=CONNECTION_INFO...\n", stderr);
    return 2;
  }
  File out(fopen(options.out.c_str(), "we"));
  if (out == nullptr) {
    fprintf(stderr, "failover_writer: %s: %s\n", options.out.c_str(), strerror(errno));
    return 2;
  }
  for (int number : {SIGTERM, SIGINT}) std::signal(number, [](int) { told_to_end = 1; });
  std::signal(SIGPIPE, SIG_IGN);
  write_until_told(options, out.get());
  return 0;
}
