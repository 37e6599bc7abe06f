#include "core/logical/place.hpp"

#include <fmt/format.h>

#include "core/data/decode.hpp"

namespace lifeboat {

Result<LogicalPlace> parse_place(std::string_view text) {
  auto wrong = [&] {
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no place of backups", Decoder::printable(text)),
                "write an absolute folder, or s3://BUCKET/PREFIX/");
  };
  LogicalPlace place;
  constexpr std::string_view kStore = "s3://";
  if (text.starts_with(kStore)) {
    text.remove_prefix(kStore.size());
    size_t slash = text.find('/');
    place.bucket = std::string(text.substr(0, slash));
    if (place.bucket.empty()) return wrong();
    if (slash != std::string_view::npos) place.prefix = std::string(text.substr(slash + 1));
    if (!place.prefix.empty() && !place.prefix.ends_with('/')) place.prefix += '/';
    return place;
  }
  if (!text.starts_with('/')) return wrong();
  while (text.size() > 1 && text.ends_with('/')) text.remove_suffix(1);
  place.folder = std::string(text);
  return place;
}

std::string in_words(const LogicalPlace& place) {
  return place.in_store() ? fmt::format("s3://{}/{}", place.bucket, place.prefix) : place.folder;
}

}  // namespace lifeboat
