// statuspage.update: the public is told, on Lifeboat's own status page.
#include "actions/messages.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "io/crypto.hpp"
#include "io/http_client.hpp"
#include "io/secrets.hpp"

namespace lifeboat {
namespace {

BOOST_DEFINE_ENUM_CLASS(PublicState, investigating, identified, monitoring, resolved)

struct StatuspageUpdateParams {
  Identifier service;
  PublicState state = PublicState::investigating;
  std::string title;
  std::string text;
  DecodeProblems check(const Plan& plan) const {
    DecodeProblems problems;
    require_service<StatuspageService>(plan, service.text, problems);
    if (text.empty()) problems.push_back({"/text", "the text is empty", {}});
    return problems;
  }
};
BOOST_DESCRIBE_STRUCT(StatuspageUpdateParams, (), (service, state, title, text))
constexpr auto field_docs(const StatuspageUpdateParams*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the statuspage service"},
      {"state", Need::required, "investigating, identified, monitoring or resolved"},
      {"title", Need::optional, "headline; that of the update before when left out"},
      {"text", Need::required, "what users need to know: what does not work, what is safe, what to do"},
  });
}

constexpr Duration kAsk{10'000};

// As the page shows it: the public has no use for names of runs.
std::string public_id(std::string_view id) { return sha256_hex(id).substr(0, 16); }

class StatuspageUpdate : public Action {
 public:
  explicit StatuspageUpdate(StatuspageUpdateParams params) : params_(std::move(params)) {}

  Task<Result<Observation>> observe(ActionContext context) override {
    CO_TRY(std::string base, base_url(context.world));
    HttpRequest request;
    request.url = base + "/api/v1/status";
    std::string change = fmt::format("{}: {}", enum_name(params_.state), params_.text);
    auto answer = co_await context.world.http.send(std::move(request), context.deadline.at_most(kAsk));
    if (!answer) co_return Observation{false, answer.error().what, std::move(change), {}};
    auto status = parse_json(answer->body);
    if (answer->status != 200 || !status)
      co_return Observation{false, fmt::format("the status page answers {}", answer->status), std::move(change), {}};
    bool posted = false;
    if (const Json& updates = member(*status, "updates"); updates.is_array()) {
      for (const Json& update : updates.get_array())
        posted = posted || (!context.run.empty() && text_or(update, "id") == public_id(context.idempotency_key));
    }
    co_return Observation{
        posted, fmt::format("the page says: {}", text_or(*status, "headline")), posted ? "" : std::move(change), {}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    CO_TRY(std::string base, base_url(context.world));
    HttpRequest request;
    request.method = "POST";
    request.url = base + "/api/v1/updates";
    JsonObject update{{"id", context.idempotency_key},
                      {"state", enum_name(params_.state)},
                      {"title", params_.title},
                      {"text", params_.text},
                      {"drill", context.world.drill}};
    request.body = to_text(update);
    request.headers = {{"Content-Type", "application/json"}};
    const auto* page = service_as<StatuspageService>(context.world.plan, params_.service.text);
    if (page->key) {
      CO_TRY(std::string key, context.world.secrets.get(*page->key));
      for (auto& header : signature_headers(key, wall_now(), request.body))
        request.headers.push_back(std::move(header));
    }
    auto answer = co_await context.world.http.send(std::move(request), context.deadline.at_most(kAsk));
    if (!answer) co_return std::unexpected(std::move(answer).error());
    if (answer->status != 200 && answer->status != 201) {
      auto said = parse_json(answer->body);
      ErrorKind kind = answer->status >= 500 || answer->status == 429 ? ErrorKind::unreachable : ErrorKind::refused;
      co_return fail(kind,
                     fmt::format("the status page answers {}: {}", answer->status, said ? text_or(*said, "error") : ""),
                     answer->status == 401 ? "the key of the status page and that of the plan must be the same" : "");
    }
    co_return Outcome{fmt::format("the status page says: {}", enum_name(params_.state)),
                      JsonObject{{"state", enum_name(params_.state)}}};
  }

 private:
  Result<std::string> base_url(World& world) const {
    const auto* page = service_as<StatuspageService>(world.plan, params_.service.text);
    if (page == nullptr)
      return fail(ErrorKind::invalid_input, fmt::format("{} is no status page", params_.service.text));
    return fmt::format("http://{}:{}", address_of(world.plan, page->host.text), page->port);
  }

  StatuspageUpdateParams params_;
};

}  // namespace

const ActionDescriptor& statuspage_update_action() {
  static const ActionDescriptor descriptor{
      .name = "statuspage.update",
      .summary = "Posts an update on Lifeboat's public status page.",
      .details =
          "Holds when the update of this step is on the page. An update is posted once, however often the step is "
          "tried. It is signed with the service's key; a page without a key takes updates only from its own machine. "
          "An "
          "update of a drill says so on the page.",
      .example =
          "- {id: announce, uses: statuspage.update, needs: [open], on_failure: go-on,\n"
          "   with: {service: status-page, state: investigating, title: Service disruption,\n"
          "          text: \"Pages do not load since 02:47 UTC. Your data is safe. Next update by 03:17 UTC.\"}}",
      .kind = ActionKind::message,
      .usual_timeout = Duration{60'000},
      .schema = params_schema<StatuspageUpdateParams>,
      .validate = validate_params<StatuspageUpdateParams>,
      .make = make_action<StatuspageUpdate, StatuspageUpdateParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
