// Connects to hmacd with mutual TLS, and reads the reasons of errors.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

// Returns the value of an environment variable. Throws if it is not set.
std::string env(const char *variable);

// Reads the authorities, the client certificate and its key from the files in the environment of
// hmacd dev.
std::shared_ptr<grpc::ChannelCredentials> credentials_from_env();

// Reads the authorities only. The client has no certificate.
std::shared_ptr<grpc::ChannelCredentials> trust_from_env();

// Makes a channel. A channel is thread-safe: create one and share it.
std::shared_ptr<grpc::Channel> connect(const std::string &target,
                                       const std::shared_ptr<grpc::ChannelCredentials> &credentials);

// The context of one call, with its deadline. Use it for each ClientContext of gRPC. (A timeout in
// a service config would apply to all calls, but ends calls up to a second early.)
class Call : public grpc::ClientContext {
 public:
  explicit Call(std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
    set_deadline(std::chrono::system_clock::now() + timeout);
  }
};

// Returns the reason of an error, a name in error_reason.proto. Empty if the error is not from
// hmacd, for example if the connection failed.
std::string reason(const grpc::Status &status);
