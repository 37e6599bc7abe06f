// The signer against signatures that others have published or computed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/aws_sign.hpp"
#include "io/crypto.hpp"
#include "io/sha256.hpp"
#include "io/xml.hpp"

namespace lifeboat {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

std::string signature_of(const AwsRequest& request, const AwsScope& scope, const AwsCredentials& credentials,
                         std::string_view at) {
  AwsSigned sealed = aws_sign(request, scope, credentials, *parse_wall(at));
  std::string authorization = sealed.headers.back().second;
  return authorization.substr(authorization.find("Signature=") + 10);
}

const AwsCredentials kSuite{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};

AwsRequest plain(std::string path) {
  AwsRequest request;
  request.host = "example.amazonaws.com";
  request.path = std::move(path);
  request.body_sha256 = sha256_hex("");
  return request;
}
std::string of_suite(const AwsRequest& request) {
  return signature_of(request, {"us-east-1", "service"}, kSuite, "2015-08-30T12:36:00Z");
}

TEST(AwsSign, AgreesWithThePublishedTestSuite) {
  EXPECT_EQ(of_suite(plain("/")), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(of_suite(plain("/example/..")), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(of_suite(plain("//example//")), "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84");
  EXPECT_EQ(of_suite(plain("/./example")), "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5");
  AwsRequest ordered = plain("/");
  ordered.query = {{"Param2", "value2"}, {"Param1", "value1"}};
  EXPECT_EQ(of_suite(ordered), "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

const AwsCredentials kS3{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};

TEST(AwsSign, AgreesWithTheExamplesOfTheS3Manual) {
  auto sign = [](const AwsRequest& request) {
    return signature_of(request, {"us-east-1", "s3"}, kS3, "2013-05-24T00:00:00Z");
  };
  AwsRequest get = plain("/test.txt");
  get.host = "examplebucket.s3.amazonaws.com";
  get.headers = {{"Range", "bytes=0-9"}};
  EXPECT_EQ(sign(get), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  AwsRequest put = plain("/test$file.text");
  put.method = "PUT";
  put.host = get.host;
  put.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  put.body_sha256 = sha256_hex("Welcome to Amazon S3.");
  EXPECT_EQ(sign(put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  AwsRequest lifecycle = plain("/");
  lifecycle.host = get.host;
  lifecycle.query = {{"lifecycle", ""}};
  EXPECT_EQ(sign(lifecycle), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  AwsRequest list = plain("/");
  list.host = get.host;
  list.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(sign(list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(AwsSign, AgreesWithSignaturesComputedByAnotherProgram) {
  AwsCredentials credentials{"AKID", "drSecretKeyForTestingOnly0123456789abcdef", "tok/en+1=="};
  AwsRequest post = plain("/");
  post.method = "POST";
  post.host = "rds.eu-west-1.amazonaws.com";
  post.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  post.body_sha256 = sha256_hex("Action=DescribeDBInstances&DBInstanceIdentifier=shop-replica&Version=2014-10-31");
  EXPECT_EQ(
      sha256_hex(aws_sign(post, {"eu-west-1", "rds"}, credentials, *parse_wall("2026-01-02T03:04:05Z")).canonical),
      "5702699821c8f24bef031b7d87c5dfcbe4d861f0e5b86caa0ff508bc6721c006");
  EXPECT_EQ(signature_of(post, {"eu-west-1", "rds"}, credentials, "2026-01-02T03:04:05Z"),
            "87f48d92d0f983088604efa59975d732f739f2cc025ee9b89e79edb2020a1fd8");
  AwsRequest get = plain("/dr-bucket/a b/c+d.txt");
  get.host = "s3.eu-west-1.amazonaws.com";
  get.query = {{"versionId", "x/y"}, {"partNumber", "2"}};
  get.headers = {{"Range", "bytes=0-9"}};
  credentials.session_token.clear();
  EXPECT_EQ(signature_of(get, {"eu-west-1", "s3"}, credentials, "2026-01-02T03:04:05Z"),
            "c5760f84bff9caedc275a0737483718cb616414e86cdb9e1efca9b184e417c18");
  EXPECT_EQ(to_hex(aws_signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", {"us-east-1", "iam"})),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

TEST(AwsSign, SendsEverythingThatItSigned) {
  AwsCredentials credentials = kS3;
  credentials.session_token = "session";
  AwsRequest request = plain("/k");
  request.headers = {{"If-Match", "\"a\"  \"b\" "}};
  AwsSigned sealed = aws_sign(request, {"us-east-1", "s3"}, credentials, *parse_wall("2013-05-24T00:00:00Z"));
  EXPECT_THAT(sealed.headers.back().second,
              HasSubstr("SignedHeaders=host;if-match;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
  EXPECT_THAT(sealed.canonical, HasSubstr("if-match:\"a\" \"b\"\n"));
  EXPECT_EQ(sealed.headers.size(), 5u);
}

TEST(Sha256, OfPiecesIsThatOfTheWhole) {
  Sha256 hash;
  hash.add("ab");
  hash.add("");
  hash.add("c");
  EXPECT_EQ(hash.finish(), sha256_hex("abc"));
  EXPECT_EQ(sha256_of_file("/nowhere/at/all").error().kind, ErrorKind::not_found);
}

TEST(Xml, IsReadAsFarAsStoresWriteIt) {
  auto read =
      parse_xml("<?xml version=\"1.0\"?>\n<!-- c --><a:R xmlns:a='u>v'><K>x&amp;y&#x41;&lt;</K><E/><K>z</K></a:R>\n");
  ASSERT_TRUE(read.has_value()) << read.error().text();
  EXPECT_EQ(read->name, "R");
  EXPECT_EQ(read->text_of("K"), "x&yA<");
  ASSERT_EQ(read->children.size(), 3u);
  EXPECT_EQ(parse_xml(fmt::format("<a>{}</a>", xml_escape("<&\">'")))->text, "<&\">'");
}

TEST(Xml, ThatIsBrokenOrHostileIsRefused) {
  for (const char* text :
       {"", "<a>", "<a></b>", "<a", "a", "<a></a><b/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>&b;</a>",
        "<a>&#0;</a>", "<a>&#xD800;</a>", "<a><![CDATA[x</a>", "<a b='></a>", "<>x</>"})
    EXPECT_FALSE(parse_xml(text).has_value()) << text;
  std::string deep;
  for (int level = 0; level < 100'000; ++level) deep += "<a>";
  EXPECT_FALSE(parse_xml(deep).has_value());
}

}  // namespace
}  // namespace lifeboat
