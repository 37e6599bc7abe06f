#include "recovery/corruption.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/forensics/bytes.hpp"
#include "core/forensics/heap_page.hpp"
#include "core/forensics/page_checksum.hpp"
#include "core/recovery/clean_set.hpp"
#include "io/file.hpp"
#include "recovery/catalogue_source.hpp"
#include "recovery/fetched_log.hpp"

namespace lifeboat::recovery {
namespace {

namespace fs = std::filesystem;
using forensics::kPageSize;
using forensics::PageState;

constexpr uint32_t kPagesOfFile = 131'072;  // of 1 GB

// "16384", "16384_vm", "16384.3", "16384_fsm.1": a relation's file. Nothing for others, also temporary ones.
struct FileName {
  uint32_t node = 0;
  uint32_t piece = 0;
};
std::optional<FileName> parse_name(const std::string& name) {
  FileName out;
  const char* end = name.data() + name.size();
  auto [after, problem] = std::from_chars(name.data(), end, out.node);
  if (problem != std::errc{}) return std::nullopt;
  std::string_view rest(after, static_cast<size_t>(end - after));
  for (std::string_view fork : {"_fsm", "_vm", "_init"}) {
    if (rest.starts_with(fork)) rest.remove_prefix(fork.size());
  }
  if (rest.empty()) return out;
  if (rest.front() != '.') return std::nullopt;
  auto [last, bad] = std::from_chars(rest.data() + 1, end, out.piece);
  return bad == std::errc{} && last == end ? std::optional(out) : std::nullopt;
}

Result<bool> has_checksums(const std::string& data) {
  // ControlFileData.data_checksum_version of 12 to 17 stands behind the sizes and the two flags.
  TRY(std::string control, read_file(data + "/global/pg_control"));
  constexpr size_t kVersionAt = 252;
  return forensics::number_at<uint32_t>(control, kVersionAt) != 0;
}

class Reader {
 public:
  explicit Reader(std::string data) : data_(std::move(data)) {}

  Result<PageReport> read() {
    TRY(bool checksums, has_checksums(data_));
    if (!checksums)
      return fail(ErrorKind::unsupported, fmt::format("{} has no page checksums", data_),
                  "pg_checksums --enable adds them while the server is down; amcheck finds some damage without");
    TRY_VOID(folder(data_ + "/global", "global", {1664, 0, 0}));
    TRY_VOID(databases(data_ + "/base", "base", 1663));
    std::error_code ignored;
    for (const auto& space : fs::directory_iterator(data_ + "/pg_tblspc", ignored)) {
      auto oid = parse_name(space.path().filename());
      if (!oid) continue;
      for (const auto& inner : fs::directory_iterator(space.path(), ignored))
        TRY_VOID(databases(inner.path(), fmt::format("pg_tblspc/{}/{}", oid->node, inner.path().filename().string()),
                           oid->node));
    }
    name_all();
    return std::move(report_);
  }

 private:
  Result<> databases(const fs::path& path, const std::string& shown, uint32_t tablespace) {
    std::error_code problem;
    for (const auto& database : fs::directory_iterator(path, problem)) {
      auto oid = parse_name(database.path().filename());
      if (!oid || !database.is_directory()) continue;
      TRY_VOID(folder(database.path(), fmt::format("{}/{}", shown, oid->node), {tablespace, oid->node, 0}));
    }
    if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", path.string(), problem.message()));
    return {};
  }

  Result<> folder(const fs::path& path, const std::string& shown, forensics::FileRef file) {
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(path, problem)) {
      auto name = parse_name(entry.path().filename());
      std::error_code ignored;
      if (!name || !entry.is_regular_file(ignored)) continue;
      file.node = name->node;
      TRY_VOID(one_file(entry.path(), fmt::format("{}/{}", shown, entry.path().filename().string()), file,
                        name->piece * kPagesOfFile));
    }
    if (problem) return fail(ErrorKind::refused, fmt::format("{}: {}", path.string(), problem.message()));
    return {};
  }

  Result<> one_file(const fs::path& path, const std::string& shown, forensics::FileRef file, uint32_t first) {
    std::ifstream in(path, std::ios::binary);
    // It may have been dropped meanwhile.
    if (!in) return {};
    ++report_.files;
    std::string page(kPageSize, '\0');
    for (uint32_t block = first; in.read(page.data(), kPageSize); ++block) {
      ++report_.pages;
      if (forensics::check_page(page, block) != PageState::damaged) continue;
      if (!damaged_still(path, block, block - first)) continue;
      ++report_.damaged_pages;
      if (report_.damaged.size() < kMostListed) report_.damaged.push_back({shown, file, block, {}});
    }
    return {};
  }

  // A running server may have been writing it.
  static bool damaged_still(const fs::path& path, uint32_t block, uint32_t place) {
    for (int time = 0; time < 3; ++time) {
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
      std::ifstream in(path, std::ios::binary);
      std::string page(kPageSize, '\0');
      in.seekg(static_cast<std::streamoff>(place) * static_cast<std::streamoff>(kPageSize));
      if (!in.read(page.data(), kPageSize)) return false;
      if (forensics::check_page(page, block) != PageState::damaged) return false;
    }
    return true;
  }

  void name_all() {
    if (report_.damaged.empty()) return;
    forensics::NameBook names;
    if (!names_from_files(data_, names)) return;
    for (DamagedPage& page : report_.damaged) {
      if (const forensics::Table* table = names.find(page.file, Lsn{UINT64_MAX}))
        page.table = fmt::format("{}{}", table->kind == 'i' ? "index " : "", names.say(*table));
    }
  }

  std::string data_;
  PageReport report_;
};

}  // namespace

Result<PageReport> verify_pages(std::string data_folder) {
  if (!fs::exists(data_folder + "/global/pg_control"))
    return fail(ErrorKind::not_found, fmt::format("{} is no data folder of PostgreSQL", data_folder));
  return Reader(std::move(data_folder)).read();
}

Json to_json(const PageReport& report) {
  JsonArray damaged;
  for (const DamagedPage& page : report.damaged)
    damaged.push_back(JsonObject{{"path", page.path}, {"block", page.block}, {"table", page.table}});
  return JsonObject{{"files", report.files},
                    {"pages", report.pages},
                    {"damaged_pages", report.damaged_pages},
                    {"damaged", std::move(damaged)}};
}

std::string in_words(const PageReport& report) {
  if (report.damaged_pages == 0)
    return fmt::format("All {} pages of {} files have the checksum of their content.\n", report.pages, report.files);
  std::string out = fmt::format("{} of {} pages are damaged: their checksum is not that of their content.\n",
                                report.damaged_pages, report.pages);
  constexpr size_t kShown = 20;
  for (size_t index = 0; index < std::min(kShown, report.damaged.size()); ++index) {
    const DamagedPage& page = report.damaged[index];
    out += fmt::format("  block {:<8} {}  {}\n", page.block, page.path, page.table);
  }
  if (report.damaged_pages > kShown) out += fmt::format("  and {} more\n", report.damaged_pages - kShown);
  return out;
}

std::string in_a_line(const PageReport& report) {
  std::vector<std::string> where;
  for (const DamagedPage& page : report.damaged) {
    const std::string& name = page.table.empty() ? page.path : page.table;
    if (std::ranges::find(where, name) == where.end()) where.push_back(name);
  }
  constexpr size_t kShown = 5;
  bool more = where.size() > kShown;
  if (more) where.resize(kShown);
  return fmt::format("{} of {} pages are damaged, in {}{}", report.damaged_pages, report.pages, fmt::join(where, ", "),
                     more ? " and others" : "");
}

Task<Result<Catalogue>> look_at_repository(PgBackRest repository, Deadline deadline) {
  CO_TRY(FetchedFolder scratch, FetchedFolder::make(repository.user));
  repository.scratch = scratch.scratch;
  auto reading = read_catalogue(repository, deadline);
  CO_TRY(Catalogue catalogue, co_await std::move(reading));
  repository.repository = catalogue.repository;
  auto asking = read_repository_file(repository, fmt::format("backup/{}/backup.info", repository.stanza), deadline);
  auto index = co_await std::move(asking);
  forget_unchecked(catalogue, index.value_or(""));
  co_return catalogue;
}

}  // namespace lifeboat::recovery
