// Secrets are files in one folder: the name of the file is the name of the secret, its content the value (one newline
// at the end is not part of it). A file that other users of the machine may read is refused. A secret that is to be renewed has its
// next value beside it: NAME.2 is the second generation of NAME, NAME.3 the third. Which one counts is told by use().
// Values leave this class only by get(). Text that may hold one (an error of a library, output of a program) goes
// through redact() before anybody sees it. Safe to use from several threads.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

class Secrets {
 public:
  explicit Secrets(std::string folder);

  // The value of that name, read from its file each time so that a rotated secret counts at once. Errors:
  // `invalid_input`
  // for a name that is none, `not_found`, `refused` when others may read the file or it is larger than 64 KiB.
  Result<std::string> get(std::string_view name);
  Result<std::string> get(const SecretRef& reference) { return get(reference.name); }

  // From now on get() gives that generation (1: the file NAME itself).
  void use(const std::string& name, int generation);
  int generation(const std::string& name) const;
  // The value that comes after the one that counts. Errors as get(), `not_found` with the file that is missing.
  Result<std::string> next(std::string_view name);

  // The text with every value that get() has given out (6 characters or more; as it is, in base64, hex or URL form)
  // replaced by "(secret NAME)".
  std::string redact(std::string text) const;
  // The same for an error on its way to a person.
  Error redact(Error error) const;

  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  mutable std::mutex mutex_;
  // What each value looks like in text; older values stay, they may still be in somebody's message.
  std::map<std::string, std::vector<std::string>> forms_;
  std::map<std::string, int> generations_;  // of those that were renewed

  Result<std::string> read(std::string_view name, int generation);
  void remember(const std::string& name, const std::string& value);
};

}  // namespace lifeboat
