#include "cache.hpp"

#include <hiredis.h>

#include <algorithm>
#include <chrono>

namespace example {
namespace {

long now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Cache::Cache(const std::string& nodes) {
  std::string rest = nodes;
  while (!rest.empty()) {
    size_t comma = std::min(rest.find(','), rest.size());
    nodes_.push_back(rest.substr(0, comma));
    rest.erase(0, std::min(comma + 1, rest.size()));
  }
}

Cache::~Cache() {
  for (auto& [node, context] : connections_) redisFree(context);
}

std::optional<std::string> Cache::command(const std::vector<std::string>& words) {
  std::lock_guard lock(mutex_);
  // A cache that was away is left alone for a moment, so that it cannot slow down every request.
  if (nodes_.empty() || now_ms() < retry_at_ms_) return std::nullopt;
  std::vector<const char*> argv;
  std::vector<size_t> lengths;
  for (const std::string& word : words) argv.push_back(word.data()), lengths.push_back(word.size());
  std::string node = newest_.empty() ? nodes_.front() : newest_;
  for (int hop = 0; hop < 3; ++hop) {
    redisContext*& context = connections_[node];
    timeval patience{.tv_sec = 0, .tv_usec = 60'000};
    if (context == nullptr || context->err != 0) {
      if (context != nullptr) redisFree(context);
      size_t colon = node.rfind(':');
      context = redisConnectWithTimeout(node.substr(0, colon).c_str(), std::stoi(node.substr(colon + 1)), patience);
      if (context != nullptr && context->err == 0) redisSetTimeout(context, patience);
    }
    redisReply* reply = nullptr;
    if (context != nullptr && context->err == 0)
      reply = static_cast<redisReply*>(
          redisCommandArgv(context, static_cast<int>(argv.size()), argv.data(), lengths.data()));
    if (reply == nullptr) {
      // On to the next node of the list, at the next request.
      auto found = std::ranges::find(nodes_, node);
      newest_ = found == nodes_.end() || found + 1 == nodes_.end() ? nodes_.front() : *(found + 1);
      retry_at_ms_ = now_ms() + 200;
      return std::nullopt;
    }
    std::string text = reply->str == nullptr ? std::string() : std::string(reply->str, reply->len);
    int type = reply->type;
    freeReplyObject(reply);
    if (type == REDIS_REPLY_ERROR && text.starts_with("MOVED ")) {
      node = text.substr(text.rfind(' ') + 1);
      continue;
    }
    newest_ = node;
    if (type == REDIS_REPLY_STRING || type == REDIS_REPLY_STATUS) return text;
    if (type == REDIS_REPLY_ERROR) retry_at_ms_ = now_ms() + 200;
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::string> Cache::get(const std::string& key) { return command({"GET", key}); }
void Cache::put(const std::string& key, const std::string& value, int seconds) {
  command({"SET", key, value, "EX", std::to_string(seconds)});
}

}  // namespace example
