#include "lab/full_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <filesystem>
#include <set>

namespace lifeboat::lab {

namespace {

namespace fs = std::filesystem;

// Room for a cluster, its log and a second copy while it is reprotected.
constexpr const char* kSmallDisk = "mode=0755,size=640m";

std::string disk_of(const std::string& lab_folder, const std::string& host) { return lab_folder + "/hosts/" + host; }
std::string ballast_of(const std::string& lab_folder, const std::string& host) {
  return disk_of(lab_folder, host) + "/ballast";
}

}  // namespace

Result<void> mount_small_disks(const Plan& plan, const std::string& lab_folder) {
  std::set<std::string> hosts;
  for (const auto& [name, service] : plan.services) {
    if (const auto* database = std::get_if<PostgresService>(&service)) {
      for (const auto& [member, entry] : database->members) hosts.insert(entry.host.text);
    }
  }
  for (const std::string& host : hosts) {
    std::string disk = disk_of(lab_folder, host);
    std::error_code failed;
    fs::create_directories(disk, failed);
    if (failed) return fail(ErrorKind::internal, fmt::format("cannot make {}: {}", disk, failed.message()));
    if (mount("tmpfs", disk.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, kSmallDisk) != 0)
      return std::unexpected(os_error("cannot mount a small disk at " + disk));
  }
  return {};
}

Result<void> fill_disk(const std::string& lab_folder, const std::string& host) {
  struct statfs about{};
  bool small = statfs(disk_of(lab_folder, host).c_str(), &about) == 0 && about.f_type == TMPFS_MAGIC;
  if (!small)
    return fail(ErrorKind::unsupported, fmt::format("the disk of {} is this machine's and is not filled", host),
                "bring the lab up with --small-disks");
  Fd file(open(ballast_of(lab_folder, host).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return std::unexpected(os_error("cannot fill the disk of " + host));
  // What is written meanwhile makes the room smaller; less and less is taken until nothing is left.
  off_t taken = 0;
  for (off_t piece = off_t{64} << 20; piece >= 4096;) {
    if (fallocate(file.get(), 0, taken, piece) == 0) {
      taken += piece;
    } else if (errno == ENOSPC) {
      piece /= 2;
    } else if (errno != EINTR) {
      return std::unexpected(os_error("cannot fill the disk of " + host));
    }
  }
  return {};
}

Result<void> empty_disk(const std::string& lab_folder, const std::string& host) {
  if (unlink(ballast_of(lab_folder, host).c_str()) != 0 && errno != ENOENT)
    return std::unexpected(os_error("cannot give back the room on the disk of " + host));
  return {};
}

}  // namespace lifeboat::lab
