#include "hmacd/client.h"

#include <mutex>
#include <utility>

#include "call.h"
#include "core.h"
#include "crc32c.h"
#include "hmacd/v1/key_service.pb.h"
#include "hmacd/v1/mac_service.pb.h"
#include "invalid_argument.h"
#include "process.h"

namespace hmacd {
namespace internal {

struct BoundKey {
  BoundKey(std::shared_ptr<Core> core, std::string_view name, Algorithm algorithm, std::string arn)
      : core(std::move(core)), name(name), algorithm(algorithm), arn_(std::move(arn)) {}

  void set_arn(const std::string &arn) {
    const std::lock_guard lock(mutex_);
    arn_ = arn;
  }
  std::string arn() const {
    const std::lock_guard lock(mutex_);
    return arn_;
  }

  const std::shared_ptr<Core> core;
  const std::string name;
  const Algorithm algorithm;

 private:
  mutable std::mutex mutex_;
  std::string arn_;
};

}  // namespace internal

namespace {

using internal::BoundKey;
using internal::Call;
using internal::Core;
using internal::crc32c;
using internal::invalid_argument;
using internal::invalid_mac;
using internal::Rpc;

void check_message(const Core &core, BytesView message) {
  if (message.empty()) throw invalid_argument("message: is empty; it must have 1 byte or more");
  const std::size_t limit = core.settings.max_message_bytes;
  if (message.size() <= limit) return;
  ErrorFields fields;
  fields.reason = "MESSAGE_TOO_LONG";
  throw MessageTooLong(std::move(fields), limit, message.size());
}

void check_name(std::string_view name) {
  constexpr std::size_t max_bytes = 2048;
  if (!name.empty() && name.size() <= max_bytes) return;
  throw invalid_argument("key name: has " + std::to_string(name.size()) + " bytes; it must have 1 to 2048");
}

// Sets the fields that both requests have.
template <class Request>
void set_message(Request &request, const BoundKey &key, BytesView message) {
  request.set_key_id(key.name);
  request.set_message(message.chars().data(), message.size());
  request.set_message_crc32c(crc32c(message.chars()));
  request.set_mac_algorithm(static_cast<v1::MacAlgorithm>(key.algorithm));
}

// A call with its response, which is complete after the success of the call.
template <class Response>
struct Prepared {
  Rpc rpc;
  std::shared_ptr<Response> response;
};

// Makes the call of GenerateMac for a key.
// @throws Error if the arguments are refused
Prepared<v1::GenerateMacResponse> prepare_generate(const BoundKey &key, BytesView message) {
  key.core->check_process();
  check_message(*key.core, message);
  const auto request = std::make_shared<v1::GenerateMacRequest>();
  const auto response = std::make_shared<v1::GenerateMacResponse>();
  set_message(*request, key, message);
  const auto intact = [request, response] {
    return response->verified_message_crc32c() && crc32c(response->mac()) == response->mac_crc32c() &&
           response->mac_algorithm() == request->mac_algorithm() &&
           response->mac().size() == mac_bytes(static_cast<Algorithm>(request->mac_algorithm()));
  };
  return {{"hmacd.v1.MacService/GenerateMac", request, response, intact, message.size()}, response};
}

// Makes the call of VerifyMac for a key.
// @throws Error if the arguments are refused
Prepared<v1::VerifyMacResponse> prepare_verify(const BoundKey &key, BytesView message, BytesView mac) {
  key.core->check_process();
  check_message(*key.core, message);
  if (mac.size() != mac_bytes(key.algorithm)) {
    throw invalid_mac("the MAC has " + std::to_string(mac.size()) + " bytes; " + name(key.algorithm) + " has " +
                      std::to_string(mac_bytes(key.algorithm)));
  }
  const auto request = std::make_shared<v1::VerifyMacRequest>();
  const auto response = std::make_shared<v1::VerifyMacResponse>();
  set_message(*request, key, message);
  request->set_mac(mac.chars().data(), mac.size());
  request->set_mac_crc32c(crc32c(mac.chars()));
  // An answer with mac_valid false is not possible: it is damage, and neither right nor wrong.
  const auto intact = [request, response] {
    return response->mac_valid() && response->verified_message_crc32c() && response->verified_mac_crc32c() &&
           response->mac_algorithm() == request->mac_algorithm();
  };
  return {{"hmacd.v1.MacService/VerifyMac", request, response, intact, message.size()}, response};
}

}  // namespace

Key::Key(std::shared_ptr<BoundKey> bound) : bound_(std::move(bound)) {}

Algorithm Key::algorithm() const noexcept { return bound_->algorithm; }

std::chrono::milliseconds Key::timeout() const noexcept { return bound_->core->settings.timeout; }

std::string Key::arn() const { return bound_->arn(); }

void Key::generate_async(BytesView message, std::function<void(Result<std::string>)> done,
                         const CallOptions &options) const {
  Prepared<v1::GenerateMacResponse> call;
  try {
    call = prepare_generate(*bound_, message);
  } catch (const Error &) {
    done(Result<std::string>(std::current_exception()));
    return;
  }
  Call::start(bound_->core, call.rpc, options,
              [bound = bound_, response = call.response, done = std::move(done)](const std::exception_ptr &error) {
                if (!error) bound->set_arn(response->key_id());
                done(error ? Result<std::string>(error) : Result<std::string>(response->mac()));
              });
}

std::string Key::generate(BytesView message, const CallOptions &options) const {
  const auto [rpc, response] = prepare_generate(*bound_, message);
  Call::run(bound_->core, rpc, options);
  bound_->set_arn(response->key_id());
  return response->mac();
}

void Key::verify_async(BytesView message, BytesView mac, std::function<void(Result<void>)> done,
                       const CallOptions &options) const {
  Prepared<v1::VerifyMacResponse> call;
  try {
    call = prepare_verify(*bound_, message, mac);
  } catch (const Error &) {
    done(Result<void>(std::current_exception()));
    return;
  }
  Call::start(bound_->core, call.rpc, options,
              [bound = bound_, response = call.response, done = std::move(done)](const std::exception_ptr &error) {
                if (!error) bound->set_arn(response->key_id());
                done(Result<void>(error));
              });
}

void Key::verify(BytesView message, BytesView mac, const CallOptions &options) const {
  const auto [rpc, response] = prepare_verify(*bound_, message, mac);
  Call::run(bound_->core, rpc, options);
  bound_->set_arn(response->key_id());
}

Client::Client(Settings settings) : core_(std::make_shared<Core>(std::move(settings))) {}

Client::~Client() {
  if (internal::process_generation() == core_->generation) {
    close();
    return;
  }
  // In a child process, the threads of gRPC do not exist: its objects cannot be destroyed.
  static_cast<void>(new std::shared_ptr<Core>(core_));
}

Key Client::key(std::string_view name, Algorithm algorithm) const {
  check_name(name);
  if (mac_bytes(algorithm) == 0) {
    throw invalid_argument("algorithm: " + std::to_string(static_cast<int>(algorithm)) + " is unknown");
  }
  return Key(std::make_shared<BoundKey>(core_, name, algorithm, ""));
}

Key Client::open_key(std::string_view name, const CallOptions &options) const {
  core_->check_process();
  check_name(name);
  const auto request = std::make_shared<v1::DescribeKeyRequest>();
  const auto response = std::make_shared<v1::DescribeKeyResponse>();
  request->set_key_id(std::string(name));
  Call::run(core_, {"hmacd.v1.KeyService/DescribeKey", request, response, [] { return true; }, 0}, options);
  const auto &metadata = response->key_metadata();
  const auto algorithm = static_cast<Algorithm>(metadata.mac_algorithms_size() == 1 ? metadata.mac_algorithms(0) : 0);
  if (mac_bytes(algorithm) == 0) {
    throw invalid_argument("key: has no algorithm that this version of the client knows");
  }
  return Key(std::make_shared<BoundKey>(core_, name, algorithm, metadata.key_arn()));
}

std::vector<std::string> Client::doctor() const { return core_->doctor(); }

void Client::close() {
  core_->check_process();
  core_->close();
}

}  // namespace hmacd
