#include "io/s3.hpp"

#include <algorithm>
#include <charconv>

#include "core/data/decode.hpp"
#include "io/crypto.hpp"

namespace lifeboat {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr int kAtOnce = 4;  // ranges read at the same time
constexpr int kMostParts = 10'000;
constexpr Duration kAbort{10'000};

struct StoreAddress {
  bool tls = true;
  std::string host;  // with its port
};

Result<StoreAddress> parse_endpoint(const std::string& text) {
  StoreAddress out;
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    out.tls = false;
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no address of a store", Decoder::printable(text)),
                "write https://HOST or https://HOST:PORT");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/?#@ ") != std::string_view::npos)
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no address of a store", Decoder::printable(text)),
                "only scheme, host and port: https://HOST:PORT");
  out.host = std::string(rest);
  // A port that the scheme has anyway is not sent in Host, and so not signed.
  std::string usual = out.tls ? ":443" : ":80";
  if (out.host.ends_with(usual)) out.host.resize(out.host.size() - usual.size());
  return out;
}

bool is_loopback(std::string_view host) {
  std::string_view name = host.starts_with('[') ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
  return name == "localhost" || name == "::1" || name.starts_with("127.");
}

// Names of buckets: 3 to 63 of a-z, 0-9, '-' and '.'. Nothing else can get into an address.
bool is_bucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
         });
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = problem == std::errc{} && end == text.data() + text.size() && !text.empty();
  return whole ? std::optional(value) : std::nullopt;
}

// Keys come encoded (encoding-type=url), where a blank is a '+'.
std::string decode_key(std::string_view text) {
  auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 && digit(text[at + 2]) >= 0) {
      out += static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2]));
      at += 2;
    } else {
      out += text[at] == '+' ? ' ' : text[at];
    }
  }
  return out;
}

Result<S3Page> read_page(const std::string& what, const std::string& body) {
  auto garbage = [&](std::string_view why) {
    return fail(ErrorKind::unreachable, fmt::format("{}: the answer is no list ({})", what, why),
                "look whether the address is that of an S3-compatible store");
  };
  auto document = parse_xml(body);
  if (!document) return garbage(document.error().what);
  if (document->name != "ListBucketResult") return garbage(Decoder::printable(document->name.substr(0, 40)));
  bool encoded = document->text_of("EncodingType") == "url";
  S3Page page;
  for (const XmlElement& element : document->children) {
    if (element.name != "Contents") continue;
    auto bytes = number(element.text_of("Size"));
    std::string key = element.text_of("Key");
    if (!bytes || key.empty()) return garbage("an object without key or size");
    page.objects.push_back(
        {encoded ? decode_key(key) : key, *bytes, element.text_of("ETag"), element.text_of("LastModified")});
  }
  if (document->text_of("IsTruncated") == "true") {
    page.next = document->text_of("NextContinuationToken");
    if (page.next.empty()) return garbage("there is more, but no token for it");
  }
  return page;
}

}  // namespace

Result<S3Store> S3Store::open(S3Config config, HttpClient& http) {
  if (config.endpoint.empty()) {
    config.endpoint = fmt::format("https://s3.{}.amazonaws.com", config.region);
    // Bucket names with dots do not fit the certificate's wildcard.
    if (config.bucket.find('.') == std::string::npos) config.style = S3Style::host;
  }
  TRY(StoreAddress endpoint, parse_endpoint(config.endpoint));
  if (!endpoint.tls && !config.plain_http && !is_loopback(endpoint.host))
    return fail(ErrorKind::invalid_input, fmt::format("{} would be spoken to in clear text", endpoint.host),
                "use https://, with a CA file if its certificate is your own");
  if (!is_bucket(config.bucket))
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no name of a bucket", Decoder::printable(config.bucket)),
                "3 to 63 of a-z, 0-9, '-' and '.'");
  if (config.credentials.access_key.empty() || config.credentials.secret_key.empty())
    return fail(ErrorKind::invalid_input, fmt::format("there are no keys for s3://{}", config.bucket),
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the secrets s3-access-key and s3-secret-key");
  config.endpoint = fmt::format("{}://{}", endpoint.tls ? "https" : "http", endpoint.host);
  return S3Store(std::move(config), http);
}

std::string S3Store::name_of(std::string_view key) const {
  return fmt::format("s3://{}/{}", config_.bucket, Decoder::printable(key));
}

std::string S3Store::host() const {
  std::string host = config_.endpoint.substr(config_.endpoint.find("://") + 3);
  return config_.style == S3Style::host ? fmt::format("{}.{}", config_.bucket, host) : host;
}

std::string S3Store::path_of(std::string_view key) const {
  return config_.style == S3Style::host ? fmt::format("/{}", key) : fmt::format("/{}/{}", config_.bucket, key);
}

Task<Result<HttpResponse>> S3Store::call(Call call, Deadline deadline) {
  AwsRequest request;
  request.method = call.method;
  request.host = host();
  request.path = path_of(call.key);
  request.query = call.query;
  request.headers = call.headers;
  request.body_sha256 = sha256_hex(call.body);
  AwsScope scope{config_.region, "s3"};
  AwsSigned sealed = aws_sign(request, scope, config_.credentials, wall_now());

  bool writes = call.method != "GET" && call.method != "HEAD";
  HttpRequest http;
  http.method = call.method;
  std::string query = aws_encode_query(call.query);
  http.url = fmt::format("{}://{}{}{}{}", config_.endpoint.substr(0, config_.endpoint.find("://")), request.host,
                         aws_encode_path(request.path), query.empty() ? "" : "?", query);
  http.headers = std::move(sealed.headers);
  http.body = std::move(call.body);
  http.ca_file = config_.ca_file;
  http.largest_body = call.largest;
  // Whole objects and numbered parts: the same bytes at the same place.
  http.repeatable = call.method == "PUT" || call.method == "DELETE";
  std::string what = fmt::format("{} {}", call.method, name_of(call.key));
  auto answer = co_await http_->send(std::move(http), deadline);
  if (!answer) {
    Error error = std::move(answer).error();
    if (error.kind == ErrorKind::unknown_outcome && !writes)
      // curl counts whole milliseconds, and gives up in the last one.
      error.kind = deadline.left() <= Duration{2} ? ErrorKind::timed_out : ErrorKind::unreachable;
    co_return std::unexpected(std::move(error).with(what));
  }
  if (answer->status < 200 || answer->status > 299)
    co_return std::unexpected(s3_error(std::move(what), *answer, wall_now()));
  co_return std::move(*answer);
}

Task<Result<S3Page>> S3Store::list_page(std::string prefix, std::string token, Deadline deadline, int most) {
  Call list;
  list.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", std::to_string(most)}, {"prefix", prefix}};
  if (!token.empty()) list.query.emplace_back("continuation-token", token);
  auto asking = call(std::move(list), deadline);
  CO_TRY(HttpResponse answer, co_await std::move(asking));
  co_return read_page(fmt::format("list {}", name_of(prefix)), answer.body);
}

Task<Result<std::vector<S3Object>>> S3Store::list(std::string prefix, Deadline deadline, size_t most) {
  std::vector<S3Object> out;
  std::string token;
  do {
    auto asking = list_page(prefix, token, deadline);
    CO_TRY(S3Page page, co_await std::move(asking));
    // A store that gives the same token for ever would be listed for ever.
    if (!page.next.empty() && page.next == token)
      co_return fail(ErrorKind::unreachable,
                     fmt::format("list {}: the store gives the same page again", name_of(prefix)));
    token = page.next;
    std::ranges::move(page.objects, std::back_inserter(out));
    if (out.size() > most)
      co_return fail(ErrorKind::refused, fmt::format("list {}: more than {} objects", name_of(prefix), most),
                     "name a longer prefix");
  } while (!token.empty());
  co_return out;
}

Task<Result<S3Object>> S3Store::head(std::string key, Deadline deadline) {
  Call head;
  head.method = "HEAD";
  head.key = key;
  auto asking = call(std::move(head), deadline);
  CO_TRY(HttpResponse answer, co_await std::move(asking));
  auto bytes = number(answer.header("content-length"));
  if (!bytes) co_return fail(ErrorKind::unreachable, fmt::format("HEAD {}: the answer has no length", name_of(key)));
  co_return S3Object{key, *bytes, answer.header("etag"), answer.header("last-modified")};
}

Task<Result<std::string>> S3Store::get_small(std::string key, Deadline deadline, size_t largest) {
  Call get;
  get.key = std::move(key);
  get.largest = largest;
  auto asking = call(std::move(get), deadline);
  CO_TRY(HttpResponse answer, co_await std::move(asking));
  co_return std::move(answer.body);
}

Task<Result<std::string>> S3Store::get_range(S3Object object, uint64_t from, uint64_t count, Deadline deadline) {
  Call get;
  get.key = object.key;
  get.headers = {{"Range", fmt::format("bytes={}-{}", from, from + count - 1)}};
  if (!object.etag.empty()) get.headers.emplace_back("If-Match", object.etag);
  // A store that knows no ranges answers with the whole object: that is cut off, and said.
  get.largest = count + 64 * 1024;
  auto asking = call(std::move(get), deadline);
  CO_TRY(HttpResponse answer, co_await std::move(asking));
  bool whole = answer.status == 200 && from == 0 && count == object.bytes;
  if (answer.status != 206 && !whole)
    co_return fail(ErrorKind::unsupported, fmt::format("GET {}: the store gives no ranges", name_of(object.key)));
  std::string range = fmt::format("bytes {}-{}/", from, from + count - 1);
  bool other = answer.status == 206 && !answer.header("content-range").starts_with(range);
  if (answer.body.size() != count || other)
    co_return fail(ErrorKind::conflict,
                   fmt::format("GET {}: {} bytes were asked for at {}, {} came", name_of(object.key), count, from,
                               answer.body.size()),
                   "the object is not what the list says of it");
  co_return std::move(answer.body);
}

Task<Result<>> S3Store::get(S3Object object, Sink sink, Deadline deadline) {
  struct Piece {
    uint64_t from = 0, count = 0;
  };
  auto pieces_at = [&](uint64_t at) {
    std::vector<Piece> out(kAtOnce);
    for (Piece& piece : out) {
      piece = {at, std::min<uint64_t>(config_.part_bytes, object.bytes - std::min(at, object.bytes))};
      at += piece.count;
    }
    return out;
  };
  auto fetch = [](S3Store* store, S3Object of, Piece piece, Deadline until) -> Task<Result<std::string>> {
    if (piece.count == 0) co_return std::string();
    co_return co_await store->get_range(of, piece.from, piece.count, until);
  };
  using Batch = std::vector<Result<std::string>>;
  auto fetch_all = [](decltype(fetch) one, S3Store* store, S3Object of, std::vector<Piece> pieces,
                      Deadline until) -> Task<Batch> {
    static_assert(kAtOnce == 4);
    auto [a, b, c, d] = co_await (one(store, of, pieces[0], until) && one(store, of, pieces[1], until) &&
                                  one(store, of, pieces[2], until) && one(store, of, pieces[3], until));
    Batch out;
    out.push_back(std::move(a));
    out.push_back(std::move(b));
    out.push_back(std::move(c));
    out.push_back(std::move(d));
    co_return out;
  };
  auto take = [](Sink into, Batch batch) -> Result<> {
    for (auto& piece : batch) {
      TRY(std::string bytes, std::move(piece));
      if (!bytes.empty()) TRY_VOID(into(bytes));
    }
    return {};
  };

  uint64_t at = 0;
  Batch ready;
  while (at < object.bytes || !ready.empty()) {
    std::vector<Piece> pieces = pieces_at(at);
    auto fetching = fetch_all(fetch, this, object, pieces, deadline);
    auto taking = blocking([take, sink, batch = std::move(ready)]() mutable { return take(sink, std::move(batch)); });
    auto [next, taken] = co_await (std::move(fetching) && std::move(taking));
    if (!taken) co_return std::unexpected(std::move(taken).error());
    bool any = at < object.bytes;
    ready = any ? std::move(next) : Batch();
    at = pieces.back().from + pieces.back().count;
  }
  co_return Result<>{};
}

Task<Result<>> S3Store::put_small(std::string key, std::string body, Deadline deadline) {
  Call put;
  put.method = "PUT";
  put.key = std::move(key);
  put.body = std::move(body);
  auto asking = call(std::move(put), deadline);
  CO_TRY_VOID(co_await std::move(asking));
  co_return Result<>{};
}

Task<Result<std::string>> S3Store::begin_parts(std::string key, Deadline deadline) {
  Call begin;
  begin.method = "POST";
  begin.key = key;
  begin.query = {{"uploads", ""}};
  auto asking = call(std::move(begin), deadline);
  CO_TRY(HttpResponse answer, co_await std::move(asking));
  auto document = parse_xml(answer.body);
  std::string upload = document ? document->text_of("UploadId") : std::string();
  if (upload.empty())
    co_return fail(ErrorKind::unreachable, fmt::format("POST {}: the answer names no upload", name_of(key)));
  co_return upload;
}

Task<Result<std::string>> S3Store::put_part(std::string key, std::string upload, int part, std::string body,
                                            Deadline deadline) {
  Call put;
  put.method = "PUT";
  put.key = key;
  put.query = {{"partNumber", std::to_string(part)}, {"uploadId", upload}};
  put.body = std::move(body);
  auto asking = call(std::move(put), deadline);
  CO_TRY(HttpResponse answer, co_await std::move(asking));
  std::string etag = answer.header("etag");
  if (etag.empty())
    co_return fail(ErrorKind::unreachable, fmt::format("PUT {}: part {} has no ETag", name_of(key), part));
  co_return etag;
}

Task<Result<>> S3Store::complete(std::string key, std::string upload, std::vector<std::string> etags,
                                 Deadline deadline) {
  Call complete;
  complete.method = "POST";
  complete.key = key;
  complete.query = {{"uploadId", upload}};
  complete.body = "<CompleteMultipartUpload>";
  for (size_t index = 0; index < etags.size(); ++index)
    complete.body +=
        fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", index + 1, xml_escape(etags[index]));
  complete.body += "</CompleteMultipartUpload>";
  auto asking = call(std::move(complete), deadline);
  CO_TRY(HttpResponse answer, co_await std::move(asking));
  // The store may find out while it answers 200 already: then the body is an error.
  auto document = parse_xml(answer.body);
  if (!document || document->name != "CompleteMultipartUploadResult")
    co_return std::unexpected(
        s3_error(fmt::format("POST {}: the parts were not put together", name_of(key)), answer, wall_now()));
  co_return Result<>{};
}

Task<> S3Store::abort(std::string key, std::string upload) {
  Call abort;
  abort.method = "DELETE";
  abort.key = std::move(key);
  abort.query = {{"uploadId", upload}};
  // Whoever comes here has an error to tell already; parts that stay are for the bucket's lifecycle rule.
  auto asking = call(std::move(abort), Deadline::after(kAbort));
  co_await std::move(asking);
}

Task<Result<uint64_t>> S3Store::put_parts(std::string key, std::string first, Source source, Deadline deadline) {
  auto beginning = begin_parts(key, deadline);
  CO_TRY(std::string upload, co_await std::move(beginning));
  std::vector<std::string> etags;
  uint64_t bytes = 0;
  std::string ready = std::move(first);
  std::optional<Error> problem;
  while (!problem && !ready.empty()) {
    bool last = ready.size() < config_.part_bytes;
    if (etags.size() == kMostParts) {
      problem =
          fail(ErrorKind::refused, fmt::format("{} has more than {} parts", name_of(key), kMostParts), "larger parts")
              .error();
      break;
    }
    bytes += ready.size();
    auto end = []() -> Task<Result<std::string>> { co_return std::string(); };
    auto making = last ? end() : source(config_.part_bytes);
    auto sending = put_part(key, upload, static_cast<int>(etags.size()) + 1, std::move(ready), deadline);
    auto [etag, next] = co_await (std::move(sending) && std::move(making));
    if (!etag) {
      problem = std::move(etag).error();
    } else if (!next) {
      problem = std::move(next).error();
    } else {
      etags.push_back(std::move(*etag));
      ready = std::move(*next);
    }
  }
  if (!problem) {
    auto completing = complete(key, upload, std::move(etags), deadline);
    auto done = co_await std::move(completing);
    if (done) co_return bytes;
    problem = std::move(done).error();
    // Without an answer to the last request the object may be there.
    if (problem->kind == ErrorKind::unknown_outcome) co_return std::unexpected(std::move(*problem));
  }
  auto aborting = abort(key, upload);
  co_await std::move(aborting);
  co_return std::unexpected(std::move(*problem));
}

Task<Result<uint64_t>> S3Store::put(std::string key, Source source, Deadline deadline) {
  auto making = source(config_.part_bytes);
  CO_TRY(std::string first, co_await std::move(making));
  if (first.size() >= config_.part_bytes) {
    auto parts = put_parts(std::move(key), std::move(first), std::move(source), deadline);
    co_return co_await std::move(parts);
  }
  uint64_t bytes = first.size();
  auto putting = put_small(std::move(key), std::move(first), deadline);
  CO_TRY_VOID(co_await std::move(putting));
  co_return bytes;
}

Task<Result<>> S3Store::remove(std::string key, Deadline deadline) {
  Call remove;
  remove.method = "DELETE";
  remove.key = std::move(key);
  auto asking = call(std::move(remove), deadline);
  CO_TRY_VOID(co_await std::move(asking));
  co_return Result<>{};
}

}  // namespace lifeboat
