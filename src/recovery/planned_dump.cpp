#include "recovery/planned_dump.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/data/decode.hpp"

namespace lifeboat {
namespace {

constexpr Duration kAsk{60'000};
// Of two controllers; and names are of whole seconds.
constexpr Duration kClocksDiffer{3'600'000};

// Nothing for a note that is gone or that another program wrote.
Task<Result<std::optional<DumpNote>>> note_of(BackupPlace* place, LogicalBackup backup, Deadline deadline) {
  auto reading = place->read_small(note_path(backup.path), deadline.at_most(kAsk));
  auto text = co_await std::move(reading);
  if (!text && text.error().kind == ErrorKind::not_found) co_return std::optional<DumpNote>();
  if (!text) co_return std::unexpected(std::move(text).error());
  auto json = parse_json(*text);
  auto note = json ? decode<DumpNote>(*json) : std::unexpected(DecodeProblems{});
  if (!note) co_return std::optional<DumpNote>();
  co_return std::optional(std::move(*note));
}

bool same_owner(const DumpNote& one, const DumpNote& other) {
  return one.plan == other.plan && one.service == other.service;
}

// A standby that must replay what the dump still reads ends it; on the primary nothing does.
bool ended_by_replay(const Error& error) { return error.text().contains("conflict with recovery"); }

Task<Result<std::pair<Dumped, DumpNote>>> take_from_one(PlannedDump wish, BackupPlace* place, Deadline deadline,
                                                        OnLogicalProgress progress) {
  Result<std::pair<Dumped, DumpNote>> out = fail(ErrorKind::unreachable, "there is no server to read from");
  for (const PlannedServer& one : wish.servers) {
    DumpRequest request{.server = one.server, .contents = wish.contents, .note = wish.note};
    request.note->from = one.name;
    auto taking = take_dump(request, place, deadline, progress);
    auto dumped = co_await std::move(taking);
    if (dumped) {
      DumpNote note = *request.note;
      note.seconds = dumped->seconds;
      note.tables = dumped->tables;
      note.rows = dumped->rows;
      co_return std::pair(std::move(*dumped), std::move(note));
    }
    bool next = ended_by_replay(dumped.error());
    out = std::unexpected(std::move(dumped).error().with(fmt::format("dump {} into {}", one.name, place->name())));
    if (!next) break;
  }
  co_return out;
}

// What is too many goes, and what it is told of it is put into `out`.
Task<Result<>> keep_newest(BackupPlace* place, DumpNote owner, int keep, Deadline deadline, PlannedDumped* out) {
  if (keep <= 0) co_return Result<>{};
  auto listing = dumps_of(place, owner, deadline);
  CO_TRY(std::vector<LogicalBackup> ours, co_await std::move(listing));
  std::erase_if(ours, [&](const LogicalBackup& one) { return one.database != out->backup.database; });
  for (const LogicalExpiry& one : judge_keep(ours, static_cast<size_t>(keep), wall_now())) {
    if (one.keep) {
      if (one.reason.starts_with("nothing goes")) out->kept_back = one.reason;
      continue;
    }
    auto removing = remove_dump(place, one.backup, deadline.at_most(kAsk));
    CO_TRY_VOID(co_await std::move(removing));
    out->removed.push_back(one.backup.path);
  }
  co_return Result<>{};
}

}  // namespace

Task<Result<std::vector<LogicalBackup>>> list_dumps(BackupPlace* place, Deadline deadline) {
  auto listing = place->list(deadline.at_most(kAsk));
  auto files = co_await std::move(listing);
  // A bucket that is not there is an error, too, when something is written to it.
  if (!files && files.error().kind == ErrorKind::not_found) co_return std::vector<LogicalBackup>();
  if (!files) co_return std::unexpected(std::move(files).error());
  co_return logical_backups(*files);
}

Task<Result<std::vector<LogicalBackup>>> dumps_of(BackupPlace* place, DumpNote owner, Deadline deadline) {
  auto listing = list_dumps(place, deadline);
  CO_TRY(std::vector<LogicalBackup> all, co_await std::move(listing));
  std::vector<LogicalBackup> out;
  for (const LogicalBackup& backup : all) {
    if (!backup.noted) continue;
    auto reading = note_of(place, backup, deadline);
    CO_TRY(std::optional<DumpNote> note, co_await std::move(reading));
    if (note && same_owner(*note, owner)) out.push_back(backup);
  }
  co_return out;
}

Task<Result<std::optional<PlannedDumped>>> find_planned(BackupPlace* place, DumpNote wanted, WallTime from,
                                                        Deadline deadline) {
  auto listing = list_dumps(place, deadline);
  CO_TRY(std::vector<LogicalBackup> all, co_await std::move(listing));
  for (const LogicalBackup& backup : all) {
    if (!backup.noted || !backup.checksum || backup.at < from - kClocksDiffer) continue;
    auto reading = note_of(place, backup, deadline);
    CO_TRY(std::optional<DumpNote> note, co_await std::move(reading));
    if (note && same_owner(*note, wanted) && note->order == wanted.order)
      co_return PlannedDumped{.backup = backup, .note = std::move(*note), .already = true};
  }
  co_return std::optional<PlannedDumped>();
}

Task<Result<PlannedDumped>> take_planned(PlannedDump wish, WallTime from, BackupPlace* place, Deadline deadline,
                                         OnLogicalProgress progress) {
  auto finding = find_planned(place, wish.note, from, deadline);
  CO_TRY(std::optional<PlannedDumped> found, co_await std::move(finding));
  PlannedDumped out;
  if (found) {
    out = std::move(*found);
  } else {
    auto taking = take_from_one(wish, place, deadline, progress);
    CO_TRY(auto taken, co_await std::move(taking));
    out.backup = parse_logical_path(taken.first.path).value_or(LogicalBackup{});
    out.backup.bytes = taken.first.bytes;
    out.backup.checksum = out.backup.profile = out.backup.noted = true;
    out.note = std::move(taken.second);
  }
  auto keeping = keep_newest(place, wish.note, wish.keep, deadline, &out);
  if (auto kept = co_await std::move(keeping); !kept) out.kept_back = kept.error().text();
  co_return out;
}

}  // namespace lifeboat
