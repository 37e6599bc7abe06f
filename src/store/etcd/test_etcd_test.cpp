#include "store/etcd/test_etcd.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "io/http_client.hpp"

namespace lifeboat::etcd {
namespace {

constexpr Duration kReady{20'000};

int free_port() {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  bool bound = bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
               getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  close(fd);
  return bound ? ntohs(at.sin_port) : 0;
}

bool answers(const std::string& endpoint) {
  asio::io_context context;
  HttpClient http;
  bool well = false;
  HttpRequest request;
  request.url = endpoint + "/health";
  asio::co_spawn(
      context, http.send(std::move(request), Deadline::after(Duration{500})),
      [&](std::exception_ptr, Result<HttpResponse> got) { well = got && got->body.find("true") != std::string::npos; });
  context.run();
  return well;
}

}  // namespace

TestEtcd& TestEtcd::shared() {
  static TestEtcd one;
  return one;
}

TestEtcd::TestEtcd(int64_t quota) : quota_(quota) {
  for (const char* folder : {"/usr/bin", "/usr/local/bin"}) {
    std::string program = std::string(folder) + "/etcd";
    if (access(program.c_str(), X_OK) != 0) continue;
    start(program);
    return;
  }
  missing_ = "etcd is not installed (apt install etcd-server)";
}

void TestEtcd::start(const std::string& program) {
  std::string pattern = (std::filesystem::temp_directory_path() / "lifeboat-etcd-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder for etcd");
  folder_ = pattern;
  endpoint_ = fmt::format("http://127.0.0.1:{}", free_port());
  std::string peer = fmt::format("http://127.0.0.1:{}", free_port());
  process_ = fork();
  if (process_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(log, 1);
    dup2(log, 2);
    std::string data = folder_ + "/data", cluster = "default=" + peer, quota = std::to_string(quota_);
    execl(program.c_str(), "etcd", "--data-dir", data.c_str(), "--listen-client-urls", endpoint_.c_str(),
          "--advertise-client-urls", endpoint_.c_str(), "--listen-peer-urls", peer.c_str(),
          "--initial-advertise-peer-urls", peer.c_str(), "--initial-cluster", cluster.c_str(), "--quota-backend-bytes",
          quota.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  for (Deadline deadline = Deadline::after(kReady); !deadline.passed();) {
    if (answers(endpoint_)) return;
    usleep(50'000);
  }
  throw std::runtime_error("etcd is installed and did not start; see " + folder_ + "/log");
}

TestEtcd::~TestEtcd() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  if (!folder_.empty()) std::filesystem::remove_all(folder_);
}

EtcdOptions TestEtcd::options(const std::string& prefix, Duration lease) const {
  EtcdOptions options;
  options.endpoints = {endpoint_};
  options.prefix = prefix;
  options.lease = lease;
  return options;
}

void TestEtcd::freeze() { kill(process_, SIGSTOP); }
void TestEtcd::thaw() { kill(process_, SIGCONT); }

}  // namespace lifeboat::etcd
