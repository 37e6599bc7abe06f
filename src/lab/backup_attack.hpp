// What became of the backups that somebody attacked: what was tried, as the attacker's log tells, and which sets are left. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/data/json.hpp"

namespace lifeboat::lab {

// `failed`: it did not come to what it was meant for, so that it shows nothing.
enum class CameOfIt { done, refused, failed };

struct BackupTry {
  std::string what;  // "remove backup/main/20261101-000000F as the server's user"
  CameOfIt came_of_it = CameOfIt::failed;
};

struct BackupAttack {
  std::vector<std::string> before;  // labels of the sets just before the attack
  std::vector<std::string> after;   // and in the end
  std::vector<BackupTry> tries;
  bool whole = false;   // in the end every file of the repository has its checksum
  std::string problem;  // what has not, or why nobody could say
};

// Lines of the log that begin with "tried": "tried done|refused|failed WHAT". Others are what was said to it.
std::vector<BackupTry> tries_in(std::string_view log);
// Sets that were there before and are not any more.
std::vector<std::string> sets_gone(const BackupAttack& attack);
// Why the drill has failed; empty: every set was gone for, through the server and as its user, and every one is whole. An attack that could
// not have taken anything shows nothing, and fails too.
std::string why_attack_fails(const BackupAttack& attack);
// {tried, refused, went_through, deleted, sets_before, sets_after, whole, problem}: numbers, but for `deleted`, the labels of sets that
// went, and `went_through`, what could be done (an index file that was removed was put back).
Json to_json(const BackupAttack& attack);

}  // namespace lifeboat::lab
