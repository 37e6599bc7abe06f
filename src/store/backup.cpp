#include "store/backup.hpp"

#include <fmt/format.h>

#include "core/run/events.hpp"
#include "io/crypto.hpp"
#include "store/chain.hpp"

namespace lifeboat {
namespace {

constexpr int64_t kVersion = 1;
constexpr uint64_t kTermsLeftOut = 100;

std::unexpected<Error> damaged(size_t line, std::string_view how) {
  return fail(ErrorKind::invalid_input, fmt::format("line {} of the copy {}", line, how), "take another copy");
}

Result<StoredEvent> event_in(const Json& json, size_t line) {
  auto at = parse_wall(text_or(json, "at"));
  if (!at) return damaged(line, "holds an event without a time");
  TRY(Json body, parse_json(text_or(json, "body")));
  return StoredEvent{static_cast<uint64_t>(int_or(json, "seq")),
                     *at,
                     text_or(json, "stream"),
                     text_or(json, "kind"),
                     std::move(body),
                     text_or(json, "hash")};
}

void append_event(std::vector<StoredEvent>& events, NewEvent event, WallTime now) {
  uint64_t seq = events.empty() ? 1 : events.back().seq + 1;
  std::string before = events.empty() ? chain_root() : events.back().hash;
  WallTime at = events.empty() ? now : std::max(now, events.back().at);
  std::string hash = chain_hash(before, seq, at, event.stream, event.kind, to_canonical_text(event.body));
  events.push_back({seq, at, std::move(event.stream), std::move(event.kind), std::move(event.body), std::move(hash)});
}

void leave_out_terms(StoreContents& contents, WallTime now) {
  for (const auto& [service, owner] : contents.owners) {
    uint64_t above = owner.term + kTermsLeftOut;
    append_event(contents.events,
                 {"database/" + service,
                  "terms-left-out",
                  {{"above", above},
                   {"text", fmt::format("the journal was restored from a copy; the next term is above {}", above)}}},
                 now);
  }
}

// What each run that has not ended is told.
Result<std::vector<NewEvent>> news_for_runs(const StoreContents& contents) {
  constexpr std::string_view kRuns = "run/";
  std::map<std::string, std::vector<run::Event>> runs;
  for (const StoredEvent& stored : contents.events) {
    if (!stored.stream.starts_with(kRuns)) continue;
    auto event = run::decode_event(stored.kind, stored.body);
    if (!event) {
      return std::unexpected(
          std::move(event).error().with(fmt::format("event {} of the copy, of {}", stored.seq, stored.stream)));
    }
    runs[stored.stream].push_back(std::move(*event));
  }
  std::vector<NewEvent> out;
  for (const auto& [stream, events] : runs) {
    if (std::holds_alternative<run::RunFinished>(events.back().body)) continue;
    run::Event told{run::RunRestored{"the journal was restored from a copy, and what was done since is not known"},
                    events.back().at, events.back().wall};
    out.push_back({stream, std::string(run::kind_of(told)), run::encode_event(told)});
  }
  return out;
}

}  // namespace

Result<> ready_for_restore(StoreContents& contents, WallTime now) {
  TRY(std::vector<NewEvent> news, news_for_runs(contents));
  leave_out_terms(contents, now);
  for (NewEvent& event : news) append_event(contents.events, std::move(event), now);
  return {};
}

ChainReport check_chain(const std::vector<StoredEvent>& events) {
  ChainReport report;
  std::string previous = chain_root();
  for (const StoredEvent& event : events) {
    uint64_t expected = report.events + 1;
    std::string body = to_canonical_text(event.body);
    bool fits = event.seq == expected &&
                chain_hash(previous, event.seq, event.at, event.stream, event.kind, body) == event.hash;
    if (!fits) {
      report.broken_at = expected;
      report.reason = fmt::format("event {} is missing or was changed after it was written", expected);
      return report;
    }
    previous = event.hash;
    report.head = previous;
    ++report.events;
  }
  report.whole = true;
  return report;
}

std::string backup_text(const Backup& backup) {
  const StoreContents& all = backup.contents;
  std::string out;
  auto line = [&out](const Json& json) { out += to_text(json) + "\n"; };
  line(JsonObject{{"lifeboat_store", kVersion},
                  {"plan", backup.plan},
                  {"at", format_wall(backup.at)},
                  {"events", all.events.size()},
                  {"head", all.events.empty() ? "" : all.events.back().hash}});
  for (const StoredEvent& event : all.events) {
    line(JsonObject{{"event", JsonObject{{"seq", event.seq},
                                         {"at", format_wall(event.at)},
                                         {"stream", event.stream},
                                         {"kind", event.kind},
                                         {"body", to_canonical_text(event.body)},
                                         {"hash", event.hash}}}});
  }
  for (const auto& [name, value] : all.counters) line(JsonObject{{"counter", name}, {"value", value}});
  for (const auto& [service, owner] : all.owners)
    line(JsonObject{{"owner", service}, {"term", owner.term}, {"holder", owner.holder}});
  std::string sum = sha256_hex(out);
  line(JsonObject{{"end", true}, {"sha256", sum}});
  return out;
}

Result<Backup> read_backup(std::string_view text) {
  Backup backup;
  std::optional<size_t> events;
  size_t number = 0, at = 0;
  bool ended = false;
  while (at < text.size()) {
    ++number;
    if (ended) return damaged(number, "stands after the end");
    size_t end = text.find('\n', at);
    if (end == text.npos) return damaged(number, "is cut off");
    auto json = parse_json(text.substr(at, end - at));
    if (!json || !json->is_object()) return damaged(number, "is no JSON");
    if (number == 1) {
      int64_t version = int_or(*json, "lifeboat_store");
      if (version < 1) return fail(ErrorKind::invalid_input, "this is no copy of a Lifeboat store");
      if (version > kVersion)
        return fail(ErrorKind::unsupported,
                    fmt::format("the copy is of version {}, this program knows {}", version, kVersion),
                    "use the newer Lifeboat that made it");
      backup.plan = text_or(*json, "plan");
      backup.at = parse_wall(text_or(*json, "at")).value_or(WallTime{});
      events = static_cast<size_t>(int_or(*json, "events"));
    } else if (json->get_object().contains("event")) {
      TRY(StoredEvent event, event_in(member(*json, "event"), number));
      backup.contents.events.push_back(std::move(event));
    } else if (json->get_object().contains("counter")) {
      backup.contents.counters[text_or(*json, "counter")] = static_cast<uint64_t>(int_or(*json, "value"));
    } else if (json->get_object().contains("owner")) {
      backup.contents.owners[text_or(*json, "owner")] = {static_cast<uint64_t>(int_or(*json, "term")),
                                                         text_or(*json, "holder")};
    } else if (bool_or(*json, "end")) {
      if (text_or(*json, "sha256") != sha256_hex(text.substr(0, at)))
        return damaged(number, "does not fit what is before it");
      ended = true;
    } else {
      return damaged(number, "is not known");
    }
    at = end + 1;
  }
  if (!ended) return fail(ErrorKind::invalid_input, "the copy has no end: it was cut off", "take another copy");
  if (events != backup.contents.events.size()) return damaged(1, "names another number of events than there are");
  ChainReport chain = check_chain(backup.contents.events);
  if (!chain.whole) return fail(ErrorKind::invalid_input, "the copy's journal is not whole: " + chain.reason);
  return backup;
}

}  // namespace lifeboat
