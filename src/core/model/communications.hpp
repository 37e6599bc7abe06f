// Who is told, by which channel, when, and in which words.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/data/describe.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

struct Contact {
  std::string name;
  std::string phone;
  std::string email;
  std::string note;
  std::optional<Date> verified;
};
BOOST_DESCRIBE_STRUCT(Contact, (), (name, phone, email, note, verified))
constexpr auto field_docs(const Contact*) {
  return std::to_array<FieldDoc>({
      {"name", Need::optional, "the person or desk"},
      {"phone", Need::optional, "phone number with country code, in quotes"},
      {"email", Need::optional, "mail address"},
      {"note", Need::optional, "how else to reach them"},
      {"verified", Need::optional, "when someone last reached them this way"},
  });
}

struct Role {
  std::string title;
  Identifier primary;
  std::optional<Identifier> backup;
  std::vector<Identifier> members;
  std::vector<std::string> responsibilities;
};
BOOST_DESCRIBE_STRUCT(Role, (), (title, primary, backup, members, responsibilities))
constexpr auto field_docs(const Role*) {
  return std::to_array<FieldDoc>({
      {"title", Need::optional, "its name for people"},
      {"primary", Need::required, "the contact who holds it, or leads the team"},
      {"backup", Need::optional, "who takes over"},
      {"members", Need::optional, "contacts in the team"},
      {"responsibilities", Need::optional, "what they answer for"},
  });
}

struct EscalationLevel {
  std::string title;
  std::vector<Identifier> contacts;
};
BOOST_DESCRIBE_STRUCT(EscalationLevel, (), (title, contacts))
constexpr auto field_docs(const EscalationLevel*) {
  return std::to_array<FieldDoc>({
      {"title", Need::required, "name of the level"},
      {"contacts", Need::required, "who is called, in this order"},
  });
}

struct People {
  OrderedMap<Contact> contacts;
  OrderedMap<Role> roles;
  std::vector<EscalationLevel> escalation;
};
BOOST_DESCRIBE_STRUCT(People, (), (contacts, roles, escalation))
constexpr auto field_docs(const People*) {
  return std::to_array<FieldDoc>({
      {"contacts", Need::optional, "people and desks, by name"},
      {"roles", Need::optional, "who does what"},
      {"escalation", Need::optional, "who is called first, second, third"},
  });
}

// Slack incoming webhook. Its URL is a credential, so it is a secret.
struct SlackChannel {
  static constexpr std::string_view kKind = "slack";
  SecretRef webhook;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(SlackChannel, (), (webhook, title))
constexpr auto field_docs(const SlackChannel*) {
  return std::to_array<FieldDoc>({
      {"webhook", Need::required, "secret with the URL of an incoming webhook"},
      {"title", Need::optional, "name of the channel for people"},
  });
}

struct TeamsChannel {
  static constexpr std::string_view kKind = "teams";
  SecretRef webhook;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(TeamsChannel, (), (webhook, title))
constexpr auto field_docs(const TeamsChannel*) {
  return std::to_array<FieldDoc>({
      {"webhook", Need::required, "secret with the URL of a Workflows webhook"},
      {"title", Need::optional, "name of the channel for people"},
  });
}

struct WebhookChannel {
  static constexpr std::string_view kKind = "webhook";
  SecretRef url;
  std::optional<SecretRef> key;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(WebhookChannel, (), (url, key, title))
constexpr auto field_docs(const WebhookChannel*) {
  return std::to_array<FieldDoc>({
      {"url", Need::required, "secret with the URL that is posted to"},
      {"key", Need::optional, "secret that signs the body (HMAC-SHA256)"},
      {"title", Need::optional, "its name for people"},
  });
}

struct MailChannel {
  static constexpr std::string_view kKind = "smtp";
  Identifier host;
  int port = 25;
  std::string from;
  std::vector<std::string> to;
  std::string user;
  std::optional<SecretRef> password;
  bool tls = true;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(MailChannel, (), (host, port, from, to, user, password, tls, title))
constexpr auto field_docs(const MailChannel*) {
  return std::to_array<FieldDoc>({
      {"host", Need::required, "host of the mail server"},
      {"port", Need::optional, "its port (25)"},
      {"from", Need::required, "sender's address"},
      {"to", Need::required, "recipients' addresses"},
      {"user", Need::optional, "user name there"},
      {"password", Need::optional, "secret with the password"},
      {"tls", Need::optional, "false: plain text, for a relay on the same network"},
      {"title", Need::optional, "its name for people"},
  });
}

struct PhoneTreeChannel {
  static constexpr std::string_view kKind = "phone-tree";
  std::vector<Identifier> order;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(PhoneTreeChannel, (), (order, title))
constexpr auto field_docs(const PhoneTreeChannel*) {
  return std::to_array<FieldDoc>({
      {"order", Need::required, "contacts, called one after the other"},
      {"title", Need::optional, "its name for people"},
  });
}

using Channel = std::variant<SlackChannel, TeamsChannel, WebhookChannel, MailChannel, PhoneTreeChannel>;

struct Stakeholder {
  std::string title;
  std::vector<Identifier> contacts;
  std::vector<std::string> at;
};
BOOST_DESCRIBE_STRUCT(Stakeholder, (), (title, contacts, at))
constexpr auto field_docs(const Stakeholder*) {
  return std::to_array<FieldDoc>({
      {"title", Need::optional, "name of the group"},
      {"contacts", Need::optional, "who belongs to it"},
      {"at", Need::required, "when they hear: immediate, a time after the start such as 1h, resolution"},
  });
}

struct Template {
  std::string subject;
  std::string body;
};
BOOST_DESCRIBE_STRUCT(Template, (), (subject, body))
constexpr auto field_docs(const Template*) {
  return std::to_array<FieldDoc>({
      {"subject", Need::required, "subject line"},
      {"body", Need::required, "text; [TIME], [STATUS], [DURATION] … are filled in by the message's values"},
  });
}

struct Communications {
  OrderedMap<Channel> channels;
  OrderedMap<Stakeholder> stakeholders;
  OrderedMap<Template> templates;
  std::vector<std::string> media;
  std::vector<std::string> status_page;
};
BOOST_DESCRIBE_STRUCT(Communications, (), (channels, stakeholders, templates, media, status_page))
constexpr auto field_docs(const Communications*) {
  return std::to_array<FieldDoc>({
      {"channels", Need::optional, "ways to reach people, by name, best first"},
      {"stakeholders", Need::optional, "who hears what when"},
      {"templates", Need::optional, "texts for customers"},
      {"media", Need::optional, "rules for talking to the media"},
      {"status_page", Need::optional, "rules for the status page"},
  });
}

}  // namespace lifeboat
