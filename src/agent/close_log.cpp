#include "agent/close_log.hpp"

#include <fmt/format.h>

#include "io/clock.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAsk{5'000};
constexpr Duration kLook{50};

}  // namespace

Task<Result<Json>> close_log(DatabaseMember& member, Deadline deadline) {
  MonoTime begun = boot_now();
  auto ending = member.ask("SELECT pg_walfile_name(pg_switch_wal()) AS segment WHERE NOT pg_is_in_recovery()",
                           deadline.at_most(kAsk));
  CO_TRY(PgRows ended, co_await std::move(ending));
  if (ended.rows.empty()) co_return fail(ErrorKind::refused, "it takes no writes");
  std::string segment = ended.text(0, "segment");
  // A finished one is ready to be archived until it is done; that it was done is forgotten when it is removed. One field is asked for:
  // a row of which one is null, as the time of creation is here, is not "not null".
  std::string look = fmt::format(
      "SELECT (pg_stat_file('pg_wal/archive_status/{0}.done', true)).modification IS NOT NULL"
      " OR last_archived_wal >= '{0}' AS there, "
      "last_failed_wal FROM pg_stat_archiver",
      segment);
  while (true) {
    auto looking = member.ask(look, deadline.at_most(kAsk));
    CO_TRY(PgRows seen, co_await std::move(looking));
    if (seen.text(0, "there") == "t")
      co_return Json(JsonObject{{"segment", segment}, {"seconds", to_seconds(boot_now() - begun)}});
    if (deadline.left() <= kLook) {
      std::string failed = seen.text(0, "last_failed_wal");
      co_return fail(ErrorKind::timed_out, fmt::format("{} is not archived yet{}", segment,
                                                       failed.empty() ? "" : "; the archiver failed at " + failed));
    }
    co_await sleep_for(kLook);
  }
}

}  // namespace lifeboat
