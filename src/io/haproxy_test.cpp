#include "io/haproxy.hpp"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

constexpr const char* kStates =
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight\n"
    "3 api 1 east-1 10.1.0.5 2 0 17 0\n3 api 2 west-1 10.2.0.5 2 8 100 100\n3 api 3 west-2 10.2.0.6 0 1 100 100\n";

TEST(HaproxyAnswers, AreReadByTheNamesOfColumns) {
  const char* stats =
      "# "
      "pxname,svname,scur,econ,eresp,status,last_chk,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,qtime,"
      "ctime,"
      "rtime,\n"
      "api,east-1,4,1,2,UP,\"HTTP \"\"200, ok\"\"\",0,90,0,0,10,0,1,2,30,\n"
      "api,west-1,0,0,0,DRAIN,,0,5,0,0,0,0,0,0,1,\n";
  auto servers = parse_haproxy_servers(kStates, stats);
  ASSERT_TRUE(servers) << servers.error().text();
  ASSERT_EQ(servers->size(), 3u);
  const HaproxyServer& east = servers->at(0);
  EXPECT_TRUE(east.up);
  EXPECT_EQ(east.weight, 17);
  EXPECT_EQ(east.sessions, 4);
  EXPECT_EQ(east.responses, 100);
  EXPECT_EQ(east.responses_5xx, 10);
  EXPECT_EQ(east.failed_connections, 3);
  EXPECT_EQ(east.mean_ms, 33);
  EXPECT_TRUE(servers->at(1).drained);
  EXPECT_TRUE(servers->at(2).maintenance);
  EXPECT_FALSE(servers->at(2).up);
}

TEST(HaproxyAnswers, ThatAreNoTablesAreRefusedWithTheirWords) {
  auto servers = parse_haproxy_servers("Permission denied\n", "");
  ASSERT_FALSE(servers);
  EXPECT_NE(servers.error().what.find("Permission denied"), std::string::npos);
}

}  // namespace
}  // namespace lifeboat
