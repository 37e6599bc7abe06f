// What the actions on restored copies share: where they are made, and what was found there.
#pragma once

#include "actions/action.hpp"
#include "core/recovery/catalogue.hpp"
#include "core/recovery/choose_place.hpp"
#include "core/recovery/forecast.hpp"
#include "core/recovery/log_end.hpp"
#include "core/recovery/messages.hpp"

namespace lifeboat {

// Whether a text stands for what another step found and is not known yet.
inline bool comes_later(std::string_view text) { return text.find("${") != std::string_view::npos; }

// What holds on good data, as a plan gives it.
struct DataCheck {
  std::string name;
  std::string sql;
  std::string database;
};
BOOST_DESCRIBE_STRUCT(DataCheck, (), (name, sql, database))
constexpr auto field_docs(const DataCheck*) {
  return std::to_array<FieldDoc>({{"name", Need::required, "what it says of the data"},
                                  {"sql", Need::required, "returns no row, or one with true, on good data"},
                                  {"database", Need::optional, "the service's when left out"}});
}

// The members of a database and their hosts, as they are now.
std::vector<recovery::RestorePlace> restore_places(World& world, const std::string& service);
// The hosts on which copies of it can be: those of its members and that of its repository, each once.
std::vector<std::string> hosts_with_copies(World& world, const std::string& service);
// Where a copy of that name is, or where one is to be made.
Result<recovery::RestorePlace> restore_place(World& world, const std::string& service, const std::string& where,
                                             bool to_lead);
// Puts what was committed so far within reach of a restore: the primary ends its segment of the log and archives it; where nobody
// writes any more, the repository's host archives what it was sent of it.
struct ClosedLog {
  std::string text;  // what was done
  std::optional<recovery::UnfinishedSegment> unfinished;
};
Task<Result<ClosedLog>> close_log(ActionContext context, std::string service);
// Lets a restore know where the log ends, or that its result may not be the latest; says what was done, or why not all of it can be
// restored.
void take_end_of_log(const Result<ClosedLog>& closed, wire::RestoreBegin& order, const ProgressLine& progress);
// Whether the service has a repository of that number; 0 stands for whichever has a backup.
Result<> check_repository(const Plan& plan, const std::string& service, int64_t number);
// What validate.database finds in a copy for which nothing else is asked: rows are readable and sound inside. Who may do what is noted.
Task<Result<Outcome>> check_copy(ActionContext context, std::string service, std::string name);
// Who orders a copy: this step of this run. Every attempt says the same, no other run does. Empty in a preview.
std::string order_of(const ActionContext& context);
// Whether a copy, as its host tells of it, was ordered by a step of this run.
bool is_of_this_run(const ActionContext& context, const Json& copy);
// One copy as its host tells of it (core/recovery/messages.hpp, restore.list): the newest that was ordered by that name; null when there is
// none.
Task<Result<Json>> find_copy(ActionContext context, std::string host, std::string service, std::string name);
// The sets in the service's repository, oldest first. Errors: `refused` (the plan has none), and what its host says.
Task<Result<std::vector<recovery::BackupSet>>> backup_sets(ActionContext context, std::string service);
// What a restore took goes into the journal. `restored`: what its host replied (recovery/restore.hpp); a journal that refuses is said
// to `progress`, and is nobody's reason to fail.
recovery::RestoreTiming timing_of(const Json& restored, const std::string& host, const std::string& by);
Task<> keep_timing(ActionContext context, std::string service, recovery::RestoreTiming timing);
// What was set aside on a host under this path, once its hashes stand beside it; as far as that is by the deadline.
Task<Result<Json>> evidence_of(ActionContext context, std::string host, std::string service, std::string kept);

}  // namespace lifeboat
