#include "io/redis.hpp"

#include <hiredis/hiredis.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "io/dial.hpp"

namespace lifeboat {
namespace {

using asio::ip::tcp;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

struct ReaderFree {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

RedisReply to_value(const redisReply* from) {
  RedisReply out;
  switch (from->type) {
    case REDIS_REPLY_INTEGER:
      out.kind = RedisReply::Kind::integer;
      out.integer = from->integer;
      break;
    case REDIS_REPLY_ARRAY:
      out.kind = RedisReply::Kind::array;
      for (size_t index = 0; index < from->elements; ++index) out.items.push_back(to_value(from->element[index]));
      break;
    case REDIS_REPLY_ERROR:
      out.kind = RedisReply::Kind::error;
      out.text.assign(from->str, static_cast<size_t>(from->len));
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      out.kind = RedisReply::Kind::string;
      out.text.assign(from->str, static_cast<size_t>(from->len));
      break;
    default: break;
  }
  return out;
}

Result<std::string> formatted(const std::vector<std::string>& words) {
  std::vector<const char*> pointers;
  std::vector<size_t> lengths;
  for (const std::string& word : words) {
    pointers.push_back(word.data());
    lengths.push_back(word.size());
  }
  char* text = nullptr;
  int length = redisFormatCommandArgv(&text, static_cast<int>(words.size()), pointers.data(), lengths.data());
  if (length < 0) return fail(ErrorKind::internal, "format a Redis command: out of memory");
  std::string out(text, static_cast<size_t>(length));
  redisFreeCommand(text);
  return out;
}

std::string hint_for(std::string_view code) {
  if (code == "NOAUTH") return "the server wants a password: give the service one (password: NAME of a secret)";
  if (code == "WRONGPASS" || code == "NOPERM")
    return "check the secret that the service's password names, and its rights";
  if (code == "LOADING") return "it is still reading its data set; wait for loading:0 in INFO persistence";
  if (code == "READONLY") return "it is a replica; promote it first";
  if (code == "CLUSTERDOWN") return "slots without a master: promote the shards that lost theirs";
  return {};
}

}  // namespace

struct RedisConnection::State {
  State(tcp::socket connected, std::string peer_name)
      : socket(std::move(connected)), reader(redisReaderCreate()), peer(std::move(peer_name)) {}

  // Reads until `wanted` replies are there.
  Task<Result<std::vector<RedisReply>>> read(size_t wanted);
  Task<Result<std::vector<RedisReply>>> exchange(std::string request, size_t wanted);

  tcp::socket socket;
  std::unique_ptr<redisReader, ReaderFree> reader;
  std::string peer;
  bool sent = false;  // bytes of the exchange under way have left
};

Task<Result<std::vector<RedisReply>>> RedisConnection::State::read(size_t wanted) {
  std::vector<RedisReply> out;
  std::array<char, 16384> chunk;
  while (true) {
    void* parsed = nullptr;
    if (redisReaderGetReply(reader.get(), &parsed) != REDIS_OK) {
      co_return fail(ErrorKind::unknown_outcome, fmt::format("read the answer of {}: not the Redis protocol", peer),
                     "is another program listening on that port?");
    }
    if (parsed != nullptr) {
      out.push_back(to_value(static_cast<redisReply*>(parsed)));
      freeReplyObject(parsed);
      if (out.size() == wanted) co_return out;
      continue;
    }
    auto [problem, size] = co_await socket.async_read_some(asio::buffer(chunk), kAsTuple);
    if (problem) {
      co_return fail(ErrorKind::unknown_outcome, fmt::format("read the answer of {}: {}", peer, problem.message()));
    }
    redisReaderFeed(reader.get(), chunk.data(), size);
  }
}

Task<Result<std::vector<RedisReply>>> RedisConnection::State::exchange(std::string request, size_t wanted) {
  sent = true;
  auto [problem, size] = co_await asio::async_write(socket, asio::buffer(request), kAsTuple);
  if (problem) {
    auto kind = size == 0 ? ErrorKind::unreachable : ErrorKind::unknown_outcome;
    co_return fail(kind, fmt::format("send to {}: {}", peer, problem.message()));
  }
  co_return co_await read(wanted);
}

std::string_view RedisReply::code() const {
  std::string_view view = text;
  return kind == Kind::error ? view.substr(0, view.find(' ')) : std::string_view();
}

RedisConnection::RedisConnection() = default;
RedisConnection::~RedisConnection() = default;
RedisConnection::RedisConnection(RedisConnection&&) noexcept = default;
RedisConnection& RedisConnection::operator=(RedisConnection&&) noexcept = default;

Task<Result<RedisConnection>> RedisConnection::connect(std::string address, int port, std::string password,
                                                       Deadline deadline) {
  std::string peer = fmt::format("{}:{}", address, port);
  CO_TRY(tcp::socket socket, co_await dial(std::move(address), port, deadline));
  RedisConnection connection;
  connection.state_ = std::make_unique<State>(std::move(socket), peer);
  if (!password.empty()) {
    std::vector<std::string> words{"AUTH", std::move(password)};
    auto answer = co_await connection.command(std::move(words), deadline);
    CO_TRY([[maybe_unused]] auto accepted, ok(std::move(answer), "authenticate at " + peer));
  }
  co_return connection;
}

Task<Result<RedisReply>> RedisConnection::command(std::vector<std::string> words, Deadline deadline) {
  std::vector<std::vector<std::string>> list;
  list.push_back(std::move(words));
  CO_TRY(auto replies, co_await commands(std::move(list), deadline));
  co_return std::move(replies.front());
}

Task<Result<std::vector<RedisReply>>> RedisConnection::commands(std::vector<std::vector<std::string>> list,
                                                                Deadline deadline) {
  if (!is_open()) co_return fail(ErrorKind::unreachable, "the connection to Redis is closed");
  std::string request;
  for (const auto& words : list) {
    CO_TRY(std::string one, formatted(words));
    request += one;
  }
  // Only the command's name: arguments may hold a password.
  std::string what = fmt::format("{} at {}", list.front().front(), state_->peer);
  state_->sent = false;
  auto outcome = co_await within(deadline, what, state_->exchange(std::move(request), list.size()));
  if (!outcome) {
    if (outcome.error().kind == ErrorKind::timed_out && state_->sent) {
      outcome.error().kind = ErrorKind::unknown_outcome;
    }
    close();
  }
  co_return outcome;
}

bool RedisConnection::is_open() const { return state_ != nullptr && state_->socket.is_open(); }

void RedisConnection::close() {
  if (!state_) return;
  boost::system::error_code ignored;  // it is of no use any more, whatever close says
  state_->socket.close(ignored);
}

const std::string& RedisConnection::peer() const {
  static const std::string none;
  return state_ ? state_->peer : none;
}

Result<RedisReply> ok(Result<RedisReply> reply, std::string_view what) {
  if (!reply) return std::unexpected(std::move(reply).error());
  if (!reply->is_error()) return reply;
  return fail(ErrorKind::refused, fmt::format("{}: {}", what, reply->text), hint_for(reply->code()));
}

}  // namespace lifeboat
