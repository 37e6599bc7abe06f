// For tests: HAProxy in front of the test's object store, for pgBackRest speaks TLS only.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <string>

#include "busy_source.hpp"
#include "io/test_ports.hpp"

namespace lifeboat::recovery {

class TlsFront {
 public:
  TlsFront() = default;
  ~TlsFront() { stop(); }
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  // What is missing on this machine; empty: nothing.
  static std::string missing() {
    for (const char* program : {"haproxy", "openssl"}) {
      if (find_program(program, {"/usr/sbin"}).empty()) return std::string(program) + " is not installed";
    }
    return {};
  }

  // Files go below `folder`.
  void start(const std::string& folder, int store_port) {
    port = free_port();
    std::string base = folder + "/proxy";
    auto made = BusySource::run({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                                 "/CN=127.0.0.1", "-keyout", base + ".key", "-out", base + ".crt"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    std::ofstream(base + ".pem") << text_of(base + ".crt") << text_of(base + ".key");
    std::ofstream(base + ".cfg")
        << "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
           "frontend tls\n bind 127.0.0.1:"
        << port << " ssl crt " << base
        << ".pem\n default_backend store\nbackend store\n server store 127.0.0.1:" << store_port << "\n";
    ProcessSpec spec;
    spec.argv = {find_program("haproxy", {"/usr/sbin"}), "-db", "-f", base + ".cfg"};
    spec.output_file = base + ".log";
    auto started = start_process(spec);
    ASSERT_TRUE(started) << started.error().text();
    process_ = *started;
  }
  void stop() {
    if (process_ <= 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = -1;
  }
  int port = 0;

 private:
  pid_t process_ = -1;
};

}  // namespace lifeboat::recovery
