// postgres.adopt: a restored copy becomes the database; what was there is kept as evidence.
#include "actions/postgres_common.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "actions/restore_common.hpp"

namespace lifeboat {
namespace {

struct PostgresAdoptParams {
  Identifier service;
  Identifier restored;
  Identifier member;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* database = require_service<PostgresService>(plan, service.text, problems);
    if (database != nullptr) require_name(database->members, "member", member.text, problems, "/member");
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresAdoptParams, (), (service, restored, member))
constexpr auto field_docs(const PostgresAdoptParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"restored", Need::required, "name of the copy, see postgres.restore"},
      {"member", Need::required, "the member on whose host it is, which takes its data and leads"},
  });
}

class PostgresAdopt : public Action {
 public:
  explicit PostgresAdopt(PostgresAdoptParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(DatabaseView view, context.world.databases.view(params_.service.text));
    const MemberView* member = member_of(view, params_.member.text);
    auto finding = name_of_copy(context);
    std::string copy = co_await std::move(finding);
    bool leads = view.writable && view.holder == params_.member.text;
    bool holds = leads && member != nullptr && member->report.restored == copy && !member->report.put_back;
    std::string change = holds
                             ? ""
                             : fmt::format("{} leads with the data of restore {}; what was written since is set aside",
                                           params_.member.text, copy);
    co_return Observation{holds, in_words(view), std::move(change),
                          JsonObject{{"holder", view.holder}, {"term", view.term}}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    auto finding = name_of_copy(context);
    std::string copy = co_await std::move(finding);
    auto moving = context.world.databases.put_back(params_.service.text, params_.member.text, copy, context.deadline,
                                                   context.progress);
    CO_TRY(Json done, co_await std::move(moving));
    CO_TRY(recovery::RestorePlace place,
           restore_place(context.world, params_.service.text, params_.member.text, false));
    auto hashing = evidence_of(context, place.host, params_.service.text, text_or(done, "kept"));
    auto evidence = co_await std::move(hashing);
    JsonObject data = done.as_object();
    data["evidence"] = evidence ? *evidence : Json(nullptr);
    std::string summary =
        fmt::format("{} leads on timeline {} with the data of restore {}; what it had is kept in {}",
                    params_.member.text, int_or(done, "timeline"), copy, text_or(done, "kept", "no place"));
    co_return Outcome{std::move(summary), std::move(data)};
  }

 private:
  // A name is used again; what the member remembers is the copy's own. One that cannot be asked is asked for by the name that was given.
  Task<std::string> name_of_copy(ActionContext context) {
    std::string given = params_.restored.text;
    auto place = restore_place(context.world, params_.service.text, params_.member.text, false);
    if (!place) co_return given;
    auto finding = find_copy(context, place->host, params_.service.text, given);
    auto found = co_await std::move(finding);
    co_return found ? text_or(*found, "name", given) : given;
  }

  PostgresAdoptParams params_;
};

}  // namespace

const ActionDescriptor& postgres_adopt_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.adopt",
      .summary = "Makes a restored copy the database, and keeps what was there as evidence.",
      .details =
          "Holds when the member leads with the data of that restore. Otherwise the member, a standby most often, "
          "takes "
          "the restored data in place of its own, which are kept beside them, read-only, with a list of their hashes; "
          "the "
          "primary steps down in good order, or the end of its lease is waited for; the member is promoted on a "
          "timeline "
          "of its own. Everything that was written behind the point of the restore is not in the database any more: "
          "let an "
          "approval come before. The other members keep what they have until they are reprotected. When the member "
          "cannot "
          "take the data or lead, the old primary goes on. Its data: member, from, term, timeline, restored_to, kept, "
          "evidence, write_outage_s.",
      .example =
          "- {id: adopt, uses: postgres.adopt, needs: [approve], timeout: 10m,\n"
          "   with: {service: database, restored: before-the-drop, member: east-2}}",
      .usual_timeout = Duration{600'000},
      .touches = touches_service,
      .schema = params_schema<PostgresAdoptParams>,
      .validate = validate_params<PostgresAdoptParams>,
      .make = make_action<PostgresAdopt, PostgresAdoptParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
