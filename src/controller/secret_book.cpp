#include "controller/secret_book.hpp"

#include "controller/run_journal.hpp"

namespace lifeboat {
namespace {

constexpr std::string_view kStream = "secrets";
constexpr std::string_view kRenewed = "secret-renewed";

}  // namespace

Task<Result<>> SecretBook::start() {
  EventFilter filter{.stream = std::string(kStream)};
  CO_TRY(std::vector<StoredEvent> events, co_await read_all(store_, std::move(filter)));
  for (const StoredEvent& event : events) fold(event);
  co_return Result<>{};
}

void SecretBook::fold(const StoredEvent& event) {
  if (event.kind != kRenewed) return;
  std::string secret = text_or(event.body, "secret");
  secrets_.use(secret, static_cast<int>(int_or(event.body, "generation", 1)));
  by_run_[secret] = text_or(event.body, "run");
}

std::string SecretBook::renewed_by(std::string secret) {
  auto found = by_run_.find(secret);
  return found == by_run_.end() ? std::string() : found->second;
}

Task<Result<void>> SecretBook::renewed(std::string secret, std::string run) {
  JsonObject body{{"secret", secret}, {"generation", secrets_.generation(secret) + 1}, {"run", run}};
  NewEvent event{std::string(kStream), std::string(kRenewed), std::move(body)};
  std::vector<NewEvent> events{std::move(event)};
  CO_TRY(std::vector<StoredEvent> stored, co_await store_.append(std::move(events)));
  for (const StoredEvent& one : stored) fold(one);
  changed_();
  co_return Result<void>{};
}

}  // namespace lifeboat
