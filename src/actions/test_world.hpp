// A world for tests of actions: a plan that the test fills, secrets in a folder of its own, and fakes whose answers the
// test sets. Nothing here pretends to be a server: those are real, see test_servers.hpp.
#pragma once

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "actions/action.hpp"
#include "core/validation/known_profile.hpp"
#include "io/http_client.hpp"
#include "io/secrets.hpp"

namespace lifeboat {

class FakeDatabases final : public Databases {
 public:
  std::map<std::string, DatabaseView> views;
  LossEstimate loss;
  std::function<Result<Json>(std::string verb, std::string service, std::string to)> on_call =
      [](std::string, std::string, std::string) -> Result<Json> { return Json(JsonObject{}); };

  Result<DatabaseView> view(std::string service) override {
    auto found = views.find(service);
    if (found == views.end()) return fail(ErrorKind::not_found, "no database " + service);
    return found->second;
  }
  Result<LossEstimate> loss_if_failed_over(std::string, std::string) override { return loss; }
  Task<Result<Json>> failover(std::string service, std::string to, bool, Deadline, ProgressLine) override {
    co_return on_call("failover", service, to);
  }
  Task<Result<Json>> switchover(std::string service, std::string to, Deadline, ProgressLine) override {
    co_return on_call("switchover", service, to);
  }
  Task<Result<Json>> reprotect(std::string service, std::string member, bool, Deadline, ProgressLine) override {
    co_return on_call("reprotect", service, member);
  }
  Task<Result<Json>> put_back(std::string service, std::string member, std::string restored, Deadline,
                              ProgressLine) override {
    co_return on_call("put-back " + restored, service, member);
  }
};

class FakeAgents final : public Agents {
 public:
  std::function<Result<Json>(std::string host, std::string method, Json params)> on_call =
      [](std::string host, std::string, Json) -> Result<Json> {
    return fail(ErrorKind::unreachable, "no agent on " + host);
  };
  std::function<int64_t(std::string host, std::string service)> on_units = [](std::string, std::string) { return -1; };

  bool connected(std::string) override { return true; }
  Task<Result<Json>> call(std::string host, std::string method, Json params, Deadline, ProgressLine) override {
    co_return on_call(host, method, params);
  }
  int64_t units_up(std::string host, std::string service) override { return on_units(host, service); }
};

class FakeObservers final : public Observers {
 public:
  std::map<std::string, RegionView> regions;
  std::function<std::optional<UserView>()> on_users = [] { return std::nullopt; };

  Result<RegionView> region(std::string name) override {
    auto found = regions.find(name);
    if (found == regions.end()) return fail(ErrorKind::not_found, "no region " + name);
    return found->second;
  }
  std::optional<UserView> users() override { return on_users(); }
};

class FakeIncidents final : public Incidents {
 public:
  std::map<std::string, IncidentView> by_run;
  std::vector<std::string> updates;

  std::optional<IncidentView> of_run(std::string run) override {
    auto found = by_run.find(run);
    return found == by_run.end() ? std::nullopt : std::optional(found->second);
  }
  Task<Result<IncidentView>> open(std::string run, std::string title, std::string severity) override {
    by_run[run] = {
        .id = "INC-" + std::to_string(by_run.size() + 1), .title = title, .severity = severity, .state = "open"};
    co_return by_run[run];
  }
  Task<Result<void>> update(std::string, std::string text) override {
    updates.push_back(text);
    co_return Result<void>{};
  }
  Task<Result<void>> close(std::string id, std::string text) override {
    updates.push_back(text);
    for (auto& [run, incident] : by_run) {
      if (incident.id == id) incident.state = "closed";
    }
    co_return Result<void>{};
  }
};

class FakeCredentials final : public Credentials {
 public:
  explicit FakeCredentials(Secrets& secrets) : secrets_(secrets) {}
  std::map<std::string, std::string> by_run;

  std::string renewed_by(std::string secret) override { return by_run[secret]; }
  Task<Result<void>> renewed(std::string secret, std::string run) override {
    secrets_.use(secret, secrets_.generation(secret) + 1);
    by_run[secret] = run;
    co_return Result<void>{};
  }

 private:
  Secrets& secrets_;
};

class FakeRestoreTimes final : public RestoreTimes {
 public:
  std::map<std::string, std::vector<recovery::RestoreTiming>> by_service;

  std::vector<recovery::RestoreTiming> of(std::string service) override { return by_service[service]; }
  Task<Result<void>> measured(std::string service, recovery::RestoreTiming timing) override {
    by_service[service].push_back(std::move(timing));
    co_return Result<void>{};
  }
};

class FakeProfiles final : public Profiles {
 public:
  std::map<std::string, KnownProfiles> by_service;

  std::shared_ptr<const KnownProfile> last(std::string service, std::string database,
                                           std::optional<WallTime> data_until) override {
    KnownProfiles of_database = by_service[service];
    std::erase_if(of_database, [&](const auto& known) { return known->profile.database != database; });
    return newest_of(of_database, data_until);
  }
  Task<Result<void>> taken(std::string service, std::shared_ptr<const KnownProfile> profile) override {
    by_service[service].push_back(std::move(profile));
    co_return Result<void>{};
  }
};

class TestWorld {
 public:
  TestWorld() : folder_(make_folder()), secrets(folder_ / "secrets") {
    std::filesystem::create_directory(folder_ / "secrets");
    std::filesystem::permissions(folder_ / "secrets", std::filesystem::perms::owner_all);
  }
  ~TestWorld() {
    std::error_code ignored;  // a folder left in /tmp is no reason to fail a test
    std::filesystem::remove_all(folder_, ignored);
  }
  TestWorld(const TestWorld&) = delete;
  TestWorld& operator=(const TestWorld&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

  void add_secret(const std::string& name, const std::string& value) {
    auto path = folder_ / "secrets" / name;
    std::ofstream(path) << value;
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  void add_region(const std::string& name) { plan.regions.add(name, Region{}); }
  void add_host(const std::string& name, const std::string& region, const std::string& address) {
    plan.hosts.add(name, Host{.region = {region}, .address = address});
  }

  ActionContext context(Duration within = Duration{10'000}) {
    return {.world = world,
            .run = "R-1",
            .incident = "",
            .step = "step",
            .idempotency_key = "R-1/step",
            .deadline = Deadline::after(within),
            .progress = [this](std::string line) { lines.push_back(line); },
            .run_opened = run_opened};
  }

  // Runs one coroutine to its end on a loop of its own.
  template <class T>
  static T run(Task<T> task) {
    asio::io_context loop;
    std::optional<T> out;
    std::exception_ptr problem;
    asio::co_spawn(loop, std::move(task), [&](std::exception_ptr thrown, T value) {
      problem = thrown;
      if (!thrown) out = std::move(value);
    });
    loop.run();
    if (problem) std::rethrow_exception(problem);
    return std::move(*out);
  }

  // An action made from its parameters as a plan gives them; throws when they do not fit the plan.
  std::unique_ptr<Action> make(const ActionDescriptor& descriptor, const std::string& parameters) {
    auto with = parse_json(parameters);
    if (!with) throw std::runtime_error(with.error().text());
    auto problems = descriptor.validate(*with, plan);
    if (!problems.empty()) throw std::runtime_error(to_error(problems, "parameters").text());
    auto action = descriptor.make(*with);
    if (!action) throw std::runtime_error(action.error().text());
    return std::move(*action);
  }
  Result<Observation> observe(const ActionDescriptor& descriptor, const std::string& parameters) {
    auto action = make(descriptor, parameters);
    return run(action->observe(context()));
  }
  Result<Outcome> apply(const ActionDescriptor& descriptor, const std::string& parameters,
                        Duration within = Duration{10'000}) {
    auto action = make(descriptor, parameters);
    return run(action->apply(context(within)));
  }
  Result<Outcome> undo(const ActionDescriptor& descriptor, const std::string& parameters, Json applied) {
    auto action = make(descriptor, parameters);
    return run(action->undo(context(), std::move(applied)));
  }

 private:
  static std::filesystem::path make_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lifeboat-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder for the test");
    return pattern;
  }
  std::filesystem::path folder_;

 public:
  Plan plan;
  Secrets secrets;
  HttpClient http;
  FakeDatabases databases;
  FakeAgents agents;
  FakeObservers observers;
  FakeIncidents incidents;
  FakeCredentials credentials{secrets};
  FakeRestoreTimes restore_times;
  FakeProfiles profiles;
  std::vector<std::string> lines;  // of progress
  WallTime run_opened{};
  World world{plan,      secrets,     http,          databases, agents, observers,
              incidents, credentials, restore_times, profiles,  false};
};

}  // namespace lifeboat
