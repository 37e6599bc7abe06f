#include "controller/open_store.hpp"

#include <fmt/format.h>

namespace lifeboat {

bool is_etcd(const std::string& store) { return store == "etcd"; }

Result<EtcdOptions> etcd_options(const Plan& plan, Secrets& secrets, const std::string& region) {
  if (!plan.controllers || plan.controllers->voters.empty())
    return fail(ErrorKind::invalid_input, "the plan names no etcd",
                "controllers: {store: etcd, voters: {REGION: {host: HOST}}}");
  const Controllers& wanted = *plan.controllers;
  EtcdOptions options;
  options.prefix = fmt::format("/lifeboat/{}/", plan.plan.text);
  options.lease = wanted.lease;
  options.ca_file = wanted.ca_file;
  options.user = wanted.user;
  if (wanted.password) {
    TRY(options.password, secrets.get(*wanted.password));
  }
  for (const auto& [where, voter] : wanted.voters) {
    std::string endpoint =
        fmt::format("{}://{}:{}", wanted.tls ? "https" : "http", address_of(plan, voter.host.text), voter.port);
    options.endpoints.insert(where == region ? options.endpoints.begin() : options.endpoints.end(), endpoint);
  }
  return options;
}

Result<std::unique_ptr<Store>> open_store(asio::any_io_executor executor, const std::string& store, const Plan& plan,
                                          Secrets& secrets, const std::string& region) {
  if (!is_etcd(store)) return open_sqlite_store(store);
  TRY(EtcdOptions options, etcd_options(plan, secrets, region));
  return open_etcd_store(std::move(executor), std::move(options));
}

}  // namespace lifeboat
