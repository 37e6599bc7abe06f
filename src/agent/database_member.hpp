// One database on this host: the deciding logic of core/member over a real server, real time and a real disk.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/orphan_guard.hpp"
#include "core/member/member.hpp"

namespace lifeboat {

// What core/member asks of the world it runs in.
struct MemberRim {
  template <class T = void>
  using Task = asio::awaitable<T>;
  using Deadline = lifeboat::Deadline;
  using Server = PostgresServer;

  asio::any_io_executor executor;
  Scope& scope;
  std::string state_file;

  MonoTime now() const { return boot_now(); }
  Task<> sleep_until(MonoTime at) { return lifeboat::sleep_until(at); }
  void spawn(std::string name, Task<> task) { scope.spawn(std::move(name), std::move(task)); }
  void post(std::function<void()> what);
  Task<std::optional<Result<>>> unless(Task<Result<>> work, Task<> stop);
  std::optional<MemberRecord> recall() const;
  Result<> keep(const MemberRecord& record) const;
};

struct MemberParts {
  MemberRim rim;
  PostgresServer server;
  std::string service;
  OrphanGuard orphans{server, service};
};

class DatabaseMember : private MemberParts, public MemberLogic<MemberRim> {
 public:
  DatabaseMember(asio::any_io_executor executor, Scope& scope, std::string service, wire::ServerConfig config,
                 std::string folder, std::string run_as, Hooks hooks);

  OrphanGuard& orphans() { return MemberParts::orphans; }
  // One question to its server, which may be in any state.
  Task<Result<PgRows>> ask(std::string sql, lifeboat::Deadline deadline);
  // To the users' database, to read a little of it: nothing can be written, no lock is waited for, no statement lasts. The caller
  // lets go of it soon; it would keep the database from being renamed or dropped.
  Task<Result<std::unique_ptr<PgConnection>>> connect_to_read(lifeboat::Deadline deadline);
  // Whether it was told the password of replication that this verifier is of.
  bool has_password(const std::string& verifier) const;
  // See PostgresServer. Nothing when its server does not run.
  Task<Result<std::optional<PasswordInForce>>> keep_password(bool look, lifeboat::Deadline deadline);

 private:
  Task<> count_cancelled_waits();
};

extern template class MemberLogic<MemberRim>;

}  // namespace lifeboat
