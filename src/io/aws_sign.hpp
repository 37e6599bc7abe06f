// AWS Signature Version 4, written out: what libcurl signs by itself in the versions that distributions ship is wrong for
// queries, bodies and paths of S3. Pure: time, keys and the request come in, headers come out.
// Source: AWS IAM User Guide, "Create a signed AWS API request"; S3 encodes its path once and normalises nothing.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/time.hpp"
#include "io/http_client.hpp"

namespace lifeboat {

struct AwsCredentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // of temporary credentials; empty: none
};

struct AwsScope {
  std::string region;   // "eu-west-1"
  std::string service;  // "s3"
};

struct AwsRequest {
  std::string method = "GET";
  std::string host;  // as it is sent: with the port when that is not the scheme's own
  // Segments as they are, not yet encoded. S3: used as it is. Others: encoded twice and rid of dot segments.
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> query;  // not yet encoded
  HttpHeaders headers;                                     // others that are to be signed
  std::string body_sha256;                                 // lower-case hex
};

// RFC 3986 encoding of a path: '/' stays.
std::string aws_encode_path(std::string_view path);
// The query as it goes into the address: encoded, sorted, every name with its '='.
std::string aws_encode_query(const std::vector<std::pair<std::string, std::string>>& query);

struct AwsSigned {
  std::string canonical;  // the request as it was signed; for tests and for a person who compares two signers
  HttpHeaders headers;    // all that must be sent beside Host
};
AwsSigned aws_sign(const AwsRequest& request, const AwsScope& scope, const AwsCredentials& credentials, WallTime at);

// "20240101T020000Z".
std::string aws_time(WallTime at);
// The key of one day, region and service, 32 bytes.
std::string aws_signing_key(std::string_view secret, std::string_view date, const AwsScope& scope);

}  // namespace lifeboat
