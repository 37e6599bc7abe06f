#include "agent/database_member.hpp"

#include "core/member/member_impl.hpp"
#include "io/crypto.hpp"
#include "io/file.hpp"

namespace lifeboat {

template class MemberLogic<MemberRim>;

void MemberRim::post(std::function<void()> what) { asio::post(executor, std::move(what)); }

MemberRim::Task<std::optional<Result<>>> MemberRim::unless(Task<Result<>> work, Task<> stop) {
  using namespace asio::experimental::awaitable_operators;
  auto both = std::move(work) || std::move(stop);
  auto outcome = co_await std::move(both);
  if (outcome.index() == 1) co_return std::nullopt;
  co_return std::get<0>(std::move(outcome));
}

std::optional<MemberRecord> MemberRim::recall() const {
  auto text = read_file(state_file);
  auto state = text ? parse_json(*text) : Result<Json>(fail(ErrorKind::not_found, ""));
  if (!state) return std::nullopt;
  return MemberRecord{static_cast<uint64_t>(int_or(*state, "floor")),
                      static_cast<uint64_t>(int_or(*state, "leads")),
                      text_or(*state, "upstream"),
                      bool_or(*state, "promised"),
                      text_or(*state, "restored"),
                      bool_or(*state, "put_back")};
}

Result<> MemberRim::keep(const MemberRecord& record) const {
  JsonObject state{{"floor", record.floor},       {"leads", record.leads},       {"upstream", record.upstream},
                   {"promised", record.promised}, {"restored", record.restored}, {"put_back", record.put_back}};
  return write_file_atomic(state_file, to_text(state), 0600);
}

Task<Result<PgRows>> DatabaseMember::ask(std::string sql, lifeboat::Deadline deadline) {
  if (!server.running()) co_return fail(ErrorKind::unreachable, "the server does not run");
  auto asking = server.ask(std::move(sql), deadline);
  co_return co_await std::move(asking);
}

Task<Result<std::unique_ptr<PgConnection>>> DatabaseMember::connect_to_read(lifeboat::Deadline deadline) {
  if (!server.running()) co_return fail(ErrorKind::unreachable, "the server does not run");
  PgParams params = server.socket_params(server.config().database);
  // Of a database's own settings none may change what a statement means.
  params["options"] +=
      " -c default_transaction_read_only=on -c statement_timeout=2000 -c lock_timeout=100 -c client_encoding=UTF8"
      " -c standard_conforming_strings=on -c search_path=pg_catalog -c max_parallel_workers_per_gather=0 -c jit=off";
  auto connecting = PgConnection::connect(std::move(params), deadline);
  co_return co_await std::move(connecting);
}

bool DatabaseMember::has_password(const std::string& verifier) const {
  return scram_fits(verifier, server.config().replication_password);
}

Task<Result<std::optional<PasswordInForce>>> DatabaseMember::keep_password(bool look, lifeboat::Deadline deadline) {
  if (!server.running()) co_return std::optional<PasswordInForce>();
  auto keeping = server.keep_password(look, deadline);
  CO_TRY(PasswordInForce kept, co_await std::move(keeping));
  co_return std::optional(std::move(kept));
}

Task<> DatabaseMember::count_cancelled_waits() {
  constexpr Duration kEvery{250};
  while (true) {
    co_await lifeboat::sleep_for(kEvery);
    co_await server.count_cancelled_waits();
  }
}

DatabaseMember::DatabaseMember(asio::any_io_executor executor, Scope& scope, std::string service,
                               wire::ServerConfig config, std::string folder, std::string run_as, Hooks hooks)
    : MemberParts{MemberRim{executor, scope, folder + "/member.json"},
                  PostgresServer(executor, folder, std::move(run_as), std::move(config)), service},
      MemberLogic(rim, server, std::move(service), std::move(hooks)) {
  scope.spawn("cancelled waits " + MemberParts::service, count_cancelled_waits());
}

}  // namespace lifeboat
