// Tests with the daemon in the environment.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <cstdlib>
#include <future>

#include "certificates.h"
#include "fakes.h"
#include "hmacd/jwt.h"
#include "hmacd/v1/key_service.grpc.pb.h"
#include "pem.h"
#include "tests.h"

namespace {

using namespace std::string_view_literals;
using hmacd::Algorithm;
using hmacd::Client;
using hmacd::Key;
using hmacd::Settings;
using tap::check;
using tap::equal;
using tap::thrown;

Settings daemon_settings() {
  Settings settings = Settings::from_env();
  settings.timeout = long_time;
  return settings;
}

// Creates a key, as an administrator does. The client has no changes.
std::string create_key(hmacd::v1::KeySpec spec) {
  const Settings settings = Settings::from_env();
  const auto files = hmacd::internal::read_pem_files({settings.ca, settings.certificate, settings.private_key});
  const auto channel = grpc::CreateChannel(settings.targets.at(0),
                                           grpc::SslCredentials({files.ca, files.private_key, files.certificate}));
  hmacd::v1::CreateKeyRequest request;
  request.set_key_spec(spec);
  hmacd::v1::CreateKeyResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + long_time);
  const auto status = hmacd::v1::KeyService::NewStub(channel)->CreateKey(&context, request, &response);
  if (!status.ok()) throw std::runtime_error("CreateKey: " + status.error_message());
  return response.key_metadata().key_id();
}

}  // namespace

void daemon_tests(tap::Tests &tests) {
  if (std::getenv("HMACD_TARGET") == nullptr) {
    std::cout << "skipped: tests with a daemon: HMACD_TARGET is not set" << std::endl;
    return;
  }
  const std::string sha256 = create_key(hmacd::v1::KEY_SPEC_HMAC_256);
  Client client(daemon_settings());
  const Key key = client.open_key(sha256);
  tests.run("daemon: a MAC of each algorithm is generated and verified", [&] {
    for (int spec = hmacd::v1::KEY_SPEC_HMAC_224; spec <= hmacd::v1::KEY_SPEC_HMAC_512; ++spec) {
      const Key opened = client.open_key(create_key(static_cast<hmacd::v1::KeySpec>(spec)));
      equal(static_cast<int>(opened.algorithm()), spec);
      const std::string mac = opened.generate("hello"sv);
      equal(mac.size(), hmacd::mac_bytes(opened.algorithm()));
      opened.verify("hello"sv, mac);
    }
  });
  tests.run("daemon: a wrong MAC is refused", [&] {
    std::string mac = key.generate("hello"sv);
    mac.back() ^= 1;
    const auto error = thrown<hmacd::InvalidMac>([&] { key.verify("hello"sv, mac); });
    check(!error.request_id().empty() && error.may_have_run(), "a request id");
  });
  tests.run("daemon: a message does not end at a zero byte",
            [&] { check(key.generate("pay 1\0 00 EUR"sv) != key.generate("pay 1"sv), "different MACs"); });
  tests.run("daemon: an unknown key is refused", [&] {
    const Key unknown = client.key("00000000-0000-4000-8000-000000000000", Algorithm::hmac_sha_256);
    equal(thrown<hmacd::Error>([&] { unknown.generate("hello"sv); }).reason(), "KEY_NOT_FOUND");
  });
  tests.run("daemon: the algorithm of another spec is refused", [&] {
    const Key other = client.key(sha256, Algorithm::hmac_sha_512);
    equal(thrown<hmacd::Error>([&] { other.generate("hello"sv); }).reason(), "INVALID_KEY_USAGE");
  });
  tests.run("daemon: its own limit is the authority", [&] {
    Settings settings = daemon_settings();
    settings.max_message_bytes = 1 << 20;
    Client large(settings);
    const Key opened = large.key(sha256, Algorithm::hmac_sha_256);
    const auto message = thrown<hmacd::MessageTooLong>([&] { opened.generate(std::string(65'537, 'm')); });
    check(message.reason() == "MESSAGE_TOO_LONG" && message.limit() == 65'536 && message.size() == 65'537,
          "the limit of the message in: " + std::string(message.what()));
    const auto request = thrown<hmacd::MessageTooLong>([&] { opened.generate(std::string(1 << 20, 'm')); });
    check(request.reason() == "REQUEST_TOO_LONG" && request.limit() > 65'536 && request.size() > 1 << 20,
          "the limit of the request in: " + std::string(request.what()));
  });
  tests.run("daemon: a Unix socket serves without certificates", [&] {
    const char *path = std::getenv("HMACD_SOCKET");
    check(path != nullptr, "HMACD_SOCKET");
    Client local(settings_for({std::string("unix:") + path}));
    local.open_key(sha256).verify("hello"sv, key.generate("hello"sv));
    const std::string line = local.doctor().at(0);
    check(line.rfind("ok: unix:", 0) == 0, line);
  });
  tests.run("daemon: asynchronous calls", [&] {
    std::promise<std::string> mac;
    key.generate_async("hello"sv, [&](const hmacd::Result<std::string> &result) { mac.set_value(result.get()); });
    std::promise<bool> right;
    key.verify_async("hello"sv, mac.get_future().get(), [&](const hmacd::Result<void> &result) {
      result.get();
      right.set_value(true);
    });
    check(right.get_future().get(), "the right MAC");
  });
  tests.run("daemon: a token is signed and verified", [&] {
    const std::string token = hmacd::jwt::sign(key, "k1", R"({"sub":"4711"})");
    equal(hmacd::jwt::verify({{"k1", key}}, token), R"({"sub":"4711"})");
  });
  tests.run("daemon: a client certificate of another authority is refused", [&] {
    const std::string path = "/tmp/hmacd-stranger-" + std::to_string(getpid()) + ".pem";
    const auto stranger = Authority("other").issue("stranger", "");
    write_file(path, stranger.certificate() + stranger.pkcs8());
    Settings settings = daemon_settings();
    settings.certificate = settings.private_key = path;
    Client refused(settings);
    equal(refused.doctor().at(0), "failed: " + settings.targets.at(0) + ", the daemon refused the client certificate");
    const Key opened = refused.key(sha256, Algorithm::hmac_sha_256);
    eventually("TlsFailed", [&] {
      try {
        opened.verify("hello"sv, std::string(32, 'm'), within(std::chrono::milliseconds(1000)));
      } catch (const hmacd::TlsFailed &) {
        return true;
      } catch (const hmacd::InvalidMac &) {
        throw;
      } catch (const hmacd::Error &) {
        // The diagnosis of a busy machine can be late.
      }
      return false;
    });
    unlink(path.c_str());
  });
  tests.run("daemon: doctor() reports ok", [&] {
    const std::string line = client.doctor().at(0);
    check(line.rfind("ok: ", 0) == 0 && line.find("client certificate expires 20") != std::string::npos, line);
  });
}
