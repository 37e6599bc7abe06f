#include "agent/member_datagram.hpp"

#include "io/crypto.hpp"

namespace lifeboat {
namespace {

constexpr size_t kSignature = 32;

std::string signature_of(const std::string& password, std::string_view text) {
  return hmac_sha256(hmac_sha256(password, "lifeboat members"), text);
}

}  // namespace

std::string member_datagram(const std::string& password, const std::string& service, const std::string& from,
                            const std::string& to, std::string_view type, Json body) {
  std::string text =
      to_text(JsonObject{{"service", service}, {"from", from}, {"to", to}, {"type", type}, {"body", std::move(body)}});
  return signature_of(password, text) + text;
}

Result<MemberDatagram> read_member_datagram(const std::string& password, const std::string& service,
                                            const std::string& to, std::string_view datagram) {
  if (datagram.size() <= kSignature || datagram.size() > kMemberDatagramMost)
    return fail(ErrorKind::invalid_input, "a datagram of a member cannot be so long or so short");
  std::string_view text = datagram.substr(kSignature);
  // The signature first: what is not signed is not even parsed.
  if (password.empty() || !equal_in_constant_time(signature_of(password, text), datagram.substr(0, kSignature)))
    return fail(ErrorKind::refused, "a datagram is not signed by a member");
  TRY(Json message, parse_json(text));
  if (!message.is_object()) return fail(ErrorKind::invalid_input, "a datagram of a member is no object");
  if (text_or(message, "service") != service || text_or(message, "to") != to)
    return fail(ErrorKind::refused, "a datagram is meant for another member");
  Json& body = message.as_object()["body"];
  return MemberDatagram{text_or(message, "from"), text_or(message, "type"), std::move(body)};
}

}  // namespace lifeboat
