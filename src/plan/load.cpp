#include "plan/load.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <tuple>

#include "plan/meaning.hpp"

namespace lifeboat {
namespace {

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

std::string reason(int code) { return std::string(std::strerror(code)); }

Result<std::string> read_all(int fd, const std::string& path, size_t largest) {
  std::string out;
  std::string chunk(64 * 1024, '\0');
  while (true) {
    ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorKind::invalid_input, fmt::format("cannot read {}: {}", path, reason(errno)));
    if (count == 0) return out;
    out.append(chunk, 0, static_cast<size_t>(count));
    // The file may have grown since its size was asked.
    if (out.size() > largest)
      return fail(ErrorKind::invalid_input, fmt::format("{} is larger than {} KiB", path, largest / 1024));
  }
}

LoadFailure unreadable(const std::string& file, std::string rule, std::string message, std::string suggestion,
                       Position at = {}) {
  Finding finding{std::move(rule), Severity::error, std::move(message), "", std::move(suggestion), false, file, at};
  return {true, {std::move(finding)}};
}

void place(Findings& findings, const Positions& positions, const std::string& file) {
  for (Finding& finding : findings) {
    finding.file = file;
    finding.at = positions.at(finding.path, finding.at_key);
  }
  std::ranges::sort(findings, {},
                    [](const Finding& finding) { return std::tuple(finding.at, finding.path, finding.rule); });
}

Result<> read_inventory(Plan& plan, const std::string& path) {
  TRY(std::string text, read_regular_file(path, kLargestPlan));
  auto json = parse_json(text);
  if (!json) return std::unexpected(std::move(json).error().with("inventory " + path));
  auto applied = apply_inventory(plan, *json);
  if (!applied) return std::unexpected(std::move(applied).error().with("inventory " + path));
  return {};
}

}  // namespace

Result<std::string> read_regular_file(const std::string& path, size_t largest) {
  // Not blocking, so that a pipe without a writer cannot hold us.
  OpenFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.fd() < 0 && errno == ELOOP)
    return fail(ErrorKind::invalid_input, path + " is a symbolic link", "give the path of the file itself");
  if (file.fd() < 0) {
    ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::invalid_input;
    return fail(kind, fmt::format("cannot open {}: {}", path, reason(errno)));
  }
  struct stat about{};
  if (::fstat(file.fd(), &about) != 0)
    return fail(ErrorKind::invalid_input, fmt::format("cannot look at {}: {}", path, reason(errno)));
  if (!S_ISREG(about.st_mode)) return fail(ErrorKind::invalid_input, path + " is not a regular file");
  if (static_cast<uint64_t>(about.st_size) > largest)
    return fail(ErrorKind::invalid_input, fmt::format("{} is larger than {} KiB", path, largest / 1024));
  return read_all(file.fd(), path, largest);
}

Result<> apply_inventory(Plan& plan, const Json& inventory) {
  const Json& hosts = member(inventory, "hosts");
  if (!hosts.is_object())
    return fail(ErrorKind::invalid_input, "an inventory is written {\"hosts\": {\"name\": \"address\"}}");
  for (const auto& [name, address] : hosts.get_object()) {
    Host* host = plan.hosts.find(name);
    if (host == nullptr)
      return fail(ErrorKind::not_found, fmt::format("the plan has no host '{}'", Decoder::printable(name)),
                  did_you_mean(name, plan.hosts.names()));
    if (!address.is_string() || address.get_string().empty())
      return fail(ErrorKind::invalid_input, fmt::format("the address of '{}' is not text", std::string_view(name)));
    host->address = std::string(address.get_string());
  }
  return {};
}

void apply_profile(Plan& plan, std::string_view profile) {
  const Profile* chosen = plan.profiles.find(profile);
  if (chosen == nullptr) return;
  for (const auto& [name, lease] : chosen->leases) {
    Service* service = plan.services.find(name);
    if (service == nullptr) continue;
    if (auto* database = std::get_if<PostgresService>(service)) database->lease = lease;
  }
}

std::expected<LoadedPlan, LoadFailure> load_plan_text(std::string bytes, const std::string& file,
                                                      const ActionCatalogue& actions, const LoadOptions& options) {
  auto document = parse_yaml(bytes);
  if (!document) {
    YamlProblem& problem = document.error();
    return std::unexpected(unreadable(file, "yaml", problem.message, problem.suggestion, problem.at));
  }
  LoadedPlan loaded{{}, std::move(document->value), std::move(document->positions), file, std::move(bytes)};

  Findings findings;
  auto plan = decode<Plan>(loaded.document);
  if (!plan) {
    for (DecodeProblem& problem : plan.error())
      findings.push_back({"shape",
                          Severity::error,
                          std::move(problem.message),
                          std::move(problem.path),
                          std::move(problem.suggestion),
                          problem.at_key,
                          {},
                          {}});
  } else {
    loaded.plan = std::move(*plan);
    if (!options.inventory.empty()) {
      if (auto read = read_inventory(loaded.plan, options.inventory); !read)
        return std::unexpected(unreadable(options.inventory, "inventory", read.error().text(), ""));
    }
    findings = check_meaning(loaded.plan, actions, options.profile);
    apply_profile(loaded.plan, options.profile);
  }
  if (findings.empty()) return loaded;
  place(findings, loaded.positions, file);
  return std::unexpected(LoadFailure{false, std::move(findings)});
}

std::expected<LoadedPlan, LoadFailure> load_plan(const std::string& path, const ActionCatalogue& actions,
                                                 const LoadOptions& options) {
  auto bytes = read_regular_file(path, kLargestPlan);
  if (!bytes) return std::unexpected(unreadable(path, "file", bytes.error().what, bytes.error().hint));
  return load_plan_text(std::move(*bytes), path, actions, options);
}

}  // namespace lifeboat
