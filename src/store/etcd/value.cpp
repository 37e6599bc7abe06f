#include "store/etcd/value.hpp"

#include <fmt/format.h>

#include "io/crypto.hpp"

namespace lifeboat::etcd {
namespace {

std::string checksum(std::string_view key, int64_t version, std::string_view data) {
  return sha256_hex(fmt::format("{}\n{}\n{}", key, version, data));
}

}  // namespace

std::string pack(std::string_view key, const Json& data) {
  std::string text = to_canonical_text(data);
  return fmt::format(R"({{"data":{},"sha256":"{}","version":{}}})", text, checksum(key, kFormat, text), kFormat);
}

Result<Json> unpack(std::string_view key, std::string_view value) {
  auto damaged = [&](std::string_view how) {
    return fail(ErrorKind::invalid_input, fmt::format("the value of {} in etcd {}", key, how),
                "something else wrote there, or it was damaged; `lifeboat store status` says how much is whole");
  };
  auto json = parse_json(value);
  if (!json || !json->is_object()) return damaged("is not one that Lifeboat wrote");
  int64_t version = int_or(*json, "version");
  if (version > kFormat) {
    return fail(
        ErrorKind::unsupported,
        fmt::format("the value of {} in etcd is of version {}, this program knows up to {}", key, version, kFormat),
        "use the newer Lifeboat that wrote it; this one changes nothing");
  }
  const Json& data = member(*json, "data");
  if (version < 1 || text_or(*json, "sha256") != checksum(key, version, to_canonical_text(data)))
    return damaged("does not fit its checksum");
  return data;
}

}  // namespace lifeboat::etcd
