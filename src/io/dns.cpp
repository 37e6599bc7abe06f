#include "io/dns.hpp"

#include <ldns/ldns.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include <random>

#include "io/dial.hpp"

namespace lifeboat {
namespace {

using asio::ip::tcp;
using asio::ip::udp;
using Bytes = std::vector<uint8_t>;
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);
constexpr Duration kAskAgainAfter{400};
constexpr uint16_t kFudgeSeconds = 300;  // RFC 8945, 5.2.3
// TSIG errors (RFC 8945, 3).
constexpr uint16_t kBadSig = 16;
constexpr uint16_t kBadKey = 17;
constexpr uint16_t kBadTime = 18;

struct Free {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
  void operator()(ldns_rdf* rdf) const { ldns_rdf_deep_free(rdf); }
  void operator()(ldns_rr_list* list) const { ldns_rr_list_deep_free(list); }
  void operator()(char* text) const { LDNS_FREE(text); }
};
using Packet = std::unique_ptr<ldns_pkt, Free>;
using Rdf = std::unique_ptr<ldns_rdf, Free>;
using RrList = std::unique_ptr<ldns_rr_list, Free>;
using Text = std::unique_ptr<char, Free>;

std::string where_of(const DnsServer& server) { return fmt::format("{}:{}", server.address, server.port); }

uint16_t random_id() {
  std::random_device source;
  return static_cast<uint16_t>(source());
}

std::string rcode_text(const ldns_pkt* packet) {
  Text text(ldns_pkt_rcode2str(ldns_pkt_get_rcode(packet)));
  return text ? std::string(text.get()) : fmt::format("RCODE{}", static_cast<int>(ldns_pkt_get_rcode(packet)));
}

Result<Rdf> name_of(const std::string& name) {
  Rdf out(ldns_dname_new_frm_str(name.c_str()));
  if (!out) return fail(ErrorKind::invalid_input, fmt::format("'{}' is not a domain name", name));
  return out;
}

Result<Bytes> wire_of(const ldns_pkt* packet) {
  uint8_t* data = nullptr;
  size_t size = 0;
  if (ldns_status status = ldns_pkt2wire(&data, packet, &size); status != LDNS_STATUS_OK) {
    return fail(ErrorKind::internal, fmt::format("write a DNS message: {}", ldns_get_errorstr_by_id(status)));
  }
  Bytes out(data, data + size);
  LDNS_FREE(data);
  return out;
}

// The message, if it reads and answers our question; null if it is somebody else's.
Packet answer_to(const Bytes& wire, uint16_t id) {
  ldns_pkt* packet = nullptr;
  if (ldns_wire2pkt(&packet, wire.data(), wire.size()) != LDNS_STATUS_OK) return nullptr;
  Packet out(packet);
  return ldns_pkt_qr(packet) && ldns_pkt_id(packet) == id ? std::move(out) : nullptr;
}

Task<Result<Bytes>> exchange_tcp(DnsServer server, Bytes request, bool* sent, Deadline deadline) {
  std::string where = where_of(server);
  CO_TRY(tcp::socket socket, co_await dial(server.address, server.port, deadline));
  Bytes framed{static_cast<uint8_t>(request.size() >> 8), static_cast<uint8_t>(request.size() & 0xff)};
  framed.insert(framed.end(), request.begin(), request.end());
  *sent = true;
  auto [send_problem, written] = co_await asio::async_write(socket, asio::buffer(framed), kAsTuple);
  if (send_problem) {
    co_return fail(ErrorKind::unknown_outcome, fmt::format("send to {}: {}", where, send_problem.message()));
  }
  std::array<uint8_t, 2> head;
  auto [head_problem, head_size] = co_await asio::async_read(socket, asio::buffer(head), kAsTuple);
  if (head_problem) {
    co_return fail(ErrorKind::unknown_outcome, fmt::format("read the answer of {}: {}", where, head_problem.message()));
  }
  Bytes answer(static_cast<size_t>(head[0] << 8 | head[1]));
  auto [body_problem, body_size] = co_await asio::async_read(socket, asio::buffer(answer), kAsTuple);
  if (body_problem) {
    co_return fail(ErrorKind::unknown_outcome, fmt::format("read the answer of {}: {}", where, body_problem.message()));
  }
  co_return answer;
}

// One datagram there and the first one back that answers it.
Task<Result<Bytes>> exchange_udp(udp::endpoint to, Bytes request, uint16_t id) {
  udp::socket socket(co_await asio::this_coro::executor);
  boost::system::error_code problem;
  socket.connect(to, problem);
  std::string where = fmt::format("{}:{}", to.address().to_string(), to.port());
  if (problem) co_return fail(ErrorKind::unreachable, fmt::format("ask {}: {}", where, problem.message()));
  auto [send_problem, sent] = co_await socket.async_send(asio::buffer(request), kAsTuple);
  if (send_problem) co_return fail(ErrorKind::unreachable, fmt::format("ask {}: {}", where, send_problem.message()));
  while (true) {
    Bytes answer(65535);
    auto [receive_problem, size] = co_await socket.async_receive(asio::buffer(answer), kAsTuple);
    if (receive_problem) {
      co_return fail(ErrorKind::unreachable, fmt::format("ask {}: {}", where, receive_problem.message()));
    }
    answer.resize(size);
    if (answer_to(answer, id)) co_return answer;
  }
}

Task<Result<udp::endpoint>> endpoint_of(DnsServer server) {
  boost::system::error_code not_literal;
  auto literal = asio::ip::make_address(server.address, not_literal);
  if (!not_literal) co_return udp::endpoint(literal, static_cast<uint16_t>(server.port));
  udp::resolver resolver(co_await asio::this_coro::executor);
  auto [problem, found] = co_await resolver.async_resolve(server.address, std::to_string(server.port), kAsTuple);
  if (problem) {
    co_return fail(ErrorKind::not_found, fmt::format("look up {}: {}", server.address, problem.message()),
                   "give the host an address that resolves here");
  }
  co_return found.begin()->endpoint();
}

DnsAnswer read_answer(const ldns_pkt* packet) {
  DnsAnswer out;
  out.rcode = rcode_text(packet);
  out.authoritative = ldns_pkt_aa(packet);
  const ldns_rr_list* answers = ldns_pkt_answer(packet);
  std::optional<uint32_t> ttl;
  for (size_t index = 0; index < ldns_rr_list_rr_count(answers); ++index) {
    const ldns_rr* rr = ldns_rr_list_rr(answers, index);
    ttl = std::min(ttl.value_or(ldns_rr_ttl(rr)), ldns_rr_ttl(rr));  // a CNAME's on the way counts, too
    if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_A || ldns_rr_rd_count(rr) == 0) continue;
    Text text(ldns_rdf2str(ldns_rr_rdf(rr, 0)));
    if (text) out.addresses.emplace_back(text.get());
  }
  out.ttl = std::chrono::seconds(ttl.value_or(0));
  std::ranges::sort(out.addresses);
  return out;
}

// Adds one record to a list; an empty address leaves the data empty, as prerequisites and deletions want it.
Result<void> add_record(ldns_rr_list* list, const std::string& name, ldns_rr_class rr_class, Duration ttl,
                        const std::string& address) {
  TRY(Rdf owner, name_of(name));
  ldns_rr* rr = ldns_rr_new();
  ldns_rr_set_owner(rr, owner.release());
  ldns_rr_set_type(rr, LDNS_RR_TYPE_A);
  ldns_rr_set_class(rr, rr_class);
  ldns_rr_set_ttl(rr, static_cast<uint32_t>(std::chrono::ceil<std::chrono::seconds>(ttl).count()));
  ldns_rr_list_push_rr(list, rr);
  if (address.empty()) return {};
  ldns_rdf* data = ldns_rdf_new_frm_str(LDNS_RDF_TYPE_A, address.c_str());
  if (data == nullptr) {
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is not an IPv4 address", address),
                "give the host its address in the plan or the inventory");
  }
  ldns_rr_push_rdf(rr, data);
  return {};
}

// RFC 2136, 2.4 (prerequisites) and 2.5 (update).
Result<Packet> update_message(const DnsUpdate& update, uint16_t id) {
  RrList prerequisites(ldns_rr_list_new());
  RrList changes(ldns_rr_list_new());
  for (const std::string& address : update.expected) {
    TRY_VOID(add_record(prerequisites.get(), update.name, LDNS_RR_CLASS_IN, Duration{0}, address));
  }
  if (update.expected.empty()) {
    TRY_VOID(add_record(prerequisites.get(), update.name, LDNS_RR_CLASS_NONE, Duration{0}, {}));
  }
  TRY_VOID(add_record(changes.get(), update.name, LDNS_RR_CLASS_ANY, Duration{0}, {}));
  for (const std::string& address : update.wanted) {
    TRY_VOID(add_record(changes.get(), update.name, LDNS_RR_CLASS_IN, update.ttl, address));
  }
  TRY(Rdf zone, name_of(update.zone));
  Packet packet(ldns_update_pkt_new(zone.release(), LDNS_RR_CLASS_IN, prerequisites.get(), changes.get(), nullptr));
  if (!packet) return fail(ErrorKind::internal, "make a DNS update: out of memory");
  ldns_pkt_set_id(packet.get(), id);
  ldns_pkt_set_rd(packet.get(), false);
  return packet;
}

uint16_t tsig_error(const ldns_pkt* packet) {
  const ldns_rr* tsig = ldns_pkt_tsig(packet);
  if (tsig == nullptr || ldns_rr_rd_count(tsig) < 6) return 0;
  return ldns_rdf2native_int16(ldns_rr_rdf(tsig, 5));
}

Error refusal(const DnsServer& server, const DnsUpdate& update, const ldns_pkt* answer, bool signed_request) {
  std::string what = fmt::format("update {} at {}: {}", update.name, where_of(server), rcode_text(answer));
  auto error = [&](ErrorKind kind, std::string detail, std::string hint) {
    return fail(kind, what + detail, std::move(hint)).error();
  };
  switch (tsig_error(answer)) {
    case kBadSig:
      return error(ErrorKind::refused, " (BADSIG)", "the secret of the TSIG key is not the one that the server has");
    case kBadKey:
      return error(ErrorKind::refused, " (BADKEY)",
                   "the server has no TSIG key of that name with hmac-sha256; compare key_name with its configuration");
    case kBadTime:
      return error(ErrorKind::refused, " (BADTIME)", "clocks differ by more than 5 minutes; check NTP here and there");
    default: break;
  }
  switch (ldns_pkt_get_rcode(answer)) {
    case LDNS_RCODE_NXRRSET:
    case LDNS_RCODE_YXRRSET:
    case LDNS_RCODE_NXDOMAIN:
    case LDNS_RCODE_YXDOMAIN:
      return error(ErrorKind::conflict,
                   fmt::format(": its addresses are not {} any more",
                               update.expected.empty() ? "none" : fmt::format("{}", fmt::join(update.expected, ", "))),
                   "someone else changed it; look at it again before changing it");
    case LDNS_RCODE_NOTAUTH:
      return error(ErrorKind::refused, "",
                   signed_request ? "the server is not authoritative for the zone: name its primary"
                                  : "the update is not signed: give the service key_name and key");
    case LDNS_RCODE_REFUSED:
      return error(ErrorKind::refused, "", "the server's policy does not let this key change this name");
    case LDNS_RCODE_NOTZONE:
      return error(ErrorKind::invalid_input, "", fmt::format("the name is not in the zone {}", update.zone));
    default: return error(ErrorKind::refused, "", "the server's log says why");
  }
}

// Signed answers must verify with the MAC of our request; BADSIG and BADKEY come unsigned by nature (RFC 8945, 5.3.2).
bool verified(const Packet& answer, const Bytes& wire, const TsigKey& key, const ldns_rdf* request_mac) {
  if (ldns_pkt_tsig(answer.get()) == nullptr) return false;
  return ldns_pkt_tsig_verify(answer.get(), wire.data(), wire.size(), key.name.c_str(), key.secret.c_str(),
                              request_mac);
}

}  // namespace

Task<Result<DnsAnswer>> query_a(DnsServer server, std::string name, bool recursive, Deadline deadline) {
  CO_TRY(Rdf owner, name_of(name));
  uint16_t id = random_id();
  Packet question(ldns_pkt_query_new(owner.release(), LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, 0));
  if (!question) co_return fail(ErrorKind::internal, "make a DNS query: out of memory");
  ldns_pkt_set_rd(question.get(), recursive);
  ldns_pkt_set_id(question.get(), id);
  CO_TRY(Bytes request, wire_of(question.get()));
  std::string what = fmt::format("ask {} for {}", where_of(server), name);
  CO_TRY(udp::endpoint to, co_await within(deadline, what, endpoint_of(server)));
  while (true) {
    Deadline attempt = deadline.at_most(kAskAgainAfter);
    auto wire = co_await within(attempt, what, exchange_udp(to, request, id));
    if (!wire) {
      bool again = wire.error().kind == ErrorKind::timed_out && !deadline.passed();
      if (again) continue;
      co_return std::unexpected(std::move(wire).error());
    }
    Packet answer = answer_to(*wire, id);
    if (answer && !ldns_pkt_tc(answer.get())) co_return read_answer(answer.get());
    bool sent = false;
    CO_TRY(Bytes whole, co_await within(deadline, what, exchange_tcp(server, request, &sent, deadline)));
    answer = answer_to(whole, id);
    if (!answer) co_return fail(ErrorKind::unreachable, what + ": the answer is not readable DNS");
    co_return read_answer(answer.get());
  }
}

Task<Result<void>> update_a_record(DnsServer server, DnsUpdate update, TsigKey key, Deadline deadline) {
  if (update.wanted.empty()) {
    co_return fail(ErrorKind::invalid_input, fmt::format("update {}: it would have no address left", update.name));
  }
  uint16_t id = random_id();
  CO_TRY(Packet message, update_message(update, id));
  Rdf request_mac;
  if (!key.name.empty()) {
    ldns_status status =
        ldns_pkt_tsig_sign(message.get(), key.name.c_str(), key.secret.c_str(), kFudgeSeconds, "hmac-sha256.", nullptr);
    if (status != LDNS_STATUS_OK) {
      co_return fail(ErrorKind::invalid_input,
                     fmt::format("sign the update of {}: {}", update.name, ldns_get_errorstr_by_id(status)),
                     "the secret of a TSIG key is base64");
    }
    request_mac.reset(ldns_rdf_clone(ldns_rr_rdf(ldns_pkt_tsig(message.get()), 3)));
  }
  CO_TRY(Bytes request, wire_of(message.get()));
  std::string what = fmt::format("update {} at {}", update.name, where_of(server));
  bool sent = false;
  auto wire = co_await within(deadline, what, exchange_tcp(server, std::move(request), &sent, deadline));
  if (!wire) {
    if (wire.error().kind == ErrorKind::timed_out && sent) wire.error().kind = ErrorKind::unknown_outcome;
    co_return std::unexpected(std::move(wire).error());
  }
  Packet answer = answer_to(*wire, id);
  if (!answer) co_return fail(ErrorKind::unknown_outcome, what + ": the answer is not readable DNS");
  bool done = ldns_pkt_get_rcode(answer.get()) == LDNS_RCODE_NOERROR;
  if (!done) co_return std::unexpected(refusal(server, update, answer.get(), !key.name.empty()));
  if (!key.name.empty() && !verified(answer, *wire, key, request_mac.get())) {
    co_return fail(ErrorKind::unknown_outcome, what + ": the answer is not signed with our key",
                   "someone between here and the server answers in its name, or the server has another key");
  }
  co_return Result<void>{};
}

}  // namespace lifeboat
