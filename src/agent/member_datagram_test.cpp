#include "agent/member_datagram.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

const std::string kPassword = "a password of replicas";

std::string sample(const std::string& password = kPassword, const std::string& to = "west-1") {
  return member_datagram(password, "database", "east-1", to, "keep", JsonObject{{"term", 4}});
}

TEST(MemberDatagram, ComesThroughAsItWasSent) {
  auto read = read_member_datagram(kPassword, "database", "west-1", sample());
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->from, "east-1");
  EXPECT_EQ(read->type, "keep");
  EXPECT_EQ(to_text(read->body), R"({"term":4})");
}

TEST(MemberDatagram, OfSomebodyElseIsRefused) {
  EXPECT_FALSE(read_member_datagram(kPassword, "database", "west-1", sample("another password")));
  EXPECT_FALSE(read_member_datagram(kPassword, "database", "east-2", sample())) << "meant for another member";
  EXPECT_FALSE(read_member_datagram(kPassword, "orders", "west-1", sample())) << "about another database";
  // An empty password is nobody's secret.
  EXPECT_FALSE(read_member_datagram("", "database", "west-1", sample("")));
}

TEST(MemberDatagram, WithAnyByteChangedOrMissingIsRefused) {
  std::string whole = sample();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string other = whole;
    other[at] = static_cast<char>(other[at] ^ 1);
    EXPECT_FALSE(read_member_datagram(kPassword, "database", "west-1", other)) << at;
    EXPECT_FALSE(read_member_datagram(kPassword, "database", "west-1", whole.substr(0, at))) << at;
  }
  EXPECT_FALSE(read_member_datagram(kPassword, "database", "west-1", whole + std::string(kMemberDatagramMost, ' ')));
}

}  // namespace
}  // namespace lifeboat
