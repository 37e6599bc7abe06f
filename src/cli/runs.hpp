// Commands that look at runs and speak for a person: run, status, watch, approve, decline, confirm, pause, resume, abort,
// skip, retry, signal, report, preview, verify. Each gives the exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/client.hpp"

namespace lifeboat::cli {

struct Output {
  bool json = false;
  bool terminal = false;  // stdout is one and takes colour and redraws
};

// Looks at the environment: NO_COLOR, TERM=dumb and a pipe all mean plain lines.
Output detect_output(const std::string& format);

struct RunOptions {
  std::string scenario;
  std::string by;
  std::vector<std::string> vars;  // "name=value"
  std::string reason;
  bool watch = true;
};
int start_run(Client& client, const RunOptions& options, const Output& output);

int show_status(Client& client, const Output& output);

// Follows a run until it ends or waits for a person that is not here. Empty id: the newest.
int watch_run(Client& client, std::string id, const Output& output);

struct SayOptions {
  std::string run;
  std::string step;
  std::string by;
  std::string reason;
};
// verb: approve, decline, confirm, pause, resume, abort, skip, retry.
int say(Client& client, const std::string& verb, const SayOptions& options, const Output& output);

struct SignalOptions {
  std::string signal;
  std::string subject;
  std::string by;
  std::string text;
};
// Tells the controller that somebody has looked at what was done by itself, so that the limit on it counts anew.
int acknowledge(Client& client, const std::string& by, const std::string& text, const Output& output);
int raise_signal(Client& client, const SignalOptions& options, const Output& output);

int show_report(Client& client, const std::string& run, const std::string& format, const std::string& file);

struct PreviewOptions {
  std::string plan_file;
  std::string scenario;
  std::vector<std::string> vars;
};
int preview(Client& client, const PreviewOptions& options, const Output& output);

int verify_journal(Client& client, const Output& output);

}  // namespace lifeboat::cli
