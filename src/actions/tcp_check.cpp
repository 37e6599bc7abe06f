// tcp.check: a port accepts connections.
#include "actions/check_action.hpp"
#include "actions/registry.hpp"
#include "io/dial.hpp"

namespace lifeboat {
namespace {

struct TcpCheckParams {
  std::string host;
  int port = 0;
  Duration within{3'000};
  DecodeProblems check(const Plan&) const {
    DecodeProblems problems;
    if (host.empty()) problems.push_back({"/host", "the host is empty", {}});
    if (port < 1 || port > 65'535) problems.push_back({"/port", "a port lies between 1 and 65535", {}});
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(TcpCheckParams, (), (host, port, within))
constexpr auto field_docs(const TcpCheckParams*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "a host of the plan, a name or an IP address"},
      {"port", Need::required, "port"},
      {"within", Need::optional, "time allowed (3s)"},
  });
}

class TcpCheck : public CheckAction {
 public:
  explicit TcpCheck(TcpCheckParams params) : params_(std::move(params)) {}

 private:
  Task<Result<Outcome>> look(ActionContext context) override {
    std::string address = address_of(context.world.plan, params_.host);
    MonoTime begin = boot_now();
    auto socket = co_await dial(address, params_.port, context.deadline.at_most(params_.within));
    if (!socket) co_return std::unexpected(std::move(socket).error());
    int64_t took = to_duration(boot_now() - begin).count();
    co_return Outcome{fmt::format("{}:{} accepts connections ({} ms)", params_.host, params_.port, took),
                      JsonObject{{"milliseconds", took}}};
  }

  TcpCheckParams params_;
};

}  // namespace

const ActionDescriptor& tcp_check_action() {
  static const ActionDescriptor descriptor{
      .name = "tcp.check",
      .summary = "Checks that a port accepts connections.",
      .details = "Connects and closes. Fails when the connection is refused or nothing answers in time.",
      .example = "- {id: port, uses: tcp.check, with: {host: db-west-1, port: 5432}}",
      .usual_timeout = Duration{30'000},
      .schema = params_schema<TcpCheckParams>,
      .validate = validate_params<TcpCheckParams>,
      .make = make_action<TcpCheck, TcpCheckParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
