// Tests of fork() and exit().

#include <openssl/crypto.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "fakes.h"
#include "tests.h"

namespace {

using namespace std::string_view_literals;
using hmacd::Algorithm;
using hmacd::Client;

// Runs the function in a child process. The child ends with 0 if the function throws nothing, and by a signal if it
// hangs.
int run_in_child(const std::function<void()> &run) {
  std::cout.flush();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    try {
      run();
    } catch (const std::exception &error) {
      std::cerr << error.what() << std::endl;
      _exit(1);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

void check_closed(const std::function<void()> &call) {
  const auto error = tap::thrown<hmacd::Closed>(call);
  tap::check(std::string(error.what()).find("create a client in each process") != std::string::npos, "what to do");
}

void use_client() {
  hmacd::Fake fake;
  add_vector_key(fake);
  Client client(settings_for({fake.target()}));
  client.key(key_name, Algorithm::hmac_sha_256).generate("hello"sv);
}

// Uses a client, then forks.
void use_and_fork() {
  hmacd::Fake fake;
  add_vector_key(fake);
  auto client = std::make_unique<Client>(settings_for({fake.target()}));
  const auto key = client->key(key_name, Algorithm::hmac_sha_256);
  key.generate("hello"sv);
  const int status = run_in_child([&] {
    check_closed([&] { key.generate("hello"sv); });
    check_closed([&] { key.verify("hello"sv, std::string(32, 'm')); });
    check_closed([&] { client->doctor(); });
    check_closed([&] { Client another(settings_for({fake.target()})); });
    client.reset();
  });
  tap::equal(status, 0);
  key.generate("hello"sv);
}

// Uses a client, then forks. The child exits: this destroys the objects of the thread, also those of gRPC.
void use_and_exit_in_child() {
  use_client();
  tap::equal(run_in_child([] { std::exit(0); }), 0);
}

// Ends the process with 1 if OpenSSL has freed its state.
void check_openssl() {
  if (OPENSSL_init_crypto(0, nullptr) != 1) _exit(1);
}

// Uses a client, then exits. Exit handlers run in the reverse order of their registration: that of a library that the
// client initializes runs before this one.
void use_and_exit() {
  std::atexit(check_openssl);
  use_client();
  std::exit(0);
}

}  // namespace

void process_tests(tap::Tests &tests) {
  tests.run("fork: a child after the first client fails at once, and the parent goes on",
            [] { tap::equal(run_in_child(use_and_fork), 0); });
  tests.run("fork: each child before the first client can create one", [] {
    for (int i = 0; i < 2; ++i) tap::equal(run_in_child(use_client), 0);
  });
  tests.run("fork: a child after the first client can exit",
            [] { tap::equal(run_in_child(use_and_exit_in_child), 0); });
  tests.run("exit: OpenSSL keeps its state, which threads of gRPC use",
            [] { tap::equal(run_in_child(use_and_exit), 0); });
}
