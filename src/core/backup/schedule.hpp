// What a plan says of when backups are taken and how long they are kept, read from its words; and what of it is due. Pure: the
// caller knows the time and what was taken.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/recovery/catalogue.hpp"

namespace lifeboat::backup {

using Type = recovery::BackupType;

struct Entry {
  Type type = Type::full;
  Duration every{};
};

struct Schedule {
  std::vector<Entry> entries;
  bool wal_continuous = false;
};

// 'full weekly', 'diff daily', 'incr every 6h', 'wal continuous'. What does not fit is told in words.
std::expected<Schedule, std::string> parse_schedule(const std::vector<std::string>& words);

// 'daily', 'weekly', '6h'; nothing for what is no time.
std::optional<Duration> parse_every(std::string_view word);

// The most recent backups that are kept: a number of full ones, or all that are needed to go back so many days.
struct Retention {
  int full = 4;
  int days = 0;  // 0: counted by `full`
  int diff = 0;  // 0: as long as the full one they need
};

// '4 full', '4 full 6 diff', '30d'; nothing means the default. 'all' is not offered: a repository that only grows ends full.
std::expected<Retention, std::string> parse_retention(std::string_view words);

// A backup that is whole.
struct Taken {
  Type type = Type::full;
  WallTime at{};  // when it had ended
};

struct Due {
  Type type = Type::full;
  std::string reason;
};

// The most thorough backup that should be taken now; nothing when none is due. A full one stands in for a differential, and both for
// an incremental. Without any backup a full one is due whatever the schedule says, as long as it says anything.
std::optional<Due> due(const Schedule& schedule, const std::vector<Taken>& taken, WallTime now);

// Why too long has passed without a backup, in words; empty while all is well. Half as long again as the schedule says is too long.
std::string overdue(const Schedule& schedule, const std::vector<Taken>& taken, WallTime now);

// How long is waited after so many failures in a row.
Duration pause_after(int failures);

}  // namespace lifeboat::backup
