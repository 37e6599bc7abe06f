// Names that are used and not defined.
#include "core/base/similar.hpp"
#include "plan/meaning.hpp"

namespace lifeboat {
namespace {

class References {
 public:
  References(const Plan& plan, Findings& out)
      : plan_(plan),
        out_(out),
        hosts_(plan.hosts.names()),
        regions_(plan.regions.names()),
        services_(plan.services.names()),
        contacts_(plan.people.contacts.names()),
        roles_(plan.people.roles.names()),
        scenarios_(plan.scenarios.names()),
        profiles_(plan.profiles.names()) {}

  void all() {
    for (const auto& [name, host] : plan_.hosts) region(host.region.text, "/hosts/" + name + "/region");
    controllers();
    for (const auto& [name, service] : plan_.services) {
      at_ = "/services/" + name;
      std::visit([this](const auto& known) { judge(known); }, service);
    }
    signals();
    matrix();
    people();
    channels();
    scenarios();
    phases();
    for (const auto& [name, profile] : plan_.profiles) {
      for (const auto& [service, lease] : profile.leases)
        of_kind<PostgresService>("postgres service", service, "/profiles/" + name + "/leases/" + service, true);
    }
    for (size_t index = 0; index < plan_.drills.size(); ++index) {
      std::string at = "/drills/" + std::to_string(index);
      const Drill& drill = plan_.drills[index];
      if (drill.run) known("scenario", drill.run->text, scenarios_, at + "/run");
      if (drill.profile) known("profile", drill.profile->text, profiles_, at + "/profile");
    }
    for (size_t index = 0; index < plan_.maintenance.size(); ++index) {
      const std::string& owner = plan_.maintenance[index].owner;
      if (!owner.empty()) known("role", owner, roles_, "/maintenance/" + std::to_string(index) + "/owner");
    }
    if (plan_.safety.take_over) {
      const std::vector<Identifier>& of = plan_.safety.take_over->of;
      for (size_t index = 0; index < of.size(); ++index)
        known("role", of[index].text, roles_, fmt::format("/safety/take_over/of/{}", index));
    }
    if (plan_.journey) of_kind<DnsService>("dns service", plan_.journey->entry.text, "/journey/entry");
  }

 private:
  void known(std::string_view what, std::string_view name, const std::vector<std::string>& names, std::string path,
             bool at_key = false) {
    if (std::ranges::find(names, name) != names.end()) return;
    std::string hint = did_you_mean(name, names);
    if (hint.empty() && names.empty()) hint = fmt::format("the plan defines no {} at all", what);
    if (hint.empty())
      hint = fmt::format(
          "known: {}", fmt::join(names.begin(), names.begin() + std::min<std::ptrdiff_t>(20, std::ssize(names)), ", "));
    out_.push_back({"unknown-name",
                    Severity::error,
                    fmt::format("there is no {} '{}'", what, Decoder::printable(name)),
                    std::move(path),
                    hint,
                    at_key,
                    {},
                    {}});
  }
  void host(const Identifier& name, std::string path) { known("host", name.text, hosts_, std::move(path)); }
  void region(std::string_view name, std::string path, bool at_key = false) {
    known("region", name, regions_, std::move(path), at_key);
  }
  void contact(const Identifier& name, std::string path) { known("contact", name.text, contacts_, std::move(path)); }
  void contacts(const std::vector<Identifier>& names, const std::string& path) {
    for (size_t index = 0; index < names.size(); ++index) contact(names[index], path + "/" + std::to_string(index));
  }

  template <class T>
  void of_kind(std::string_view what, std::string_view name, std::string path, bool at_key = false) {
    if (service_as<T>(plan_, name) != nullptr) return;
    std::vector<std::string> fitting;
    for (const auto& [other, service] : plan_.services) {
      if (std::holds_alternative<T>(service)) fitting.push_back(other);
    }
    known(what, name, fitting, std::move(path), at_key);
  }

  template <class Members>
  void members(const Members& list) {
    for (const auto& [name, entry] : list) host(entry.host, at_ + "/members/" + name + "/host");
  }
  // Members that are named after regions must stand in them.
  template <class Members>
  void regional(const Members& list, const std::string& key) {
    for (const auto& [name, entry] : list) {
      std::string path = at_ + "/" + key + "/" + name;
      region(name, path, true);
      host(entry.host, path + "/host");
      stands_in(entry.host.text, name, path + "/host");
    }
  }
  void stands_in(const std::string& name, const std::string& where, std::string path) {
    std::string real = region_of(plan_, name);
    if (real.empty() || real == where || !plan_.regions.contains(where)) return;
    out_.push_back({"wrong-region",
                    Severity::error,
                    fmt::format("host '{}' stands in {}, not in {}", name, real, where),
                    std::move(path),
                    "name a host of that region",
                    false,
                    {},
                    {}});
  }

  void controllers() {
    if (!plan_.controllers) return;
    at_ = "/controllers";
    regional(plan_.controllers->voters, "voters");
  }

  void judge(const PostgresService& service) {
    members(service.members);
    known("member", service.primary.text, service.members.names(), at_ + "/primary");
    if (service.sync_region) region(service.sync_region->text, at_ + "/sync_region");
    if (service.backups && service.backups->repository_host)
      host(*service.backups->repository_host, at_ + "/backups/repository_host");
  }
  void judge(const RedisService& service) {
    members(service.members);
    known("member", service.primary.text, service.members.names(), at_ + "/primary");
  }
  void judge(const RedisClusterService& service) {
    members(service.members);
    region(service.primary_region.text, at_ + "/primary_region");
  }
  void judge(const HttpService& service) { regional(service.instances, "instances"); }
  void judge(const HaproxyService& service) {
    of_kind<HttpService>("http service", service.backend.text, at_ + "/backend");
    regional(service.members, "members");
  }
  void judge(const DnsService& service) {
    host(service.server, at_ + "/server");
    if (service.resolver) host(*service.resolver, at_ + "/resolver");
    for (const auto& [name, target] : service.targets) {
      std::string path = at_ + "/targets/" + name;
      region(name, path, true);
      host(target, path);
      stands_in(target.text, name, path);
    }
  }
  void judge(const StatuspageService& service) { host(service.host, at_ + "/host"); }
  void judge(const ExternalService&) {}

  void signals() {
    for (const auto& [name, signal] : plan_.signals) {
      std::string path = "/signals/" + name + "/service";
      if (const auto* endpoint = std::get_if<EndpointSignal>(&signal)) {
        known("service", endpoint->service.text, services_, path);
        const Service* service = plan_.services.find(endpoint->service.text);
        if (service != nullptr && !std::holds_alternative<DnsService>(*service) &&
            !std::holds_alternative<HaproxyService>(*service) && !std::holds_alternative<HttpService>(*service)) {
          out_.push_back({"unknown-name",
                          Severity::error,
                          fmt::format("'{}' cannot be asked by HTTP", endpoint->service.text),
                          path,
                          "name a dns, haproxy or http service",
                          false,
                          {},
                          {}});
        }
      }
      if (const auto* database = std::get_if<DatabaseSignal>(&signal))
        of_kind<PostgresService>("postgres service", database->service.text, path);
      if (const auto* backups = std::get_if<BackupSignal>(&signal))
        of_kind<PostgresService>("postgres service", backups->service.text, path);
      if (const auto* data = std::get_if<DataChangeSignal>(&signal))
        of_kind<PostgresService>("postgres service", data->service.text, path);
    }
  }

  void matrix() {
    for (const auto& [name, decision] : plan_.decision_matrix) {
      std::string path = "/decision_matrix/" + name;
      known("signal", name, plan_.signals.names(), path, true);
      if (decision.automatic) known("scenario", decision.automatic->text, scenarios_, path + "/automatic");
      if (decision.manual) known("scenario", decision.manual->text, scenarios_, path + "/manual");
      if (decision.full) known("scenario", decision.full->text, scenarios_, path + "/full");
    }
  }

  void people() {
    for (const auto& [name, role] : plan_.people.roles) {
      std::string path = "/people/roles/" + name;
      contact(role.primary, path + "/primary");
      if (role.backup) contact(*role.backup, path + "/backup");
      contacts(role.members, path + "/members");
    }
    for (size_t index = 0; index < plan_.people.escalation.size(); ++index)
      contacts(plan_.people.escalation[index].contacts, fmt::format("/people/escalation/{}/contacts", index));
    for (const auto& [name, stakeholder] : plan_.communications.stakeholders)
      contacts(stakeholder.contacts, "/communications/stakeholders/" + name + "/contacts");
  }

  void channels() {
    for (const auto& [name, channel] : plan_.communications.channels) {
      std::string path = "/communications/channels/" + name;
      if (const auto* mail = std::get_if<MailChannel>(&channel)) host(mail->host, path + "/host");
      if (const auto* phones = std::get_if<PhoneTreeChannel>(&channel)) contacts(phones->order, path + "/order");
    }
  }

  void scenarios() {
    std::vector<std::string> subjects = regions_;
    subjects.insert(subjects.end(), services_.begin(), services_.end());
    for (const auto& [name, scenario] : plan_.scenarios) {
      std::string path = "/scenarios/" + name;
      if (scenario.failback) known("scenario", scenario.failback->text, scenarios_, path + "/failback");
      for (size_t index = 0; index < scenario.applies_to.size(); ++index)
        known("region or service", scenario.applies_to[index], subjects, path + "/applies_to/" + std::to_string(index));
      for (const auto& [phase, steps] : scenario.phases) {
        for (size_t index = 0; index < steps.size(); ++index) {
          if (!steps[index].approval) continue;
          const std::vector<Identifier>& of = steps[index].approval->of;
          for (size_t entry = 0; entry < of.size(); ++entry)
            known("role", of[entry].text, roles_,
                  fmt::format("{}/approval/of/{}", step_path(name, phase, index), entry));
        }
      }
    }
  }

  void phases() {
    std::vector<std::string> used;
    for (const auto& [name, scenario] : plan_.scenarios) {
      for (const auto& [phase, steps] : scenario.phases) used.push_back(phase);
    }
    std::ranges::sort(used);
    auto twice = std::ranges::unique(used);
    used.erase(twice.begin(), twice.end());
    for (const auto& [name, phase] : plan_.phases) known("phase in any scenario", name, used, "/phases/" + name, true);
  }

  const Plan& plan_;
  Findings& out_;
  std::string at_;
  std::vector<std::string> hosts_, regions_, services_, contacts_, roles_, scenarios_, profiles_;
};

}  // namespace

void check_references(const Plan& plan, Findings& out) { References(plan, out).all(); }

}  // namespace lifeboat
