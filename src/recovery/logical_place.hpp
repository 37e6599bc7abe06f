// A place of logical backups: a folder or a bucket, behind one face. What is written appears whole or not at all.
//
// Errors are those of io/file.hpp and io/s3.hpp; `conflict` when a file of that name is there already: backups are never
// written over.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/logical/backups.hpp"
#include "core/logical/place.hpp"
#include "io/s3.hpp"

namespace lifeboat {

class BackupPlace {
 public:
  using Source = S3Store::Source;
  using Sink = S3Store::Sink;

  virtual ~BackupPlace() = default;
  virtual std::string name() const = 0;
  // All files, by their path from the top. What is being written is not among them.
  virtual Task<Result<std::vector<PlacedFile>>> list(Deadline deadline) = 0;
  // A whole small file.
  virtual Task<Result<std::string>> read_small(std::string path, Deadline deadline) = 0;
  // A whole file in order; the sink is called on a thread of the blocking pool.
  virtual Task<Result<>> read(std::string path, Sink sink, Deadline deadline) = 0;
  virtual Task<Result<uint64_t>> write(std::string path, Source source, Deadline deadline) = 0;
  virtual Task<Result<>> write_small(std::string path, std::string text, Deadline deadline) = 0;
  virtual Task<Result<>> remove(std::string path, Deadline deadline) = 0;
  // The file's own path on this machine, if it has one.
  virtual std::optional<std::string> local_file(const std::string& path) const = 0;
};

std::unique_ptr<BackupPlace> open_folder(std::string folder);
std::unique_ptr<BackupPlace> open_bucket(S3Store store, std::string prefix);

}  // namespace lifeboat
