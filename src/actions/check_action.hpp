// The shape of actions that only look: observing is looking, applying is looking once and failing when it is not so.
// Nothing is changed, so a retry is always safe; attempts and waits between them are the executor's.
#pragma once

#include "actions/action.hpp"
#include "io/secrets.hpp"

namespace lifeboat {

class CheckAction : public Action {
 public:
  Task<Result<Observation>> observe(ActionContext context) override {
    auto seen = co_await look(context);
    if (seen) co_return Observation{true, seen->summary, "", seen->data};
    ErrorKind kind = seen.error().kind;
    if (kind == ErrorKind::invalid_input || kind == ErrorKind::unsupported || kind == ErrorKind::cancelled)
      co_return std::unexpected(context.world.secrets.redact(std::move(seen).error()));
    co_return Observation{false, context.world.secrets.redact(seen.error().what), "look again", {}};
  }

  Task<Result<Outcome>> apply(ActionContext context) override {
    auto seen = co_await look(context);
    if (seen) co_return seen;
    Error error = context.world.secrets.redact(std::move(seen).error());
    // What only looks has no outcome that could be unknown.
    if (error.kind == ErrorKind::unknown_outcome) error.kind = ErrorKind::timed_out;
    co_return std::unexpected(std::move(error));
  }

 private:
  // An error of kind `conflict` says that there was an answer and it was not the one expected.
  virtual Task<Result<Outcome>> look(ActionContext context) = 0;
};

}  // namespace lifeboat
