// incident.update: a line in the incident's record.
#include "actions/incident_common.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct IncidentUpdateParams {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(IncidentUpdateParams, (), (text))
constexpr auto field_docs(const IncidentUpdateParams*) {
  return std::to_array<FieldDoc>({{"text", Need::required, "what is known now"}});
}

class IncidentUpdate : public Action {
 public:
  explicit IncidentUpdate(IncidentUpdateParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    auto incident = open_incident(context);
    std::string state = incident ? fmt::format("{} is open", incident->id) : "no incident is open for this run";
    co_return Observation{false, std::move(state), "note: " + params_.text, {}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    auto incident = open_incident(context);
    if (!incident)
      co_return fail(ErrorKind::refused, "no incident is open for this run",
                     "let a step with incident.open come before");
    CO_TRY_VOID(co_await context.world.incidents.update(incident->id, params_.text));
    co_return Outcome{fmt::format("noted in {}", incident->id), JsonObject{{"id", incident->id}}};
  }

 private:
  IncidentUpdateParams params_;
};

}  // namespace

const ActionDescriptor& incident_update_action() {
  static const ActionDescriptor descriptor{
      .name = "incident.update",
      .summary = "Adds a line to the incident of this run.",
      .details =
          "Refused when no incident is open. A retry after an attempt whose outcome is unknown may leave the line "
          "twice, which harms nobody.",
      .example = "- {id: note, uses: incident.update, with: {text: the standby is the primary now}}",
      .usual_timeout = Duration{30'000},
      .schema = params_schema<IncidentUpdateParams>,
      .validate = validate_params<IncidentUpdateParams>,
      .make = make_action<IncidentUpdate, IncidentUpdateParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
