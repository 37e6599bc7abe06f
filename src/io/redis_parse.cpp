// What Redis says about itself, as data. No I/O.
#include <charconv>

#include "io/redis.hpp"

namespace lifeboat {
namespace {

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = text.find(separator);
    if (end != 0) out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

// "0-5460" or "7" or "[93-<-id]" (being moved: still with its owner, so not counted here).
int count_slots(std::string_view range) {
  if (range.starts_with('[')) return 0;
  size_t dash = range.find('-');
  if (dash == std::string_view::npos) return number<int>(range) ? 1 : 0;
  auto first = number<int>(range.substr(0, dash));
  auto last = number<int>(range.substr(dash + 1));
  return first && last && *last >= *first ? *last - *first + 1 : 0;
}

Result<RedisClusterNode> parse_node(std::string_view line) {
  auto words = split(line, ' ');
  if (words.size() < 8) {
    return fail(ErrorKind::internal, fmt::format("read CLUSTER NODES: '{}' has too few words", line));
  }
  RedisClusterNode node;
  node.id = words[0];
  node.address = words[1].substr(0, words[1].find('@'));
  for (std::string_view flag : split(words[2], ',')) {
    if (flag == "myself") node.myself = true;
    if (flag == "master") node.master = true;
    if (flag == "fail") node.fail = true;
    if (flag == "fail?") node.suspected = true;
    if (flag == "noaddr") node.noaddr = true;
  }
  if (words[3] != "-") node.master_id = words[3];
  node.epoch = number<uint64_t>(words[6]).value_or(0);
  node.link_up = words[7] == "connected";
  for (size_t index = 8; index < words.size(); ++index) {
    node.slots += count_slots(words[index]);
    if (words[index].starts_with('[')) continue;
    if (!node.slot_text.empty()) node.slot_text += ' ';
    node.slot_text += words[index];
  }
  return node;
}

std::string_view trimmed(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

}  // namespace

RedisInfo parse_redis_info(std::string_view text) {
  RedisInfo out;
  for (std::string_view line : split(text, '\n')) {
    line = trimmed(line);
    size_t colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    out.emplace(line.substr(0, colon), line.substr(colon + 1));
  }
  return out;
}

std::string info_text(const RedisInfo& info, std::string_view key) {
  auto found = info.find(key);
  return found == info.end() ? std::string() : found->second;
}

int64_t info_number(const RedisInfo& info, std::string_view key, int64_t otherwise) {
  auto found = info.find(key);
  return found == info.end() ? otherwise : number<int64_t>(found->second).value_or(otherwise);
}

Result<RedisRole> parse_redis_role(const RedisReply& reply) {
  using Kind = RedisReply::Kind;
  const auto& items = reply.items;
  auto unreadable = [] { return fail(ErrorKind::internal, "read ROLE: the answer has an unknown form"); };
  if (reply.kind != Kind::array || items.empty() || items[0].kind != Kind::string) return unreadable();
  RedisRole role;
  if (items[0].text == "sentinel") {
    role.kind = RedisRole::Kind::sentinel;
    return role;
  }
  if (items[0].text == "master") {
    if (items.size() < 3 || items[1].kind != Kind::integer || items[2].kind != Kind::array) return unreadable();
    role.offset = items[1].integer;
    for (const RedisReply& entry : items[2].items) {
      if (entry.items.size() < 3) return unreadable();
      role.replicas.push_back({.host = entry.items[0].text,
                               .port = number<int>(entry.items[1].text).value_or(0),
                               .offset = number<int64_t>(entry.items[2].text).value_or(-1)});
    }
    return role;
  }
  if (items[0].text != "slave" || items.size() < 5) return unreadable();
  role.kind = RedisRole::Kind::replica;
  role.master_host = items[1].text;
  role.master_port = static_cast<int>(items[2].integer);
  role.link = items[3].text;
  role.offset = items[4].integer;
  return role;
}

RedisReplication parse_redis_replication(const RedisInfo& info) {
  RedisReplication out;
  out.is_master = info_text(info, "role") == "master";
  out.link_up = info_text(info, "master_link_status") == "up";
  out.syncing = info_number(info, "master_sync_in_progress", 0) != 0;
  out.loading = info_number(info, "loading", 0) != 0;
  out.replid = info_text(info, "master_replid");
  out.replid2 = info_text(info, "master_replid2");
  out.promoted_at = info_number(info, "second_repl_offset", 0) - 1;
  if (out.promoted_at < 0) out.promoted_at = -1;
  out.master_host = info_text(info, "master_host");
  out.master_port = static_cast<int>(info_number(info, "master_port", 0));
  int64_t from_master = info_number(info, "slave_repl_offset", 0);
  out.offset = out.is_master ? info_number(info, "master_repl_offset", 0) : from_master;
  // A replica that has never had its master's data says offset 1 and "down since -1" (Redis 7.0). One that has had it
  // says since when the link is down, or has a greater offset (which survives a restart in the RDB file).
  bool link_was_up = info_number(info, "master_link_down_since_seconds", -1) >= 0;
  out.has_synced = !out.is_master && !out.syncing && (out.link_up || link_was_up || from_master > 1);
  return out;
}

Result<std::vector<RedisClusterNode>> parse_cluster_nodes(std::string_view text) {
  std::vector<RedisClusterNode> out;
  for (std::string_view line : split(text, '\n')) {
    line = trimmed(line);
    if (line.empty()) continue;
    TRY(RedisClusterNode node, parse_node(line));
    out.push_back(std::move(node));
  }
  return out;
}

RedisClusterInfo parse_cluster_info(std::string_view text) {
  RedisInfo info = parse_redis_info(text);
  RedisClusterInfo out;
  out.ok = info_text(info, "cluster_state") == "ok";
  out.slots_assigned = static_cast<int>(info_number(info, "cluster_slots_assigned", 0));
  out.known_nodes = static_cast<int>(info_number(info, "cluster_known_nodes", 0));
  out.current_epoch = static_cast<uint64_t>(info_number(info, "cluster_current_epoch", 0));
  return out;
}

}  // namespace lifeboat
