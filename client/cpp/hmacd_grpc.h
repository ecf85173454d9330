// Connects to hmacd with mutual TLS, and tells why it refused a call.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

// The value of an environment variable; throws when it is not set.
std::string env(const char *variable);

// Whom to trust and who we are: the files that the file `env` of hmacd dev names.
std::shared_ptr<grpc::ChannelCredentials> credentials_from_env();

// Whom to trust, without saying who we are.
std::shared_ptr<grpc::ChannelCredentials> trust_from_env();

// A connection that serves any number of threads at once: make one and keep it.
std::shared_ptr<grpc::Channel> connect(const std::string &target,
                                       const std::shared_ptr<grpc::ChannelCredentials> &credentials);

// The context of one call, with its deadline: use it wherever gRPC takes a ClientContext. (A timeout in a service
// config would hold for all calls, but ends them up to a second early.)
class Call : public grpc::ClientContext {
 public:
  explicit Call(std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
    set_deadline(std::chrono::system_clock::now() + timeout);
  }
};

// Why hmacd refused the call, as a name from error_reason.proto. Empty when the error is not hmacd's, for example when
// no connection was made.
std::string reason(const grpc::Status &status);
