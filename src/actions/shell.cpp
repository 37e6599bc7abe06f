// shell: a program of yours, for what no action does.
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "io/process.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

// What is kept of a program's output for people and expressions.
constexpr size_t kShown = 2'000;

struct ShellParams {
  std::vector<std::string> argv;
  std::string shell;
  std::vector<std::string> observe;
  std::vector<std::string> undo;
  OrderedMap<std::string> env;
  OrderedMap<SecretRef> secrets;
  std::string directory;
  std::optional<Identifier> host;
  std::optional<Duration> within;
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(ShellParams, (), (argv, shell, observe, undo, env, secrets, directory, host, within))
constexpr auto field_docs(const ShellParams*) {
  return std::to_array<FieldDoc>({
      {"argv", Need::optional, "program and arguments, passed as they are; this or shell"},
      {"shell", Need::optional, "a line for /bin/sh -c; only when a pipe or the like is needed"},
      {"observe", Need::optional,
       "program and arguments that end with 0 when the goal already holds, and change nothing"},
      {"undo", Need::optional, "program and arguments that take it back"},
      {"env", Need::optional, "environment (names in lower case with '-', given as upper case with '_')"},
      {"secrets", Need::optional, "environment whose values are secrets, by name of the secret"},
      {"directory", Need::optional, "working directory"},
      {"host", Need::optional, "where it runs: a host with a controller; this one when left out"},
      {"within", Need::optional, "time allowed; the step's timeout when left out"},
  });
}

DecodeProblems ShellParams::check(const Plan& plan) const {
  DecodeProblems problems;
  if (argv.empty() == shell.empty())
    problems.push_back({"", "exactly one of 'argv' and 'shell' is needed", "argv: [program, argument]"});
  for (const auto* list : {&argv, &observe, &undo}) {
    if (!list->empty() && list->front().empty()) problems.push_back({"/argv", "the name of the program is empty", {}});
  }
  if (host) require_name(plan.hosts, "host", host->text, problems, "/host");
  return problems;
}

std::string variable_name(std::string name) {
  std::ranges::transform(name, name.begin(), [](char c) {
    return c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  return name;
}

class Shell : public Action {
 public:
  explicit Shell(ShellParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY_VOID(allowed(context.world));
    std::string change = "run: " + shown(command());
    if (params_.observe.empty())
      co_return Observation{false, "not known: the step has no `observe`", std::move(change), {}};
    CO_TRY(ProcessResult result, co_await run(context, params_.observe));
    bool holds = result.exit_code == 0;
    std::string state = fmt::format("{} ended with {}", shown(params_.observe), result.exit_code);
    co_return Observation{holds, std::move(state), holds ? "" : std::move(change), data_of(context.world, result)};
  }

  Task<Result<Outcome>> apply(ActionContext context) override { co_return co_await finish(context, command()); }

  Task<Result<Outcome>> undo(ActionContext context, Json) override {
    if (params_.undo.empty())
      co_return fail(ErrorKind::unsupported, "the step names no program that takes it back",
                     "give it `undo: [program, argument]`");
    co_return co_await finish(context, params_.undo);
  }

 private:
  std::vector<std::string> command() const {
    return params_.shell.empty() ? params_.argv : std::vector<std::string>{"/bin/sh", "-c", params_.shell};
  }
  static std::string shown(const std::vector<std::string>& argv) {
    return Decoder::printable(fmt::format("{}", fmt::join(argv, " ")));
  }

  Result<void> allowed(World& world) const {
    if (!params_.host) return {};
    const Host* host = world.plan.hosts.find(params_.host->text);
    if (host != nullptr && host->controller) return {};
    return fail(ErrorKind::unsupported,
                fmt::format("programs are run on the controller's host only, not on {}", params_.host->text),
                "run it over ssh from there, or leave `host` out");
  }

  Task<Result<ProcessResult>> run(ActionContext context, std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    spec.directory = params_.directory;
    for (const auto& [name, value] : params_.env) spec.environment[variable_name(name)] = value;
    for (const auto& [name, secret] : params_.secrets) {
      CO_TRY(std::string value, context.world.secrets.get(secret));
      spec.environment[variable_name(name)] = std::move(value);
    }
    Deadline deadline = params_.within ? context.deadline.at_most(*params_.within) : context.deadline;
    auto result = co_await run_process(std::move(spec), deadline);
    if (!result) {
      Error error = context.world.secrets.redact(std::move(result).error());
      // It ran for a while and was ended: what it had done by then nobody knows.
      if (error.kind == ErrorKind::timed_out) error.kind = ErrorKind::unknown_outcome;
      co_return std::unexpected(std::move(error));
    }
    co_return result;
  }

  static Json data_of(World& world, const ProcessResult& result) {
    auto part = [&](const std::string& text) {
      return Decoder::printable(world.secrets.redact(text).substr(0, kShown));
    };
    return JsonObject{{"exit_code", result.exit_code}, {"out", part(result.out)}, {"err", part(result.err)}};
  }

  Task<Result<Outcome>> finish(ActionContext context, std::vector<std::string> argv) {
    CO_TRY_VOID(allowed(context.world));
    CO_TRY(ProcessResult result, co_await run(context, argv));
    std::string program = Decoder::printable(argv.front());
    if (result.exit_code != 0) {
      std::string said = context.world.secrets.redact(result.err.empty() ? result.out : result.err);
      size_t from = said.size() > 300 ? said.size() - 300 : 0;
      co_return fail(ErrorKind::conflict, fmt::format("{} ended with {}: {}", program, result.exit_code,
                                                      Decoder::printable(said.substr(from))));
    }
    co_return Outcome{fmt::format("{} ended with 0 after {}", program, format_span(result.took)),
                      data_of(context.world, result)};
  }

  ShellParams params_;
};

}  // namespace

const ActionDescriptor& shell_action() {
  static const ActionDescriptor descriptor{
      .name = "shell",
      .summary = "Runs a program on the controller's host.",
      .details =
          "`argv` is passed to the program as it is: no shell reads it, so nothing in a variable can become a command. "
          "It succeeds when the program ends with 0; when the time is over, it and all it started are killed and its "
          "outcome is unknown. Without `observe` nobody can say whether the goal holds, so after a crash the program "
          "runs again: let it be one that may.\n\n"
          "Its data: exit_code, out, err (the first 2000 characters, secrets replaced).",
      .example =
          "- {id: flows, uses: shell, with: {argv: [npm, run, \"test:integration:critical\"], directory: "
          "/srv/checks},\n"
          "   timeout: 10m}",
      .can_undo = true,
      .schema = params_schema<ShellParams>,
      .validate = validate_params<ShellParams>,
      .make = make_action<Shell, ShellParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
