#include "hmacd/fake.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <utility>

#include "crc32c.h"
#include "details.pb.h"
#include "hmacd/v1/key_service.grpc.pb.h"
#include "hmacd/v1/mac_service.grpc.pb.h"
#include "pem.h"
#include "reasons.h"
#include "timespec.h"

namespace hmacd {
namespace {

using internal::crc32c;
using Kind = FakeFault::Kind;

struct FakeKey {
  Algorithm algorithm;
  std::string secret;
};

const EVP_MD *hash(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::hmac_sha_224: return EVP_sha224();
    case Algorithm::hmac_sha_256: return EVP_sha256();
    case Algorithm::hmac_sha_384: return EVP_sha384();
    case Algorithm::hmac_sha_512: return EVP_sha512();
  }
  throw std::invalid_argument("unknown algorithm");
}

std::string hmac(const FakeKey &key, const std::string &message) {
  std::string mac(mac_bytes(key.algorithm), '\0');
  HMAC(hash(key.algorithm), key.secret.data(), static_cast<int>(key.secret.size()),
       reinterpret_cast<const unsigned char *>(message.data()), message.size(),
       reinterpret_cast<unsigned char *>(mac.data()), nullptr);
  return mac;
}

grpc::Status error(const std::string &reason, std::optional<std::chrono::milliseconds> retry_delay = std::nullopt,
                   const std::map<std::string, std::string> &metadata = {}) {
  client::internal::Status details;
  client::internal::ErrorInfo info;
  info.set_domain("hmacd.dev");
  info.set_reason(reason);
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  const auto add = [&](const std::string &type, const google::protobuf::MessageLite &detail) {
    auto *any = details.add_details();
    any->set_type_url("type.googleapis.com/google.rpc." + type);
    any->set_value(detail.SerializeAsString());
  };
  add("ErrorInfo", info);
  if (retry_delay) {
    client::internal::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(retry_delay->count() / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(retry_delay->count() % 1000 * 1'000'000));
    add("RetryInfo", retry);
  }
  const auto code = internal::daemon_reason(reason).code;
  return {code, "the fake refuses the call", details.SerializeAsString()};
}

// The default of the daemon.
constexpr std::size_t max_message_bytes = 65'536;

grpc::Status message_too_long(std::size_t given) {
  const std::string maximum = std::to_string(max_message_bytes);
  return error("MESSAGE_TOO_LONG", std::nullopt, {{"maximum", maximum}, {"given", std::to_string(given)}});
}

std::string arn(const std::string &name) { return "arn:aws:kms:us-east-1:000000000000:key/" + name; }

// Finishes a call exactly once: with its answer, or when the client cancels it.
class Reply : public grpc::ServerUnaryReactor {
 public:
  explicit Reply(std::function<void()> on_cancel) : on_cancel_(std::move(on_cancel)) {}

  void finish(const grpc::Status &status) {
    if (!finished_.exchange(true)) Finish(status);
  }
  void finish_after(std::chrono::milliseconds delay, const grpc::Status &status) {
    ++references_;
    alarm_.Set(internal::after(delay), [this, status](bool) {
      finish(status);
      release();
    });
  }

  void OnCancel() override {
    on_cancel_();
    alarm_.Cancel();
    finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { release(); }

 private:
  void release() {
    if (--references_ == 0) delete this;
  }

  const std::function<void()> on_cancel_;
  std::atomic<bool> finished_{false};
  grpc::Alarm alarm_;
  // OnDone and the alarm have one each.
  std::atomic<int> references_{1};
};

}  // namespace

class Fake::State {
 public:
  explicit State(std::optional<FakeTls> tls) : tls_(std::move(tls)), macs_(*this), keys_service_(*this) {
    if (tls_) {
      target_ = "127.0.0.1:0";
    } else {
      char folder[] = "/tmp/hmacd-fake-XXXXXX";
      if (mkdtemp(folder) == nullptr) throw std::runtime_error("cannot make a folder in /tmp");
      folder_ = folder;
      target_ = "unix:" + folder_ + "/hmacd.sock";
    }
    start();
  }
  ~State() {
    stop();
    if (!folder_.empty()) rmdir(folder_.c_str());
  }

  void start() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(target_, credentials(), &port);
    // A port that another process listens on is an error.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
    builder.RegisterService(&macs_);
    builder.RegisterService(&keys_service_);
    server_ = builder.BuildAndStart();
    if (!server_) throw std::runtime_error("the fake cannot listen on " + target_);
    if (tls_) target_ = "127.0.0.1:" + std::to_string(port);
  }

  void stop() {
    if (!server_) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
    if (!folder_.empty()) unlink(target_.substr(std::string("unix:").size()).c_str());
  }

  const std::string &target() const { return target_; }

  void add_key(std::string_view name, FakeKey key) {
    const std::lock_guard lock(mutex_);
    keys_[std::string(name)] = std::move(key);
  }

  void next(std::size_t calls, const FakeFault &fault) {
    const std::lock_guard lock(mutex_);
    faults_.insert(faults_.end(), calls, fault);
  }

  std::size_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::size_t connections() const {
    const std::lock_guard lock(mutex_);
    return peers_.size();
  }
  std::size_t cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }
  std::string caller() const {
    const std::lock_guard lock(mutex_);
    return caller_;
  }

 private:
  class Macs : public v1::MacService::CallbackService {
   public:
    explicit Macs(State &state) : state_(state) {}
    grpc::ServerUnaryReactor *GenerateMac(grpc::CallbackServerContext *context, const v1::GenerateMacRequest *request,
                                          v1::GenerateMacResponse *response) override {
      return state_.serve(context, [=](bool damaged) { return state_.generate(*request, *response, damaged); });
    }
    grpc::ServerUnaryReactor *VerifyMac(grpc::CallbackServerContext *context, const v1::VerifyMacRequest *request,
                                        v1::VerifyMacResponse *response) override {
      return state_.serve(context, [=](bool damaged) { return state_.verify(*request, *response, damaged); });
    }

   private:
    State &state_;
  };

  class Keys : public v1::KeyService::CallbackService {
   public:
    explicit Keys(State &state) : state_(state) {}
    grpc::ServerUnaryReactor *DescribeKey(grpc::CallbackServerContext *context, const v1::DescribeKeyRequest *request,
                                          v1::DescribeKeyResponse *response) override {
      return state_.serve(context, [=](bool) { return state_.describe(*request, *response); });
    }

   private:
    State &state_;
  };

  std::shared_ptr<grpc::ServerCredentials> credentials() const {
    if (!tls_) return grpc::InsecureServerCredentials();
    const auto files = internal::read_pem_files({tls_->ca, tls_->certificate, tls_->private_key});
    grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = files.ca;
    options.pem_key_cert_pairs.push_back({files.private_key, files.certificate});
    return grpc::SslServerCredentials(options);
  }

  std::optional<FakeFault> record(const grpc::CallbackServerContext &context) {
    const std::lock_guard lock(mutex_);
    ++calls_;
    peers_.insert(context.peer());
    const auto names = context.auth_context()->FindPropertyValues("x509_common_name");
    caller_ = names.empty() ? "" : std::string(names[0].data(), names[0].size());
    if (faults_.empty()) return std::nullopt;
    FakeFault fault = std::move(faults_.front());
    faults_.pop_front();
    return fault;
  }

  template <class Answer>
  grpc::ServerUnaryReactor *serve(grpc::CallbackServerContext *context, Answer answer) {
    auto *reply = new Reply([this] {
      const std::lock_guard lock(mutex_);
      ++cancelled_;
    });
    const auto fault = record(*context);
    context->AddTrailingMetadata("x-request-id", "fake-" + std::to_string(calls()));
    if (!fault) {
      reply->finish(answer(false));
      return reply;
    }
    if (fault->no_retry) context->AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
    switch (fault->kind) {
      case Kind::reason: reply->finish(error(fault->reason, fault->retry_delay)); break;
      case Kind::unavailable: reply->finish({grpc::StatusCode::UNAVAILABLE, ""}); break;
      case Kind::damage: reply->finish(answer(true)); break;
      case Kind::late: reply->finish_after(fault->delay, answer(false)); break;
      case Kind::no_answer: break;  // OnCancel ends the call.
    }
    return reply;
  }

  // Returns the key of a request with a right checksum, or sets the error.
  template <class Request>
  std::optional<FakeKey> key_of(const Request &request, grpc::Status &status) {
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(request.key_id());
    if (request.message().size() > max_message_bytes) {
      status = message_too_long(request.message().size());
    } else if (request.has_message_crc32c() && request.message_crc32c() != crc32c(request.message())) {
      status = error("CHECKSUM_MISMATCH");
    } else if (found == keys_.end()) {
      status = error("KEY_NOT_FOUND");
    } else if (static_cast<int>(found->second.algorithm) != request.mac_algorithm()) {
      status = error("INVALID_KEY_USAGE");
    } else {
      return found->second;
    }
    return std::nullopt;
  }

  grpc::Status generate(const v1::GenerateMacRequest &request, v1::GenerateMacResponse &response, bool damaged) {
    grpc::Status status;
    const auto key = key_of(request, status);
    if (!key) return status;
    response.set_key_id(arn(request.key_id()));
    response.set_mac(hmac(*key, request.message()));
    response.set_mac_algorithm(request.mac_algorithm());
    response.set_key_version(1);
    response.set_mac_crc32c(crc32c(response.mac()) ^ (damaged ? 1u : 0u));
    response.set_verified_message_crc32c(request.has_message_crc32c());
    return grpc::Status::OK;
  }

  grpc::Status verify(const v1::VerifyMacRequest &request, v1::VerifyMacResponse &response, bool damaged) {
    grpc::Status status;
    const auto key = key_of(request, status);
    if (!key) return status;
    if (request.has_mac_crc32c() && request.mac_crc32c() != crc32c(request.mac())) return error("CHECKSUM_MISMATCH");
    const std::string mac = hmac(*key, request.message());
    if (mac.size() != request.mac().size() || CRYPTO_memcmp(mac.data(), request.mac().data(), mac.size()) != 0) {
      return error("KMS_INVALID_MAC");
    }
    response.set_key_id(arn(request.key_id()));
    response.set_mac_valid(true);
    response.set_mac_algorithm(request.mac_algorithm());
    response.set_key_version(1);
    response.set_verified_message_crc32c(request.has_message_crc32c() && !damaged);
    response.set_verified_mac_crc32c(request.has_mac_crc32c());
    return grpc::Status::OK;
  }

  grpc::Status describe(const v1::DescribeKeyRequest &request, v1::DescribeKeyResponse &response) {
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(request.key_id());
    if (found == keys_.end()) return error("KEY_NOT_FOUND");
    auto *metadata = response.mutable_key_metadata();
    metadata->set_key_id(request.key_id());
    metadata->set_key_arn(arn(request.key_id()));
    metadata->set_key_state(v1::KEY_STATE_ENABLED);
    metadata->add_mac_algorithms(static_cast<v1::MacAlgorithm>(found->second.algorithm));
    return grpc::Status::OK;
  }

  const std::optional<FakeTls> tls_;
  std::string folder_;
  std::string target_;
  Macs macs_;
  Keys keys_service_;
  std::unique_ptr<grpc::Server> server_;

  mutable std::mutex mutex_;
  std::map<std::string, FakeKey> keys_;
  std::deque<FakeFault> faults_;
  std::size_t calls_ = 0;
  std::size_t cancelled_ = 0;
  std::set<std::string> peers_;
  std::string caller_;
};

Fake::Fake() : state_(std::make_unique<State>(std::nullopt)) {}
Fake::Fake(const FakeTls &tls) : state_(std::make_unique<State>(tls)) {}
Fake::~Fake() = default;

std::string Fake::target() const { return state_->target(); }
void Fake::add_key(std::string_view name, Algorithm algorithm, BytesView secret) {
  state_->add_key(name, {algorithm, std::string(secret.chars())});
}
void Fake::next(std::size_t calls, FakeFault fault) { state_->next(calls, fault); }
std::size_t Fake::calls() const { return state_->calls(); }
std::size_t Fake::connections() const { return state_->connections(); }
std::size_t Fake::cancelled() const { return state_->cancelled(); }
std::string Fake::caller() const { return state_->caller(); }
void Fake::stop() { state_->stop(); }
void Fake::start() { state_->start(); }

}  // namespace hmacd
