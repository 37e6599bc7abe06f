#include "agent/role_password.hpp"

#include <fmt/format.h>

#include "agent/postgres_files.hpp"

namespace lifeboat {
namespace {

// A password in clear would be hashed by the server, and might stand in somebody's statistics of statements before.
bool is_verifier(const std::string& text) {
  return text.starts_with("SCRAM-SHA-256$") && text.find_first_of("'\\\n") == std::string::npos;
}

}  // namespace

Task<Result<Json>> set_role_password(DatabaseMember& member, wire::SetPassword order, Deadline deadline) {
  if (!is_verifier(order.verifier))
    co_return fail(ErrorKind::invalid_input, "the verifier of a password is not of the form that PostgreSQL keeps");
  auto looking = member.ask("SELECT pg_is_in_recovery() AS standby", deadline);
  CO_TRY(PgRows role, co_await std::move(looking));
  if (role.text(0, "standby") != "f") co_return fail(ErrorKind::refused, "it takes no writes");
  auto setting = member.ask(
      fmt::format("ALTER ROLE {} PASSWORD {}", sql_identifier(order.role), sql_literal(order.verifier)), deadline);
  auto set = co_await std::move(setting);
  if (!set) co_return std::unexpected(std::move(set).error().with("set the password of " + order.role));
  auto ending = member.ask(
      fmt::format("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::text AS ended FROM pg_stat_activity WHERE "
                  "usename = {} AND pid <> pg_backend_pid()",
                  sql_literal(order.role)),
      deadline);
  CO_TRY(PgRows ended, co_await std::move(ending));
  co_return Json(JsonObject{{"ended", std::atoll(ended.text(0, "ended").c_str())}});
}

Task<Result<Json>> replication_password(DatabaseMember& member, wire::ReplicationPassword order, Deadline deadline) {
  if (!is_verifier(order.verifier))
    co_return fail(ErrorKind::invalid_input, "the verifier of a password is not of the form that PostgreSQL keeps");
  bool knows = member.has_password(order.verifier);
  JsonObject out{{"knows", knows}};
  if (!knows) co_return Json(std::move(out));
  auto keeping = member.keep_password(order.look, deadline);
  auto kept = co_await std::move(keeping);
  if (!kept) co_return std::unexpected(std::move(kept).error().with("password of replication"));
  out["running"] = kept->has_value();
  if (!*kept) co_return Json(std::move(out));
  out["in_force"] = (*kept)->in_force;
  out["standby"] = (*kept)->standby;
  out["ended"] = (*kept)->ended;
  JsonArray streaming;
  for (const std::string& name : (*kept)->streaming) streaming.push_back(Json(name));
  out["streaming"] = std::move(streaming);
  co_return Json(std::move(out));
}

}  // namespace lifeboat
