// The store that a controller, or a command about stores, was told to use.
#pragma once

#include <memory>
#include <string>

#include "core/model/plan.hpp"
#include "io/secrets.hpp"
#include "store/store.hpp"

namespace lifeboat {

// What --store takes: "etcd", whose voters the plan names, or the path of a file.
bool is_etcd(const std::string& store);

// How to reach the plan's etcd, the voter in `region` first. invalid_input when the plan names none.
Result<EtcdOptions> etcd_options(const Plan& plan, Secrets& secrets, const std::string& region);

Result<std::unique_ptr<Store>> open_store(asio::any_io_executor executor, const std::string& store, const Plan& plan,
                                          Secrets& secrets, const std::string& region);

}  // namespace lifeboat
