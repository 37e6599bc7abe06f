#include "witness/user.hpp"

#include <fmt/format.h>

#include "io/dns.hpp"

namespace lifeboat {

std::string fill_in(std::string text, const std::string& id, const std::string& key) {
  for (const auto& [name, value] : {std::pair<std::string_view, const std::string&>{"${id}", id}, {"${key}", key}}) {
    for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size()))
      text.replace(at, name.size(), value);
  }
  return text;
}

UsersPath::UsersPath(const Plan& plan, HttpClient& http, std::string token)
    : plan_(plan), http_(http), token_(std::move(token)) {
  port_ = plan.journey->port;
  const auto* dns = service_as<DnsService>(plan_, plan.journey->entry.text);
  if (dns == nullptr) return;
  name_ = dns->name;
  // Users have a resolver; without one in the plan, the authoritative server is asked itself.
  recursive_ = dns->resolver.has_value();
  resolver_ = address_of(plan_, recursive_ ? dns->resolver->text : dns->server.text);
  resolver_port_ = recursive_ ? 53 : dns->port;
}

Task<Result<std::string>> UsersPath::resolve(Deadline deadline) {
  if (boot_now() >= valid_until_ || addresses_.empty()) {
    DnsServer server{resolver_, resolver_port_};
    auto asking = query_a(server, name_, recursive_, deadline);
    auto answer = co_await std::move(asking);
    if (!answer) co_return std::unexpected(std::move(answer).error());
    if (answer->addresses.empty())
      co_return fail(ErrorKind::unreachable, fmt::format("{} has no address: {}", name_, answer->rcode));
    addresses_ = answer->addresses;
    valid_until_ = boot_now() + answer->ttl;
  }
  co_return addresses_[turn_++ % addresses_.size()];
}

Task<Asked> UsersPath::ask(std::string method, std::string path, std::string body, Deadline deadline, bool fresh) {
  Asked out;
  if (name_.empty()) {
    out.answer = fail(ErrorKind::invalid_input, "the journey's entry is no dns service");
    co_return out;
  }
  auto resolving = resolve(deadline);
  auto address = co_await std::move(resolving);
  if (!address) {
    out.answer = std::unexpected(std::move(address).error());
    co_return out;
  }
  out.address = *address;
  HttpRequest request;
  request.method = std::move(method);
  request.url = fmt::format("http://{}:{}{}", name_, port_, path);
  request.connect_to = fmt::format("{}:{}", out.address, port_);
  request.fresh_connection = fresh;
  request.bearer = token_;
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  auto sending = http_.send(std::move(request), deadline);
  out.answer = co_await std::move(sending);
  co_return out;
}

}  // namespace lifeboat
