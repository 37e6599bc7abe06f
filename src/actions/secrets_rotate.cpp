// secrets.rotate: the next generation of secrets counts, and whoever held the former one is out.
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "actions/replication_password.hpp"
#include "io/crypto.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

constexpr size_t kShortest = 16;

// What of a plan uses a secret, as far as Lifeboat can give it another value.
struct PlacesOfUse {
  std::vector<std::string> databases;    // whose users' role has it as its password
  std::vector<std::string> replication;  // whose standbys have it as their password
  std::vector<std::string> instances;    // http services that have it in their environment
};

PlacesOfUse use_of(const Plan& plan, const std::string& secret) {
  PlacesOfUse use;
  auto is = [&](const std::optional<SecretRef>& reference) { return reference && reference->name == secret; };
  for (const auto& [name, service] : plan.services) {
    if (const auto* database = std::get_if<PostgresService>(&service)) {
      if (is(database->password)) use.databases.push_back(name);
      if (is(database->replication_password)) use.replication.push_back(name);
    } else if (const auto* http = std::get_if<HttpService>(&service)) {
      for (const auto& [variable, text] : http->environment) {
        if (!text.contains(fmt::format("${{secret.{}}}", secret))) continue;
        use.instances.push_back(name);
        break;
      }
    }
  }
  return use;
}

struct SecretsRotateParams {
  std::vector<Identifier> secrets;
  bool look = false;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    if (secrets.empty()) problems.push_back({"/secrets", "no secret is named", "secrets: [NAME]"});
    for (size_t at = 0; at < secrets.size(); ++at) {
      PlacesOfUse use = use_of(plan, secrets[at].text);
      std::string path = fmt::format("/secrets/{}", at);
      if (!use.databases.empty() || !use.replication.empty() || !use.instances.empty()) continue;
      problems.push_back({path,
                          fmt::format("'{}' is neither the password of a database's user or of its standbys nor in the "
                                      "environment of instances, so nothing that Lifeboat runs would change",
                                      secrets[at].text),
                          "renew it where it is kept, by a manual step"});
    }
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(SecretsRotateParams, (), (secrets, look))
constexpr auto field_docs(const SecretsRotateParams*) {
  return std::to_array<FieldDoc>({
      {"secrets", Need::required, "names of the secrets; the new value of NAME is in the file NAME.2, then NAME.3, …"},
      {"look", Need::optional, "true: renew nothing, and fail when one of them could not be renewed"},
  });
}

class SecretsRotate : public Action {
 public:
  explicit SecretsRotate(SecretsRotateParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    if (params_.look) co_return looked_at(context);
    std::vector<std::string> left, unfit, unfinished;
    for (const Identifier& secret : params_.secrets) {
      if (!context.run.empty() && context.world.credentials.renewed_by(secret.text) == context.run) {
        auto looking = in_force(context, secret.text);
        if (!co_await std::move(looking)) unfinished.push_back(secret.text);
        continue;
      }
      left.push_back(secret.text);
      if (auto next = usable(context.world.secrets, secret.text); !next) unfit.push_back(next.error().what);
    }
    std::string state = left.empty() ? "renewed in this run" : fmt::format("{} not renewed", fmt::join(left, ", "));
    if (!unfit.empty()) state += fmt::format("; CANNOT BE RENEWED: {}", fmt::join(unfit, "; "));
    std::string change = left.empty() ? "" : fmt::format("→ the next value of {} counts", fmt::join(left, ", "));
    if (!unfinished.empty()) {
      state += fmt::format("; {} not yet in force", fmt::join(unfinished, ", "));
      change += fmt::format("→ {} in force", fmt::join(unfinished, ", "));
    }
    co_return Observation{left.empty() && unfinished.empty(), std::move(state), std::move(change), nullptr};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    // None is renewed before all can be.
    CO_TRY_VOID(all_usable(context));
    if (params_.look) {
      std::string summary = fmt::format("the next value of {} is there", fmt::join(names(), ", "));
      co_return Outcome{std::move(summary), JsonObject{{"looked_at", params_.secrets.size()}}};
    }
    // An attempt that goes on has renewed it; what streams since is to go on streaming.
    std::map<std::string, std::vector<ReplicationNow>> before;
    for (const Identifier& secret : params_.secrets) {
      PlacesOfUse use = use_of(context.world.plan, secret.text);
      for (const std::string& service : use.replication) {
        auto looking = replication_before(context, service, secret.text);
        CO_TRY(ReplicationNow now, co_await std::move(looking));
        before[secret.text].push_back(std::move(now));
      }
    }
    int64_t ended = 0;
    JsonArray renewed;
    std::vector<std::string> restarted, later;
    for (const Identifier& secret : params_.secrets) {
      renewed.push_back(Json(secret.text));
      PlacesOfUse use = use_of(context.world.plan, secret.text);
      for (const std::string& service : use.instances) {
        if (std::ranges::find(restarted, service) == restarted.end()) restarted.push_back(service);
      }
      if (context.world.credentials.renewed_by(secret.text) != context.run) {
        for (const std::string& service : use.databases) {
          auto setting = set_password(context, service, secret.text);
          CO_TRY(int64_t sessions, co_await std::move(setting));
          ended += sessions;
        }
        auto noting = context.world.credentials.renewed(secret.text, context.run);
        CO_TRY_VOID(co_await std::move(noting));
        context.progress(fmt::format("{} is renewed", secret.text));
      }
      for (ReplicationNow& now : before[secret.text]) {
        auto finishing = replication_after(context, std::move(now), secret.text);
        CO_TRY(ReplicationRenewed done, co_await std::move(finishing));
        ended += done.ended;
        later.insert(later.end(), done.later.begin(), done.later.end());
      }
    }
    std::string summary = fmt::format("{} secret{} renewed, {} session{} of the former password ended", renewed.size(),
                                      renewed.size() == 1 ? "" : "s", ended, ended == 1 ? "" : "s");
    if (!later.empty()) summary += fmt::format("; {} get it when they are back", fmt::join(later, ", "));
    if (!restarted.empty()) summary += fmt::format("; {} start anew", fmt::join(restarted, ", "));
    JsonArray services, away;
    for (const std::string& service : restarted) services.push_back(Json(service));
    for (const std::string& member : later) away.push_back(Json(member));
    co_return Outcome{std::move(summary), JsonObject{{"renewed", std::move(renewed)},
                                                     {"sessions_ended", ended},
                                                     {"started_anew", std::move(services)},
                                                     {"later", std::move(away)}}};
  }

 private:
  SecretsRotateParams params_;

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Identifier& secret : params_.secrets) out.push_back(secret.text);
    return out;
  }

  // Of those that this run has not renewed yet. All that is wrong is said at once.
  Result<void> all_usable(const ActionContext& context) const {
    std::optional<Error> first;
    std::vector<std::string> wrong;
    for (const Identifier& secret : params_.secrets) {
      bool renewed = !context.run.empty() && context.world.credentials.renewed_by(secret.text) == context.run;
      auto next = renewed ? Result<std::string>() : usable(context.world.secrets, secret.text);
      if (next) continue;
      wrong.push_back(next.error().what);
      if (!first) first = std::move(next).error();
    }
    if (!first) return {};
    first->what = fmt::format("{}", fmt::join(wrong, "; "));
    return std::unexpected(std::move(*first));
  }

  Observation looked_at(const ActionContext& context) const {
    auto all = all_usable(context);
    std::string state = all ? fmt::format("the next value of {} is there", fmt::join(names(), ", ")) : all.error().what;
    return {all.has_value(), std::move(state), "", nullptr};
  }

  static Result<std::string> usable(Secrets& secrets, const std::string& name) {
    auto next = secrets.next(name);
    if (!next)
      return std::unexpected(std::move(next).error().with(
          fmt::format("the new value of '{}' has to be on the host of every controller", name)));
    bool plain = std::ranges::all_of(*next, [](char c) { return c > ' ' && c <= '~'; });
    if (next->size() < kShortest || !plain)
      return fail(ErrorKind::refused, fmt::format("the new value of '{}' is too weak or odd", name),
                  fmt::format("{} or more printable ASCII characters without blanks", kShortest));
    auto now = secrets.get(name);
    if (now && *now == *next)
      return fail(ErrorKind::refused, fmt::format("the new value of '{}' is the one that it has", name));
    return next;
  }

  // Of what is no password of standbys, it counts and that is all.
  static Task<bool> in_force(ActionContext context, std::string secret) {
    PlacesOfUse use = use_of(context.world.plan, secret);
    for (const std::string& service : use.replication) {
      auto looking = replication_in_force(context, service, secret);
      if (!co_await std::move(looking)) co_return false;
    }
    co_return true;
  }

  static Task<Result<int64_t>> set_password(ActionContext context, std::string service, std::string secret) {
    const auto* database = service_as<PostgresService>(context.world.plan, service);
    CO_TRY(DatabaseView view, context.world.databases.view(service));
    const PostgresMember* holder = database->members.find(view.holder);
    if (holder == nullptr) co_return fail(ErrorKind::unreachable, fmt::format("nobody takes writes for {}", service));
    CO_TRY(std::string value, context.world.secrets.next(secret));
    JsonObject order{
        {"service", service}, {"role", database->user}, {"verifier", scram_verifier(value, random_bytes(16))}};
    auto asking = context.world.agents.call(holder->host.text, "postgres.set-password", std::move(order),
                                            context.deadline, context.progress);
    CO_TRY(Json done, co_await std::move(asking));
    co_return int_or(done, "ended");
  }
};

}  // namespace

const ActionDescriptor& secrets_rotate_action() {
  static const ActionDescriptor descriptor{
      .name = "secrets.rotate",
      .summary = "Renews secrets that an attacker may know.",
      .details =
          "The new value of the secret NAME is put into the secrets folder of every controller beforehand, as NAME.2 "
          "(the next time NAME.3), by whatever made it. Holds when this run has renewed all of them and they are in "
          "force. Otherwise the role of each database whose users' password it is gets the new one on the member that "
          "takes writes, as a SCRAM verifier, and its sessions are ended; then the new value counts for all "
          "controllers, "
          "and instances that have it in their environment are started anew, one after the other; those on hosts that "
          "are cut off when they are let back. Of a replication password all agents are told first, then the role gets "
          "it and every connection that was made with the former one is ended, on the standbys too: it waits until "
          "those that streamed stream again. Members that are cut off or away get it when they are back, and a member "
          "that takes the lead gives it to the role by itself. Fails before anything is changed when a new value is "
          "missing, is the old one or is shorter than 16 characters, when nobody takes writes, when the host of the "
          "member that does is cut off, and when a member is still being copied. With look: true it only fails when a "
          "value is missing or cannot be used: put such a step before anybody agrees, since by the time of the renewal "
          "the restored data lead already. It sees the folder of the controller that leads. Its data: renewed, "
          "sessions_ended, "
          "started_anew, later (members that get it when they are back).",
      .example =
          "- {id: revoke, uses: secrets.rotate, needs: [adopt], with: {secrets: [db-password, replication-password]}}",
      .usual_timeout = Duration{120'000},
      .schema = params_schema<SecretsRotateParams>,
      .validate = validate_params<SecretsRotateParams>,
      .make = make_action<SecretsRotate, SecretsRotateParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
