#include "io/smtp.hpp"

#include <algorithm>
#include <ctime>

#include "io/crypto.hpp"

namespace lifeboat {
namespace {

bool clean(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// user@host, nothing that SMTP or a header would read as something else.
bool is_address(std::string_view text) {
  size_t at = text.find('@');
  return at != std::string_view::npos && at > 0 && at + 1 < text.size() && text.size() <= 254 &&
         text.find('@', at + 1) == std::string_view::npos && std::ranges::all_of(text, [](char c) {
           return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f &&
                  std::string_view("<>()[]\\,;:\"").find(c) == std::string_view::npos;
         });
}

// RFC 2047 when there is anything but ASCII; one encoded word holds at most 75 characters.
std::string header_text(std::string_view text) {
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return std::string(text);
  std::string out;
  while (!text.empty()) {
    size_t length = std::min<size_t>(text.size(), 42);
    while (length < text.size() && length > 1 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
    out += fmt::format("{}=?UTF-8?B?{}?=", out.empty() ? "" : "\r\n ", base64_encode(text.substr(0, length)));
    text.remove_prefix(length);
  }
  return out;
}

std::string date_header(WallTime at) {
  std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  static constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} +0000", kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon],
                     parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

// ASCII in lines that every mail server takes (RFC 5321: 1000 octets), so that it can be sent as it is.
bool is_plain(std::string_view body) {
  size_t line = 0;
  for (char c : body) {
    line = c == '\n' ? 0 : line + 1;
    bool allowed =
        c == '\n' || c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f);
    if (!allowed || line > 900) return false;
  }
  return true;
}

Result<void> check(const Mail& mail) {
  auto invalid = [](std::string what) { return fail(ErrorKind::invalid_input, std::move(what)); };
  if (mail.host.empty() || !clean(mail.host) || mail.host.find_first_of("/@ ?#") != std::string::npos)
    return invalid("the mail server has no usable name");
  if (!is_address(mail.from)) return invalid(fmt::format("'{}' is not a mail address", Decoder::printable(mail.from)));
  if (mail.to.empty()) return invalid("the mail has no recipient");
  for (const std::string& to : mail.to) {
    if (!is_address(to)) return invalid(fmt::format("'{}' is not a mail address", Decoder::printable(to)));
  }
  if (!clean(mail.subject)) return invalid("the subject holds a line break or control character");
  if (!clean(mail.message_id) || mail.message_id.find_first_of("<> ") != std::string::npos)
    return invalid("the message id holds a character that it may not");
  for (const auto& [name, value] : mail.headers) {
    bool named = !name.empty() && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (!named || !clean(value)) return invalid(fmt::format("header '{}' cannot be sent", Decoder::printable(name)));
  }
  return {};
}

}  // namespace

Result<std::string> compose(const Mail& mail, WallTime at) {
  TRY_VOID(check(mail));
  std::string out = fmt::format("Date: {}\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\n", date_header(at), mail.from,
                                fmt::join(mail.to, ",\r\n "), header_text(mail.subject));
  if (!mail.message_id.empty()) out += fmt::format("Message-ID: <{}>\r\n", mail.message_id);
  for (const auto& [name, value] : mail.headers) out += fmt::format("{}: {}\r\n", name, header_text(value));
  bool plain = is_plain(mail.body);
  out += fmt::format(
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: {}\r\n\r\n",
      plain ? "7bit" : "base64");
  if (plain) {
    for (char c : mail.body) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
    if (!out.ends_with("\r\n")) out += "\r\n";
    return out;
  }
  // Base64 keeps every line short and every byte as it was, whatever stands in the text.
  std::string encoded = base64_encode(mail.body);
  for (size_t from = 0; from < encoded.size(); from += 76) out += encoded.substr(from, 76) + "\r\n";
  return out;
}

Task<Result<void>> send_mail(HttpClient& client, Mail mail, Deadline deadline) {
  CO_TRY(std::string message, compose(mail, wall_now()));
  MailTransfer transfer;
  bool from_the_start = mail.tls && mail.port == 465;
  transfer.url = fmt::format("{}://{}:{}/lifeboat", from_the_start ? "smtps" : "smtp", mail.host, mail.port);
  transfer.user = mail.user;
  transfer.password = mail.password;
  transfer.require_tls = mail.tls;
  transfer.verify_tls = mail.verify_tls;
  transfer.ca_file = mail.ca_file;
  transfer.from = mail.from;
  transfer.to = mail.to;
  transfer.message = std::move(message);
  auto answer = co_await client.transfer(std::move(transfer), deadline);
  if (!answer) co_return std::unexpected(std::move(answer).error());
  co_return Result<void>{};
}

}  // namespace lifeboat
