#include "core/ownership/machine.hpp"

#include "core/ownership/turn.hpp"

namespace lifeboat::ownership {

std::vector<Command> step(State& state, const Input& input, MonoTime now) {
  // After a pause the first message is heard before the others that came meanwhile.
  if (state.last_input != MonoTime{} && now - state.last_input > kStoodStill)
    state.stood_still_until = now + kHearsEverybody;
  state.last_input = now;
  Turn turn(state, now);
  turn.end_lease();
  std::visit([&](const auto& event) { turn.take(event); }, input);
  turn.look_around();
  return std::move(turn.commands);
}

}  // namespace lifeboat::ownership
