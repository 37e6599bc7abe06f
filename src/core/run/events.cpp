#include "core/run/events.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"

namespace lifeboat::run {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

std::string with_reason(std::string text, const std::string& reason) {
  return reason.empty() ? text : text + ": " + reason;
}

template <class Body>
bool try_decode(std::string_view kind, const JsonObject& members, Event& event, std::optional<Error>& problem) {
  if (kind != Body::kKind) return false;
  auto body = decode<Body>(Json(members));
  if (body) {
    event.body = std::move(*body);
  } else {
    problem = to_error(body.error(), fmt::format("the body of a '{}' event does not fit", kind));
  }
  return true;
}

template <class... Ts>
bool decode_any(std::string_view kind, const JsonObject& members, Event& event, std::optional<Error>& problem,
                std::type_identity<std::variant<Ts...>>) {
  return (try_decode<Ts>(kind, members, event, problem) || ...);
}

std::string step_in_words(const StepFailed& e) {
  return fmt::format("{} failed{}: {}", e.step, e.final_ ? "" : fmt::format(" (attempt {})", e.attempt), e.error);
}

std::string approval_in_words(const ApprovalAsked& e) {
  std::string text = fmt::format("{} asks {} of {}", e.step, e.need, fmt::join(e.people, ", "));
  if (!e.loss.empty()) text += "; " + e.loss;
  return text;
}

}  // namespace

std::string_view kind_of(const Event& event) {
  return std::visit([](const auto& body) { return std::remove_cvref_t<decltype(body)>::kKind; }, event.body);
}

std::string_view step_of(const Event& event) {
  return std::visit(
      [](const auto& body) -> std::string_view {
        if constexpr (requires { body.step; }) {
          return body.step;
        } else {
          return {};
        }
      },
      event.body);
}

Json encode_event(const Event& event) {
  Json out = std::visit([](const auto& body) { return encode(body); }, event.body);
  out.as_object()["boot_ns"] = event.at.time_since_epoch().count();
  out.as_object()["wall"] = format_wall(event.wall);
  return out;
}

Result<Event> decode_event(std::string_view kind, const Json& body) {
  auto wall = parse_wall(text_or(body, "wall"));
  if (!body.is_object() || !member(body, "boot_ns").is_int64() || !wall) {
    return fail(ErrorKind::invalid_input, fmt::format("a '{}' event does not say when it happened", kind));
  }
  Event event;
  event.at = MonoTime(std::chrono::nanoseconds(member(body, "boot_ns").get_int64()));
  event.wall = *wall;
  JsonObject members = body.get_object();
  members.erase("boot_ns");
  members.erase("wall");
  std::optional<Error> problem;
  if (!decode_any(kind, members, event, problem, std::type_identity<EventBody>{})) {
    return fail(ErrorKind::invalid_input, fmt::format("'{}' is no kind of event that a run has", kind),
                "a newer Lifeboat may have written it");
  }
  if (problem) return std::unexpected(std::move(*problem));
  return event;
}

std::string in_words(const Event& event) {
  return std::visit(
      Overloaded{
          [](const RunOpened& e) {
            return fmt::format("run of {} opened by {}{}", e.scenario, e.by, e.reason.empty() ? "" : ": " + e.reason);
          },
          [](const RunRecovered&) { return std::string("the controller was started again; the run goes on"); },
          [](const StepStarted& e) {
            std::string more = e.attempt > 1 ? fmt::format(" (attempt {})", e.attempt) : "";
            return fmt::format("{} started{}{}", e.step, more, e.cut_off ? ", cut off before" : "");
          },
          [](const StepObserved& e) { return with_reason(e.step + " holds already", e.summary); },
          [](const StepFinished& e) { return with_reason(e.step + " done", e.summary); },
          [](const StepFailed& e) { return step_in_words(e); },
          [](const StepUnknown& e) {
            return fmt::format("{}: no answer, the outcome is unknown: {}", e.step, e.error);
          },
          [](const StepRetryScheduled& e) {
            return fmt::format("{}: attempt {} follows in {}", e.step, e.attempt, format_span(e.after));
          },
          [](const StepRetryAsked& e) { return fmt::format("{} has {} tried again", e.by, e.step); },
          [](const StepSkipped& e) { return with_reason(fmt::format("{} skipped by {}", e.step, e.by), e.reason); },
          [](const ApprovalAsked& e) { return approval_in_words(e); },
          [](const ApprovalGiven& e) { return fmt::format("{} approved {}", e.by, e.step); },
          [](const ApprovalDeclined& e) { return with_reason(fmt::format("{} declined {}", e.by, e.step), e.reason); },
          [](const ApprovalExpired& e) { return fmt::format("the question of {} expired", e.step); },
          [](const ManualAsked& e) { return with_reason(e.step + " waits for a person", e.text); },
          [](const ManualConfirmed& e) { return with_reason(fmt::format("{} confirmed {}", e.by, e.step), e.note); },
          [](const StepCancelAsked& e) {
            return with_reason(fmt::format("{} had {} stopped", e.by, e.step), e.reason);
          },
          [](const RunPaused& e) { return with_reason("paused by " + e.by, e.reason); },
          [](const RunResumed& e) { return "resumed by " + e.by; },
          [](const RunRestored& e) { return with_reason("restored", e.reason); },
          [](const RunHalted& e) { return with_reason("halted after " + e.step, e.reason); },
          [](const AbortAsked& e) {
            return with_reason(fmt::format("aborted by {}{}", e.by, e.rollback ? " with rollback" : ""), e.reason);
          },
          [](const RollbackStarted& e) { return with_reason("rollback started", e.reason); },
          [](const UndoStarted& e) { return "taking back " + e.step; },
          [](const StepUndone& e) { return with_reason(e.step + " taken back", e.summary); },
          [](const StepUndoFailed& e) { return with_reason(e.step + " could not be taken back", e.error); },
          [](const RunFinished& e) { return with_reason("run " + enum_name(e.state), e.reason); },
      },
      event.body);
}

ErrorKind error_kind_of(std::string_view name) {
  for (ErrorKind kind : {ErrorKind::invalid_input, ErrorKind::not_found, ErrorKind::refused, ErrorKind::unreachable,
                         ErrorKind::timed_out, ErrorKind::unknown_outcome, ErrorKind::conflict, ErrorKind::unsupported,
                         ErrorKind::cancelled}) {
    if (to_string(kind) == name) return kind;
  }
  return ErrorKind::internal;
}

}  // namespace lifeboat::run
