#include "actions/dump_common.hpp"

#include "actions/postgres_common.hpp"
#include "core/backup/schedule.hpp"
#include "core/data/encode.hpp"
#include "core/logical/source.hpp"
#include "io/secrets.hpp"

namespace lifeboat {

void check_dumps(const Dumps& dumps, const std::string& at, DecodeProblems& problems) {
  auto place = parse_place(dumps.to);
  if (!place) problems.push_back({at + "/to", place.error().what, place.error().hint});
  if (place && !place->in_store() && dumps.store)
    problems.push_back({at + "/store", "a folder needs no store", "to: s3://BUCKET/PREFIX/ is one"});
  if (dumps.keep < 0) problems.push_back({at + "/keep", "fewer than none cannot be kept", "0: all stay"});
}

Result<std::unique_ptr<BackupPlace>> open_dump_place(World& world, const Dumps& dumps) {
  TRY(LogicalPlace place, parse_place(dumps.to));
  if (!place.in_store()) return open_folder(place.folder);
  DumpStore store = dumps.store.value_or(DumpStore{});
  S3Config config{.endpoint = store.endpoint,
                  .bucket = place.bucket,
                  .style = store.path_style ? S3Style::path : S3Style::host,
                  .ca_file = store.ca_file};
  if (!store.region.empty()) config.region = store.region;
  TRY(config.credentials.access_key, world.secrets.get(store.key));
  TRY(config.credentials.secret_key, world.secrets.get(store.key_secret));
  TRY(S3Store opened, S3Store::open(std::move(config), world.http));
  return open_bucket(std::move(opened), place.prefix);
}

Result<std::vector<PlannedServer>> dump_servers(World& world, const DatabaseAsked& asked) {
  std::vector<PlannedServer> out;
  auto add = [&](std::string name, const DatabaseAsked& one) -> Result<> {
    TRY(PgParams params, params_of(world, one, {}));
    params["application_name"] = "lifeboat dump";
    out.push_back({std::move(name), std::move(params)});
    return {};
  };
  if (!asked.host.empty()) {
    TRY_VOID(add(asked.host, asked));
    return out;
  }
  const auto* database = service_as<PostgresService>(world.plan, asked.service.text);
  if (database == nullptr) return fail(ErrorKind::invalid_input, fmt::format("{} is no database", asked.service.text));
  TRY(DatabaseView view, world.databases.view(asked.service.text));
  std::vector<DumpServer> servers;
  for (const MemberView& one : view.members) servers.push_back({one.member, one.connected, one.report});
  for (const std::string& member : dump_order(servers, view.holder)) {
    const PostgresMember* settings = database->members.find(member);
    if (settings == nullptr) continue;
    DatabaseAsked one = asked;
    one.host = settings->host.text;
    one.port = settings->port;
    TRY_VOID(add(member, one));
  }
  if (out.empty())
    return fail(ErrorKind::unreachable,
                fmt::format("no member of {} takes writes, and none follows one", asked.service.text),
                "name a server that is there with host");
  return out;
}

DumpNote note_for(const World& world, const DatabaseAsked& asked, std::string order) {
  return {.plan = world.plan.plan.text, .service = asked.service.text, .order = std::move(order)};
}

Task<Result<PlannedDumped>> dump_service(World* world, DumpWish wish, Deadline deadline, OnLogicalProgress progress) {
  auto place = open_dump_place(*world, wish.dumps);
  if (!place) co_return std::unexpected(world->secrets.redact(std::move(place).error()));
  auto servers = dump_servers(*world, wish.asked);
  if (!servers) co_return std::unexpected(world->secrets.redact(std::move(servers).error()));
  PlannedDump planned{.servers = std::move(*servers),
                      .note = note_for(*world, wish.asked, wish.order),
                      .contents = wish.dumps.contents,
                      .keep = wish.dumps.keep};
  auto taking = take_planned(std::move(planned), wish.from, place->get(), deadline, std::move(progress));
  auto taken = co_await std::move(taking);
  if (!taken) co_return std::unexpected(world->secrets.redact(std::move(taken).error()));
  taken->kept_back = world->secrets.redact(std::move(taken->kept_back));
  co_return taken;
}

JsonObject in_json(const PlannedDumped& dumped, const std::string& place) {
  return {{"place", place},
          {"name", dumped.backup.path},
          {"bytes", dumped.backup.bytes},
          {"seconds", dumped.note.seconds},
          {"format", dumped.note.format},
          {"from", dumped.note.from},
          {"tables", dumped.note.tables},
          {"rows", dumped.note.rows},
          {"removed", encode(dumped.removed)},
          {"kept_back", dumped.kept_back}};
}

std::string in_words(const PlannedDumped& dumped, const std::string& place) {
  std::string out =
      fmt::format("{} in {}: {}, {} rows, read from {} in {:.1f} s", dumped.backup.path, place,
                  megabytes(dumped.backup.bytes), dumped.note.rows, dumped.note.from, dumped.note.seconds);
  if (!dumped.removed.empty()) out += fmt::format("; {} older removed", dumped.removed.size());
  if (!dumped.kept_back.empty()) out += fmt::format("; OLDER ONES STAY: {}", dumped.kept_back);
  return out;
}

std::string megabytes(uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

}  // namespace lifeboat
