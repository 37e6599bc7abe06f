// incident.close: the end of what incident.open began.
#include "actions/incident_common.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct IncidentCloseParams {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(IncidentCloseParams, (), (text))
constexpr auto field_docs(const IncidentCloseParams*) {
  return std::to_array<FieldDoc>({{"text", Need::required, "how it ended"}});
}

class IncidentClose : public Action {
 public:
  explicit IncidentClose(IncidentCloseParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    auto incident = open_incident(context);
    if (incident) co_return Observation{false, fmt::format("{} is open", incident->id), "close: " + params_.text, {}};
    // Before the run there is nothing yet; during it, nothing open means that the goal holds.
    bool preview = context.run.empty();
    co_return Observation{!preview, "no incident is open for this run", preview ? "close: " + params_.text : "", {}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    auto incident = open_incident(context);
    if (!incident) co_return Outcome{"no incident was open", JsonObject{}};
    CO_TRY_VOID(co_await context.world.incidents.close(incident->id, params_.text));
    co_return Outcome{fmt::format("{} is closed: {}", incident->id, params_.text), JsonObject{{"id", incident->id}}};
  }

 private:
  IncidentCloseParams params_;
};

}  // namespace

const ActionDescriptor& incident_close_action() {
  static const ActionDescriptor descriptor{
      .name = "incident.close",
      .summary = "Closes the incident of this run.",
      .details = "Holds when no incident of this run is open.",
      .example = "- {id: close, uses: incident.close, with: {text: users are served from west}}",
      .usual_timeout = Duration{30'000},
      .schema = params_schema<IncidentCloseParams>,
      .validate = validate_params<IncidentCloseParams>,
      .make = make_action<IncidentClose, IncidentCloseParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
