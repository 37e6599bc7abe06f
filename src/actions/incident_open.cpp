// incident.open: the record that a run's messages, decisions and times belong to.
#include "actions/incident_common.hpp"
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct IncidentOpenParams {
  std::string title;
  std::string severity = "major";
};
BOOST_DESCRIBE_STRUCT(IncidentOpenParams, (), (title, severity))
constexpr auto field_docs(const IncidentOpenParams*) {
  return std::to_array<FieldDoc>({
      {"title", Need::required, "what is wrong, in a few words"},
      {"severity", Need::optional, "critical, major (default) or minor, in the words your people use"},
  });
}

class IncidentOpen : public Action {
 public:
  explicit IncidentOpen(IncidentOpenParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    auto incident = open_incident(context);
    if (!incident) co_return Observation{false, "no incident is open for this run", "open: " + params_.title, {}};
    co_return Observation{true, fmt::format("{} is open", incident->id), "", data_of(*incident)};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    if (auto open = open_incident(context))
      co_return Outcome{fmt::format("{} was open already", open->id), data_of(*open)};
    CO_TRY(IncidentView incident, co_await context.world.incidents.open(context.run, params_.title, params_.severity));
    co_return Outcome{fmt::format("{} {}: {}", incident.id, incident.severity, incident.title), data_of(incident)};
  }

 private:
  static Json data_of(const IncidentView& incident) {
    return JsonObject{{"id", incident.id}, {"title", incident.title}, {"severity", incident.severity}};
  }
  IncidentOpenParams params_;
};

}  // namespace

const ActionDescriptor& incident_open_action() {
  static const ActionDescriptor descriptor{
      .name = "incident.open",
      .summary = "Opens the incident that this run belongs to.",
      .details =
          "Holds when an incident of this run is open. A run opens at most one, however often the step is tried.",
      .example = "- {id: open, uses: incident.open, needs: [], with: {title: east is lost, severity: critical}}",
      .usual_timeout = Duration{30'000},
      .schema = params_schema<IncidentOpenParams>,
      .validate = validate_params<IncidentOpenParams>,
      .make = make_action<IncidentOpen, IncidentOpenParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
