#include "lab/secrets.hpp"

#include <cstdlib>
#include <set>
#include <type_traits>
#include <variant>

#include "core/data/encode.hpp"
#include "io/crypto.hpp"
#include "lab/certificates.hpp"

namespace lifeboat::lab {

namespace {

using Uses = std::map<std::string, SecretUse>;

// Looks into everything that a plan can hold; a new kind of channel or service needs no change here.
struct Collector {
  Uses& uses;

  template <class T>
  void look(const T& value, SecretUse use) {
    if constexpr (std::is_same_v<T, SecretRef>) {
      // What is told more of stays: a secret named twice may be a plain one in the second place.
      auto [at, fresh] = uses.try_emplace(value.name, use);
      if (!fresh && use != SecretUse::password) at->second = use;
    } else if constexpr (Described<T>) {
      boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
        std::string_view name = d.name;
        SecretUse member_use = name == "webhook" || name == "url" ? SecretUse::webhook : SecretUse::password;
        if constexpr (std::is_same_v<T, DnsService>) {
          if (name == "key") member_use = SecretUse::dns_key;
        }
        look(value.*d.pointer, member_use);
      });
    }
  }
  template <class T>
  void look(const std::optional<T>& value, SecretUse use) {
    if (value) look(*value, use);
  }
  template <class T>
  void look(const std::vector<T>& list, SecretUse use) {
    for (const T& element : list) look(element, use);
  }
  template <class T>
  void look(const OrderedMap<T>& map, SecretUse use) {
    for (const auto& [name, value] : map) look(value, use);
  }
  template <class... Ts>
  void look(const std::variant<Ts...>& choice, SecretUse use) {
    std::visit([&](const auto& value) { look(value, use); }, choice);
  }
};

constexpr std::string_view kMark = "${secret.";

}  // namespace

Uses secrets_of(const Plan& plan) {
  Uses uses;
  Collector{uses}.look(plan, SecretUse::password);
  std::string text = to_text(encode(plan));
  for (size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1)) {
    size_t begin = at + kMark.size(), end = text.find('}', at);
    if (end == std::string::npos) break;
    std::string name = text.substr(begin, end - begin);
    if (is_identifier(name)) uses.try_emplace(std::move(name), SecretUse::password);
  }
  return uses;
}

SecretValues make_secrets(const Plan& plan, const std::string& sink) {
  SecretValues values;
  for (const auto& [name, use] : secrets_of(plan)) {
    values[name] = use == SecretUse::webhook   ? sink + "/" + name
                   : use == SecretUse::dns_key ? base64_encode(random_bytes(32))
                                               : random_hex(20);
    // For a recovery that renews it.
    if (use == SecretUse::password) values[name + ".2"] = random_hex(20);
  }
  values["api-token"] = random_hex(32);
  for (const auto& [name, host] : plan.hosts) {
    if (host.agent) values["agent-" + name] = random_hex(32);
  }
  return values;
}

Result<void> add_certificates(const Plan& placed, SecretValues& values) {
  std::set<std::string> hosts;
  for (const auto& [name, service] : placed.services) {
    const auto* postgres = std::get_if<PostgresService>(&service);
    const Backups* backups = postgres == nullptr ? nullptr : kept_backups(*postgres);
    if (backups == nullptr) continue;
    hosts.insert(backups->repository_host->text);
    for (const auto& [member, settings] : postgres->members) hosts.insert(settings.host.text);
  }
  if (hosts.empty()) return {};
  TRY(Authority authority, Authority::create());
  values["backup-ca"] = authority.certificate();
  for (const std::string& host : hosts) {
    TRY(Certificate made, authority.issue(host, {address_of(placed, host)}));
    values["backup-cert-" + host] = made.certificate;
    values["backup-key-" + host] = made.key;
  }
  return {};
}

Result<void> write_secrets(const std::string& folder, const SecretValues& values) {
  TRY_VOID(make_dirs(folder, 0700));
  for (const auto& [name, value] : values) TRY_VOID(write_file(folder + "/" + name, value, 0600));
  return {};
}

Result<std::string> expand_secrets(std::string_view text, const SecretValues& values) {
  std::string out;
  while (true) {
    size_t at = text.find(kMark);
    size_t end = at == std::string_view::npos ? at : text.find('}', at);
    if (end == std::string_view::npos) return out + std::string(text);
    std::string name(text.substr(at + kMark.size(), end - at - kMark.size()));
    auto found = values.find(name);
    if (found == values.end()) return fail(ErrorKind::not_found, "no secret is named '" + name + "'");
    out += text.substr(0, at);
    out += found->second;
    text.remove_prefix(end + 1);
  }
}

}  // namespace lifeboat::lab
