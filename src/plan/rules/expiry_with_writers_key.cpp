#include "core/backup/expiry.hpp"
#include "plan/rules/tell.hpp"

namespace lifeboat {

// A note and no warning: whether the store keeps versions that nobody can delete does not stand in the plan.
void judge_expiry_with_writers_key(const RuleInput& input, Findings& out) {
  for_each_service<PostgresService>(
      input.plan, [&](const std::string& name, const PostgresService& service, const std::string& at) {
        const Backups* backups = kept_backups(service);
        if (backups == nullptr) return;
        for (int number : {1, 2}) {
          const ObjectStore* store = backup::store_of(*backups, number);
          if (store == nullptr || backup::has_expiry_key(*store)) continue;
          bool azure = store->kind == ObjectStoreKind::azure;
          tell(out, "expiry-with-writers-key", Severity::note,
               at + (number == 1 ? "/backups/store" : "/backups/second/store"),
               fmt::format("the key that backups of {} are written to {} with also expires them: whoever breaks into a "
                           "host of {} can have all of them deleted with it, unless the store keeps versions that "
                           "nobody can delete",
                           name, Decoder::printable(store->bucket), name),
               azure ? "add expire_key_secret, and make key_secret a SAS token that may not delete"
                     : "add expire_key and expire_key_secret, and take the right to delete from the other key");
        }
      });
}

}  // namespace lifeboat
