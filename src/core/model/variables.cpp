#include "core/model/variables.hpp"

#include "core/base/similar.hpp"

namespace lifeboat {
namespace {

constexpr std::string_view kHostPrefix = "host.";
constexpr std::string_view kStepPrefix = "steps.";

void put(Vars& vars, const std::string& name, const Json& value) {
  if (Json* known = vars.find(name)) {
    *known = value;
  } else {
    vars.add(name, value);
  }
}

// Text in pieces: literal text and the names of references, in turn.
struct Piece {
  bool reference = false;
  std::string text;
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> out;
  std::string literal;
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("$${")) {
      literal += "${";
      at += 3;
    } else if (text.substr(at).starts_with("${")) {
      size_t end = text.find('}', at);
      std::string_view name = end == std::string_view::npos ? std::string_view() : text.substr(at + 2, end - at - 2);
      if (!literal.empty()) out.push_back({false, std::exchange(literal, {})});
      out.push_back({true, std::string(name)});
      at = end == std::string_view::npos ? text.size() : end + 1;
    } else {
      literal += text[at++];
    }
  }
  if (!literal.empty()) out.push_back({false, std::move(literal)});
  return out;
}

class Expander {
 public:
  Expander(const Vars& vars, const Plan& plan, DecodeProblems& problems, StepData* steps, size_t root)
      : vars_(vars), plan_(plan), problems_(problems), steps_(steps), root_(root) {}

  // Documents are at most 32 levels deep, and so is this.
  Json expand(const Json& value, const std::string& path) {
    if (value.is_object()) {
      JsonObject out;
      for (const auto& [key, element] : value.get_object()) out[key] = expand(element, path + "/" + pointer_step(key));
      return out;
    }
    if (value.is_array()) {
      JsonArray out;
      for (size_t index = 0; index < value.get_array().size(); ++index)
        out.push_back(expand(value.get_array()[index], path + "/" + std::to_string(index)));
      return out;
    }
    if (!value.is_string()) return value;
    return expand_string(value, path);
  }

 private:
  Json expand_string(const Json& value, const std::string& path) {
    std::string_view text = value.get_string();
    if (text.find("${") == std::string_view::npos) return value;
    std::vector<Piece> pieces = pieces_of(text);
    bool comes_later = steps_ != nullptr && !steps_->find && std::ranges::any_of(pieces, [](const Piece& piece) {
                         return piece.reference && is_step_data(piece.text);
                       });
    if (comes_later) {
      steps_->left.push_back(path.substr(root_));
      return value;
    }
    std::string out;
    for (const Piece& piece : pieces) {
      if (!piece.reference) {
        out += piece.text;
        continue;
      }
      std::optional<Json> found = look_up(piece.text, path);
      if (!found) return value;
      if (pieces.size() == 1) return *found;
      if (found->is_object() || found->is_array() || found->is_null()) {
        problems_.push_back(
            {path, fmt::format("'${{{}}}' is {} and cannot stand inside text", piece.text, kind_in_words(*found)), ""});
        return value;
      }
      out += found->is_string() ? std::string(found->get_string()) : to_text(*found);
    }
    return Json(out);
  }

  std::optional<Json> look_up(const std::string& name, const std::string& path) {
    if (name.starts_with(kHostPrefix)) {
      std::string host = name.substr(kHostPrefix.size());
      if (plan_.hosts.contains(host)) return Json(address_of(plan_, host));
      problems_.push_back({path, fmt::format("there is no host '{}'", Decoder::printable(host)),
                           did_you_mean(host, plan_.hosts.names())});
      return std::nullopt;
    }
    if (is_step_data(name) && steps_ != nullptr) {
      if (std::optional<Json> found = steps_->find(name)) return found;
      problems_.push_back(
          {path, fmt::format("'${{{}}}' is not there: the step found nothing of that name", Decoder::printable(name)),
           ""});
      return std::nullopt;
    }
    if (name.starts_with("secret.")) {
      problems_.push_back({path, "secrets are not put into the parameters of a step",
                           "name the secret in a field that takes one, or in the environment of an http service"});
      return std::nullopt;
    }
    if (const Json* found = vars_.find(name)) return *found;
    std::string hint = did_you_mean(name, vars_.names());
    if (hint.empty()) hint = "define it under vars, of the plan or of the scenario; $${ stands for ${ itself";
    problems_.push_back({path, fmt::format("there is no variable '{}'", Decoder::printable(name)), hint});
    return std::nullopt;
  }

  const Vars& vars_;
  const Plan& plan_;
  DecodeProblems& problems_;
  StepData* steps_;
  size_t root_;  // length of the path that all others begin with
};

}  // namespace

Vars merge_vars(const Plan& plan, std::string_view scenario, std::string_view profile, const Vars& run) {
  Vars out = plan.vars;
  if (const Profile* chosen = plan.profiles.find(profile)) {
    for (const auto& [name, value] : chosen->vars) put(out, name, value);
  }
  if (const Scenario* chosen = plan.scenarios.find(scenario)) {
    for (const auto& [name, value] : chosen->vars) put(out, name, value);
  }
  for (const auto& [name, value] : run) put(out, name, value);
  return out;
}

Json expand(const Json& value, const Vars& vars, const Plan& plan, DecodeProblems& problems, const std::string& path,
            StepData* steps) {
  return Expander(vars, plan, problems, steps, path.size()).expand(value, path);
}

bool is_step_data(std::string_view name) { return name.starts_with(kStepPrefix); }

std::string expand_text(std::string_view text,
                        const std::function<std::optional<std::string>(std::string_view)>& lookup,
                        std::vector<std::string>& unknown) {
  std::string out;
  for (const Piece& piece : pieces_of(text)) {
    if (!piece.reference) {
      out += piece.text;
    } else if (auto found = lookup(piece.text)) {
      out += *found;
    } else {
      unknown.push_back(piece.text);
      out += "${" + piece.text + "}";
    }
  }
  return out;
}

std::vector<std::string> references_in(std::string_view text) {
  std::vector<std::string> out;
  for (const Piece& piece : pieces_of(text)) {
    if (piece.reference) out.push_back(piece.text);
  }
  return out;
}

}  // namespace lifeboat
