#include "controller/orphan_book.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "core/data/decode.hpp"
#include "core/data/encode.hpp"

namespace lifeboat {
namespace {

constexpr Duration kReadWithin{10'000};
constexpr Duration kLookUpWithin{30'000};

}  // namespace

std::string in_words(const wire::OrphansSaved& saved) {
  std::string tables;
  for (const auto& [table, count] : saved.tables)
    tables += fmt::format("{}{} {}", tables.empty() ? "" : ", ", count, table);
  std::string out =
      fmt::format("{} had committed {} transactions that nobody else has; saved as {}: {} changes{}", saved.member,
                  saved.transactions, saved.id, saved.changes, tables.empty() ? "" : fmt::format(" ({})", tables));
  if (!saved.first_commit.empty())
    out += fmt::format(", committed from {} to {}", saved.first_commit, saved.last_commit);
  if (saved.undecoded > 0) out += fmt::format("; {} transactions could not be read back", saved.undecoded);
  if (!saved.complete) out += fmt::format("; the old data are kept in {}", saved.kept);
  return out;
}

std::string OrphanBook::host_of(const std::string& service, const std::string& member) const {
  const auto* found = plan_.services.find(service);
  const auto* postgres = found == nullptr ? nullptr : std::get_if<PostgresService>(found);
  const auto* settings = postgres == nullptr ? nullptr : postgres->members.find(member);
  return settings == nullptr ? std::string() : settings->host.text;
}

void OrphanBook::agent_said(const std::string& host, const std::string& type, const Json& message) {
  if (type != wire::OrphansSaved::kType || !message.is_object()) return;
  JsonObject body = message.get_object();
  body.erase("type");
  auto saved = decode<wire::OrphansSaved>(body);
  // An agent speaks for the members on its own host only, whatever it writes into a message.
  if (!saved || host_of(saved->service, saved->member) != host) return;
  if (noting_.contains(saved->id)) return;
  noting_.insert(saved->id);
  scope_.spawn("orphans " + saved->id, note(host, std::move(*saved)));
}

// An agent says it again and again until it is answered, to this controller and to the next.
Task<> OrphanBook::note(std::string host, wire::OrphansSaved saved) {
  struct Leave {
    OrphanBook* book;
    std::string id;
    ~Leave() { book->noting_.erase(id); }
  } leave{this, saved.id};
  wire::OrphansNoted noted{saved.service, saved.id, {}};
  if (!saved.complete) {
    auto finding = same_as(saved);
    auto found = co_await std::move(finding);
    if (found) noted.same_as = *found;
    // While it waits it gets no answer but this one.
    if (saved.waits && noted.same_as.empty()) co_return;
  }
  // The same saving may come to hold more: a server that was started again has written on.
  std::string what = fmt::format("{} {} {}", saved.id, saved.transactions, saved.kept);
  if (noted.same_as.empty() && !noted_.contains(what)) {
    auto writing = write(std::move(saved));
    auto written = co_await std::move(writing);
    if (!written) {
      spdlog::warn("{} does not stand in the journal: {}", noted.id, written.error().text());
      co_return;
    }
    noted_.insert(what);
  }
  Json answer = encode(noted);
  answer.as_object()["type"] = wire::OrphansNoted::kType;
  hub_.send(host, std::move(answer));
}

// What was written on one timeline behind one place was written by one server, and whoever followed it has a beginning of that.
Task<Result<std::string>> OrphanBook::same_as(wire::OrphansSaved saved) {
  auto listing = list();
  CO_TRY(JsonArray all, co_await std::move(listing));
  for (const Json& one : all) {
    auto other = decode<wire::OrphansSaved>(one);
    bool holds_all = other && other->complete && other->service == saved.service && other->member != saved.member &&
                     other->timeline == saved.timeline && other->fork == saved.fork && saved.last.value != 0 &&
                     other->last >= saved.last;
    if (holds_all) co_return other->id;
  }
  co_return std::string();
}

Task<Result<>> OrphanBook::write(wire::OrphansSaved saved) {
  auto finding = find(saved.id);
  CO_TRY(std::optional<wire::OrphansSaved> before, co_await std::move(finding));
  if (before && before->transactions == saved.transactions && before->complete == saved.complete &&
      before->kept == saved.kept)
    co_return Result<>{};
  JsonObject body{
      {"text", in_words(saved)}, {"boot_ns", boot_now().time_since_epoch().count()}, {"data", encode(saved)}};
  NewEvent event{"database/" + saved.service, std::string(kKind), std::move(body)};
  std::vector<NewEvent> events{std::move(event)};
  CO_TRY(std::vector<StoredEvent> stored, co_await store_.append(std::move(events)));
  co_return Result<>{};
}

Task<Result<JsonArray>> OrphanBook::list() {
  JsonArray out;
  uint64_t last = 0;
  while (true) {
    EventFilter filter{.stream_prefix = "database/", .after = last};
    CO_TRY(std::vector<StoredEvent> events, co_await store_.read(std::move(filter)));
    if (events.empty()) co_return out;
    last = events.back().seq;
    for (const StoredEvent& event : events) {
      if (event.kind == kKind) out.push_back(member(event.body, "data"));
    }
  }
}

Task<Result<std::optional<wire::OrphansSaved>>> OrphanBook::find(std::string id) {
  auto listing = list();
  CO_TRY(JsonArray all, co_await std::move(listing));
  std::optional<wire::OrphansSaved> out;
  for (const Json& one : all) {
    if (text_or(one, "id") != id) continue;
    auto saved = decode<wire::OrphansSaved>(one);
    if (saved) out = std::move(*saved);
  }
  co_return out;
}

Task<Result<Json>> OrphanBook::read(std::string id, std::string file, int64_t offset) {
  auto finding = find(id);
  CO_TRY(std::optional<wire::OrphansSaved> saved, co_await std::move(finding));
  if (!saved) {
    co_return fail(ErrorKind::not_found, "no such orphaned writes stand in the journal",
                   "`lifeboat orphans show` lists them");
  }
  wire::ReadOrphans what{saved->service, saved->id, std::move(file), offset};
  auto asking = hub_.call(host_of(saved->service, saved->member), std::string(wire::ReadOrphans::kMethod), encode(what),
                          Deadline::after(kReadWithin), [](std::string) {});
  co_return co_await std::move(asking);
}

Task<Result<Json>> OrphanBook::look_up(wire::LookUpRows rows) {
  CO_TRY(DatabaseView view, databases_.view(rows.service));
  if (view.holder.empty()) co_return fail(ErrorKind::refused, fmt::format("nobody leads {} now", rows.service));
  auto asking = hub_.call(host_of(rows.service, view.holder), std::string(wire::LookUpRows::kMethod), encode(rows),
                          Deadline::after(kLookUpWithin), [](std::string) {});
  co_return co_await std::move(asking);
}

}  // namespace lifeboat
