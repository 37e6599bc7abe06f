// Commands that recovery documents hold and that cannot work, or do not do what they seem to. Found by looking at all
// text of a shell step; each entry says how it was checked.
#include "plan/rules/tell.hpp"

namespace lifeboat {
namespace {

void collect_text(const Json& value, std::string& out) {
  if (value.is_string()) {
    out += std::string_view(value.get_string());
    out += ' ';
  } else if (value.is_array()) {
    for (const Json& element : value.get_array()) collect_text(element, out);
  } else if (value.is_object()) {
    for (const auto& entry : value.get_object()) collect_text(entry.value(), out);
  }
}

bool has_word(std::string_view text, std::string_view word) {
  auto part = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    bool starts = at == 0 || !part(text[at - 1]);
    bool ends = at + word.size() == text.size() || !part(text[at + word.size()]);
    if (starts && ends) return true;
  }
  return false;
}

struct Known {
  std::string_view program;  // this word
  std::string_view with;     // and this text, if any
  std::string_view without;  // and not this text, if any
  bool stops;
  std::string_view message;
  std::string_view suggestion;
};

constexpr Known kKnown[] = {
    {"pg_restore", "s3://", "", true, "pg_restore cannot read from s3://",
     "fetch the file first (aws s3 cp), or restore with pgbackrest"},
    {"psql", "s3://", "", true, "psql cannot read from s3://", "fetch the file first"},
    {"pg_wal_replay", "", "", true, "PostgreSQL has no program pg_wal_replay",
     "set restore_command and recovery_target_time, put recovery.signal into the data directory of a physical "
     "backup and start the server"},
    {"promote-read-replica", "", "", true,
     "rds promote-read-replica promotes only replicas that RDS itself made, and does not stop the old primary",
     "use postgres.failover, which fences the old primary by its lease first"},
    {"route53", "change-resource-record-sets", "", false,
     "changes of Route 53 are made through us-east-1, which may be the region that is lost",
     "use dns.switch, or a record with a health check that is prepared beforehand"},
    {"terraform", "-auto-approve", "", false, "terraform apply -auto-approve applies what nobody has seen",
     "save the plan (terraform plan -out) and apply that file"},
    {"kubectl", "", "--context", false, "kubectl without --context acts on whichever cluster is current",
     "name the cluster with --context"},
    {"helm upgrade", "", "--install", true, "helm upgrade fails when the release is not there yet", "add --install"},
    {"watch", "", "", false, "watch never ends, so the step never does", "use http.check with retries"},
};

}  // namespace

std::vector<Trap> traps_in(const Step& step) {
  if (step.uses != "shell") return {};
  std::string text;
  collect_text(step.with, text);
  return traps_in(text);
}

std::vector<Trap> traps_in(std::string_view text) {
  std::vector<Trap> out;
  for (const Known& known : kKnown) {
    if (!has_word(text, known.program)) continue;
    if (!known.with.empty() && text.find(known.with) == std::string::npos) continue;
    if (!known.without.empty() && text.find(known.without) != std::string::npos) continue;
    out.push_back({std::string(known.message), std::string(known.suggestion), known.stops});
  }
  return out;
}

}  // namespace lifeboat
