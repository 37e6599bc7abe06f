#include "agent/backup_files.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lifeboat {
namespace {

// One line; what would begin a new one cannot stand in a value.
std::string line(std::string_view name, std::string_view value) {
  std::string text(value.substr(0, value.find_first_of("\r\n")));
  return fmt::format("{}={}\n", name, text);
}

std::string secret(const SecretTexts& secrets, const std::string& name) {
  auto found = secrets.find(name);
  return found == secrets.end() ? std::string() : found->second;
}

std::string tls_lines(const BackupPaths& paths, const std::string& prefix) {
  return line(prefix + "-ca-file", paths.ca()) + line(prefix + "-cert-file", paths.certificate()) +
         line(prefix + "-key-file", paths.key());
}

std::string store_lines(const std::string& repo, const ObjectStore& store, const SecretTexts& secrets) {
  std::string out;
  std::string key = secret(secrets, store.key.name);
  std::string key_secret = store.key_secret ? secret(secrets, store.key_secret->name) : "";
  if (store.kind == ObjectStoreKind::azure) {
    // A SAS token is signed; an account's key is base64 and has no '&'.
    bool token = key_secret.find("sig=") != std::string::npos && key_secret.find('&') != std::string::npos;
    if (token) out += line(repo + "-azure-key-type", "sas");
    if (token && key_secret.starts_with('?')) key_secret.erase(0, 1);
    out += line(repo + "-type", "azure") + line(repo + "-azure-container", store.bucket) +
           line(repo + "-azure-account", key) + line(repo + "-azure-key", key_secret);
    if (!store.endpoint.empty()) out += line(repo + "-azure-endpoint", store.endpoint);
    return out;
  }
  out += line(repo + "-type", "s3") + line(repo + "-s3-bucket", store.bucket) +
         line(repo + "-s3-endpoint", store.endpoint) + line(repo + "-s3-region", store.region) +
         line(repo + "-s3-key", key) + line(repo + "-s3-key-secret", key_secret);
  if (store.path_style) out += line(repo + "-s3-uri-style", "path");
  return out;
}

std::string repository_lines(int number, const std::string& path, const std::optional<SecretRef>& cipher,
                             const std::optional<ObjectStore>& store, const backup::Retention& retention,
                             const SecretTexts& secrets) {
  std::string repo = fmt::format("repo{}", number);
  std::string out = line(repo + "-path", path) + line(repo + "-bundle", "y");
  if (cipher)
    out += line(repo + "-cipher-type", "aes-256-cbc") + line(repo + "-cipher-pass", secret(secrets, cipher->name));
  if (store) out += store_lines(repo, *store, secrets);
  if (retention.days > 0) {
    out += line(repo + "-retention-full-type", "time") + line(repo + "-retention-full", std::to_string(retention.days));
  } else {
    out += line(repo + "-retention-full", std::to_string(retention.full));
  }
  if (retention.diff > 0) out += line(repo + "-retention-diff", std::to_string(retention.diff));
  return out;
}

}  // namespace

std::string backup_global(const BackupPaths& paths, const BackupServer& server) {
  std::string out = "# Written by the Lifeboat agent; changes here are overwritten.\n[global]\n";
  out += line("log-path", paths.folder + "/log") + line("lock-path", paths.folder + "/lock") +
         line("spool-path", paths.folder + "/spool") + line("log-level-console", "warn") +
         line("log-level-stderr", "off") + line("process-max", "2") + line("compress-type", "zst") +
         line("compress-level", "3") + line("start-fast", "y") + line("tls-server-address", server.listen) +
         line("tls-server-port", std::to_string(server.port)) + tls_lines(paths, "tls-server");
  for (const auto& [name, stanzas] : server.allowed) {
    std::string list;
    for (const std::string& stanza : stanzas) list += (list.empty() ? "" : ",") + stanza;
    out += line("tls-server-auth", name + "=" + list);
  }
  return out;
}

std::string member_section(const BackupPaths& paths, const wire::Archive& archive, const std::string& data,
                           const std::string& socket, int64_t port) {
  std::string out = fmt::format("[{}]\n", archive.stanza) + line("pg1-path", data) + line("pg1-socket-path", socket) +
                    line("pg1-port", std::to_string(port));
  // Log goes to the repositories that stand here and to no other; where each of them is, their host knows.
  for (int number = 1; number <= (archive.second ? 2 : 1); ++number) {
    std::string host = fmt::format("repo{}-host", number);
    out += line(host, archive.repository) + line(host + "-type", "tls") +
           line(host + "-port", std::to_string(archive.port)) + tls_lines(paths, host);
  }
  // Asynchronously also for the sake of the second repository: while one of them takes nothing, the other gets all there is.
  return out + line("archive-async", "y") +
         // How long a server that is asked to stop may have to wait for an answer that does not come.
         line("archive-timeout", "10");
}

std::string repository_section(const wire::RepositoryConfig& config, const backup::Retention& retention,
                               const SecretTexts& secrets) {
  const Backups& plan = config.backups;
  std::string out = fmt::format("[{}]\n", config.stanza);
  out += repository_lines(1, plan.repository_path, plan.cipher_pass, plan.store, retention, secrets);
  if (plan.second)
    out += repository_lines(2, plan.second->path, plan.second->cipher_pass, plan.second->store, retention, secrets);
  // What is expired is decided after a look at what is there, never by the way.
  return out + line("expire-auto", "n") + line("archive-timeout", "120");
}

std::string sources_lines(const BackupPaths& paths, int64_t port, const std::vector<wire::BackupSource>& sources) {
  std::string out;
  for (size_t index = 0; index < sources.size(); ++index) {
    const wire::BackupSource& source = sources[index];
    std::string pg = fmt::format("pg{}", index + 1);
    out += line(pg + "-host", source.address) + line(pg + "-host-type", "tls") +
           line(pg + "-host-port", std::to_string(port)) + tls_lines(paths, pg + "-host") +
           line(pg + "-path", source.data) + line(pg + "-socket-path", source.socket) +
           line(pg + "-port", std::to_string(source.port));
  }
  return out;
}

std::string with_repository_only(int number, const std::string& text) {
  std::string out, wanted = fmt::format("repo{}-", number);
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    std::string_view one = std::string_view(text).substr(at, end - at);
    at = end;
    bool of_a_repository = one.starts_with("repo1-") || one.starts_with("repo2-");
    if (!of_a_repository || one.starts_with(wanted)) out += one;
  }
  return out;
}

std::string without_retention(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    std::string_view one = std::string_view(text).substr(at, end - at);
    at = end;
    if (!one.starts_with("repo1-retention-") && !one.starts_with("repo2-retention-")) out += one;
  }
  return out;
}

std::vector<std::string> secrets_of(const Backups& backups) {
  std::vector<std::string> out;
  auto add = [&](const std::optional<SecretRef>& cipher, const std::optional<ObjectStore>& store) {
    if (cipher) out.push_back(cipher->name);
    if (!store) return;
    out.push_back(store->key.name);
    for (const auto& more : {store->key_secret, store->expire_key, store->expire_key_secret}) {
      if (more) out.push_back(more->name);
    }
  };
  add(backups.cipher_pass, backups.store);
  if (backups.second) add(backups.second->cipher_pass, backups.second->store);
  return out;
}

std::string archive_settings(const wire::Archive& archive, const std::string& program, const BackupPaths& paths,
                             bool on) {
  std::string out = "# Written by the Lifeboat agent; changes here are overwritten.\n";
  if (archive.stanza.empty()) return out;
  // Without a command a server keeps what it would archive and does not wait for it when it stops. It goes on where it was when
  // the command is back.
  std::string command =
      on ? fmt::format("{} --config={} --stanza={} archive-push \"%p\"", program, paths.config(), archive.stanza)
         : std::string();
  return out + "archive_mode = on\narchive_timeout = 60s\n" + fmt::format("archive_command = '{}'\n", command);
}

}  // namespace lifeboat
