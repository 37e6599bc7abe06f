#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cerrno>
#include <filesystem>

#include "core/data/encode.hpp"
#include "io/postgres_profile.hpp"
#include "io/process.hpp"
#include "io/sha256.hpp"
#include "recovery/logical.hpp"
#include "recovery/logical_made.hpp"
#include "recovery/pg_program.hpp"

namespace lifeboat {
namespace {

using namespace asio::experimental::awaitable_operators;
using Pipe = asio::posix::stream_descriptor;

constexpr Duration kStatement{3'600'000};

// What pg_dump writes, on its way to the place. Its end is believed only when the program ended well.
struct Stream {
  explicit Stream(asio::any_io_executor executor) : from(executor), ended(executor) {}
  Pipe from;
  Sha256 hash;
  uint64_t bytes = 0;
  std::optional<Result<>> outcome;  // of pg_dump
  Wakeup ended;
  MonoTime begun = boot_now(), told = boot_now();
  OnLogicalProgress progress;
};

Result<> judge_dump(const Result<ProcessResult>& result) {
  if (!result) return std::unexpected(result.error());
  if (result->exit_code == 0) return {};
  std::string said = result->err.substr(0, 600);
  while (said.ends_with('\n')) said.pop_back();
  bool version = said.find("server version mismatch") != std::string::npos;
  return fail(version ? ErrorKind::unsupported : ErrorKind::refused,
              fmt::format("pg_dump ended with {}: {}", result->exit_code, said),
              version ? "install the client programs of the server's version" : "");
}

Task<> run_pg_dump(std::shared_ptr<Stream> stream, ProcessSpec spec, Deadline deadline) {
  auto running = run_process(std::move(spec), deadline);
  auto result = co_await std::move(running);
  stream->outcome = judge_dump(result);
  stream->ended.notify();
}

// Up to `most` bytes; fewer only at the end, and then only of a dump that is whole.
Task<Result<std::string>> next_piece(std::shared_ptr<Stream> stream, size_t most, Deadline deadline) {
  std::string piece(most, '\0');
  size_t have = 0;
  while (have < most) {
    auto [problem, got] = co_await stream->from.async_read_some(asio::buffer(piece.data() + have, most - have),
                                                                asio::as_tuple(asio::use_awaitable));
    have += got;
    if (problem == asio::error::eof) break;
    if (problem) co_return fail(ErrorKind::cancelled, fmt::format("the dump's pipe: {}", problem.message()));
    if (stream->progress && boot_now() - stream->told > std::chrono::seconds(1)) {
      stream->told = boot_now();
      stream->progress({"dump", stream->bytes + have, 0, to_seconds(boot_now() - stream->begun)});
    }
  }
  piece.resize(have);
  if (have < most) {
    while (!stream->outcome && !deadline.passed()) co_await stream->ended.wait_until(deadline.at);
    if (!stream->outcome) co_return fail(ErrorKind::timed_out, "pg_dump did not end in time");
    if (!*stream->outcome) co_return std::unexpected(stream->outcome->error());
  }
  stream->hash.add(piece);
  stream->bytes += piece.size();
  co_return piece;
}

Task<Result<uint64_t>> write_stream(std::shared_ptr<Stream> stream, BackupPlace* place, std::string path,
                                    Deadline deadline) {
  BackupPlace::Source source = [stream, deadline](size_t most) { return next_piece(stream, most, deadline); };
  auto writing = place->write(std::move(path), std::move(source), deadline);
  auto written = co_await std::move(writing);
  // Whoever could not go on writing must not leave pg_dump waiting for a reader.
  boost::system::error_code ignored;
  stream->from.close(ignored);
  co_return written;
}

struct Snapshot {
  std::unique_ptr<PgConnection> connection;
  std::string id;
};

Task<Result<Snapshot>> open_snapshot(PgParams server, Deadline deadline) {
  server["options"] = profile_options(kStatement);
  auto connecting = PgConnection::connect(std::move(server), deadline);
  Snapshot out;
  CO_TRY(out.connection, co_await std::move(connecting));
  auto beginning = out.connection->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", {}, deadline);
  CO_TRY_VOID(co_await std::move(beginning));
  auto exporting = out.connection->query("SELECT pg_export_snapshot() AS id", {}, deadline);
  CO_TRY(PgRows rows, co_await std::move(exporting));
  out.id = rows.text(0, "id");
  co_return out;
}

Task<Result<std::optional<DatabaseProfile>>> profile_of(PgConnection* connection, DumpRequest request,
                                                        Deadline deadline) {
  if (!request.profile) co_return std::optional<DatabaseProfile>();
  auto taking = take_profile(ask_over(connection), {request.contents}, deadline);
  CO_TRY(DatabaseProfile profile, co_await std::move(taking));
  auto asking = ask_how_made(ask_over(connection), deadline);
  CO_TRY(profile.made, co_await std::move(asking));
  co_return std::optional(std::move(profile));
}

Result<ProcessSpec> dump_spec(const DumpRequest& request, const std::string& snapshot, int output) {
  TRY(std::string program, pg_program("pg_dump"));
  ProcessSpec spec;
  spec.argv = {program, "--format=custom", "--no-password", "--lock-wait-timeout=60s", "--snapshot=" + snapshot};
  if (request.compress >= 0) spec.argv.push_back(fmt::format("--compress={}", request.compress));
  spec.environment = pg_environment(request.server, {});
  spec.user = request.run_as;
  spec.directory = "/";
  spec.ends_with_us = true;
  spec.output_fd = output;
  return spec;
}

}  // namespace

Task<Result<Dumped>> take_dump(DumpRequest request, BackupPlace* place, Deadline deadline, OnLogicalProgress progress) {
  MonoTime begun = boot_now();
  auto opening = open_snapshot(request.server, deadline);
  CO_TRY(Snapshot snapshot, co_await std::move(opening));
  Dumped out;
  out.path = logical_name(request.server["dbname"], wall_now());
  out.place = place->name();

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) co_return fail(ErrorKind::internal, fmt::format("pipe: errno {}", errno));
  ::fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
  auto stream = std::make_shared<Stream>(co_await asio::this_coro::executor);
  stream->from.assign(ends[0]);
  stream->progress = progress;
  auto spec = dump_spec(request, snapshot.id, ends[1]);
  if (!spec) {
    ::close(ends[1]);
    co_return std::unexpected(std::move(spec).error());
  }
  // All three at once, in one snapshot: the dump, its way to the place, and the count of what it holds.
  auto running = run_pg_dump(stream, std::move(*spec), deadline);
  auto writing = write_stream(stream, place, out.path, deadline);
  auto counting = profile_of(snapshot.connection.get(), request, deadline);
  auto [written, profile] = co_await (std::move(running) && std::move(writing) && std::move(counting));
  if (!written) co_return std::unexpected(std::move(written).error());
  if (!profile) {
    auto removing = place->remove(out.path, deadline);
    co_await std::move(removing);
    co_return std::unexpected(std::move(profile).error().with("count what is dumped"));
  }
  out.bytes = *written;
  out.sha256 = stream->hash.finish();
  if (*profile) {
    out.tables = static_cast<int64_t>((*profile)->tables.size());
    out.rows = (*profile)->rows();
    auto noting = place->write_small(profile_path(out.path), profile_text(**profile), deadline);
    CO_TRY_VOID(co_await std::move(noting));
  }
  if (request.note) {
    DumpNote note = *request.note;
    note.seconds = to_seconds(boot_now() - begun);
    note.tables = out.tables;
    note.rows = out.rows;
    auto telling = place->write_small(note_path(out.path), to_pretty_text(encode(note)) + "\n", deadline);
    CO_TRY_VOID(co_await std::move(telling));
  }
  auto sealing = place->write_small(checksum_path(out.path), fmt::format("{}  {}\n", out.sha256, out.path), deadline);
  CO_TRY_VOID(co_await std::move(sealing));
  out.seconds = to_seconds(boot_now() - begun);
  co_return out;
}

Task<Result<>> remove_dump(BackupPlace* place, LogicalBackup backup, Deadline deadline) {
  // The note goes last: as long as the file is there, it says whose it is.
  for (const std::string& path :
       {checksum_path(backup.path), profile_path(backup.path), backup.path, note_path(backup.path)}) {
    auto removing = place->remove(path, deadline);
    CO_TRY_VOID(co_await std::move(removing));
  }
  co_return Result<>{};
}

}  // namespace lifeboat
