// Steps form a graph: ids are unique, needs are known, nothing waits for itself by any way round.
#include <deque>
#include <map>
#include <optional>

#include "core/base/similar.hpp"
#include "plan/meaning.hpp"

namespace lifeboat {
namespace {

constexpr size_t kMostSteps = 10'000;

// A step, or a barrier: all steps of a phase that others wait for. With barriers two phases of thousands of steps stay
// thousands of edges.
struct Node {
  const Step* step = nullptr;  // null: a barrier
  std::string name;
  std::string path;
  std::vector<size_t> needs;
};

class Graph {
 public:
  Graph(const std::string& scenario_name, const Scenario& scenario, const ActionCatalogue& actions, Findings& out)
      : name_(scenario_name), scenario_(scenario), actions_(actions), out_(out) {}

  void check() {
    for (const auto& [phase, steps] : scenario_.phases) {
      for (size_t index = 0; index < steps.size(); ++index) add(steps[index], step_path(name_, phase, index));
    }
    if (nodes_.empty()) {
      complain("no-steps", fmt::format("scenario '{}' has no steps", name_), "/scenarios/" + name_ + "/phases",
               "write at least one");
    }
    if (nodes_.size() > kMostSteps) {
      return complain("too-many-steps", fmt::format("{} steps in one scenario", nodes_.size()), "/scenarios/" + name_,
                      "at most 10,000");
    }
    connect();
    shortest_cycle();
  }

 private:
  void complain(std::string rule, std::string message, std::string path, std::string suggestion) {
    out_.push_back(
        {std::move(rule), Severity::error, std::move(message), std::move(path), std::move(suggestion), false, {}, {}});
  }

  void add(const Step& step, std::string path) {
    auto [place, fresh] = by_id_.try_emplace(step.id.text, nodes_.size());
    if (!fresh) {
      complain("duplicate-id", fmt::format("the step '{}' stands twice in scenario '{}'", step.id.text, name_),
               path + "/id", "give one of them another id");
    }
    nodes_.push_back({&step, step.id.text, std::move(path), {}});
  }

  // Without `needs`: all steps but messages of the nearest phase before that has any.
  void connect() {
    std::vector<std::string> ids;
    for (const auto& [id, index] : by_id_) ids.push_back(id);
    std::optional<size_t> barrier;
    size_t at = 0;
    for (const auto& [phase, steps] : scenario_.phases) {
      std::vector<size_t> here;
      for (const Step& step : steps) {
        Node& node = nodes_[at];
        if (step.needs) {
          named_needs(node, ids);
        } else if (barrier) {
          node.needs = {*barrier};
        }
        if (!actions_.is_message || !actions_.is_message(step.uses)) here.push_back(at);
        ++at;
      }
      if (here.empty()) continue;
      barrier = nodes_.size();
      nodes_.push_back({nullptr, "all of " + phase, "", std::move(here)});
    }
  }

  void named_needs(Node& node, const std::vector<std::string>& ids) {
    for (size_t index = 0; index < node.step->needs->size(); ++index) {
      const std::string& need = (*node.step->needs)[index].text;
      auto found = by_id_.find(need);
      if (found != by_id_.end()) {
        node.needs.push_back(found->second);
      } else {
        complain(
            "unknown-need",
            fmt::format("step '{}' needs '{}', which scenario '{}' does not have", node.step->id.text, need, name_),
            fmt::format("{}/needs/{}", node.path, index), did_you_mean(need, ids));
      }
    }
  }

  // Steps that can be ordered are taken away first (Kahn); what is left holds a cycle, and a breadth-first search from
  // each of those finds the shortest.
  void shortest_cycle() {
    std::vector<size_t> waits(nodes_.size());
    std::vector<std::vector<size_t>> followers(nodes_.size());
    for (size_t index = 0; index < nodes_.size(); ++index) {
      waits[index] = nodes_[index].needs.size();
      for (size_t need : nodes_[index].needs) followers[need].push_back(index);
    }
    std::deque<size_t> ready;
    for (size_t index = 0; index < nodes_.size(); ++index) {
      if (waits[index] == 0) ready.push_back(index);
    }
    size_t ordered = 0;
    for (; !ready.empty(); ready.pop_front(), ++ordered) {
      for (size_t follower : followers[ready.front()]) {
        if (--waits[follower] == 0) ready.push_back(follower);
      }
    }
    if (ordered == nodes_.size()) return;
    std::vector<size_t> best;
    size_t tried = 0;
    for (size_t index = 0; index < nodes_.size() && tried < 100; ++index) {
      if (waits[index] == 0 || nodes_[index].step == nullptr) continue;
      ++tried;
      std::vector<size_t> cycle = cycle_through(index);
      if (!cycle.empty() && (best.empty() || cycle.size() < best.size())) best = std::move(cycle);
    }
    if (best.empty()) return;
    std::vector<std::string> ids;
    for (size_t index : best) ids.push_back(nodes_[index].name);
    ids.push_back(ids.front());
    complain("cycle", fmt::format("steps wait for each other: {}", fmt::join(ids, " needs ")),
             nodes_[best.front()].path + (nodes_[best.front()].step->needs ? "/needs" : ""),
             "take one of these needs away");
  }

  std::vector<size_t> cycle_through(size_t start) const {
    std::vector<size_t> from(nodes_.size(), nodes_.size());
    std::deque<size_t> open{start};
    for (; !open.empty(); open.pop_front()) {
      size_t here = open.front();
      for (size_t need : nodes_[here].needs) {
        if (need == start) {
          std::vector<size_t> cycle;
          for (size_t at = here; at != start; at = from[at]) cycle.push_back(at);
          cycle.push_back(start);
          std::ranges::reverse(cycle);
          return cycle;
        }
        if (from[need] != nodes_.size()) continue;
        from[need] = here;
        open.push_back(need);
      }
    }
    return {};
  }

  const std::string& name_;
  const Scenario& scenario_;
  const ActionCatalogue& actions_;
  Findings& out_;
  std::vector<Node> nodes_;
  std::map<std::string, size_t> by_id_;
};

}  // namespace

std::string step_path(std::string_view scenario, std::string_view phase, size_t index) {
  return fmt::format("/scenarios/{}/phases/{}/{}", pointer_step(scenario), pointer_step(phase), index);
}

void check_graph(const Plan& plan, const ActionCatalogue& actions, Findings& out) {
  for (const auto& [name, scenario] : plan.scenarios) Graph(name, scenario, actions, out).check();
}

}  // namespace lifeboat
