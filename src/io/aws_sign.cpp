#include "io/aws_sign.hpp"

#include <algorithm>
#include <map>

#include "io/crypto.hpp"

namespace lifeboat {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

// Trimmed, runs of blanks inside made one.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (char c : value) {
    bool blank = c == ' ' || c == '\t';
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string without_dots(std::string_view path) {
  bool folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
  std::vector<std::string_view> kept;
  while (!path.empty()) {
    size_t end = std::min(path.find('/'), path.size());
    std::string_view segment = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      kept.push_back(segment);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string out;
  for (std::string_view segment : kept) out += fmt::format("/{}", segment);
  return out.empty() || folder ? out + "/" : out;
}

std::string canonical_path(const AwsRequest& request, const AwsScope& scope) {
  std::string path = request.path.empty() ? "/" : request.path;
  if (scope.service == "s3") return aws_encode_path(path);
  return aws_encode_path(aws_encode_path(without_dots(path)));
}

}  // namespace

std::string aws_encode_path(std::string_view path) {
  std::string out;
  while (true) {
    size_t slash = path.find('/');
    out += percent_encode(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

std::string aws_encode_query(const std::vector<std::pair<std::string, std::string>>& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query) encoded.emplace_back(percent_encode(name), percent_encode(value));
  std::ranges::sort(encoded);
  std::string out;
  for (const auto& [name, value] : encoded) out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  return out;
}

std::string aws_time(WallTime at) {
  std::string text;  // 2026-11-23T04:12:55.123Z without its marks and milliseconds
  for (char c : format_wall(at).substr(0, 19)) {
    if (c != '-' && c != ':') text += c;
  }
  return text + "Z";
}

std::string aws_signing_key(std::string_view secret, std::string_view date, const AwsScope& scope) {
  std::string key = hmac_sha256(fmt::format("AWS4{}", secret), date);
  key = hmac_sha256(key, scope.region);
  key = hmac_sha256(key, scope.service);
  return hmac_sha256(key, "aws4_request");
}

AwsSigned aws_sign(const AwsRequest& request, const AwsScope& scope, const AwsCredentials& credentials, WallTime at) {
  std::string time = aws_time(at);
  std::string date = time.substr(0, 8);
  AwsSigned out;
  out.headers = request.headers;
  out.headers.emplace_back("X-Amz-Date", time);
  if (scope.service == "s3") out.headers.emplace_back("X-Amz-Content-Sha256", request.body_sha256);
  if (!credentials.session_token.empty()) out.headers.emplace_back("X-Amz-Security-Token", credentials.session_token);

  std::map<std::string, std::string> all{{"host", canonical_value(request.host)}};
  for (const auto& [name, value] : out.headers) {
    std::string& line = all[lower(name)];
    line += (line.empty() ? "" : ",") + canonical_value(value);
  }
  std::string lines, names;
  for (const auto& [name, value] : all) {
    lines += fmt::format("{}:{}\n", name, value);
    names += (names.empty() ? "" : ";") + name;
  }
  out.canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, canonical_path(request, scope),
                              aws_encode_query(request.query), lines, names, request.body_sha256);
  std::string place = fmt::format("{}/{}/{}/aws4_request", date, scope.region, scope.service);
  std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, place, sha256_hex(out.canonical));
  std::string signature = hmac_sha256_hex(aws_signing_key(credentials.secret_key, date, scope), to_sign);
  out.headers.emplace_back("Authorization",
                           fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                                       credentials.access_key, place, names, signature));
  return out;
}

}  // namespace lifeboat
