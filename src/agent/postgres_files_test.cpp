#include "agent/postgres_files.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

wire::ServerConfig config() {
  wire::ServerConfig out;
  out.member = "east-1";
  out.port = 5433;
  out.listen = "10.1.0.5";
  out.replication_user = "rep'l";
  out.replication_password = R"(p:a\s's)";
  out.members.add("east-1", wire::Peer{"10.1.0.5", 5433});
  out.members.add("west-1", wire::Peer{"10.2.0.5", 5434});
  return out;
}
ServerPaths paths() { return {"/f", "/f/data", "/f/socket", "/f/pass file", "/f/log"}; }

TEST(PostgresFiles, AStandbyNamesItsUpstreamAndItsOwnSlot) {
  std::string text = settings_text(config(), paths(), "west-1");
  EXPECT_NE(text.find("primary_slot_name = 'east_1'\n"), std::string::npos);
  EXPECT_NE(text.find("host=''10.2.0.5'' port=5434"), std::string::npos);
  // The server reads the doubled quotes as one, and libpq the escaped one within.
  EXPECT_NE(text.find(R"(user=''rep\''l'')"), std::string::npos);
  EXPECT_NE(text.find("passfile=''/f/pass file''"), std::string::npos);
}

TEST(PostgresFiles, APrimaryKeepsNothingOfAStandby) {
  std::string text = settings_text(config(), paths(), "");
  EXPECT_NE(text.find("primary_conninfo = ''\n"), std::string::npos);
  EXPECT_NE(text.find("primary_slot_name = ''\n"), std::string::npos);
}

// Addresses are given to a server that the agent starts, and to none that somebody else does.
TEST(PostgresFiles, NoAddressStandsWhereAServerThatIsStartedByHandReadsIt) {
  std::string text = settings_text(config(), paths(), "");
  EXPECT_NE(text.find("listen_addresses = ''\n"), std::string::npos);
  EXPECT_EQ(text.find("10.1.0.5"), std::string::npos);
}

// With the default of 5 s a promotion may sleep through it.
TEST(PostgresFiles, ARetryOfWalIsNeverSleptOut) {
  EXPECT_NE(settings_text(config(), paths(), "west-1").find("wal_retrieve_retry_interval = '50ms'\n"),
            std::string::npos);
}

// The agent reads it.
TEST(PostgresFiles, TheLogIsInWordsThatAreKnown) {
  EXPECT_NE(settings_text(config(), paths(), "").find("lc_messages = 'C'\n"), std::string::npos);
}

TEST(PostgresFiles, ThePasswordStandsOnlyInThePassfile) {
  EXPECT_EQ(settings_text(config(), paths(), "west-1").find("p:a"), std::string::npos);
  EXPECT_EQ(connection_info(config(), "west-1", paths()).find("p:a"), std::string::npos);
  EXPECT_NE(passfile_text(config()).find(R"(10.2.0.5:5434:*:rep'l:p\:a\\s's)"), std::string::npos);
}

TEST(PostgresFiles, TextInSqlIsQuotedWhateverItHolds) {
  EXPECT_EQ(sql_literal("it's"), "'it''s'");
  EXPECT_EQ(sql_literal(R"(a\'b)"), R"(E'a\\''b')");
  EXPECT_EQ(sql_name(R"(we"ird)"), R"("we""ird")");
}

TEST(PostgresFiles, OnlyTheSuperuserOnTheSocketComesInWithoutAPassword) {
  std::string text = access_text(config());
  EXPECT_EQ(text.find("trust"), text.find("local all postgres trust") + std::string("local all postgres ").size());
  EXPECT_EQ(text.rfind("trust"), text.find("trust"));
}

}  // namespace
}  // namespace lifeboat
