// What a message looks like in each kind of channel. Pure: text in, payload out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "io/http_client.hpp"

namespace lifeboat {

struct Message {
  std::string id;       // the same for every attempt: "R-3/tell"
  std::string subject;  // one line
  std::string text;     // paragraphs
  std::string severity;
  std::string run;
  std::string incident;
  std::vector<std::string> stakeholders;  // titles of the groups it is for
  bool drill = false;
};

// One line that says first whether it is real: "Drill. critical: east is lost".
std::string headline(const Message& message);

Json slack_payload(const Message& message);
Json teams_payload(const Message& message);
Json webhook_payload(const Message& message, WallTime at);
std::string mail_subject(const Message& message);
std::string mail_body(const Message& message);

// &, < and > as Slack wants them, so that a host name cannot become a mention.
std::string slack_escape(std::string_view text);
// Text as an adaptive card shows it: its Markdown characters mean themselves.
std::string teams_escape(std::string_view text);

// "[BRIEF DESCRIPTION]" becomes the value of `brief-description`; what has no value says that it is not known yet.
std::string fill_in(std::string_view text, const OrderedMap<std::string>& values);

// X-Lifeboat-Timestamp and X-Lifeboat-Signature: v1=HMAC-SHA256(key, timestamp "." body), in hex.
HttpHeaders signature_headers(std::string_view key, WallTime at, std::string_view body);

}  // namespace lifeboat
