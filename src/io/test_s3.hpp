// For tests: an object store on loopback that checks every signature by itself, from the specification and not by the code
// that signs, and that can be told to misbehave.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <sstream>

#include "io/crypto.hpp"
#include "io/http_server.hpp"
#include "io/s3.hpp"

namespace lifeboat {

class TestS3 {
 public:
  static constexpr std::string_view kAccess = "AKIDTEST";
  static constexpr std::string_view kSecret = "wJalrXUtnFEMI/test+secret";

  explicit TestS3(asio::io_context& context) {
    HttpLimits limits;
    limits.largest_body = 64 * 1024 * 1024;
    auto handler = [this](HttpIncoming incoming) -> Task<HttpReply> {
      auto replying = handle(std::move(incoming));
      co_return co_await std::move(replying);
    };
    server_ = std::make_unique<HttpServer>(
        context.get_executor(), handler, [this](std::string_view what) { failures += std::string(what) + "\n"; },
        limits);
    if (!server_->listen("127.0.0.1", 0)) throw std::runtime_error("no port for the test's store");
  }

  S3Config config() const {
    S3Config out;
    out.endpoint = fmt::format("http://127.0.0.1:{}", server_->port());
    out.region = "eu-test-1";
    out.bucket = "dr-bucket";
    out.credentials = {std::string(kAccess), std::string(kSecret), ""};
    out.part_bytes = 64 * 1024;
    return out;
  }
  int port() const { return server_->port(); }

  std::map<std::string, std::string> keys{{std::string(kAccess), std::string(kSecret)}};
  std::set<std::string> may_not_delete;  // ids of keys
  std::string deletable;                 // how a path ends that these may delete all the same; empty: none
  std::atomic<int> refused_deletions = 0;
  std::map<std::string, std::string> objects;  // by key
  std::map<std::string, std::map<int, std::string>> uploads;
  std::vector<std::string> seen;  // "PUT /dr-bucket/key?partNumber=1"
  std::string failures;
  size_t page = 1'000;  // objects a list gives at once
  int aborted = 0;
  std::string session;  // token that must come with a request; empty: none
  // Asked before a request is answered; an answer takes the place of the true one.
  std::function<std::optional<HttpReply>(const HttpIncoming&)> instead = [](const HttpIncoming&) {
    return std::nullopt;
  };
  Duration delay{0};  // of each answer

  static HttpReply error(int status, const std::string& code, const std::string& more = {}) {
    return {status,
            fmt::format("<?xml version=\"1.0\"?>\n<Error><Code>{}</Code><Message>says the test</Message>{}</Error>",
                        code, more),
            "application/xml",
            {}};
  }
  static std::string etag(const std::string& body) { return fmt::format("\"{}\"", sha256_hex(body).substr(0, 32)); }

 private:
  static std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> out;
    std::stringstream stream(text);
    for (std::string part; std::getline(stream, part, by);) out.push_back(part);
    return out;
  }
  static std::string between(const std::string& text, const std::string& from, const std::string& to) {
    size_t at = text.find(from);
    if (at == std::string::npos) return {};
    at += from.size();
    return text.substr(at, text.find(to, at) - at);
  }

  // The canonical request from the bytes that came: nothing is encoded anew here.
  std::string why_refused(const HttpIncoming& in) {
    std::string authorization = in.header("authorization");
    if (!authorization.starts_with("AWS4-HMAC-SHA256 ")) return "AccessDenied";
    std::string credential = between(authorization, "Credential=", ",");
    std::string names = between(authorization, "SignedHeaders=", ",");
    std::string signature = between(authorization + "\n", "Signature=", "\n");
    std::vector<std::string> scope = split(credential, '/');
    auto known = scope.size() != 5 ? keys.end() : keys.find(scope[0]);
    if (known == keys.end()) return "InvalidAccessKeyId";
    if (scope[2] != "eu-test-1" || scope[3] != "s3") return "AuthorizationHeaderMalformed";
    if (in.header("x-amz-content-sha256") != sha256_hex(in.body)) return "XAmzContentSHA256Mismatch";
    if (in.header("x-amz-security-token") != session) return "InvalidToken";
    std::string headers;
    std::vector<std::string> signed_names = split(names, ';');
    for (const std::string& name : signed_names) headers += name + ":" + in.header(name) + "\n";
    std::set<std::string> must{"host", "x-amz-date", "x-amz-content-sha256"};
    if (!session.empty()) must.insert("x-amz-security-token");
    for (const std::string& name : must) {
      if (std::ranges::find(signed_names, name) == signed_names.end()) return "AccessDenied";
    }
    size_t question = in.target.find('?');
    std::string query;
    if (question != std::string::npos) {
      std::vector<std::string> pairs = split(in.target.substr(question + 1), '&');
      if (!std::ranges::is_sorted(pairs)) return "SignatureDoesNotMatch";
      query = in.target.substr(question + 1);
    }
    std::string canonical = in.method + "\n" + in.target.substr(0, question) + "\n" + query + "\n" + headers + "\n" +
                            names + "\n" + in.header("x-amz-content-sha256");
    std::string place = scope[1] + "/" + scope[2] + "/" + scope[3] + "/" + scope[4];
    std::string to_sign = "AWS4-HMAC-SHA256\n" + in.header("x-amz-date") + "\n" + place + "\n" + sha256_hex(canonical);
    std::string key = "AWS4" + known->second;
    for (size_t part = 1; part < scope.size(); ++part) key = hmac_sha256(key, scope[part]);
    if (hmac_sha256_hex(key, to_sign) != signature) return "SignatureDoesNotMatch";
    // An upload that is given up is no object that is removed.
    bool removes = in.method == "DELETE" && !in.query.contains("uploadId");
    if (!removes || may_delete(in) || (!deletable.empty() && in.path.ends_with(deletable))) return "";
    ++refused_deletions;
    return "AccessDenied";
  }
  bool may_delete(const HttpIncoming& in) const {
    return !may_not_delete.contains(between(in.header("authorization"), "Credential=", "/"));
  }

  Task<HttpReply> handle(HttpIncoming in) {
    seen.push_back(in.method + " " + in.target);
    if (delay.count() > 0) co_await sleep_for(delay);
    if (auto other = instead(in)) co_return *other;
    std::string refused = why_refused(in);
    if (!refused.empty()) co_return error(403, refused, "<StringToSign>secret text</StringToSign>");
    co_return answer(in);
  }

  HttpReply answer(const HttpIncoming& in) {
    // Path style, or the bucket in front of the host.
    bool by_host = in.header("host").starts_with("dr-bucket.");
    std::string root = by_host ? "/" : "/dr-bucket/";
    if (!in.path.starts_with(root)) return error(404, "NoSuchBucket");
    std::string key = in.path.substr(root.size());
    if (in.query.contains("list-type")) return list(in);
    if (in.method == "POST" && in.query.contains("uploads")) {
      std::string id = fmt::format("up/{}+{}", uploads.size() + 1, key.size());
      uploads[id] = {};
      return {200,
              fmt::format("<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>", id),
              "application/xml",
              {}};
    }
    if (in.method == "POST" && in.query.contains("delete")) return remove_several(in);
    auto upload = in.query.find("uploadId");
    if (upload != in.query.end()) return multipart(in, key, upload->second);
    if (in.method == "PUT") {
      objects[key] = in.body;
      return {200, "", "", {{"ETag", etag(in.body)}}};
    }
    if (in.method == "DELETE") {
      objects.erase(key);
      return {204, "", "", {}};
    }
    auto found = objects.find(key);
    if (found == objects.end()) return error(404, "NoSuchKey");
    return give(in, found->second);
  }

  HttpReply remove_several(const HttpIncoming& in) {
    auto wanted = parse_xml(in.body);
    if (!wanted) return error(400, "MalformedXML");
    // Each object has an answer of its own; the request as a whole succeeds.
    std::string refused;
    for (const XmlElement& one : wanted->children) {
      if (one.name != "Object") continue;
      std::string key = one.text_of("Key");
      if (may_delete(in)) {
        objects.erase(key);
        continue;
      }
      ++refused_deletions;
      refused += fmt::format("<Error><Key>{}</Key><Code>AccessDenied</Code><Message>says the test</Message></Error>",
                             xml_escape(key));
    }
    return {200, "<DeleteResult>" + refused + "</DeleteResult>", "application/xml", {}};
  }

  HttpReply give(const HttpIncoming& in, const std::string& body) {
    constexpr const char* kWritten = "Thu, 01 Jan 2026 00:00:00 GMT";
    std::string wanted = in.header("if-match");
    if (!wanted.empty() && wanted != etag(body)) return error(412, "PreconditionFailed");
    std::string range = in.header("range");
    if (range.empty()) return {200, body, "binary/octet-stream", {{"ETag", etag(body)}, {"Last-Modified", kWritten}}};
    std::string last = range.substr(range.find('-') + 1);
    size_t from = std::stoull(between(range, "bytes=", "-")), to = last.empty() ? body.size() : std::stoull(last);
    if (from >= body.size()) return error(416, "InvalidRange");
    to = std::min(to, body.size() - 1);
    return {206,
            body.substr(from, to - from + 1),
            "binary/octet-stream",
            {{"ETag", etag(body)}, {"Content-Range", fmt::format("bytes {}-{}/{}", from, to, body.size())}}};
  }

  HttpReply multipart(const HttpIncoming& in, const std::string& key, const std::string& id) {
    auto upload = uploads.find(id);
    if (upload == uploads.end()) return error(404, "NoSuchUpload");
    if (in.method == "DELETE") {
      uploads.erase(upload);
      ++aborted;
      return {204, "", "", {}};
    }
    if (in.method == "PUT") {
      upload->second[std::stoi(in.query.at("partNumber"))] = in.body;
      return {200, "", "", {{"ETag", etag(in.body)}}};
    }
    auto list = parse_xml(in.body);
    std::string whole;
    int number = 0;
    for (const XmlElement& part : list ? list->children : std::vector<XmlElement>{}) {
      ++number;
      auto found = upload->second.find(number);
      bool right = found != upload->second.end() && part.text_of("PartNumber") == std::to_string(number) &&
                   part.text_of("ETag") == etag(found->second);
      if (!right) return error(400, "InvalidPart");
      whole += found->second;
    }
    objects[key] = whole;
    uploads.erase(upload);
    return {
        200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>", "application/xml", {}};
  }

  HttpReply list(const HttpIncoming& in) {
    std::string prefix = in.query.contains("prefix") ? in.query.at("prefix") : "";
    std::string after = in.query.contains("continuation-token") ? in.query.at("continuation-token") : "";
    std::string delimiter = in.query.contains("delimiter") ? in.query.at("delimiter") : "";
    bool encodes = in.query.contains("encoding-type");
    std::string body =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    if (encodes) body += "<EncodingType>url</EncodingType>";
    size_t given = 0;
    std::string last;
    bool more = false;
    std::set<std::string> folders;
    for (const auto& [key, value] : objects) {
      if (!key.starts_with(prefix) || key <= after) continue;
      size_t cut = delimiter.empty() ? std::string::npos : key.find(delimiter, prefix.size());
      if (cut != std::string::npos) {
        folders.insert(key.substr(0, cut + 1));
        continue;
      }
      if (given == page) {
        more = true;
        break;
      }
      ++given;
      last = key;
      std::string encoded = encodes ? aws_encode_path(key) : xml_escape(key);
      size_t blank = 0;
      while (encodes && (blank = encoded.find("%20")) != std::string::npos) encoded.replace(blank, 3, "+");
      body += fmt::format(
          "<Contents><Key>{}</Key><Size>{}</Size><ETag>{}</ETag><LastModified>"
          "2026-01-01T00:00:00.000Z</LastModified></Contents>",
          encoded, value.size(), xml_escape(etag(value)));
    }
    for (const std::string& name : folders)
      body += fmt::format("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", xml_escape(name));
    body += fmt::format("<IsTruncated>{}</IsTruncated>", more);
    if (more) body += fmt::format("<NextContinuationToken>{}</NextContinuationToken>", xml_escape(last));
    return {200, body + "</ListBucketResult>", "application/xml", {}};
  }

  std::unique_ptr<HttpServer> server_;
};

}  // namespace lifeboat
