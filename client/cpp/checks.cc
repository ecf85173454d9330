// Checks of the client, with the daemon in the environment. Prints a line for each check. Exits
// with 1 if a check failed.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <stdexcept>

#include "error_info.pb.h"
#include "hmacd/v1/key_service.grpc.pb.h"
#include "hmacd/v1/mac_service.grpc.pb.h"
#include "hmacd_grpc.h"

using namespace hmacd::v1;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

static bool all_passed = true;

static void check(const std::string &name, bool passed, const std::string &seen) {
  all_passed = all_passed && passed;
  std::cout << (passed ? "ok - " : "not ok - ") << name << (passed ? "" : ": " + seen) << std::endl;
}

static void check_refused(const std::string &name, const grpc::Status &status, grpc::StatusCode code,
                          const std::string &expected) {
  check(name, status.error_code() == code && reason(status) == expected,
        "code " + std::to_string(status.error_code()) + ", reason '" + reason(status) + "', " + status.error_message());
}

class Calls {
 public:
  Calls() : channel_(connect(env("HMACD_TARGET"), credentials_from_env())), macs_(MacService::NewStub(channel_)) {
    CreateKeyRequest request;
    request.set_key_spec(KEY_SPEC_HMAC_256);
    CreateKeyResponse answer;
    Call call;
    grpc::Status status = KeyService::NewStub(channel_)->CreateKey(&call, request, &answer);
    if (!status.ok()) throw std::runtime_error("CreateKey: " + status.error_message());
    key_id_ = answer.key_metadata().key_id();
  }

  GenerateMacRequest request() const {
    GenerateMacRequest request;
    request.set_key_id(key_id_);
    request.set_message("hello");
    request.set_mac_algorithm(MAC_ALGORITHM_HMAC_SHA_256);
    return request;
  }

  grpc::Status generate(const GenerateMacRequest &request, std::string *mac = nullptr) {
    GenerateMacResponse answer;
    Call call;
    grpc::Status status = macs_->GenerateMac(&call, request, &answer);
    if (mac != nullptr) *mac = answer.mac();
    return status;
  }

  grpc::Status verify(const std::string &mac, bool *valid) {
    VerifyMacRequest request;
    request.set_key_id(key_id_);
    request.set_message("hello");
    request.set_mac_algorithm(MAC_ALGORITHM_HMAC_SHA_256);
    request.set_mac(mac);
    VerifyMacResponse answer;
    Call call;
    grpc::Status status = macs_->VerifyMac(&call, request, &answer);
    *valid = answer.mac_valid();
    return status;
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<MacService::Stub> macs_;
  std::string key_id_;
};

static grpc::Status list_keys(const std::shared_ptr<grpc::Channel> &channel, milliseconds timeout = milliseconds(5000)) {
  ListKeysResponse answer;
  Call call(timeout);
  return KeyService::NewStub(channel)->ListKeys(&call, {}, &answer);
}

// A server on this machine that accepts connections and sends nothing.
class SilentServer {
 public:
  SilentServer() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    auto *address = reinterpret_cast<sockaddr *>(&address_);
    if (bind(socket_, address, length) != 0 || listen(socket_, 8) != 0 || getsockname(socket_, address, &length) != 0) {
      throw std::runtime_error("cannot listen");
    }
  }
  ~SilentServer() { close(socket_); }
  std::string target() const { return "127.0.0.1:" + std::to_string(ntohs(address_.sin_port)); }

 private:
  int socket_;
  sockaddr_in address_{};
};

// A reason decides whether a MAC is wrong, so the client must not read it from incomplete details.
static void check_reason() {
  google::rpc::ErrorInfo info;
  info.set_reason("KMS_INVALID_MAC");
  info.set_domain("hmacd.dev");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  const std::string bytes = details.SerializeAsString();
  check("a reason is read", reason({grpc::INVALID_ARGUMENT, "", bytes}) == "KMS_INVALID_MAC", "none");
  check("a reason is not read from incomplete details",
        reason({grpc::INVALID_ARGUMENT, "", bytes + '\x1a'}) == "", "one");
}

static void run() {
  check_reason();
  Calls hmacd;
  std::string mac;
  bool valid = false;
  grpc::Status status = hmacd.generate(hmacd.request(), &mac);
  if (!status.ok() || mac.size() != 32) throw std::runtime_error("GenerateMac: " + status.error_message());
  status = hmacd.verify(mac, &valid);
  check("a MAC is verified", status.ok() && valid, status.error_message());

  mac.back() ^= 1;
  status = hmacd.verify(mac, &valid);
  check_refused("a wrong MAC is refused", status, grpc::INVALID_ARGUMENT, "KMS_INVALID_MAC");

  auto request = hmacd.request();
  std::string of_all, of_start;
  request.set_message(std::string("pay 1\0 00 EUR", 13));
  grpc::Status all = hmacd.generate(request, &of_all);
  request.set_message("pay 1");
  grpc::Status start_only = hmacd.generate(request, &of_start);
  check("a message does not end at a NUL", all.ok() && start_only.ok() && of_all != of_start,
        all.error_message());

  request = hmacd.request();
  request.set_key_id("00000000-0000-4000-8000-000000000000");
  check_refused("an unknown key is refused", hmacd.generate(request), grpc::NOT_FOUND, "KEY_NOT_FOUND");

  request = hmacd.request();
  request.set_mac_algorithm(MAC_ALGORITHM_HMAC_SHA_512);
  check_refused("the algorithm of another spec is refused", hmacd.generate(request), grpc::INVALID_ARGUMENT,
                "INVALID_KEY_USAGE");

  request = hmacd.request();
  request.set_message(std::string(65537, 'm'));
  check_refused("a message of 65537 bytes is refused", hmacd.generate(request), grpc::INVALID_ARGUMENT,
                "MESSAGE_TOO_LONG");

  check_refused("a caller without a certificate is refused",
                list_keys(connect(env("HMACD_TARGET"), trust_from_env())), grpc::UNAVAILABLE, "");

  SilentServer silent;
  auto start = steady_clock::now();
  status = list_keys(connect(silent.target(), credentials_from_env()), milliseconds(300));
  // 250: the deadline uses another clock.
  check("a call to a silent server ends at its deadline",
        status.error_code() == grpc::DEADLINE_EXCEEDED && steady_clock::now() - start >= milliseconds(250),
        "it ended early, or with " + status.error_message());
}

int main() {
  try {
    run();
  } catch (const std::exception &error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
  return all_passed ? 0 : 1;
}
