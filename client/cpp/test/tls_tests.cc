// Tests of TLS: the files, their renewal, the causes of failures.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <thread>

#include "call.h"
#include "certificates.h"
#include "core.h"
#include "fakes.h"
#include "hmacd/v1/mac_service.pb.h"
#include "tests.h"

namespace {

using namespace std::string_view_literals;
using hmacd::Algorithm;
using hmacd::Client;
using hmacd::Fake;
using hmacd::Key;
using hmacd::Settings;
using std::chrono::milliseconds;
using tap::check;
using tap::equal;
using tap::thrown;

// A new folder with the files of a daemon and a client of one authority.
class Folder {
 public:
  // @param seconds the time until the end of the authority
  explicit Folder(long seconds = 3600) : authority("authority", seconds) {
    char name[] = "/tmp/hmacd-tls-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no folder");
    path_ = name;
    write_file(file("ca.pem"), authority.certificate());
    write("server", authority.issue("daemon", "IP:127.0.0.1"));
    write("client", authority.issue("first", ""));
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string file(const std::string &name) const { return path_ + "/" + name; }
  void write(const std::string &name, const Issued &issued) const {
    write_file(file(name + ".pem"), issued.certificate());
    write_file(file(name + "-key.pem"), issued.pkcs8());
  }
  // Replaces a file.
  void make_fifo(const std::string &name) const {
    std::filesystem::remove(file(name));
    if (mkfifo(file(name).c_str(), 0600) != 0) throw std::runtime_error("no FIFO");
  }
  hmacd::FakeTls server() const { return {file("ca.pem"), file("server.pem"), file("server-key.pem")}; }
  Settings settings(const std::string &target) const {
    Settings settings = settings_for({target});
    settings.ca = file("ca.pem");
    settings.certificate = file("client.pem");
    settings.private_key = file("client-key.pem");
    settings.file_interval = milliseconds(1000);
    return settings;
  }

  const Authority authority;

 private:
  std::string path_;
};

// A server that accepts connections, and answers each with a text, or with nothing.
class RawServer {
 public:
  explicit RawServer(std::string answer) : answer_(std::move(answer)), socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    if (bind(socket_, generic, length) != 0 || listen(socket_, 64) != 0 ||
        getsockname(socket_, generic, &length) != 0) {
      throw std::runtime_error("cannot listen");
    }
    target_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    if (!answer_.empty()) thread_ = std::thread([this] { serve(); });
  }
  ~RawServer() {
    shutdown(socket_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    close(socket_);
  }
  const std::string &target() const { return target_; }

 private:
  void serve() {
    for (int connection; (connection = accept(socket_, nullptr, nullptr)) >= 0; close(connection)) {
      char received[4096];
      if (recv(connection, received, sizeof received, 0) > 0)
        send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }

  const std::string answer_;
  const int socket_;
  std::string target_;
  std::thread thread_;
};

Key key_of(const Client &client) { return client.key(key_name, Algorithm::hmac_sha_256); }

// Returns the result of a function that must end. If it does not end, its thread stays.
template <class Run>
auto ends(const std::string &what, Run run) {
  const auto result = std::make_shared<std::promise<decltype(run())>>();
  auto future = result->get_future();
  std::thread([result, run = std::move(run)] {
    try {
      result->set_value(run());
    } catch (...) {
      result->set_exception(std::current_exception());
    }
  }).detach();
  check(future.wait_for(long_time) == std::future_status::ready, "the end of " + what);
  return future.get();
}

bool contains(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

void file_tests(tap::Tests &tests) {
  tests.run("TLS: PKCS#8, PKCS#1 and SEC1 keys are read", [] {
    Folder folder;
    Fake fake(folder.server());
    add_vector_key(fake);
    const auto sec1 = folder.authority.issue("sec1", "");
    const auto pkcs1 = folder.authority.issue("pkcs1", "", 3600, rsa_key());
    check(contains(sec1.traditional(), "BEGIN EC PRIVATE KEY"), "SEC1");
    check(contains(pkcs1.traditional(), "BEGIN RSA PRIVATE KEY"), "PKCS#1");
    const auto called = [&](const std::string &certificate, const std::string &key) {
      write_file(folder.file("client.pem"), certificate);
      write_file(folder.file("client-key.pem"), key);
      Client client(folder.settings(fake.target()));
      key_of(client).generate("hello"sv);
      return fake.caller();
    };
    equal(called(pkcs1.certificate(), pkcs1.pkcs8()), "pkcs1");
    equal(called(sec1.certificate(), sec1.traditional()), "sec1");
    equal(called(pkcs1.certificate(), pkcs1.traditional()), "pkcs1");
  });
  const auto refused = [&tests](const std::string &name, const std::string &file, const std::string &text,
                                std::function<std::string(const Folder &)> content) {
    tests.run("TLS: refused by the constructor: " + name, [=] {
      Folder folder;
      std::filesystem::remove(folder.file(file));
      if (content) write_file(folder.file(file), content(folder));
      const auto error = thrown<hmacd::Error>([&] { Client client(folder.settings("127.0.0.1:1")); });
      equal(error.reason(), "INVALID_ARGUMENT");
      check(contains(error.what(), folder.file(file)) && contains(error.what(), text),
            "the path and '" + text + "' in: " + error.what());
    });
  };
  refused("a missing file", "ca.pem", "No such file", nullptr);
  refused("an authority that is not PEM", "ca.pem", "not PEM", [](const Folder &) { return "text"; });
  refused("an empty certificate", "client.pem", "not PEM", [](const Folder &) { return ""; });
  refused("a truncated certificate", "client.pem", "not PEM",
          [](const Folder &folder) { return folder.authority.certificate().substr(0, 200); });
  refused("an encrypted key", "client-key.pem", "encrypted",
          [](const Folder &folder) { return folder.authority.issue("x", "").encrypted(); });
  refused("a key of another certificate", "client-key.pem", "does not belong",
          [](const Folder &folder) { return folder.authority.issue("x", "").pkcs8(); });
  refused("an encrypted certificate", "client.pem", "is encrypted",
          [](const Folder &folder) { return folder.authority.issue("x", "").encrypted_certificate(); });
  refused("an encrypted certificate after a good authority", "ca.pem", "is encrypted", [](const Folder &folder) {
    return folder.authority.certificate() + folder.authority.issue("x", "").encrypted_certificate();
  });
  refused("a file over 1 MiB", "client.pem", "longer than 1 MiB",
          [](const Folder &) { return std::string((1 << 20) + 1, '\n'); });
  for (const std::string file : {"ca.pem", "client.pem", "client-key.pem"}) {
    tests.run("TLS: refused by the constructor: a FIFO as " + file, [=] {
      const auto folder = std::make_shared<Folder>();
      folder->make_fifo(file);
      const std::string text = ends("the constructor", [folder] {
        return std::string(thrown<hmacd::Error>([&] { Client client(folder->settings("127.0.0.1:1")); }).what());
      });
      check(contains(text, folder->file(file) + ": not a regular file"), text);
    });
  }
  tests.run("TLS: refused by the constructor: content in the place of a path, without its text", [] {
    Folder folder;
    for (const std::string content : {"-----BEGIN PRIVATE KEY----- secret", "secret\nsecret", "secret\r"}) {
      auto settings = folder.settings("127.0.0.1:1");
      settings.private_key = content;
      const std::string text = thrown<hmacd::Error>([&] { Client client(settings); }).what();
      check(contains(text, "private_key: the value is the content of a file") && !contains(text, "secret"), text);
    }
  });
  tests.run("TLS: refused by the constructor: a certificate that has expired", [] {
    Folder folder;
    folder.write("client", folder.authority.issue("first", "", -10));
    const auto error = thrown<hmacd::Error>([&] { Client client(folder.settings("127.0.0.1:1")); });
    check(contains(error.what(), "has expired"), "the cause");
  });
}

// Reads files as the client does, and can block.
class Reads {
 public:
  hmacd::internal::PemFiles read(const hmacd::internal::PemPaths &paths) {
    std::unique_lock lock(mutex_);
    ++count_;
    changed_.wait(lock, [this] { return !blocked_; });
    return hmacd::internal::read_pem_files(paths);
  }
  void block(bool blocked) {
    const std::lock_guard lock(mutex_);
    blocked_ = blocked;
    changed_.notify_all();
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool blocked_ = false;
  int count_ = 0;
};

hmacd::internal::Rpc generate_rpc() {
  const auto request = std::make_shared<hmacd::v1::GenerateMacRequest>();
  request->set_key_id(key_name);
  request->set_message("hello");
  request->set_mac_algorithm(hmacd::v1::MAC_ALGORITHM_HMAC_SHA_256);
  const auto response = std::make_shared<hmacd::v1::GenerateMacResponse>();
  return {"hmacd.v1.MacService/GenerateMac", request, response, [] { return true; }, 5};
}

void blocked_tests(tap::Tests &tests) {
  tests.run("TLS: a FIFO in the place of a file blocks no call, and doctor() shows it", [] {
    const auto folder = std::make_shared<Folder>();
    const auto fake = std::make_shared<Fake>(folder->server());
    add_vector_key(*fake);
    const auto client = std::make_shared<Client>(folder->settings(fake->target()));
    key_of(*client).generate("hello"sv);
    folder->make_fifo("client-key.pem");
    fake->next(1, reason_fault("UNAUTHENTICATED"));
    equal(ends("the call", [folder, fake, client] { return key_of(*client).generate("hello"sv).size(); }), 32u);
    equal(fake->connections(), 2u);
    eventually("the cause of doctor()", [&] { return contains(client->doctor().at(0), "not a regular file"); });
    ends("close", [client] { return client->close(), true; });
  });
  tests.run("TLS: a call ends at its deadline or cancellation, and close() ends, while a read of the files blocks", [] {
    Folder folder;
    Fake fake(folder.server());
    add_vector_key(fake);
    const auto reads = std::make_shared<Reads>();
    auto core = std::make_shared<hmacd::internal::Core>(
        folder.settings(fake.target()), [reads](const auto &paths) { return reads->read(paths); });
    const int before = reads->count();
    reads->block(true);
    const auto run = [weak = std::weak_ptr(core)](const hmacd::CallOptions &options) {
      return ends("the call", [core = weak.lock(), options] {
        try {
          hmacd::internal::Call::run(core, generate_rpc(), options);
          return std::string();
        } catch (const hmacd::Error &error) {
          return error.reason();
        }
      });
    };
    fake.next(3, reason_fault("UNAUTHENTICATED"));
    check(!run(within(milliseconds(500))).empty(), "an error");
    check(!run(within(milliseconds(500))).empty(), "an error");
    hmacd::CallOptions options;
    options.cancellation.emplace();
    const auto calls = fake.calls();
    auto cancelled = std::async(std::launch::async, run, options);
    eventually("the call at the daemon", [&] { return fake.calls() > calls; });
    options.cancellation->cancel();
    equal(cancelled.get(), "CANCELLED");
    eventually("a read", [&] { return reads->count() > before; });
    ends("close", [core] { return core->close(), true; });
    equal(reads->count(), before + 1);
    core.reset();
    reads->block(false);
    eventually("the end of the thread that read", [&] { return reads.use_count() == 1; });
  });
}

void renewal_tests(tap::Tests &tests) {
  tests.run("TLS: renewed files are used without a failed call", [] {
    Folder folder;
    Fake fake(folder.server());
    add_vector_key(fake);
    Client client(folder.settings(fake.target()));
    const Key key = key_of(client);
    key.generate("hello"sv);
    equal(fake.caller(), "first");
    folder.write("client", folder.authority.issue("second", ""));
    eventually("calls with the new certificate", [&] {
      key.generate("hello"sv);
      return fake.caller() == "second";
    });
  });
  tests.run("TLS: the last good files stay in use, and doctor() shows the reason", [] {
    Folder folder;
    Fake fake(folder.server());
    add_vector_key(fake);
    Client client(folder.settings(fake.target()));
    const Key key = key_of(client);
    write_file(folder.file("client-key.pem"), folder.authority.issue("x", "").pkcs8());
    eventually("the reason of doctor()", [&] { return contains(client.doctor().at(0), "does not belong"); });
    key.generate("hello"sv);
    equal(fake.caller(), "first");
    std::filesystem::remove(folder.file("client.pem"));
    eventually("the reason of doctor()", [&] { return contains(client.doctor().at(0), "No such file"); });
    key.generate("hello"sv);
    folder.write("client", folder.authority.issue("second", ""));
    eventually("calls with the new certificate", [&] {
      key.generate("hello"sv);
      return fake.caller() == "second";
    });
  });
  tests.run("TLS: UNAUTHENTICATED reads the files and connects again", [] {
    Folder folder;
    Fake fake(folder.server());
    add_vector_key(fake);
    auto settings = folder.settings(fake.target());
    settings.file_interval = milliseconds(5000);
    Client client(std::move(settings));
    const Key key = key_of(client);
    key.generate("hello"sv);
    fake.next(1, reason_fault("UNAUTHENTICATED"));
    key.generate("hello"sv);
    equal(fake.connections(), 2u);
    folder.write("client", folder.authority.issue("second", ""));
    fake.next(1, reason_fault("UNAUTHENTICATED"));
    key.generate("hello"sv);
    equal(fake.caller(), "second");
  });
}

// A call fails with TlsFailed and this text, and doctor() has the text, too.
void check_tls_failed(const Settings &settings, const std::string &text) {
  Client client(settings);
  eventually("'" + text + "' in the error", [&] {
    try {
      key_of(client).verify("hello"sv, std::string(32, 'm'), within(milliseconds(1000)));
    } catch (const hmacd::TlsFailed &error) {
      check(error.reason() == "TLS_FAILED" && !error.retryable() && !error.may_have_run(), "TLS_FAILED");
      check(contains(error.what(), text), "'" + text + "' in: " + error.what());
      return true;
    } catch (const hmacd::InvalidMac &) {
      throw;
    } catch (const hmacd::Error &) {
      // The diagnosis of a busy machine can be late.
    }
    return false;
  });
  const std::string line = client.doctor().at(0);
  check(line.rfind("failed: ", 0) == 0 && contains(line, text), "'" + text + "' in: " + line);
}

void cause_tests(tap::Tests &tests) {
  tests.run("TLS: the cause: the daemon is not trusted", [] {
    Folder folder;
    Fake fake(folder.server());
    write_file(folder.file("ca.pem"), Authority("authority").certificate());
    check_tls_failed(folder.settings(fake.target()), "not trusted");
  });
  tests.run("TLS: the cause: the certificate of the daemon is for another name", [] {
    Folder folder;
    folder.write("server", folder.authority.issue("daemon", "IP:127.0.0.2,DNS:other.example.org"));
    Fake fake(folder.server());
    check_tls_failed(folder.settings(fake.target()), "another name");
  });
  tests.run("TLS: the cause: the certificate of the daemon has expired", [] {
    Folder folder;
    folder.write("server", folder.authority.issue("daemon", "IP:127.0.0.1", -10));
    Fake fake(folder.server());
    check_tls_failed(folder.settings(fake.target()), "has expired");
  });
  tests.run("TLS: the cause: the authority of the daemon has expired", [] {
    Folder folder(-10);
    Fake fake(folder.server());
    check_tls_failed(folder.settings(fake.target()), "has expired");
  });
  tests.run("TLS: an expired authority beside that of the daemon is ignored", [] {
    Folder folder;
    Fake fake(folder.server());
    add_vector_key(fake);
    write_file(folder.file("ca.pem"), Authority("authority", -10).certificate() + folder.authority.certificate());
    Client client(folder.settings(fake.target()));
    key_of(client).generate("hello"sv);
  });
  tests.run("TLS: the cause: the daemon refuses the client certificate", [] {
    Folder folder;
    Fake fake(folder.server());
    folder.write("client", Authority("other").issue("stranger", ""));
    check_tls_failed(folder.settings(fake.target()), "refused the client certificate");
  });
  tests.run("TLS: the cause: the peer does not speak TLS", [] {
    Folder folder;
    RawServer server("HTTP/1.1 400 Bad Request\r\n\r\n");
    check_tls_failed(folder.settings(server.target()), "does not speak TLS");
  });
  tests.run("TLS: a silent peer ends at the deadline", [] {
    Folder folder;
    RawServer server("");
    Client client(folder.settings(server.target()));
    const auto error =
        thrown<hmacd::DeadlineExceeded>([&] { key_of(client).generate("hello"sv, within(milliseconds(300))); });
    equal(error.attempts(), 1);
    check(contains(client.doctor().at(0), "no answer to TLS"), "the cause of doctor()");
  });
  tests.run("TLS: doctor() reports a refused connection and an unknown name", [] {
    Folder folder;
    auto settings = folder.settings("127.0.0.1:1");
    settings.targets.push_back("no-such-host.invalid:8443");
    Client client(std::move(settings));
    const auto lines = client.doctor();
    equal(lines.at(0), "failed: 127.0.0.1:1, connection refused");
    check(contains(lines.at(1), "name not found"), lines.at(1));
  });
}

}  // namespace

void tls_tests(tap::Tests &tests) {
  file_tests(tests);
  renewal_tests(tests);
  blocked_tests(tests);
  cause_tests(tests);
}
