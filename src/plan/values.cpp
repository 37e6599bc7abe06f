// Values that cannot be meant: outside their range, or at odds with each other.
#include "core/backup/expiry.hpp"
#include "core/backup/schedule.hpp"
#include "core/base/similar.hpp"
#include "core/logical/place.hpp"
#include "core/rehearsal/by_itself.hpp"
#include "plan/meaning.hpp"

namespace lifeboat {
namespace {

using namespace std::chrono_literals;

constexpr Duration kShortestLease = 500ms, kLongestLease = 10min;

bool is_address(std::string_view text) {
  return text.size() <= 255 && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == ':' || c == '_';
         });
}

// A name of the DNS: labels of letters, digits, '-' and '_', up to 63 long, 253 in all.
bool is_dns_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 253 || text.find(':') != std::string_view::npos || !is_address(text)) return false;
  for (size_t start = 0; start <= text.size();) {
    size_t end = std::min(text.find('.', start), text.size());
    if (end == start || end - start > 63) return false;
    start = end + 1;
  }
  return true;
}

class Values {
 public:
  Values(const Plan& plan, Findings& out) : plan_(plan), out_(out) {}

  void all() {
    if (plan_.objectives.rto <= 0ms) wrong("/objectives/rto", "an RTO of nothing cannot be met", "4h, for example");
    if (plan_.regions.empty()) wrong("/regions", "there is no region", "name at least one");
    if (plan_.hosts.empty()) wrong("/hosts", "there is no host", "name at least one");
    if (plan_.scenarios.empty()) wrong("/scenarios", "there is no scenario", "write at least one");
    for (const auto& [name, host] : plan_.hosts) {
      if (!is_address(host.address))
        wrong("/hosts/" + name + "/address", "an address is a host name or an IP address",
              "10.1.0.3 or db1.example.com");
    }
    variables();
    controllers();
    for (const auto& [name, service] : plan_.services) {
      at_ = "/services/" + name;
      std::visit([this](const auto& known) { judge(known); }, service);
    }
    signals();
    people();
    if (plan_.safety.automatic_runs) {
      if (plan_.safety.automatic_runs->at_most < 0)
        wrong("/safety/automatic_runs/at_most", "less than none", "0 or more");
      if (plan_.safety.automatic_runs->within <= 0ms)
        wrong("/safety/automatic_runs/within", "a limit needs a time to hold in", "24h, for example");
    }
    if (plan_.safety.take_over) {
      const TakeOver& take_over = *plan_.safety.take_over;
      count(take_over.need, 2, 100, "/safety/take_over/need");
      size_t there = people_of(plan_, take_over.of).size();
      if (there < static_cast<size_t>(take_over.need))
        wrong("/safety/take_over/of",
              fmt::format("these roles have {} people, and {} are needed", there, take_over.need),
              "name more roles, or give them people");
    }
    journey();
    for (const auto& [name, scenario] : plan_.scenarios) scenario_values(name, scenario);
    drills();
  }

 private:
  void wrong(std::string path, std::string message, std::string suggestion, bool at_key = false) {
    out_.push_back(
        {"value", Severity::error, std::move(message), std::move(path), std::move(suggestion), at_key, {}, {}});
  }
  void port(int number, std::string path, int count = 1) {
    if (number < 1 || number > 65535 || number > 65536 - count)
      wrong(std::move(path), fmt::format("{} is not a port", number), "1 to 65535");
  }
  void span(Duration value, Duration least, Duration most, std::string path) {
    if (value >= least && value <= most) return;
    wrong(std::move(path), fmt::format("{} is out of range", format_duration(value)),
          fmt::format("{} to {}", format_duration(least), format_duration(most)));
  }
  void count(int value, int least, int most, std::string path) {
    if (value < least || value > most)
      wrong(std::move(path), fmt::format("{} is out of range", value), fmt::format("{} to {}", least, most));
  }
  void url_path(std::string_view text, std::string path) {
    bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c != 0x7f; });
    if (!text.starts_with('/') || !plain)
      wrong(std::move(path), "a path begins with '/' and has no spaces", "/health, for example");
  }
  void only_references(std::string_view text, const std::vector<std::string>& known, const std::string& path) {
    for (const std::string& name : references_in(text)) {
      bool host = name.starts_with("host.");
      if (host && plan_.hosts.contains(name.substr(5))) continue;
      if (std::ranges::find(known, name) != known.end()) continue;
      if (name.starts_with("secret.") && std::ranges::find(known, "secret.NAME") != known.end() &&
          is_identifier(name.substr(7)))
        continue;
      std::string hint = host ? did_you_mean(name.substr(5), plan_.hosts.names()) : "";
      if (hint.empty()) hint = fmt::format("known here: {}", fmt::join(known, ", "));
      wrong(path, fmt::format("${{{}}} is not known here", Decoder::printable(name)), hint);
    }
  }

  void variables() {
    auto literal = [this](const OrderedMap<Json>& vars, const std::string& at) {
      for (const auto& [name, value] : vars) {
        if (value.is_string() && std::string_view(value.get_string()).find("${") != std::string_view::npos)
          wrong(at + "/" + name, "a variable cannot refer to another", "write the value out");
      }
    };
    literal(plan_.vars, "/vars");
    for (const auto& [name, scenario] : plan_.scenarios) literal(scenario.vars, "/scenarios/" + name + "/vars");
    for (const auto& [name, profile] : plan_.profiles) {
      for (const auto& [service, lease] : profile.leases)
        span(lease, kShortestLease, kLongestLease, "/profiles/" + name + "/leases/" + service);
      std::string at = "/profiles/" + name + "/vars";
      literal(profile.vars, at);
      for (const auto& [var, value] : profile.vars) {
        if (plan_.vars.contains(var)) continue;
        wrong(at + "/" + var, fmt::format("the plan has no variable '{}' that a profile could change", var),
              did_you_mean(var, plan_.vars.names()), true);
      }
    }
  }

  template <class Members>
  void endpoints(const Members& members) {
    if (members.empty()) wrong(at_ + "/members", "there is no member", "name at least one");
    std::vector<std::pair<std::string, int>> seen;
    for (const auto& [name, entry] : members) {
      std::string path = at_ + "/members/" + name;
      port(entry.port, path + "/port");
      std::pair<std::string, int> here{entry.host.text, entry.port};
      if (std::ranges::find(seen, here) != seen.end())
        wrong(path, fmt::format("another member is already at {}:{}", here.first, here.second),
              "each has its own host or port");
      seen.push_back(here);
    }
  }

  void judge(const PostgresService& service) {
    endpoints(service.members);
    span(service.lease, kShortestLease, kLongestLease, at_ + "/lease");
    if (service.max_lag) span(*service.max_lag, 1ms, 24h * 30, at_ + "/max_lag");
    constexpr int kMostCopies = 8;
    if (service.sync_copies < 1 || service.sync_copies > kMostCopies)
      wrong(at_ + "/sync_copies", fmt::format("a commit waits for 1 to {} other members", kMostCopies),
            "replication: async, if it is to wait for nobody");
    if (service.database.empty()) wrong(at_ + "/database", "the name of the database is empty", "");
    if (service.user.empty()) wrong(at_ + "/user", "the role is empty", "");
    const PostgresMember* primary = service.members.find(service.primary.text);
    if (primary != nullptr && !primary->candidate)
      wrong(at_ + "/primary", "the primary is a member that is never promoted",
            "name another, or remove candidate: false");
    for (const auto& [name, entry] : service.members) {
      if (!entry.data_dir.empty() && !entry.data_dir.starts_with('/'))
        wrong(at_ + "/members/" + name + "/data_dir", "a data directory is a full path",
              "/var/lib/postgresql/15/main, for example");
    }
    if (service.backups) backups(*service.backups, at_ + "/backups");
  }
  void backups(const Backups& known, const std::string& at) {
    if (known.tool != "pgbackrest" && known.tool != "pg_dump")
      wrong(at + "/tool", fmt::format("'{}' is no tool that is known", Decoder::printable(known.tool)),
            "pgbackrest or pg_dump");
    if (auto schedule = backup::parse_schedule(known.schedule); !schedule)
      wrong(at + "/schedule", Decoder::printable(schedule.error()),
            "full weekly, diff daily, incr every 6h and wal continuous are some");
    if (auto retention = backup::parse_retention(known.retention); !retention)
      wrong(at + "/retention", Decoder::printable(retention.error()), "'4 full', '4 full 6 diff' or '30d'");
    port(known.port, at + "/port");
    auto plain = [&](std::string_view text, const std::string& path) {
      bool good = std::ranges::all_of(text, [](char c) { return c > ' ' && c != 0x7f && c != '[' && c != ']'; });
      if (!good || text.find("..") != std::string_view::npos)
        wrong(path, "a path has no spaces, brackets or '..'", "/var/lib/lifeboat/backups, for example");
    };
    plain(known.repository_path, at + "/repository_path");
    if (!known.stanza.empty() && !is_identifier(known.stanza))
      wrong(at + "/stanza", "a stanza's name is small letters, digits and '-'", "");
    auto store = [&](const std::optional<ObjectStore>& one, const std::string& path) {
      if (!one) return;
      if (one->bucket.empty()) wrong(path + "/bucket", "the bucket has no name", "");
      if (one->kind == ObjectStoreKind::s3 && (one->endpoint.empty() || one->region.empty()))
        wrong(path, "s3 needs an endpoint and a region", "endpoint: s3.eu-west-1.amazonaws.com, region: eu-west-1");
      if (!one->key_secret) wrong(path, "the access key is missing", "add key_secret: the name of a secret");
      if (std::string flaw = backup::expiry_key_flaw(*one); !flaw.empty())
        wrong(path, flaw, "expire_key and expire_key_secret of s3, expire_key_secret alone of azure");
    };
    store(known.store, at + "/store");
    if (known.dumps) dumps(*known.dumps, at + "/dumps");
    if (!known.second) return;
    plain(known.second->path, at + "/second/path");
    store(known.second->store, at + "/second/store");
    if (known.second->path == known.repository_path && !known.second->store && !known.store)
      wrong(at + "/second/path", "both repositories are the same folder", "name another");
  }
  void dumps(const Dumps& known, const std::string& at) {
    auto place = parse_place(known.to);
    if (!place) wrong(at + "/to", place.error().what, place.error().hint);
    if (place && !place->in_store() && known.store)
      wrong(at + "/store", "a folder needs no store", "to: s3://BUCKET/PREFIX/ is one");
    auto every = backup::parse_every(known.every);
    constexpr Duration kShortest{60'000};
    if (!every || *every < kShortest)
      wrong(at + "/every", fmt::format("'{}' is not how often a backup is taken", Decoder::printable(known.every)),
            "hourly, daily, weekly, monthly, or a time such as 6h");
    count(known.keep, 0, 9999, at + "/keep");
  }
  void judge(const RedisService& service) { endpoints(service.members); }
  void judge(const RedisClusterService& service) {
    endpoints(service.members);
    bool there = std::ranges::any_of(service.members, [&](const auto& entry) {
      return region_of(plan_, entry.second.host.text) == service.primary_region.text;
    });
    if (!there && plan_.regions.contains(service.primary_region.text))
      wrong(at_ + "/primary_region", fmt::format("no member stands in {}", service.primary_region.text), "");
  }
  void judge(const HttpService& service) {
    url_path(service.health, at_ + "/health");
    if (service.instances.empty()) wrong(at_ + "/instances", "it runs nowhere", "name at least one region");
    for (const auto& [region, group] : service.instances) {
      std::string path = at_ + "/instances/" + region;
      count(group.count, 0, 1000, path + "/count");
      if (group.max != 0 && group.max < group.count)
        wrong(path + "/max", "max is smaller than count", fmt::format("{} or more", group.count));
      if (group.max != 0) count(group.max, 0, 1000, path + "/max");
      port(group.port, path + "/port", std::clamp(std::max(group.count, group.max), 1, 1000));
    }
    for (size_t index = 0; index < service.command.size(); ++index)
      only_references(service.command[index], {"port"}, fmt::format("{}/command/{}", at_, index));
    if (!service.command.empty() && service.command.front().empty())
      wrong(at_ + "/command/0", "the program has no name", "");
    for (const auto& [name, value] : service.environment)
      only_references(value, {"port", "listen", "host.NAME", "secret.NAME"}, at_ + "/environment/" + name);
  }
  void judge(const HaproxyService& service) {
    for (const auto& [region, entry] : service.members) {
      std::string path = at_ + "/members/" + region;
      port(entry.port, path + "/port");
      port(entry.runtime_port, path + "/runtime_port");
      if (entry.port == entry.runtime_port)
        wrong(path + "/runtime_port", "users and the runtime API share a port", "use another one");
    }
  }
  void judge(const DnsService& service) {
    port(service.port, at_ + "/port");
    span(service.ttl, 1s, 24h * 7, at_ + "/ttl");
    if (service.ttl % 1s != 0ms) wrong(at_ + "/ttl", "a TTL is a whole number of seconds", "5s, for example");
    for (auto [text, key] : {std::pair{&service.name, "/name"}, std::pair{&service.zone, "/zone"}}) {
      if (!is_dns_name(*text))
        wrong(at_ + key, fmt::format("'{}' is not a domain name", Decoder::printable(*text)),
              "api.example.com, for example");
    }
    bool inside = service.name == service.zone || service.name.ends_with("." + service.zone);
    if (!inside) wrong(at_ + "/name", fmt::format("it is not in the zone {}", Decoder::printable(service.zone)), "");
    if (service.key && service.key_name.empty()) wrong(at_ + "/key", "a TSIG key needs a name", "add key_name");
    if (!service.key && !service.key_name.empty())
      wrong(at_ + "/key_name", "the key itself is missing", "add key: the name of a secret");
    if (service.targets.empty())
      wrong(at_ + "/targets", "the name leads nowhere", "name a host for each region that serves users");
  }
  void judge(const StatuspageService& service) { port(service.port, at_ + "/port"); }
  void judge(const ExternalService&) {}

  template <class Signal>
  void probe(const Signal& signal, const std::string& at) {
    span(signal.for_, 0ms, 24h, at + "/for");
    span(signal.every, 50ms, 1h, at + "/every");
    span(signal.within, 10ms, 1h, at + "/within");
    count(signal.quorum, 1, 100, at + "/quorum");
  }
  void share(Percent value, const std::string& path) {
    if (!(value.value > 0)) wrong(path, "a share of nothing is always reached", "above 0%, at most 100%");
  }
  void data_change(const DataChangeSignal& signal, const std::string& at) {
    span(signal.every, 1s, 1h, at + "/every");
    span(signal.within, 5s, 1h, at + "/within");
    // What changes in a window is the difference of two looks, and one that comes late must not empty it.
    if (signal.within < 2 * signal.every)
      wrong(at + "/within", "less than two looks come in the window",
            fmt::format("{} or more", format_duration(2 * signal.every)));
    share(signal.rewritten, at + "/rewritten");
    share(signal.encrypted, at + "/encrypted");
  }
  void signals() {
    int ours = 0;
    for (const auto& [name, region] : plan_.regions) ours += region.role == RegionRole::external ? 0 : 1;
    for (const auto& [name, signal] : plan_.signals) {
      std::string at = "/signals/" + name;
      if (const auto* lost = std::get_if<RegionLostSignal>(&signal)) {
        probe(*lost, at);
        if (lost->quorum > std::max(1, ours - 1))
          wrong(at + "/quorum",
                fmt::format("{} regions can never agree: there are {} besides the lost one", lost->quorum, ours - 1),
                fmt::format("at most {}", std::max(1, ours - 1)));
      }
      if (const auto* endpoint = std::get_if<EndpointSignal>(&signal)) {
        probe(*endpoint, at);
        url_path(endpoint->path, at + "/path");
        if (endpoint->quorum > std::max(1, ours))
          wrong(at + "/quorum", fmt::format("{} regions can never agree: there are {}", endpoint->quorum, ours), "");
      }
      if (const auto* database = std::get_if<DatabaseSignal>(&signal)) span(database->for_, 0ms, 24h, at + "/for");
      if (const auto* backups = std::get_if<BackupSignal>(&signal)) span(backups->for_, 0ms, 24h, at + "/for");
      if (const auto* data = std::get_if<DataChangeSignal>(&signal)) data_change(*data, at);
    }
  }

  void people() {
    for (const auto& [name, stakeholder] : plan_.communications.stakeholders) {
      for (size_t index = 0; index < stakeholder.at.size(); ++index) {
        const std::string& when = stakeholder.at[index];
        if (when == "immediate" || when == "resolution" || parse_duration(when)) continue;
        wrong(fmt::format("/communications/stakeholders/{}/at/{}", name, index),
              fmt::format("'{}' is not a time to tell somebody", Decoder::printable(when)),
              "immediate, resolution or a time after the start such as 1h");
      }
    }
    for (const auto& [name, channel] : plan_.communications.channels) {
      const auto* mail = std::get_if<MailChannel>(&channel);
      if (mail == nullptr) continue;
      std::string at = "/communications/channels/" + name;
      port(mail->port, at + "/port");
      if (mail->to.empty()) wrong(at + "/to", "nobody receives it", "name at least one address");
      for (size_t index = 0; index < mail->to.size(); ++index)
        address(mail->to[index], fmt::format("{}/to/{}", at, index));
      address(mail->from, at + "/from");
    }
  }
  void address(std::string_view text, std::string path) {
    bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c != '<' && c != '>' && c != 0x7f; });
    size_t sign = text.find('@');
    if (!plain || sign == 0 || sign == std::string_view::npos || sign + 1 == text.size())
      wrong(std::move(path), fmt::format("'{}' is not a mail address", Decoder::printable(text)), "name@example.com");
  }

  void journey() {
    if (!plan_.journey) return;
    const Journey& journey = *plan_.journey;
    port(journey.port, "/journey/port");
    if (!(journey.rate > 0 && journey.rate <= 10'000))
      wrong("/journey/rate", "a rate lies above 0 and is at most 10,000", "20, for example");
    url_path(journey.read, "/journey/read");
    url_path(journey.write, "/journey/write");
    url_path(journey.verify, "/journey/verify");
    only_references(journey.write, {"id", "key"}, "/journey/write");
    only_references(journey.write_body, {"id", "key"}, "/journey/write_body");
    only_references(journey.verify, {"id", "key"}, "/journey/verify");
    if (references_in(journey.verify).empty())
      wrong("/journey/verify", "it does not say which write it looks for", "use ${id} or ${key}");
  }

  void controllers() {
    bool shared = plan_.controllers && plan_.controllers->store == StoreKind::etcd;
    if (!shared && controller_hosts(plan_).size() > 1)
      wrong("/hosts", "several hosts run a controller, and each would act on a journal of its own",
            "controllers: {store: etcd, …}, or one host with controller: true");
    if (!plan_.controllers) return;
    if (shared && plan_.controllers->voters.empty())
      wrong("/controllers", "no voters are named", "voters: {REGION: {host: HOST}}, one in each of three regions");
    if (plan_.controllers->lease < 1s || plan_.controllers->lease > 1min)
      wrong("/controllers/lease", "a lease is between one second and one minute", "3s");
    for (const auto& [region, voter] : plan_.controllers->voters) {
      port(voter.port, "/controllers/voters/" + region + "/port");
      port(voter.peer_port, "/controllers/voters/" + region + "/peer_port");
    }
  }

  void scenario_values(const std::string& name, const Scenario& scenario) {
    if (scenario.failback && scenario.failback->text == name)
      wrong("/scenarios/" + name + "/failback", "a scenario cannot be its own failback", "");
    for (const auto& [phase, steps] : scenario.phases) {
      for (size_t index = 0; index < steps.size(); ++index) step(steps[index], step_path(name, phase, index));
    }
  }
  void step(const Step& step, const std::string& at) {
    if (step.timeout) span(*step.timeout, 1ms, 24h * 30, at + "/timeout");
    if (step.retries) {
      count(step.retries->attempts, 1, 100, at + "/retries/attempts");
      span(step.retries->backoff, 0ms, 24h, at + "/retries/backoff");
      span(step.retries->longest, step.retries->backoff, 24h * 7, at + "/retries/longest");
    }
    if (step.uses == "approval" && !step.approval)
      wrong(at, fmt::format("step '{}' does not say who approves", step.id.text), "add approval: {of: [role]}");
    if (step.approval) approval(*step.approval, at + "/approval");
  }
  void approval(const Approval& approval, const std::string& at) {
    span(approval.expires, 1s, 24h * 30, at + "/expires");
    count(approval.need, 1, 100, at + "/need");
    std::vector<std::string> people;
    for (const Identifier& name : approval.of) {
      const Role* role = plan_.people.roles.find(name.text);
      if (role == nullptr) return;  // told by check_references
      people.push_back(role->primary.text);
      if (role->backup) people.push_back(role->backup->text);
      for (const Identifier& member : role->members) people.push_back(member.text);
    }
    std::ranges::sort(people);
    auto twice = std::ranges::unique(people);
    people.erase(twice.begin(), twice.end());
    if (approval.need > std::ssize(people))
      wrong(at + "/need", fmt::format("{} people must agree, and the roles have {}", approval.need, people.size()),
            "name more roles, or need fewer");
  }

  void drills() {
    const std::vector<std::string> places{"lab", "production", "table"};
    std::vector<std::string> names;
    for (size_t index = 0; index < plan_.drills.size(); ++index) {
      const Drill& drill = plan_.drills[index];
      std::string at = "/drills/" + std::to_string(index);
      if (std::ranges::find(names, drill.name.text) != names.end())
        wrong(at + "/name", fmt::format("the drill '{}' stands twice", drill.name.text), "give one another name");
      names.push_back(drill.name.text);
      if (std::ranges::find(places, drill.in) == places.end())
        wrong(at + "/in", fmt::format("'{}' is no place for a drill", Decoder::printable(drill.in)),
              fmt::format("one of {}", fmt::join(places, ", ")));
      if (std::string why = drill.automatic ? rehearsal::why_not_by_itself(plan_, drill) : ""; !why.empty())
        wrong(at + "/automatic", std::move(why), "leave it out, and a person starts it when it is due");
    }
  }

  const Plan& plan_;
  Findings& out_;
  std::string at_;
};

}  // namespace

void check_values(const Plan& plan, Findings& out) { Values(plan, out).all(); }

}  // namespace lifeboat
