// What an object store says when it says no.
#include <charconv>

#include "core/data/decode.hpp"
#include "io/s3.hpp"

namespace lifeboat {
namespace {

struct Meaning {
  std::string_view code;
  ErrorKind kind;
  std::string_view hint;
};

constexpr Meaning kMeanings[] = {
    {"NoSuchKey", ErrorKind::not_found, ""},
    {"NoSuchBucket", ErrorKind::not_found,
     "the bucket does not exist, or stands in another region or at another store"},
    {"NoSuchUpload", ErrorKind::conflict, "the parts were aborted meanwhile; a lifecycle rule may do that"},
    {"AccessDenied", ErrorKind::refused,
     "these keys have no right to it; a missing object is also answered so to keys "
     "that may not list the bucket"},
    {"InvalidAccessKeyId", ErrorKind::refused, "the store does not know this access key"},
    {"SignatureDoesNotMatch", ErrorKind::refused,
     "the secret key is not the one of this access key, or the region or "
     "address differs from the store's own"},
    {"AuthorizationHeaderMalformed", ErrorKind::refused, "most often another region"},
    {"ExpiredToken", ErrorKind::refused, "the temporary credentials have ended; get new ones"},
    {"InvalidToken", ErrorKind::refused, "the session token is not valid"},
    {"PermanentRedirect", ErrorKind::refused, "the bucket stands in another region"},
    {"TemporaryRedirect", ErrorKind::refused, "the bucket is answered for elsewhere for now"},
    {"PreconditionFailed", ErrorKind::conflict, "the object was replaced meanwhile"},
    {"InvalidRange", ErrorKind::conflict, "the object is shorter than it was said to be"},
    {"EntityTooLarge", ErrorKind::refused, ""},
    {"EntityTooSmall", ErrorKind::refused, "the store wants larger parts"},
    {"BadDigest", ErrorKind::refused, "the bytes changed on their way"},
    {"XAmzContentSHA256Mismatch", ErrorKind::refused, "the bytes changed on their way"},
    {"SlowDown", ErrorKind::unreachable, "the store asks for fewer requests; try again later"},
    {"ServiceUnavailable", ErrorKind::unreachable, "try again later"},
    {"InternalError", ErrorKind::unreachable, "the store failed by itself; try again"},
    {"RequestTimeout", ErrorKind::timed_out, ""},
};

ErrorKind kind_of_status(int status) {
  if (status == 404) return ErrorKind::not_found;
  if (status == 412 || status == 409) return ErrorKind::conflict;
  if (status == 408) return ErrorKind::timed_out;
  if (status >= 500 || status == 429) return ErrorKind::unreachable;
  return ErrorKind::refused;
}

// "Tue, 15 Nov 1994 08:12:31 GMT"
std::optional<WallTime> parse_http_date(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT")) return std::nullopt;
  size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  return parse_wall(
      fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month / 3 + 1, text.substr(5, 2), text.substr(17, 8)));
}

std::string clock_hint(const HttpResponse& answer, WallTime now) {
  auto theirs = parse_http_date(answer.header("date"));
  if (!theirs) return "the clock of this machine or of the store is wrong: set it by NTP";
  Duration off = now - *theirs;
  std::string side = off.count() >= 0 ? "ahead of" : "behind";
  return fmt::format("the clock of this machine is {} {} the store's: set it by NTP",
                     format_span(std::chrono::abs(off)), side);
}

}  // namespace

Error s3_error(std::string what, const HttpResponse& answer, WallTime now) {
  Error error;
  error.kind = kind_of_status(answer.status);
  error.what = fmt::format("{}: the store answers {}", what, answer.status);
  auto document = parse_xml(answer.body);
  // The text of a refused signature repeats what was signed; only code and message are for people.
  if (!document || document->name != "Error") return error;
  std::string code = Decoder::printable(document->text_of("Code").substr(0, 60));
  error.what += fmt::format(" {}", code);
  if (code == "RequestTimeTooSkewed" || code == "RequestExpired") {
    error.kind = ErrorKind::refused;
    error.hint = clock_hint(answer, now);
    return error;
  }
  std::string message = document->text_of("Message").substr(0, 200);
  if (!message.empty() && code != "SignatureDoesNotMatch" && code != "InvalidAccessKeyId")
    error.what += fmt::format(" ({})", Decoder::printable(message));
  for (const Meaning& meaning : kMeanings) {
    if (meaning.code != code) continue;
    error.kind = meaning.kind;
    error.hint = std::string(meaning.hint);
  }
  std::string region = document->text_of("Region");
  if (region.empty()) region = answer.header("x-amz-bucket-region");
  if (!region.empty() && (code == "AuthorizationHeaderMalformed" || code == "PermanentRedirect"))
    error.hint = fmt::format("the bucket stands in region {}", Decoder::printable(region.substr(0, 40)));
  return error;
}

}  // namespace lifeboat
