// The witness: a user with a stopwatch. It makes journeys at a fixed rate the way users do (name → address by a
// resolver, honouring the time to live → load balancer → service → database), writes down each, and is told nothing of
// what Lifeboat does. A slow answer does not hold up the next journey.
//
// Output: JSON lines of core/measure's samples, each written when its answer came or its time was up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/measure/measure.hpp"
#include "core/model/plan.hpp"

namespace lifeboat {

struct WitnessOptions {
  Plan plan;  // with the inventory's addresses
  std::string secrets_dir;
  std::string out;  // JSON lines are appended
  std::vector<std::string>
      report_to;  // controllers' URLs: the first that answers is told what users see, once a second
};
// Until SIGTERM or SIGINT; journeys that are under way then get their answer or their time. Gives the exit code.
int run_witness(const WitnessOptions& options);

struct VerifyOptions {
  Plan plan;
  std::string secrets_dir;
  std::vector<std::string> keys;  // of acknowledged writes
  Duration patience{60'000};      // in all
};
struct Verified {
  size_t present = 0;
  std::vector<std::string> missing;  // a clear "not there"
  std::vector<std::string> unknown;  // no clear answer in time
};
// Looks for each write by the users' own path. Several at once; asks again where the answer was neither yes nor no.
Result<Verified> verify_writes(const VerifyOptions& options);

struct VerifyCommand {
  Plan plan;
  std::string secrets_dir;
  std::string samples;           // file that run_witness wrote
  std::optional<MonoTime> from;  // only writes acknowledged from here …
  std::optional<MonoTime> to;    // … to before here
  std::string out;               // file for the answer; empty: standard output
};
// Reads the samples, looks for every acknowledged write and writes {"acknowledged", "present", "missing", "unknown"}:
// two numbers and two lists of keys. Gives the exit code: 0 when it could look, whatever it found; 2 when it could not.
int run_verify(const VerifyCommand& command);

struct DirectOptions {
  Plan plan;
  std::string secrets_dir;
  std::string service;
  std::string member;
  std::string out;  // JSON lines of acks are appended
  Duration every{20};
};
// Asks one database server itself, again and again, to acknowledge a write: the proof of who takes writes when. Its
// rows stand in a table of its own, lifeboat_witness. Until SIGTERM or SIGINT.
int run_direct_witness(const DirectOptions& options);

}  // namespace lifeboat
