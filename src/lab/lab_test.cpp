#include "lab/lab.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/data/decode.hpp"
#include "core/model/fault_names.hpp"
#include "lab/drill.hpp"
#include "lab/faults.hpp"
#include "lab/machine.hpp"
#include "lab/secrets.hpp"
#include "lab/server_files.hpp"
#include "lab/wire.hpp"
#include "plan/yaml.hpp"

namespace lifeboat::lab {
namespace {

constexpr const char* kPlan = R"(
plan: two-sites
document: {version: "1", owner: tests}
objectives: {rto: 1h, rpo: 1m}
regions: {north: {role: primary}, south: {role: secondary}, world: {role: external}}
hosts:
  web-north: {region: north}
  web-south: {region: south}
  ns: {region: world}
  resolver: {region: world}
services:
  web:
    kind: http
    health: /well
    instances: {north: {host: web-north, port: 9080, count: 2}, south: {host: web-south, port: 9080, count: 1, max: 3}}
    environment: {token: "${secret.web-token}"}
  balancer: {kind: haproxy, backend: web, members: {north: {host: web-north, port: 8080}, south: {host: web-south, port: 8080}}}
  cache:
    kind: redis-cluster
    primary_region: north
    password: cache-password
    members:
      n1: {host: web-north, port: 7001}
      n2: {host: web-north, port: 7002}
      n3: {host: web-north, port: 7003}
      s1: {host: web-south, port: 7001}
      s2: {host: web-south, port: 7002}
      s3: {host: web-south, port: 7003}
  entry: {kind: dns, name: shop.test, zone: shop.test, ttl: 5s, server: ns, resolver: resolver, key_name: dr, key: dns-key,
          targets: {north: web-north, south: web-south}}
scenarios:
  lost: {title: North is lost, applies_to: [north], phases: {}}
)";

Plan plan_from(std::string_view text) {
  auto document = parse_yaml(text);
  EXPECT_TRUE(document) << document.error().message;
  auto plan = decode<Plan>(document->value);
  EXPECT_TRUE(plan) << to_error(plan.error(), "plan").text();
  return *plan;
}

TEST(LabFaults, AreThoseThatAPlanMayName) {
  std::vector<std::string_view> here;
  for (const FaultKind& kind : fault_kinds()) here.push_back(kind.name);
  EXPECT_THAT(here, testing::UnorderedElementsAreArray(kFaultNames));
}

TEST(LabLayout, GivesEveryHostItsOwnAddressInItsRegion) {
  auto layout = lay_out(plan_from(kPlan), 3, Mode::namespaces);
  ASSERT_TRUE(layout);
  EXPECT_EQ(layout->outside().name, "world");
  EXPECT_EQ(layout->host("ns")->address, "10.3.0.1");
  EXPECT_EQ(layout->host("resolver")->address, "10.3.0.2");
  EXPECT_EQ(layout->host("web-north")->address, "10.3.1.1");
  EXPECT_EQ(layout->host("web-south")->address, "10.3.2.1");
  auto loopback = lay_out(plan_from(kPlan), 3, Mode::loopback);
  EXPECT_EQ(loopback->host("web-south")->address, "127.67.2.1");
}

TEST(LabSecrets, MakesOneForEveryNameThatThePlanUses) {
  Plan plan = plan_from(kPlan);
  auto values = make_secrets(plan, "http://10.0.0.4:8025");
  EXPECT_EQ(values["dns-key"].size(), 44U);
  EXPECT_EQ(values["dns-key"].back(), '=');
  EXPECT_TRUE(values.contains("cache-password"));
  EXPECT_TRUE(values.contains("web-token"));
  EXPECT_TRUE(values.contains("api-token"));
  EXPECT_NE(values["cache-password"], make_secrets(plan, "")["cache-password"]);
  auto text = expand_secrets("password '${secret.web-token}';", values);
  EXPECT_EQ(*text, "password '" + values["web-token"] + "';");
  EXPECT_FALSE(expand_secrets("${secret.nobody}", values));
}

TEST(LabServers, BalancerKnowsEveryInstanceThatMayEverRunAndUsesItsOwnRegion) {
  Plan plan = plan_from(kPlan);
  const auto* web = service_as<HttpService>(plan, "web");
  const auto* balancer = service_as<HaproxyService>(plan, "balancer");
  std::string text = haproxy_config(plan, "north", *balancer->members.find("north"), "web", *web);
  EXPECT_NE(text.find("server north-2 web-north:9081 weight 100\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("server north-3"), std::string::npos);
  EXPECT_NE(text.find("server south-3 web-south:9082 weight 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("uri /well"), std::string::npos);
}

TEST(Drill, HitsTheRegionThatTheScenarioIsAbout) {
  Plan plan = plan_from(kPlan);
  EXPECT_EQ(*default_target(plan, *plan.scenarios.find("lost"), "kill-region"), "north");
  EXPECT_EQ(*default_target(plan, *plan.scenarios.find("lost"), "kill-server"), "");
  EXPECT_EQ(*default_target(plan, *plan.scenarios.find("lost"), "cut-node"), "");
  EXPECT_EQ(*default_target(plan, *plan.scenarios.find("lost"), "stop-store"), "");
  EXPECT_FALSE(default_target(plan, *plan.scenarios.find("lost"), "kill-process"));
}

// ---- with real servers

std::string missing_program() {
  if (geteuid() != 0) return "namespaces need root";
  for (const char* name : {"ip", "nft", "knotd", "unbound", "haproxy", "redis-check-rdb"}) {
    if (find_program(name).empty()) return std::string(name) + " is not installed";
  }
  return {};
}

class RealLab : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string why = missing_program(); !why.empty()) GTEST_SKIP() << why;
  }

  static Result<RunningLab> start(Mode mode = Mode::namespaces) {
    LabOptions options{.plan_file = "plan.yaml", .plan = plan_from(kPlan), .daemons = false, .mode = mode};
    return start_lab(std::move(options), [](const std::string&, double) {});
  }

  // What a user gets from a balancer: the status, or 0 when there is no answer.
  static int status_of(const RunningLab& lab, const std::string& address) {
    return in_outside(lab, [&] {
      auto answer = http({.address = address, .port = 8080}, Duration{400});
      return answer ? answer->status : 0;
    });
  }

  // A balancer takes a moment after its start to see that nothing runs behind it.
  static int status_within_seconds(const RunningLab& lab, const std::string& address) {
    int status = 0;
    for (int64_t end = deadline_in(Duration{5000}); status == 0 && boot_ns() < end;) status = status_of(lab, address);
    return status;
  }

  // Processes that still run. What is dead and waits for its parent to look is not one of them.
  static std::vector<pid_t> alive(std::vector<pid_t> pids) {
    for (int64_t end = deadline_in(Duration{2000}); !pids.empty() && boot_ns() < end; pause_for(Duration{10})) {
      std::erase_if(pids, [](pid_t pid) {
        auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
        return !stat || stat->find(") Z ") != std::string::npos || stat->find(") X ") != std::string::npos;
      });
    }
    return pids;
  }

  // In a process of its own, so that this one stays where it is.
  template <class F>
  static int in_outside(const RunningLab& lab, F what) {
    pid_t pid = fork();
    if (pid == 0) _exit(enter_outside(lab.folder()) ? what() / 10 : 255);
    int code = 0;
    waitpid(pid, &code, 0);
    return WEXITSTATUS(code) * 10;
  }
};

TEST_F(RealLab, ServesUsersByNameAndLeavesNothingBehind) {
  std::string folder;
  std::vector<pid_t> processes;
  {
    auto lab = start();
    ASSERT_TRUE(lab) << lab.error().text();
    folder = lab->folder();
    std::string network = "10." + std::to_string(lab->number());
    int found = in_outside(*lab, [&] {
      auto address = dns_address(network + ".0.2", 53, "shop.test", Duration{2000});
      return address && *address == network + ".1.1" ? 10 : 0;
    });
    EXPECT_EQ(found, 10) << "the resolver leads to the primary region's balancer";
    EXPECT_EQ(status_within_seconds(*lab, network + ".1.1"), 500)
        << "the balancer answers 503: nothing runs behind it here";
    processes = descendants(lab->guard());
    EXPECT_GT(processes.size(), 10U);
    struct stat info{};
    ASSERT_EQ(stat((folder + "/secrets/dns-key").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    ASSERT_EQ(stat(folder.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0711U);
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_THAT(alive(processes), testing::IsEmpty());
}

TEST_F(RealLab, CutsARegionOffInSilenceAndMendsIt) {
  auto lab = start();
  ASSERT_TRUE(lab) << lab.error().text();
  std::string north = "10." + std::to_string(lab->number()) + ".1.1";
  ASSERT_EQ(status_within_seconds(*lab, north), 500);
  ASSERT_TRUE(ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", "cut-region"}, {"target", "north"}}));
  EXPECT_EQ(status_of(*lab, north), 0);
  auto healed = ask_lab(lab->folder(), JsonObject{{"do", "heal"}});
  ASSERT_TRUE(healed) << healed.error().text();
  EXPECT_EQ(status_within_seconds(*lab, north), 500);
}

TEST_F(RealLab, CutsAndFreezesOneHostAndLeavesItsNeighboursAlone) {
  auto lab = start();
  ASSERT_TRUE(lab) << lab.error().text();
  std::string network = "10." + std::to_string(lab->number()), north = network + ".1.1", south = network + ".2.1";
  ASSERT_EQ(status_within_seconds(*lab, north), 500);
  ASSERT_EQ(status_within_seconds(*lab, south), 500);
  for (const auto& [fault, target] :
       std::vector<std::pair<std::string, std::string>>{{"cut-node", "web-north"},
                                                        {"cut-node-one-way", "web-north"},
                                                        {"cut-node-one-way", "web-north:out"},
                                                        {"freeze-node", "web-north"}}) {
    auto hit = ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", fault}, {"target", target}});
    ASSERT_TRUE(hit) << hit.error().text();
    EXPECT_EQ(status_of(*lab, north), 0) << fault << " " << target;
    EXPECT_EQ(status_of(*lab, south), 500) << fault << " " << target;
    auto healed = ask_lab(lab->folder(), JsonObject{{"do", "heal"}});
    ASSERT_TRUE(healed) << healed.error().text();
    EXPECT_EQ(status_within_seconds(*lab, north), 500) << fault << " " << target << " is healed";
  }
  // What each host is asked from outside is answered: only the two do not reach each other.
  ASSERT_TRUE(
      ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", "cut-pair"}, {"target", "web-north+web-south"}}));
  EXPECT_EQ(status_of(*lab, north), 500);
  EXPECT_EQ(status_of(*lab, south), 500);
  auto wrong = ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", "cut-nod"}, {"target", "web-north"}});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().text(), testing::HasSubstr("cut-node"));
  auto without = ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", "stop-store"}, {"target", ""}});
  ASSERT_FALSE(without);
  EXPECT_THAT(without.error().text(), testing::HasSubstr("have no store in etcd"));
}

TEST_F(RealLab, KillsAllOfARegionAtOnceAndStartsItAgain) {
  auto lab = start();
  ASSERT_TRUE(lab) << lab.error().text();
  std::string network = "10." + std::to_string(lab->number());
  size_t before = descendants(lab->guard()).size();
  auto hit = ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", "kill-region"}, {"target", "north"}});
  ASSERT_TRUE(hit) << hit.error().text();
  EXPECT_EQ(descendants(lab->guard()).size(), before - 5) << "a balancer, three caches and the host itself";
  EXPECT_EQ(status_of(*lab, network + ".1.1"), 0);
  EXPECT_EQ(status_within_seconds(*lab, network + ".2.1"), 500) << "the other region goes on";
  auto healed = ask_lab(lab->folder(), JsonObject{{"do", "heal"}});
  ASSERT_TRUE(healed) << healed.error().text();
  EXPECT_EQ(status_within_seconds(*lab, network + ".1.1"), 500);
}

TEST_F(RealLab, IsGoneWhenItsGuardIsKilledAndTwoDoNotTouchEachOther) {
  auto first = start();
  ASSERT_TRUE(first) << first.error().text();
  auto second = start();
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_NE(first->number(), second->number());
  std::vector<pid_t> processes = descendants(first->guard());
  std::string folder = first->folder();
  kill(first->guard(), SIGKILL);
  first->stop();
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_THAT(alive(processes), testing::IsEmpty());
  EXPECT_EQ(status_within_seconds(*second, "10." + std::to_string(second->number()) + ".1.1"), 500);
}

TEST_F(RealLab, SaysWhatIsMissingWithoutNamespaces) {
  auto lab = start(Mode::loopback);
  ASSERT_TRUE(lab) << lab.error().text();
  auto cut = ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", "cut-region"}, {"target", "north"}});
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().kind, ErrorKind::unsupported);
  std::vector<pid_t> processes = descendants(lab->guard());
  ASSERT_TRUE(ask_lab(lab->folder(), JsonObject{{"do", "fault"}, {"fault", "kill-region"}, {"target", "north"}}));
  EXPECT_LT(descendants(lab->guard()).size(), processes.size());
  lab->stop();
  EXPECT_THAT(alive(processes), testing::IsEmpty());
}

}  // namespace
}  // namespace lifeboat::lab
