#include "io/secrets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::Not;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/lifeboat-secrets-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Crypto, HashesAndSignsAsTheStandardsSay) {
  // FIPS 180-2 and RFC 4231, test case 2.
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hmac_sha256_hex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

// RFC 7677, section 3: the verifier must fit to what its two sides say.
TEST(Crypto, AScramVerifierFitsToTheExampleOfTheStandard) {
  std::string salt = *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
  std::string verifier = scram_verifier("pencil", salt);
  std::string begin = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$";
  ASSERT_TRUE(verifier.starts_with(begin)) << verifier;
  size_t colon = verifier.rfind(':');
  std::string stored = *base64_decode(verifier.substr(begin.size(), colon - begin.size()));
  std::string server = *base64_decode(verifier.substr(colon + 1));
  std::string nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  std::string said =
      "n=user,r=rOprNGfwEbeRWgbNEkqO,r=" + nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=" + nonce;
  EXPECT_EQ(base64_encode(hmac_sha256(server, said)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  std::string client = *base64_decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), mask = hmac_sha256(stored, said);
  for (size_t at = 0; at < client.size(); ++at) client[at] = static_cast<char>(client[at] ^ mask[at]);
  EXPECT_EQ(sha256_hex(client), to_hex(stored));
}

TEST(Crypto, AVerifierFitsItsOwnPasswordOnly) {
  std::string salt = *base64_decode("W22ZaJ0SNY7soEsUEjb6gQ==");
  std::string verifier = scram_verifier("pencil", salt);
  EXPECT_TRUE(scram_fits(verifier, "pencil"));
  EXPECT_FALSE(scram_fits(verifier, "pencils"));
  EXPECT_FALSE(scram_fits(verifier + "x", "pencil"));
  for (const char* none : {"", "md5abc", "SCRAM-SHA-256$", "SCRAM-SHA-256$0:YQ==$x:y",
                           "SCRAM-SHA-256$99999999999:YQ==$x:y", "SCRAM-SHA-256$4096:%$x:y", "SCRAM-SHA-256$$4096:x"})
    EXPECT_FALSE(scram_fits(none, "pencil")) << none;
}

TEST(Crypto, CodesBase64BothWaysAndRefusesWhatIsNone) {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
  EXPECT_EQ(base64_encode("fooba"), "Zm9vYmE=");
  for (std::string bad : {"Zg", "Zg=", "Z===", "Zm9v ", " Zm9v", "Zm9v\n", "Zm-v", "=Zm9"})
    EXPECT_FALSE(base64_decode(bad)) << bad;
}

TEST(Crypto, ComparesAndDrawsRandomBytes) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
  EXPECT_EQ(random_hex(16).size(), 32u);
  EXPECT_NE(random_hex(16), random_hex(16));
}

TEST(File, ReplacesAWholeFileWithItsModeAndLeavesNothingBeside) {
  Folder folder;
  std::string path = folder.file("a");
  ASSERT_TRUE(write_file_atomic(path, "one", 0600).has_value());
  ASSERT_TRUE(write_file_atomic(path, "two", 0640).has_value());
  EXPECT_EQ(*read_file(path), "two");
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0640u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), std::filesystem::directory_iterator()),
            1);
  EXPECT_EQ(write_file_atomic(folder.file("no/such/folder"), "x").error().kind, ErrorKind::not_found);
  EXPECT_EQ(read_file(path, 2).error().kind, ErrorKind::refused);
  EXPECT_EQ(read_file(folder.file("none")).error().kind, ErrorKind::not_found);
}

TEST(Secrets, AreReadFromFilesThatOthersCannotRead) {
  Folder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("db-password"), "tr0ub4dor&3\n", 0600).has_value());
  ASSERT_TRUE(write_file_atomic(folder.file("open"), "tr0ub4dor&3", 0644).has_value());
  ASSERT_TRUE(write_file_atomic(folder.file("nothing"), "\n", 0600).has_value());
  Secrets secrets(folder.path());
  EXPECT_EQ(*secrets.get("db-password"), "tr0ub4dor&3");
  auto open = secrets.get("open");
  ASSERT_FALSE(open.has_value());
  EXPECT_EQ(open.error().kind, ErrorKind::refused);
  EXPECT_THAT(open.error().hint, HasSubstr("chmod 600"));
  EXPECT_THAT(open.error().text(), Not(HasSubstr("tr0ub")));
  EXPECT_EQ(secrets.get("none").error().kind, ErrorKind::not_found);
  EXPECT_EQ(secrets.get("nothing").error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(secrets.get("../etc/passwd").error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(secrets.get("").error().kind, ErrorKind::invalid_input);
}

TEST(Secrets, ARenewedOneIsReadFromTheFileOfItsGeneration) {
  Folder folder;
  ASSERT_TRUE(write_file_atomic(folder.file("key"), "the first value", 0600));
  ASSERT_TRUE(write_file_atomic(folder.file("key.2"), "the second value", 0600));
  Secrets secrets(folder.path());
  EXPECT_EQ(secrets.get("key"), "the first value");
  EXPECT_EQ(secrets.next("key"), "the second value");
  EXPECT_EQ(secrets.get("key"), "the first value") << "looking at the next one changes nothing";
  secrets.use("key", 2);
  EXPECT_EQ(secrets.get("key"), "the second value");
  auto none = secrets.next("key");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().text(), HasSubstr("key.3"));
  // What was once a secret stays one.
  EXPECT_THAT(secrets.redact("the first value, the second value"), Not(HasSubstr("value")));
}

TEST(Secrets, AreTakenOutOfTextInEveryFormTheyMayHave) {
  Folder folder;
  std::string value = "p\"a ss/w\\ord+1";
  ASSERT_TRUE(write_file_atomic(folder.file("key"), value, 0600).has_value());
  ASSERT_TRUE(write_file_atomic(folder.file("pin"), "1234", 0600).has_value());
  Secrets secrets(folder.path());
  EXPECT_EQ(secrets.redact("before " + value), "before " + value) << "not known yet";
  ASSERT_TRUE(secrets.get("key").has_value());
  ASSERT_TRUE(secrets.get("pin").has_value());
  EXPECT_EQ(secrets.redact("at 1234, " + value + "!"), "at 1234, (secret key)!") << "too short to be hidden";
  EXPECT_EQ(secrets.redact("b64 " + base64_encode(value)), "b64 (secret key)");
  EXPECT_EQ(secrets.redact("url " + percent_encode(value)), "url (secret key)");
  EXPECT_EQ(secrets.redact("hex " + to_hex(value)), "hex (secret key)");
  EXPECT_EQ(secrets.redact(to_text(Json(value))), "\"(secret key)\"");
  // Basic authentication: the value stands behind a user's name.
  EXPECT_THAT(secrets.redact(base64_encode("user:" + value)), HasSubstr("(secret key)"));
  Error error = secrets.redact(Error{ErrorKind::refused, "bad " + value, "", "try " + value, {value}});
  EXPECT_THAT(error.text(), Not(HasSubstr("ss/w")));
}

}  // namespace
}  // namespace lifeboat
