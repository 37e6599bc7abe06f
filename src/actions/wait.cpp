// wait: nothing but time. The executor keeps it, so that a restart does not begin it anew.
#include "actions/registry.hpp"

namespace lifeboat {
namespace {

struct WaitParams {
  Duration for_{};
};
BOOST_DESCRIBE_STRUCT(WaitParams, (), (for_))
constexpr auto field_docs(const WaitParams*) { return std::to_array<FieldDoc>({{"for", Need::required, "how long"}}); }

}  // namespace

const ActionDescriptor& wait_action() {
  static const ActionDescriptor descriptor{
      .name = "wait",
      .summary = "Lets time pass.",
      .details =
          "The time counts from when the step starts and goes on across a restart of the controller. The step's "
          "timeout does not cut it short.",
      .example = "- {id: stabilise, uses: wait, with: {for: 2h}}",
      .kind = ActionKind::wait,
      .schema = params_schema<WaitParams>,
      .validate = validate_params<WaitParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
