// An S3-compatible object store over HTTP: list, head, get, put, remove. One request is one try; what a failed one means is in
// the error, and trying again is the caller's business. Requests are signed by aws_sign.hpp, with the body's hash in them.
//
// Objects are read in ranges that are pinned to one version by its ETag, several at once, and written in parts, so that
// neither direction holds more than a few pieces in memory.
//
// Errors: `not_found` (no such object or bucket), `refused` (rights, keys, a clock that is off: the text says which),
// `conflict` (the object changed while it was read), `unreachable`, `timed_out`; `unknown_outcome` only when a write was sent
// and no answer came. No credential and no text signed with one is ever part of an error.
// On cancellation a multipart write is left unfinished at the store: no object appears, but its parts cost space until
// they are aborted (by a lifecycle rule of the bucket). After an error they are aborted at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "io/aws_sign.hpp"
#include "io/http_client.hpp"
#include "io/task.hpp"
#include "io/xml.hpp"

namespace lifeboat {

enum class S3Style { path, host };  // https://ENDPOINT/BUCKET/KEY or https://BUCKET.ENDPOINT/KEY

struct S3Config {
  std::string endpoint;  // "https://store.example.test:9000"; empty: Amazon's own of the region
  std::string region = "us-east-1";
  std::string bucket;
  S3Style style = S3Style::path;
  std::string ca_file;      // trusted in place of the system's authorities
  bool plain_http = false;  // http:// to another address than loopback; what is read and written is then open to all
  AwsCredentials credentials;
  size_t part_bytes = 8 * 1024 * 1024;  // of ranges read and parts written; the store wants at least 5 MiB for parts
};

struct S3Object {
  std::string key;
  uint64_t bytes = 0;
  std::string etag;      // with its quotes, as the store gives it
  std::string modified;  // as the store writes it
};

struct S3Page {
  std::vector<S3Object> objects;
  std::string next;  // token of the next page; empty: this was the last
};

class S3Store {
 public:
  // Gives up to `most` bytes of what is to be written; fewer mean that it ends there.
  using Source = std::function<Task<Result<std::string>>(size_t most)>;
  // Takes the next piece of what is read, in order.
  using Sink = std::function<Result<>(std::string_view piece)>;

  // Checks the settings; asks nothing. `invalid_input` for an endpoint in clear text that is not on this machine.
  static Result<S3Store> open(S3Config config, HttpClient& http);

  const S3Config& config() const { return config_; }
  // "s3://bucket/key"
  std::string name_of(std::string_view key) const;

  Task<Result<S3Page>> list_page(std::string prefix, std::string token, Deadline deadline, int most = 1'000);
  // All pages. `refused` when there are more than `most` objects.
  Task<Result<std::vector<S3Object>>> list(std::string prefix, Deadline deadline, size_t most = 1'000'000);
  Task<Result<S3Object>> head(std::string key, Deadline deadline);
  // A whole small object; `refused` when it is larger.
  Task<Result<std::string>> get_small(std::string key, Deadline deadline, size_t largest = 1024 * 1024);
  // Bytes [from, from + count) of the version with that ETag; exactly as many, or an error.
  Task<Result<std::string>> get_range(S3Object object, uint64_t from, uint64_t count, Deadline deadline);
  // The whole object in order. The sink is called on a thread of the blocking pool, never twice at once.
  Task<Result<>> get(S3Object object, Sink sink, Deadline deadline);

  Task<Result<>> put_small(std::string key, std::string body, Deadline deadline);
  // In one request when it fits into one part, else in parts that are sent while the next one is being made. An error of the
  // source ends it without an object. Gives the number of bytes.
  Task<Result<uint64_t>> put(std::string key, Source source, Deadline deadline);
  Task<Result<>> remove(std::string key, Deadline deadline);

 private:
  S3Store(S3Config config, HttpClient& http) : config_(std::move(config)), http_(&http) {}

  struct Call {
    std::string method = "GET";
    std::string key;
    std::vector<std::pair<std::string, std::string>> query;
    HttpHeaders headers;
    std::string body;
    size_t largest = 4 * 1024 * 1024;
  };
  Task<Result<HttpResponse>> call(Call call, Deadline deadline);
  std::string host() const;
  std::string path_of(std::string_view key) const;
  Task<Result<std::string>> begin_parts(std::string key, Deadline deadline);
  Task<Result<std::string>> put_part(std::string key, std::string upload, int number, std::string body,
                                     Deadline deadline);
  Task<Result<>> complete(std::string key, std::string upload, std::vector<std::string> etags, Deadline deadline);
  Task<> abort(std::string key, std::string upload);
  Task<Result<uint64_t>> put_parts(std::string key, std::string first, Source source, Deadline deadline);

  S3Config config_;
  HttpClient* http_;
};

// What a store's answer that is not 2xx means; `what` was tried. For tests also.
Error s3_error(std::string what, const HttpResponse& answer, WallTime now);

}  // namespace lifeboat
