#include "io/secrets.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "io/crypto.hpp"
#include "io/file.hpp"
#include "io/http_client.hpp"

namespace lifeboat {
namespace {

constexpr size_t kLargest = 64 * 1024;
// Shorter values would blank out ordinary words.
constexpr size_t kShortestHidden = 6;

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return text;
}

// Base64 of the value when it stands inside a longer text: without the characters that depend on its neighbours.
std::vector<std::string> base64_forms(const std::string& value) {
  std::vector<std::string> forms;
  for (size_t shift = 0; shift < 3; ++shift) {
    std::string text = base64_encode(std::string(shift, 'x') + value);
    size_t from = shift == 0 ? 0 : shift + 1;
    size_t sure = (shift + value.size()) / 3 * 4;  // groups of four that hold nothing but the value
    if (sure > from + 8) forms.push_back(text.substr(from, sure - from));
  }
  forms.push_back(base64_encode(value));
  return forms;
}

}  // namespace

Secrets::Secrets(std::string folder) : folder_(std::move(folder)) {}

Result<std::string> Secrets::get(std::string_view name) { return read(name, generation(std::string(name))); }

Result<std::string> Secrets::next(std::string_view name) { return read(name, generation(std::string(name)) + 1); }

void Secrets::use(const std::string& name, int generation) {
  std::lock_guard lock(mutex_);
  generations_[name] = generation;
}

int Secrets::generation(const std::string& name) const {
  std::lock_guard lock(mutex_);
  auto found = generations_.find(name);
  return found == generations_.end() ? 1 : found->second;
}

Result<std::string> Secrets::read(std::string_view name, int generation) {
  if (!is_identifier(name))
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is not the name of a secret", Decoder::printable(name)),
                "names of secrets have only a-z, 0-9 and '-'");
  std::string key(name);
  if (generation > 1) key += fmt::format(".{}", generation);
  std::string path = folder_ + "/" + key;
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) {
    return fail(errno == ENOENT ? ErrorKind::not_found : ErrorKind::refused,
                fmt::format("there is no secret '{}' in {}", key, folder_),
                fmt::format("write its value to {} (mode 0600)", path));
  }
  if (!S_ISREG(facts.st_mode)) return fail(ErrorKind::refused, fmt::format("secret '{}' is not a plain file", key));
  if ((facts.st_mode & S_IRWXO) != 0)
    return fail(ErrorKind::refused, fmt::format("secret '{}' can be read by every user of this machine", key),
                fmt::format("chmod 600 {}", path));
  auto value = read_file(path, kLargest);
  if (!value) return std::unexpected(std::move(value).error().with(fmt::format("secret '{}'", key)));
  if (value->ends_with('\n')) value->pop_back();
  if (value->ends_with('\r')) value->pop_back();
  if (value->empty()) return fail(ErrorKind::invalid_input, fmt::format("secret '{}' is empty", key));
  remember(key, *value);
  return value;
}

void Secrets::remember(const std::string& name, const std::string& value) {
  if (value.size() < kShortestHidden) return;
  std::lock_guard lock(mutex_);
  auto& forms = forms_[name];
  if (std::ranges::find(forms, value) != forms.end()) return;
  forms.push_back(value);
  for (std::string& form : base64_forms(value)) forms.push_back(std::move(form));
  forms.push_back(percent_encode(value));
  forms.push_back(to_hex(value));
  forms.push_back(upper(to_hex(value)));
  // A value with quotes or backslashes looks different inside JSON.
  std::string json = to_text(Json(value));
  forms.push_back(json.substr(1, json.size() - 2));
}

std::string Secrets::redact(std::string text) const {
  std::lock_guard lock(mutex_);
  // Longest first, so that a secret inside another one does not leave the rest of it standing.
  std::vector<std::pair<std::string_view, std::string_view>> all;
  for (const auto& [name, forms] : forms_) {
    for (const std::string& form : forms) all.emplace_back(form, name);
  }
  std::ranges::sort(all, [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  for (const auto& [form, name] : all) {
    std::string shown = fmt::format("(secret {})", name);
    for (size_t at = text.find(form); at != std::string::npos; at = text.find(form, at + shown.size()))
      text.replace(at, form.size(), shown);
  }
  return text;
}

Error Secrets::redact(Error error) const {
  error.what = redact(std::move(error.what));
  error.where = redact(std::move(error.where));
  error.hint = redact(std::move(error.hint));
  for (std::string& line : error.context) line = redact(std::move(line));
  return error;
}

}  // namespace lifeboat
