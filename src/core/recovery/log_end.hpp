// Who can put the end of the log into the archive, before something is restored from it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "core/ownership/report.hpp"
#include "core/recovery/target.hpp"

namespace lifeboat::recovery {

// A member of the database as it was heard of last.
struct LogWriter {
  std::string member;
  std::string host;
  bool connected = false;  // its agent is
  bool writes = false;     // it has the right to, and said that it does
  MemberReport report;
};

struct LogEnd {
  std::string host;    // whose agent is asked
  std::string member;  // that ends its segment there; empty: the repository's host archives what it was sent
};

// The last segment of a log that nobody goes on with, as the stream received it: behind its last record nothing came any more, so what is
// there (zeros) is no damage.
struct UnfinishedSegment {
  std::string name;
  Lsn last_record;  // where it begins; 0: no record begins in this segment
};

// Whether a segment ends with a record: behind it, as far as headers of pages (24 bytes of each 8 KiB) and the alignment of the record allow,
// there is nothing but zeros. Where there is more, what follows the record cannot be read, and that is damage. `at`: where in the segment the
// record begins; `written`: where the last byte is that is not zero, and one.
bool ends_with_record(uint64_t at, uint64_t record_bytes, uint64_t written);

// Whether a restore that has replayed up to `replayed`, with `segment` as the last that there is, has all that was ever received.
bool is_all_received(const std::optional<UnfinishedSegment>& unfinished, const std::string& segment, Lsn replayed);

// Whether a search for the last clean moment has an answer. One that finds damage has; one that finds none has only when the end of the log was
// in the archive: a damage that is in no archive yet would be taken for none.
bool is_an_answer(bool good_to_the_end, bool log_closed);

// Whether a restore may lack what was committed last though it ends well: it goes to the end of the archive, and who writes could not be had
// to archive what he wrote. An archive that happens to end with a whole segment looks complete.
bool may_lack_the_newest(const RecoveryTarget& target, bool log_closed);

// The member that writes. Where none does, the repository's host: but what it was sent of an unfinished segment takes the place of the
// whole one in the archive, so a primary that goes on unseen could not archive its own any more. Therefore only when every member was
// heard of and none of them can write. Errors: `refused`, with who may still write.
Result<LogEnd> who_ends_the_log(const std::vector<LogWriter>& members, const std::string& repository_host);

}  // namespace lifeboat::recovery
