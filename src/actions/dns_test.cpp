// dns.switch and the adapter below it, against Knot DNS as the authority and Unbound as the users' resolver.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/registry.hpp"
#include "actions/test_servers.hpp"
#include "actions/test_world.hpp"
#include "io/dns.hpp"

namespace lifeboat {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
constexpr const char* kKnot = "/usr/sbin/knotd";
constexpr const char* kUnbound = "/usr/sbin/unbound";
constexpr const char* kSecret = "c2VjcmV0LW9mLXRoZS1kci1rZXktMzItYnl0ZXMtbG9uZyE=";
constexpr const char* kOtherSecret = "YW5vdGhlci1zZWNyZXQtdGhhdC1pcy0zMi1ieXRlcy1sb25nIQ==";

class DnsSwitchAction : public testing::Test {
 protected:
  void SetUp() override {
    if (!have_program(kKnot)) GTEST_SKIP() << kKnot << " is missing";
    port = free_port();
    folder = world.folder().string();
    std::filesystem::create_directory(folder + "/db");
    std::ofstream(folder + "/shop.zone") << "$ORIGIN shop.test.\n$TTL 3600\n"
                                            "@ SOA ns.shop.test. admin.shop.test. 100 3600 600 86400 5\n"
                                            "@ NS ns\nns A 127.0.0.1\nwww 2 A 192.0.2.1\nmail A 192.0.2.9\n"
                                            "alias CNAME www\n";
    std::ofstream(folder + "/knot.conf") << fmt::format(R"(server:
  rundir: "{0}"
  listen: "127.0.0.1@{1}"
  user: root
database:
  storage: "{0}/db"
key:
  - id: dr-key.
    algorithm: hmac-sha256
    secret: {2}
acl:
  - id: dr-update
    key: dr-key.
    action: update
    update-owner: name
    update-owner-match: equal
    update-owner-name: [www, new, alias]
zone:
  - domain: shop.test
    storage: "{0}"
    acl: dr-update
    file: shop.zone
    zonefile-sync: 0
    journal-content: changes
    serial-policy: increment
)",
                                                        folder, port, kSecret);
    knot = TestProcess(kKnot, {"knotd", "-c", folder + "/knot.conf"}, folder + "/knot.log");
    world.add_secret("dns-key", kSecret);
    for (const char* region : {"east", "west"}) world.add_region(region);
    world.add_host("lb-east", "east", "192.0.2.1");
    world.add_host("lb-west", "west", "192.0.2.2");
    world.add_host("ns", "east", "127.0.0.1");
    set_service("www.shop.test", "dr-key.", {});
    ASSERT_TRUE(eventually([&] { return ask("www.shop.test").authoritative; }));
  }
  void set_service(const std::string& name, const std::string& key_name, std::optional<Identifier> resolver) {
    DnsService service{.name = name,
                       .zone = "shop.test",
                       .ttl = Duration{2'000},
                       .server = {"ns"},
                       .port = port,
                       .key_name = key_name,
                       .key = SecretRef{"dns-key"},
                       .resolver = resolver};
    service.targets.add("east", Identifier{"lb-east"});
    service.targets.add("west", Identifier{"lb-west"});
    world.plan.services = {};
    world.plan.services.add("entry", service);
  }
  DnsAnswer ask(const std::string& name) {
    auto answer = TestWorld::run(query_a({"127.0.0.1", port}, name, false, Deadline::after(Duration{2'000})));
    return answer ? *answer : DnsAnswer{.rcode = answer.error().text()};
  }
  Result<void> update(std::vector<std::string> expected, std::vector<std::string> wanted, TsigKey key,
                      std::string name = "www.shop.test") {
    DnsUpdate change{.zone = "shop.test", .name = name, .ttl = Duration{2'000}, .expected = expected, .wanted = wanted};
    return TestWorld::run(update_a_record({"127.0.0.1", port}, change, key, Deadline::after(Duration{2'000})));
  }

  const std::string to_west = R"({"service": "entry", "to": "west"})";
  TestWorld world;
  std::string folder;
  int port = 0;
  TestProcess knot;
};

TEST_F(DnsSwitchAction, ReplacesTheAddressOnceAndCanTakeItBack) {
  auto before = world.observe(dns_switch_action(), to_west);
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_FALSE(before->holds);
  EXPECT_EQ(before->state, "www.shop.test → 192.0.2.1");
  auto outcome = world.apply(dns_switch_action(), to_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  std::cout << outcome->summary << " (" << outcome->data.at("authoritative_after_s").as_double() << " s)\n";
  EXPECT_THAT(ask("www.shop.test").addresses, ElementsAre("192.0.2.2"));
  EXPECT_EQ(ask("www.shop.test").ttl, Duration{2'000});
  EXPECT_EQ(outcome->data.at("caches_expired_after_s").as_double(), 2.0);
  EXPECT_TRUE(world.observe(dns_switch_action(), to_west)->holds);
  auto again = world.apply(dns_switch_action(), to_west);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_FALSE(again->data.at("changed").as_bool());

  auto undone = world.undo(dns_switch_action(), to_west, outcome->data);
  ASSERT_TRUE(undone) << undone.error().text();
  EXPECT_THAT(ask("www.shop.test").addresses, ElementsAre("192.0.2.1"));
}

TEST_F(DnsSwitchAction, DoesNotTakeBackWhatSomebodyElseHasChangedSince) {
  auto outcome = world.apply(dns_switch_action(), to_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  ASSERT_TRUE(update({"192.0.2.2"}, {"192.0.2.77"}, {"dr-key.", kSecret}));
  auto undone = world.undo(dns_switch_action(), to_west, outcome->data);
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().kind, ErrorKind::conflict);
  EXPECT_THAT(ask("www.shop.test").addresses, ElementsAre("192.0.2.77"));
}

TEST_F(DnsSwitchAction, CreatesANameThatHasNoAddressYet) {
  set_service("new.shop.test", "dr-key.", {});
  auto outcome = world.apply(dns_switch_action(), to_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_THAT(ask("new.shop.test").addresses, ElementsAre("192.0.2.2"));
  // Taking it back would leave the name without an address.
  EXPECT_EQ(world.undo(dns_switch_action(), to_west, outcome->data).error().kind, ErrorKind::refused);
}

TEST_F(DnsSwitchAction, WaitsUntilTheResolverOfUsersHasTheNewAddress) {
  if (!have_program(kUnbound)) GTEST_SKIP() << kUnbound << " is missing";
  std::string address = fmt::format("127.{}.{}.53", 100 + getpid() / 250 % 100, 1 + getpid() % 250);
  std::ofstream(folder + "/unbound.conf") << fmt::format(R"(server:
  interface: {1}
  port: 53
  do-daemonize: no
  use-syslog: no
  username: ""
  chroot: ""
  directory: "{0}"
  pidfile: "{0}/unbound.pid"
  do-not-query-localhost: no
  module-config: "iterator"
  access-control: 127.0.0.0/8 allow
  local-zone: "test." nodefault
stub-zone:
  name: "shop.test"
  stub-addr: 127.0.0.1@{2}
)",
                                                         folder, address, port);
  TestProcess unbound(kUnbound, {"unbound", "-d", "-c", folder + "/unbound.conf"}, folder + "/unbound.log");
  auto cached = [&] {
    auto answer = TestWorld::run(query_a({address, 53}, "www.shop.test", true, Deadline::after(Duration{500})));
    return answer && answer->addresses == std::vector<std::string>{"192.0.2.1"};
  };
  ASSERT_TRUE(eventually(cached));
  world.add_host("resolver", "east", address);
  set_service("www.shop.test", "dr-key.", Identifier{"resolver"});
  auto outcome = world.apply(dns_switch_action(), to_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  ASSERT_TRUE(outcome->data.at("resolver_after_s").is_double()) << outcome->summary;
  double seconds = outcome->data.at("resolver_after_s").as_double();
  std::cout << "resolver had it after " << seconds << " s\n";
  EXPECT_LE(seconds, 3.0);
}

TEST_F(DnsSwitchAction, ResolverThatIsSilentDoesNotUndoTheSwitch) {
  world.add_host("resolver", "east", "127.99.99.99");
  set_service("www.shop.test", "dr-key.", Identifier{"resolver"});
  auto outcome = world.apply(dns_switch_action(), to_west);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_TRUE(outcome->data.at("resolver_after_s").is_null());
  EXPECT_THAT(ask("www.shop.test").addresses, ElementsAre("192.0.2.2"));
}

TEST_F(DnsSwitchAction, SaysWhyItIsRefused) {
  auto wrong_secret = update({"192.0.2.1"}, {"192.0.2.2"}, {"dr-key.", kOtherSecret});
  ASSERT_FALSE(wrong_secret);
  EXPECT_EQ(wrong_secret.error().kind, ErrorKind::refused);
  EXPECT_THAT(wrong_secret.error().text(), HasSubstr("NOTAUTH (BADSIG)"));
  EXPECT_THAT(wrong_secret.error().text(), testing::Not(HasSubstr(kOtherSecret)));
  auto unknown_key = update({"192.0.2.1"}, {"192.0.2.2"}, {"no-key.", kSecret});
  ASSERT_FALSE(unknown_key);
  EXPECT_THAT(unknown_key.error().text(), HasSubstr("BADKEY"));
  auto unsigned_update = update({"192.0.2.1"}, {"192.0.2.2"}, {});
  ASSERT_FALSE(unsigned_update);
  EXPECT_THAT(unsigned_update.error().text(), HasSubstr("not signed"));
  auto other_name = update({"192.0.2.9"}, {"192.0.2.2"}, {"dr-key.", kSecret}, "mail.shop.test");
  ASSERT_FALSE(other_name);
  EXPECT_EQ(other_name.error().kind, ErrorKind::refused);
  auto conflict = update({"192.0.2.55"}, {"192.0.2.2"}, {"dr-key.", kSecret});
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().kind, ErrorKind::conflict);
  EXPECT_EQ(update({"192.0.2.1"}, {}, {"dr-key.", kSecret}).error().kind, ErrorKind::invalid_input);
  EXPECT_EQ(update({"192.0.2.1"}, {"west"}, {"dr-key.", kSecret}).error().kind, ErrorKind::invalid_input);
  EXPECT_THAT(ask("www.shop.test").addresses, ElementsAre("192.0.2.1"));
}

TEST_F(DnsSwitchAction, NoticesThatANameIsAnAlias) {
  set_service("alias.shop.test", "dr-key.", {});
  auto outcome = world.apply(dns_switch_action(), to_west);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::conflict);
}

TEST_F(DnsSwitchAction, ServerThatIsSilentIsAnErrorInTime) {
  knot.kill_now();
  MonoTime began = boot_now();
  auto outcome = world.observe(dns_switch_action(), to_west);
  ASSERT_FALSE(outcome);
  EXPECT_LT(to_seconds(boot_now() - began), 3.0);
}

}  // namespace
}  // namespace lifeboat
