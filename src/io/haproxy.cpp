#include "io/haproxy.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <charconv>
#include <map>

#include "io/dial.hpp"

namespace lifeboat {
namespace {

using asio::ip::tcp;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr size_t kLargestAnswer = 16 << 20;
// Bits of srv_admin_state (HAProxy management guide, 9.3, `show servers state`).
constexpr int64_t kMaintenanceBits = 0x01 | 0x02 | 0x04 | 0x20;
constexpr int64_t kDrainBits = 0x08 | 0x10;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    size_t end = text.find('\n');
    if (std::string_view line = trimmed(text.substr(0, end)); !line.empty()) out.push_back(line);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

// One line of CSV; quotes may hold commas, and a doubled quote is a quote.
std::vector<std::string> csv_fields(std::string_view line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (size_t index = 0; index < line.size(); ++index) {
    char c = line[index];
    if (c == '"') {
      if (quoted && index + 1 < line.size() && line[index + 1] == '"') {
        out.back() += '"';
        ++index;
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::vector<std::string> space_fields(std::string_view line) {
  std::vector<std::string> out;
  while (!(line = trimmed(line)).empty()) {
    size_t end = std::min(line.find(' '), line.size());
    out.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return out;
}

// A table whose columns are found by name.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;

  std::string text(const std::vector<std::string>& row, std::string_view column) const {
    for (size_t index = 0; index < header.size() && index < row.size(); ++index) {
      if (header[index] == column) return row[index];
    }
    return {};
  }
  int64_t number(const std::vector<std::string>& row, std::string_view column) const {
    std::string field = text(row, column);
    int64_t value = 0;
    auto [end, problem] = std::from_chars(field.data(), field.data() + field.size(), value);
    return problem == std::errc{} ? value : 0;  // counters that do not apply to a row are empty
  }
};

Result<Table> parse_table(std::string_view text, std::vector<std::string> (*fields)(std::string_view),
                          std::string_view needed) {
  Table table;
  for (std::string_view line : lines_of(text)) {
    if (line.starts_with("# ")) {
      table.header = fields(line.substr(2));
    } else if (!table.header.empty()) {
      table.rows.push_back(fields(line));
    }
  }
  if (std::ranges::find(table.header, needed) == table.header.end()) {
    std::string_view first = trimmed(text.substr(0, text.find('\n')));
    return fail(ErrorKind::refused, fmt::format("read HAProxy's answer: it has no column {}: '{}'", needed, first),
                "is this the runtime API, and at level admin or operator?");
  }
  return table;
}

std::string hint_for(std::string_view answer) {
  if (answer.starts_with("Permission denied")) return "give the socket 'level admin' in haproxy.cfg";
  if (answer.starts_with("No such backend")) return "the backend in haproxy.cfg has the name of the http service";
  if (answer.starts_with("No such server")) return "servers in haproxy.cfg are named REGION-1, REGION-2 …";
  if (answer.starts_with("Backend is using a static")) {
    return "weights can be changed with roundrobin, leastconn, random or 'hash-type consistent'";
  }
  if (answer.starts_with("Unknown command")) return "is this the runtime API of HAProxy?";
  return {};
}

struct Progress {
  bool sent = false;
};

Task<Result<std::string>> exchange(std::string address, int port, std::string line, Progress* progress,
                                   Deadline deadline) {
  CO_TRY(tcp::socket socket, co_await dial(address, port, deadline));
  std::string where = fmt::format("{}:{}", address, port);
  line += '\n';
  progress->sent = true;
  auto [send_problem, sent] = co_await asio::async_write(socket, asio::buffer(line), kAsTuple);
  if (send_problem) {
    co_return fail(ErrorKind::unknown_outcome, fmt::format("send to {}: {}", where, send_problem.message()));
  }
  std::string answer;
  auto buffer = asio::dynamic_buffer(answer, kLargestAnswer);
  auto [problem, size] = co_await asio::async_read(socket, buffer, asio::transfer_all(), kAsTuple);
  if (problem != asio::error::eof) {
    co_return fail(ErrorKind::unknown_outcome, fmt::format("read the answer of {}: {}", where, problem.message()));
  }
  co_return answer;
}

}  // namespace

Result<std::vector<HaproxyServer>> parse_haproxy_servers(std::string_view servers_state, std::string_view stat_csv) {
  TRY(Table states, parse_table(servers_state, space_fields, "srv_uweight"));
  TRY(Table stats, parse_table(stat_csv, csv_fields, "svname"));
  std::vector<HaproxyServer> out;
  for (const auto& row : states.rows) {
    HaproxyServer server;
    server.backend = states.text(row, "be_name");
    server.name = states.text(row, "srv_name");
    int64_t admin = states.number(row, "srv_admin_state");
    server.maintenance = (admin & kMaintenanceBits) != 0;
    server.drained = (admin & kDrainBits) != 0;
    server.weight = static_cast<int>(states.number(row, "srv_uweight"));
    server.initial_weight = static_cast<int>(states.number(row, "srv_iweight"));
    // 0 stopped, 1 starting, 2 running, 3 stopping.
    server.up = states.number(row, "srv_op_state") == 2 && !server.maintenance;
    for (const auto& stat : stats.rows) {
      if (stats.text(stat, "pxname") != server.backend || stats.text(stat, "svname") != server.name) continue;
      server.status = stats.text(stat, "status");
      server.sessions = stats.number(stat, "scur");
      for (std::string_view column : {"hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"}) {
        server.responses += stats.number(stat, column);
      }
      server.responses_5xx = stats.number(stat, "hrsp_5xx");
      server.failed_connections = stats.number(stat, "econ") + stats.number(stat, "eresp");
      server.mean_ms = stats.number(stat, "qtime") + stats.number(stat, "ctime") + stats.number(stat, "rtime");
    }
    out.push_back(std::move(server));
  }
  return out;
}

std::string Haproxy::where() const { return fmt::format("{}:{}", address_, port_); }

Task<Result<std::string>> Haproxy::ask(std::string line, Deadline deadline) {
  std::string what = "ask HAProxy at " + where();
  Progress progress;
  auto outcome = co_await within(deadline, what, exchange(address_, port_, std::move(line), &progress, deadline));
  if (!outcome && outcome.error().kind == ErrorKind::timed_out && progress.sent) {
    outcome.error().kind = ErrorKind::unknown_outcome;
  }
  co_return outcome;
}

Task<Result<void>> Haproxy::tell(std::string line, std::string what, Deadline deadline) {
  CO_TRY(std::string answer, co_await ask(std::move(line), deadline));
  std::string_view said = trimmed(answer);
  if (said.empty()) co_return Result<void>{};
  std::string_view first = said.substr(0, std::min<size_t>(said.find('\n'), 200));
  co_return fail(ErrorKind::refused, fmt::format("{} at HAProxy {}: {}", what, where(), first), hint_for(said));
}

Task<Result<std::vector<HaproxyServer>>> Haproxy::servers(std::string backend, Deadline deadline) {
  std::string line = fmt::format("show servers state {0}; show stat {0} 4 -1", backend);
  CO_TRY(std::string answer, co_await ask(std::move(line), deadline));
  if (answer.contains("Can't find backend") || answer.contains("No such backend") || answer.contains("No such proxy")) {
    co_return fail(ErrorKind::not_found, fmt::format("HAProxy at {} has no backend '{}'", where(), backend),
                   hint_for("No such backend"));
  }
  // Both tables begin with a '#' line; the second one names its columns with commas.
  size_t second = answer.find("# pxname,");
  if (second == std::string::npos) second = answer.size();
  std::string_view all = answer;
  co_return parse_haproxy_servers(all.substr(0, second), all.substr(second));
}

Task<Result<void>> Haproxy::set_weights(std::string backend, std::vector<Weight> weights, Deadline deadline) {
  std::string line;
  for (const Weight& entry : weights) {
    line += fmt::format("{}set server {}/{} weight {}", line.empty() ? "" : "; ", backend, entry.server, entry.weight);
  }
  if (line.empty()) co_return Result<void>{};
  std::string what = fmt::format("set {} weights of {}", weights.size(), backend);
  CO_TRY_VOID(co_await tell(std::move(line), std::move(what), deadline));
  CO_TRY(auto now, co_await servers(backend, deadline));
  for (const Weight& entry : weights) {
    auto found = std::ranges::find(now, entry.server, &HaproxyServer::name);
    if (found == now.end() || found->weight != entry.weight) {
      co_return fail(ErrorKind::conflict,
                     fmt::format("weight of {}/{} at HAProxy {} is {} after it was set to {}", backend, entry.server,
                                 where(), found == now.end() ? -1 : found->weight, entry.weight),
                     "somebody else changes weights there, or an agent-check does");
    }
  }
  co_return Result<void>{};
}

Task<Result<void>> Haproxy::set_state(std::string backend, std::string server, std::string state, Deadline deadline) {
  std::string line = fmt::format("set server {}/{} state {}", backend, server, state);
  std::string what = fmt::format("set {}/{} to {}", backend, server, state);
  CO_TRY_VOID(co_await tell(std::move(line), what, deadline));
  CO_TRY(auto now, co_await servers(backend, deadline));
  auto found = std::ranges::find(now, server, &HaproxyServer::name);
  bool holds = found != now.end() && (state == "drain"   ? found->drained && !found->maintenance
                                      : state == "maint" ? found->maintenance
                                                         : !found->drained && !found->maintenance);
  if (holds) co_return Result<void>{};
  co_return fail(ErrorKind::conflict, fmt::format("{} at HAProxy {}: accepted, but it is not so", what, where()),
                 "somebody else changes states there");
}

Task<Result<void>> Haproxy::shutdown_sessions(std::string backend, std::string server, Deadline deadline) {
  std::string line = fmt::format("shutdown sessions server {}/{}", backend, server);
  std::string what = fmt::format("end the sessions of {}/{}", backend, server);
  co_return co_await tell(std::move(line), std::move(what), deadline);
}

}  // namespace lifeboat
