// The plan as data: what a company's disaster-recovery document says, typed. plan/ reads it from YAML with positions;
// everything else in Lifeboat works from this. Nothing here decides anything.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"
#include "core/model/communications.hpp"
#include "core/model/controllers.hpp"
#include "core/model/scenario.hpp"
#include "core/model/services.hpp"
#include "core/model/signals.hpp"

namespace lifeboat {

struct Document {
  std::string purpose;
  std::string version;
  std::optional<Date> updated;
  std::optional<Date> review_by;
  std::string owner;
  std::string approved_by;
};
BOOST_DESCRIBE_STRUCT(Document, (), (purpose, version, updated, review_by, owner, approved_by))
constexpr auto field_docs(const Document*) {
  return std::to_array<FieldDoc>({
      {"purpose", Need::optional, "what the document is for, in a sentence"},
      {"version", Need::required, "version of the document, in quotes"},
      {"updated", Need::optional, "when it was last changed"},
      {"review_by", Need::optional, "when it must be reviewed; a date that has passed is a finding"},
      {"owner", Need::required, "who keeps it true"},
      {"approved_by", Need::optional, "who approved it"},
  });
}

struct Objectives {
  Duration rto{};
  Duration rpo{};
  std::optional<Percent> availability;
};
BOOST_DESCRIBE_STRUCT(Objectives, (), (rto, rpo, availability))
constexpr auto field_docs(const Objectives*) {
  return std::to_array<FieldDoc>({
      {"rto", Need::required, "recovery time objective: the longest outage that is acceptable"},
      {"rpo", Need::required, "recovery point objective: the most recent data that may be lost, as time"},
      {"availability", Need::optional, "share of the year in which users are served"},
  });
}

BOOST_DEFINE_ENUM_CLASS(RegionRole, primary, secondary, tertiary, external)

struct Region {
  RegionRole role = RegionRole::secondary;
  std::string title;
  std::vector<std::string> components;
};
BOOST_DESCRIBE_STRUCT(Region, (), (role, title, components))
constexpr auto field_docs(const Region*) {
  return std::to_array<FieldDoc>({
      {"role", Need::required,
       "primary serves users, secondary takes over, tertiary keeps watch, backups and access, external is not ours "
       "(users, their resolvers, mail)"},
      {"title", Need::optional, "its name for people"},
      {"components", Need::optional, "what stands there, in words, for what no service of the plan describes"},
  });
}

struct Host {
  Identifier region;
  std::string address;
  bool agent = false;
  bool controller = false;
};
BOOST_DESCRIBE_STRUCT(Host, (), (region, address, agent, controller))
constexpr auto field_docs(const Host*) {
  return std::to_array<FieldDoc>({
      {"region", Need::required, "the region it stands in"},
      {"address", Need::optional, "host name or IP address; its own name when left out"},
      {"agent", Need::optional, "a Lifeboat agent runs there"},
      {"controller", Need::optional, "a Lifeboat controller runs there; several need etcd as their store"},
  });
}

struct Decision {
  std::optional<Identifier> automatic;
  std::optional<Identifier> manual;
  std::optional<Identifier> full;
};
BOOST_DESCRIBE_STRUCT(Decision, (), (automatic, manual, full))
constexpr auto field_docs(const Decision*) {
  return std::to_array<FieldDoc>({
      {"automatic", Need::optional, "scenario that starts by itself"},
      {"manual", Need::optional, "scenario that is proposed to a person"},
      {"full", Need::optional, "scenario of full disaster recovery, proposed to a person"},
  });
}

struct AutomaticLimit {
  int at_most = 1;
  Duration within{};
};
BOOST_DESCRIBE_STRUCT(AutomaticLimit, (), (at_most, within))
constexpr auto field_docs(const AutomaticLimit*) {
  return std::to_array<FieldDoc>({
      {"at_most", Need::required, "how many automatic runs or failovers"},
      {"within", Need::required, "in which time; one more needs a person"},
  });
}

struct TakeOver {
  std::vector<Identifier> of;
  int need = 2;
};
BOOST_DESCRIBE_STRUCT(TakeOver, (), (of, need))
constexpr auto field_docs(const TakeOver*) {
  return std::to_array<FieldDoc>({
      {"of", Need::required, "roles whose people may decide it"},
      {"need", Need::optional, "how many distinct people (2), at least two"},
  });
}

struct Safety {
  std::optional<AutomaticLimit> automatic_runs;
  std::optional<Duration> loss_without_approval;
  std::optional<TakeOver> take_over;
};
BOOST_DESCRIBE_STRUCT(Safety, (), (automatic_runs, loss_without_approval, take_over))
constexpr auto field_docs(const Safety*) {
  return std::to_array<FieldDoc>({
      {"automatic_runs", Need::optional, "limit on what starts by itself, so that nothing flaps"},
      {"loss_without_approval", Need::optional,
       "the most data, as time, that a failover may set aside without a person; the RPO when left out"},
      {"take_over", Need::optional, "who may let one region go on alone when a majority of regions is lost for good"},
  });
}

// What a phase of that name is, in every scenario that has it.
struct Phase {
  std::string title;
  std::optional<DurationRange> expected;
};
BOOST_DESCRIBE_STRUCT(Phase, (), (title, expected))
constexpr auto field_docs(const Phase*) {
  return std::to_array<FieldDoc>({
      {"title", Need::required, "its name for people"},
      {"expected", Need::optional, "when it is expected to begin and end, from the start of the incident: 30m..1h"},
  });
}

struct Drill {
  Identifier name;
  std::string title;
  std::optional<Identifier> run;
  std::string every;
  std::string in = "lab";
  bool automatic = false;
  std::optional<Identifier> profile;
  std::vector<std::string> faults;
  std::vector<std::string> procedure;
  std::vector<std::string> instead_of;
};
BOOST_DESCRIBE_STRUCT(Drill, (), (name, title, run, every, in, automatic, profile, faults, procedure, instead_of))
constexpr auto field_docs(const Drill*) {
  return std::to_array<FieldDoc>({
      {"name", Need::required, "its name"},
      {"title", Need::required, "what is rehearsed"},
      {"run", Need::optional, "the scenario that is run; left out for exercises among people"},
      {"every", Need::required, "weekly, monthly, quarterly or annually"},
      {"in", Need::optional, "where: lab (default), production or table"},
      {"automatic", Need::optional,
       "true: it starts by itself when it is due; in production only, and only if its scenario does nothing but "
       "restore "
       "copies beside the live data and look at them"},
      {"profile", Need::optional, "the profile whose values replace long waits"},
      {"faults", Need::optional, "faults that are put in: kill-region, cut-region, kill-server, stop-server"},
      {"procedure", Need::optional, "what is done, in words and in order"},
      {"instead_of", Need::optional,
       "commands of the written document that the drill stands in for, as they stand there"},
  });
}

struct Maintenance {
  std::string task;
  std::string every;
  std::string owner;
};
BOOST_DESCRIBE_STRUCT(Maintenance, (), (task, every, owner))
constexpr auto field_docs(const Maintenance*) {
  return std::to_array<FieldDoc>({
      {"task", Need::required, "what is to be done"},
      {"every", Need::required, "weekly, monthly, quarterly or annually"},
      {"owner", Need::optional, "the role that does it"},
  });
}

struct Profile {
  std::string title;
  OrderedMap<Json> vars;
  OrderedMap<Duration> leases;
};
BOOST_DESCRIBE_STRUCT(Profile, (), (title, vars, leases))
constexpr auto field_docs(const Profile*) {
  return std::to_array<FieldDoc>({
      {"title", Need::required, "what it is for; every report names it"},
      {"vars", Need::required, "variables of the plan with other values, such as shorter waits"},
      {"leases", Need::optional, "PostgreSQL services with another length of their lease, such as 'database: 1s'"},
  });
}

// What the witness does as a user: one read and one write, at a fixed rate, through the entry's name.
struct Journey {
  Identifier entry;
  int port = 80;
  double rate = 20;
  std::string read;
  std::string write;
  std::string write_body;
  std::string verify;
  std::optional<SecretRef> token;
};
BOOST_DESCRIBE_STRUCT(Journey, (), (entry, port, rate, read, write, write_body, verify, token))
constexpr auto field_docs(const Journey*) {
  return std::to_array<FieldDoc>({
      {"entry", Need::required, "the dns service whose name users ask"},
      {"port", Need::optional, "port users connect to (80)"},
      {"rate", Need::optional, "journeys per second (20); each is one read or one write, in turn"},
      {"read", Need::required, "path of a GET that needs the database"},
      {"write", Need::required, "path of a POST; ${id} is a number that never repeats, ${key} a unique key"},
      {"write_body", Need::optional, "body of the POST, with ${id} and ${key}"},
      {"verify", Need::required,
       "path of a GET that answers 200 if the write with ${id} or ${key} is there, 404 if not"},
      {"token", Need::optional, "secret sent as bearer token"},
  });
}

struct Plan {
  Identifier plan;
  std::string title;
  Document document;
  Objectives objectives;
  OrderedMap<Json> vars;
  OrderedMap<Profile> profiles;
  OrderedMap<Phase> phases;
  OrderedMap<Region> regions;
  OrderedMap<Host> hosts;
  std::optional<Controllers> controllers;
  OrderedMap<Service> services;
  OrderedMap<Signal> signals;
  OrderedMap<Decision> decision_matrix;
  Safety safety;
  People people;
  Communications communications;
  std::optional<Journey> journey;
  OrderedMap<Scenario> scenarios;
  std::vector<Drill> drills;
  std::vector<Maintenance> maintenance;
};
BOOST_DESCRIBE_STRUCT(Plan, (),
                      (plan, title, document, objectives, vars, profiles, phases, regions, hosts, controllers, services,
                       signals, decision_matrix, safety, people, communications, journey, scenarios, drills,
                       maintenance))
constexpr auto field_docs(const Plan*) {
  return std::to_array<FieldDoc>({
      {"plan", Need::required, "name of the plan"},
      {"title", Need::optional, "its title for people"},
      {"document", Need::required, "document control"},
      {"objectives", Need::required, "what recovery must reach"},
      {"vars", Need::optional, "values that steps use as ${name}"},
      {"profiles", Need::optional, "named sets of other values for vars, for rehearsals"},
      {"phases", Need::optional, "what the phases of scenarios are called, and when they are expected"},
      {"regions", Need::required, "where things stand"},
      {"hosts", Need::required, "machines, by name"},
      {"controllers", Need::optional, "the store that the hosts with `controller: true` share; one of them leads"},
      {"services", Need::required, "what is to be recovered, and what recovery uses"},
      {"signals", Need::optional, "what is watched for"},
      {"decision_matrix", Need::optional, "what follows from each signal"},
      {"safety", Need::optional, "bounds of what happens without a person"},
      {"people", Need::optional, "contacts and roles"},
      {"communications", Need::optional, "channels, stakeholders and templates"},
      {"journey", Need::optional, "what the witness does to measure recovery where the user stands"},
      {"scenarios", Need::required, "what is done when"},
      {"drills", Need::optional, "the test calendar"},
      {"maintenance", Need::optional, "the maintenance calendar"},
  });
}

// The address of a host: what the plan or the inventory says, else its name.
std::string address_of(const Plan& plan, std::string_view host);
// Hosts with a controller, in the plan's order: the first is preferred as leader when all start together.
std::vector<std::string> controller_hosts(const Plan& plan);
// The region of a host; empty when there is no such host.
std::string region_of(const Plan& plan, std::string_view host);
// The contacts who hold these roles: primary, backup and members, each once.
std::vector<std::string> people_of(const Plan& plan, std::span<const Identifier> roles);
// The service of that name if it is of kind T.
template <class T>
const T* service_as(const Plan& plan, std::string_view name) {
  const Service* service = plan.services.find(name);
  return service == nullptr ? nullptr : std::get_if<T>(service);
}
// The region with that role, empty if none.
std::string region_with_role(const Plan& plan, RegionRole role);

}  // namespace lifeboat
