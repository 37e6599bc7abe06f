// notify: people are told, by the first channel that works or by all of them.
#include "actions/messages.hpp"
#include "actions/references.hpp"
#include "actions/registry.hpp"
#include "io/http_client.hpp"
#include "io/secrets.hpp"
#include "io/smtp.hpp"

namespace lifeboat {
namespace {

// For each channel; most failures to send are over in less than that, and the rest is the next channel's turn.
constexpr int kTries = 3;
constexpr Duration kOneTry{10'000};
constexpr Duration kBetween{250};

BOOST_DEFINE_ENUM_CLASS(NotifyTell, all, first)

struct NotifyParams {
  std::vector<Identifier> channels;
  NotifyTell tell = NotifyTell::all;
  std::string text;
  std::string subject;
  std::string severity;
  std::string stakeholders;
  std::optional<Identifier> template_;
  OrderedMap<std::string> values;
  DecodeProblems check(const Plan& plan) const;
};
BOOST_DESCRIBE_STRUCT(NotifyParams, (), (channels, tell, text, subject, severity, stakeholders, template_, values))
constexpr auto field_docs(const NotifyParams*) {
  return std::to_array<FieldDoc>({
      {"channels", Need::required, "channels of the plan, best first"},
      {"tell", Need::optional, "all (default): every channel; first: the next one only when one fails"},
      {"text", Need::optional, "what is said; this or template"},
      {"subject", Need::optional, "one line; the first sentence of the text when left out"},
      {"severity", Need::optional, "critical, major or minor, in the words your people use"},
      {"stakeholders", Need::optional, "the moment: immediate, 1h, resolution; names the groups that hear at it"},
      {"template", Need::optional, "a template of the plan"},
      {"values", Need::optional, "for the template: brief-description fills [BRIEF DESCRIPTION]"},
  });
}

DecodeProblems NotifyParams::check(const Plan& plan) const {
  DecodeProblems problems;
  const Communications& communications = plan.communications;
  if (channels.empty())
    problems.push_back({"/channels", "no channel is named", "name at least two, so that one may fail"});
  for (size_t index = 0; index < channels.size(); ++index)
    require_name(communications.channels, "channel", channels[index].text, problems,
                 fmt::format("/channels/{}", index));
  if (template_) require_name(communications.templates, "template", template_->text, problems, "/template");
  if (text.empty() && !template_) problems.push_back({"", "there is nothing to say", "text: …, or template: NAME"});
  if (stakeholders.empty()) return problems;
  std::vector<std::string> moments;
  for (const auto& [name, group] : communications.stakeholders)
    moments.insert(moments.end(), group.at.begin(), group.at.end());
  if (std::ranges::find(moments, stakeholders) == moments.end()) {
    std::ranges::sort(moments);
    auto rest = std::ranges::unique(moments);
    moments.erase(rest.begin(), rest.end());
    problems.push_back(unknown_reference("/stakeholders", "moment at which stakeholders hear", stakeholders, moments));
  }
  return problems;
}

struct Told {
  std::string channel;  // for people
  bool done = false;
  int tries = 0;
  std::string how;  // what the other side said, or why not
};

class Notify : public Action {
 public:
  explicit Notify(NotifyParams params) : params_(std::move(params)) {}

  // Whether people have been told cannot be seen from the outside.
  Task<Result<Observation>> observe(ActionContext context) override {
    std::vector<std::string> names;
    for (const Identifier& channel : params_.channels) names.push_back(channel.text);
    co_return Observation{
        false, "not told", fmt::format("tell {}: {}", fmt::join(names, ", "), compose(context).subject), {}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override;

 private:
  Message compose(const ActionContext& context) const;
  Task<Told> tell(ActionContext context, std::string name, Message message);
  Task<Result<std::string>> send_once(ActionContext context, std::string name, Message message, Deadline deadline);

  NotifyParams params_;
};

std::string title_of(const std::string& name, const Channel& channel) {
  std::string title = std::visit([](const auto& c) { return c.title; }, channel);
  std::string kind = std::visit([](const auto& c) { return std::string(c.kKind); }, channel);
  if (kind == "slack") kind = "Slack";
  if (kind == "teams") kind = "Teams";
  if (kind == "smtp") kind = "mail";
  return fmt::format("{} ({})", kind, title.empty() ? name : title);
}

Message Notify::compose(const ActionContext& context) const {
  const Communications& communications = context.world.plan.communications;
  Message out;
  out.id = context.idempotency_key;
  out.severity = params_.severity;
  out.run = context.run;
  out.incident = context.incident;
  out.drill = context.world.drill;
  out.text = params_.text;
  out.subject = params_.subject;
  if (params_.template_) {
    if (const Template* found = communications.templates.find(params_.template_->text)) {
      if (out.subject.empty()) out.subject = fill_in(found->subject, params_.values);
      if (!out.text.empty()) out.text += "\n\n";
      out.text += fill_in(found->body, params_.values);
    }
  }
  if (out.subject.empty()) {
    size_t end = out.text.find_first_of("\n");
    size_t sentence = out.text.find(". ");
    out.subject =
        out.text.substr(0, std::min({end, sentence == std::string::npos ? sentence : sentence + 1, size_t{150}}));
  }
  for (const auto& [name, group] : communications.stakeholders) {
    bool hears = !params_.stakeholders.empty() && std::ranges::find(group.at, params_.stakeholders) != group.at.end();
    if (hears) out.stakeholders.push_back(group.title.empty() ? name : group.title);
  }
  return out;
}

Result<std::string> accepted(const Result<HttpResponse>& answer, std::string_view wanted_body = {}) {
  if (!answer) return std::unexpected(answer.error());
  bool fine =
      answer->status >= 200 && answer->status < 300 && (wanted_body.empty() || answer->body.starts_with(wanted_body));
  if (fine) return fmt::format("accepted, {}", answer->status);
  std::string said = answer->body.substr(0, 80);
  bool again = answer->status == 429 || answer->status >= 500;
  return fail(again ? ErrorKind::unreachable : ErrorKind::refused,
              fmt::format("answered {}{}{}", answer->status, said.empty() ? "" : ": ", Decoder::printable(said)));
}

HttpRequest post(std::string url, const Json& payload, const std::string& id) {
  HttpRequest request;
  request.method = "POST";
  request.url = std::move(url);
  request.body = to_text(payload);
  request.headers = {{"Content-Type", "application/json; charset=utf-8"}, {"Idempotency-Key", id}};
  return request;
}

// Groups' contacts that have a mail address, besides the channel's own recipients.
std::vector<std::string> recipients(const Plan& plan, const MailChannel& channel, const std::string& moment) {
  std::vector<std::string> out = channel.to;
  for (const auto& [name, group] : plan.communications.stakeholders) {
    if (moment.empty() || std::ranges::find(group.at, moment) == group.at.end()) continue;
    for (const Identifier& contact : group.contacts) {
      const Contact* person = plan.people.contacts.find(contact.text);
      bool known = person == nullptr || person->email.empty() || std::ranges::find(out, person->email) != out.end();
      if (!known) out.push_back(person->email);
    }
  }
  return out;
}

std::string phone_list(const Plan& plan, const PhoneTreeChannel& channel) {
  std::vector<std::string> lines;
  for (const Identifier& contact : channel.order) {
    const Contact* person = plan.people.contacts.find(contact.text);
    std::string name = person == nullptr || person->name.empty() ? contact.text : person->name;
    lines.push_back(person == nullptr || person->phone.empty() ? name : fmt::format("{} {}", name, person->phone));
  }
  return fmt::format("{}", fmt::join(lines, ", "));
}

Task<Result<std::string>> Notify::send_once(ActionContext context, std::string name, Message message,
                                            Deadline deadline) {
  const Plan& plan = context.world.plan;
  Secrets& secrets = context.world.secrets;
  HttpClient& http = context.world.http;
  const Channel* channel = plan.communications.channels.find(name);
  if (channel == nullptr) co_return fail(ErrorKind::invalid_input, fmt::format("there is no channel '{}'", name));
  if (const auto* slack = std::get_if<SlackChannel>(channel)) {
    CO_TRY(std::string url, secrets.get(slack->webhook));
    auto answer = co_await http.send(post(std::move(url), slack_payload(message), message.id), deadline);
    co_return accepted(answer, "ok");
  }
  if (const auto* teams = std::get_if<TeamsChannel>(channel)) {
    CO_TRY(std::string url, secrets.get(teams->webhook));
    auto answer = co_await http.send(post(std::move(url), teams_payload(message), message.id), deadline);
    co_return accepted(answer);
  }
  if (const auto* webhook = std::get_if<WebhookChannel>(channel)) {
    CO_TRY(std::string url, secrets.get(webhook->url));
    HttpRequest request = post(std::move(url), webhook_payload(message, wall_now()), message.id);
    if (webhook->key) {
      CO_TRY(std::string key, secrets.get(*webhook->key));
      for (auto& header : signature_headers(key, wall_now(), request.body))
        request.headers.push_back(std::move(header));
    }
    auto answer = co_await http.send(std::move(request), deadline);
    co_return accepted(answer);
  }
  if (const auto* smtp = std::get_if<MailChannel>(channel)) {
    Mail mail;
    mail.host = address_of(plan, smtp->host.text);
    mail.port = smtp->port;
    mail.tls = smtp->tls;
    mail.user = smtp->user;
    if (smtp->password) {
      CO_TRY(mail.password, secrets.get(*smtp->password));
    }
    mail.from = smtp->from;
    mail.to = recipients(plan, *smtp, params_.stakeholders);
    mail.subject = mail_subject(message);
    mail.body = mail_body(message);
    mail.message_id = fmt::format("{}.{}@{}.lifeboat", message.id, name, plan.plan.text);
    std::ranges::replace(mail.message_id, '/', '.');
    mail.headers = {{"X-Lifeboat-Drill", message.drill ? "yes" : "no"}};
    CO_TRY_VOID(co_await send_mail(http, std::move(mail), deadline));
    co_return "accepted by the mail server";
  }
  const auto& tree = std::get<PhoneTreeChannel>(*channel);
  co_return fail(ErrorKind::unsupported,
                 fmt::format("is not called automatically. Call in this order: {}", phone_list(plan, tree)));
}

Task<Told> Notify::tell(ActionContext context, std::string name, Message message) {
  const Channel* channel = context.world.plan.communications.channels.find(name);
  Told told;
  told.channel = channel == nullptr ? name : title_of(name, *channel);
  while (told.tries < kTries && !context.deadline.passed()) {
    ++told.tries;
    auto sent = co_await send_once(context, name, message, context.deadline.at_most(kOneTry));
    told.done = sent.has_value();
    told.how = sent ? *sent : context.world.secrets.redact(sent.error().what);
    if (sent) break;
    ErrorKind kind = sent.error().kind;
    bool again = kind == ErrorKind::unreachable || kind == ErrorKind::timed_out || kind == ErrorKind::unknown_outcome;
    if (!again || told.tries == kTries) break;
    co_await sleep_for(kBetween * told.tries);
  }
  co_return told;
}

// "Slack (#incident-response) did not take it in 3 tries: …"
std::string failure_line(const Told& told) {
  if (told.how.starts_with("is not called")) return fmt::format("{} {}", told.channel, told.how);
  return fmt::format("{} did not take it in {} {} ({})", told.channel, told.tries, told.tries == 1 ? "try" : "tries",
                     told.how);
}

Task<Result<Outcome>> Notify::apply(ActionContext context) {
  Message message = compose(context);
  std::vector<Told> all;
  for (const Identifier& channel : params_.channels) {
    all.push_back(co_await tell(context, channel.text, message));
    if (context.progress)
      context.progress(all.back().done ? fmt::format("{} told", all.back().channel) : failure_line(all.back()));
    if (all.back().done && params_.tell == NotifyTell::first) break;
  }
  std::vector<std::string> done, failed;
  JsonArray data;
  for (const Told& told : all) {
    (told.done ? done : failed).push_back(told.done ? told.channel : failure_line(told));
    data.push_back(
        JsonObject{{"channel", told.channel}, {"told", told.done}, {"tries", told.tries}, {"how", told.how}});
  }
  std::string failures = fmt::format("{}", fmt::join(failed, ". "));
  if (done.empty()) {
    co_return fail(ErrorKind::unreachable, fmt::format("nobody was told: {}", failures),
                   "tell them by phone; the plan's contacts have the numbers");
  }
  std::string told = fmt::format("told by {}", fmt::join(done, ", "));
  std::string summary = failed.empty() ? std::move(told) : fmt::format("{}. {}", failures, told);
  co_return Outcome{std::move(summary), JsonObject{{"channels", data}}};
}

}  // namespace

const ActionDescriptor& notify_action() {
  static const ActionDescriptor descriptor{
      .name = "notify",
      .summary = "Tells people, by Slack, Teams, webhook or mail.",
      .details =
          "Each channel is tried three times. With `tell: all` every channel hears it and the step succeeds when at "
          "least one took it; with `tell: first` the next channel hears it only when the one before failed. What "
          "failed is always said. An accepted message is accepted, not read.\n\n"
          "Every message of a drill begins with \"Drill\". Each has an id that is the same for every attempt: the "
          "Message-ID of a mail, the Idempotency-Key of the others. A generic webhook gets JSON and, when the channel "
          "has a key, X-Lifeboat-Timestamp and X-Lifeboat-Signature (v1= and the hex HMAC-SHA256 of timestamp, '.' "
          "and body). A phone-tree is not called automatically: the step says whom to call, in order.\n\n"
          "Nothing waits for a message unless a step names it in `needs`.",
      .example =
          "- {id: tell, uses: notify, needs: [open],\n"
          "   with: {channels: [war-room, emergency], stakeholders: immediate, severity: critical,\n"
          "          text: \"east is lost. Failing over to west.\"}, on_failure: go-on}",
      .kind = ActionKind::message,
      .usual_timeout = Duration{120'000},
      .schema = params_schema<NotifyParams>,
      .validate = validate_params<NotifyParams>,
      .make = make_action<Notify, NotifyParams>,
  };
  return descriptor;
}

}  // namespace lifeboat
