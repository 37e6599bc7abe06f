// The lab's secrets: a random value for every secret that the plan names, and the tokens of Lifeboat's own daemons.
// Webhooks get the address of the lab's sink, keys of DNS updates are base64.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/model/plan.hpp"
#include "lab/system.hpp"

namespace lifeboat::lab {

enum class SecretUse { password, webhook, dns_key };

// Every secret that the plan names, also inside text as ${secret.NAME}.
std::map<std::string, SecretUse> secrets_of(const Plan& plan);

using SecretValues = std::map<std::string, std::string>;
// Passwords have their next value beside them, as NAME.2. `sink`: http://ADDRESS:PORT that webhooks are sent to.
SecretValues make_secrets(const Plan& plan, const std::string& sink);
// What pgBackRest's servers need on the hosts of members and repositories: backup-ca, backup-cert-HOST and backup-key-HOST.
Result<void> add_certificates(const Plan& placed, SecretValues& values);
// One file per secret, mode 0600, in a folder of mode 0700.
Result<void> write_secrets(const std::string& folder, const SecretValues& values);

// `text` with ${secret.NAME} replaced. An unknown name is an error.
Result<std::string> expand_secrets(std::string_view text, const SecretValues& values);

}  // namespace lifeboat::lab
