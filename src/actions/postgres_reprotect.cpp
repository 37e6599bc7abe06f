// postgres.reprotect: servers that came back follow the new primary, so that the next loss can be survived.
#include "actions/postgres_common.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct PostgresReprotectParams {
  Identifier service;
  std::optional<Identifier> member;
  bool pages = false;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    const auto* database = require_service<PostgresService>(plan, service.text, problems);
    if (database != nullptr && member) require_name(database->members, "member", member->text, problems, "/member");
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(PostgresReprotectParams, (), (service, member, pages))
constexpr auto field_docs(const PostgresReprotectParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"member", Need::optional, "only this member; all that are not standbys when left out"},
      {"pages", Need::optional,
       "files may be damaged: read every page first, and copy anew instead of rewinding where one is"},
  });
}

class PostgresReprotect : public Action {
 public:
  explicit PostgresReprotect(PostgresReprotectParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(DatabaseView view, context.world.databases.view(params_.service.text));
    std::vector<std::string> apart;
    for (const MemberView& member : view.members) {
      bool meant = !params_.member || params_.member->text == member.member;
      bool follows = member.connected && member.report.state == ServerState::standby && member.report.streaming &&
                     member.report.upstream == view.holder;
      if (meant && member.member != view.holder && !follows) apart.push_back(member.member);
    }
    // What their files hold is known when they have been read.
    bool holds = apart.empty() && !view.holder.empty() && !params_.pages;
    std::string change = holds ? ""
                         : apart.empty() && !view.holder.empty()
                             ? "every page of the standbys is read"
                             : fmt::format("{} to follow {}", fmt::join(apart, ", "),
                                           view.holder.empty() ? "the primary, once there is one" : view.holder);
    JsonArray names;
    for (const std::string& name : apart) names.push_back(Json(name));
    co_return Observation{holds, in_words(view), std::move(change), JsonObject{{"apart", names}}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    std::string member = params_.member ? params_.member->text : "";
    CO_TRY(Json done, co_await context.world.databases.reprotect(params_.service.text, member, params_.pages,
                                                                 context.deadline, context.progress));
    co_return Outcome{fmt::format("{} follows", member.empty() ? "every member" : member), std::move(done)};
  }

 private:
  PostgresReprotectParams params_;
};

}  // namespace

const ActionDescriptor& postgres_reprotect_action() {
  static const ActionDescriptor descriptor{
      .name = "postgres.reprotect",
      .summary = "Makes members that are not standbys follow the primary.",
      .details =
          "Holds when each member meant streams from the holder. A member whose history parted from the primary's is "
          "rewound, or copied anew when that cannot be done. A rewind does not look at pages that it need not change: "
          "with "
          "pages, each is read first, and damaged data are kept aside as evidence and copied anew. A member whose "
          "agent does not answer makes the step fail, "
          "so that it is tried again when the host is back.",
      .example =
          "- {id: reprotect, uses: postgres.reprotect, with: {service: database}, timeout: 10m,\n"
          "   retries: {attempts: 5, backoff: 1s}}",
      .usual_timeout = Duration{600'000},
      .touches = touches_service,
      .schema = params_schema<PostgresReprotectParams>,
      .validate = validate_params<PostgresReprotectParams>,
      .make = make_action<PostgresReprotect, PostgresReprotectParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
