// bench_lifeboat [FOLDER [FILE.json]]: runs all benchmarks with their journals in FOLDER (the working folder by default,
// since /tmp may be memory), prints a table and writes JSON when a file is named.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "bench.hpp"
#include "core/data/json.hpp"

namespace lifeboat::bench {

double fsync_rate(const std::string& folder) {
  std::string path = folder + "/fsync";
  int file = open(path.c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
  if (file < 0) return 0;
  std::string block(4'096, 'x');
  int writes = 0;
  double took = seconds_of([&] {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::chrono::steady_clock::now() < end) {
      if (write(file, block.data(), block.size()) < 0 || fdatasync(file) != 0) return;
      ++writes;
    }
  });
  close(file);
  unlink(path.c_str());
  return writes / took;
}

}  // namespace lifeboat::bench

int main(int argc, char** argv) {
  using namespace lifeboat;
  bench::Responder responder = bench::start_responder();
  std::string pattern = std::string(argc > 1 ? argv[1] : ".") + "/lifeboat-bench-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) {
    fmt::print(stderr, "bench_lifeboat: cannot make a folder in {}\n", argc > 1 ? argv[1] : ".");
    return 2;
  }
  bench::Figures figures;
  bench::journalled_steps(pattern, figures);
  bench::large_plan(figures);
  bench::resume_large_journal(pattern, figures);
  if (responder.port != 0) bench::watch_targets(responder.port, figures);
  std::filesystem::remove_all(pattern);
  if (responder.pid > 0) {
    kill(responder.pid, SIGTERM);
    waitpid(responder.pid, nullptr, 0);
  }
  JsonObject all;
  for (const bench::Figure& figure : figures) {
    fmt::print("{:<58} {:>14.3f} {}\n", figure.name, figure.value, figure.unit);
    all[figure.name] = JsonObject{{"value", figure.value}, {"unit", figure.unit}};
  }
  if (argc <= 2) return 0;
  std::FILE* file = std::fopen(argv[2], "w");
  if (file == nullptr) {
    fmt::print(stderr, "bench_lifeboat: cannot write {}\n", argv[2]);
    return 2;
  }
  fmt::print(file, "{}\n", to_pretty_text(Json(all)));
  return std::fclose(file) == 0 ? 0 : 2;
}
