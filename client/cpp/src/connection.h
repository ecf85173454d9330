/// The gRPC channel of a target.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "pem.h"
#include "target.h"

namespace hmacd::internal {

/// One channel. Thread-safe: calls share it. It closes after its last call.
class Connection {
 public:
  using Stub = grpc::TemplatedGenericStub<google::protobuf::MessageLite, google::protobuf::MessageLite>;

  /// Does not connect.
  /// @param files empty for a Unix socket
  Connection(const Target &target, const PemFiles &files);

  Stub &stub() { return stub_; }

  /// Whether the last connection attempt failed, and no connection exists.
  bool failing() const;

  /// Starts a connection attempt now, at most once a second. gRPC itself waits for up to 2 min after a failed look-up
  /// of the name.
  void hurry();

 private:
  std::shared_ptr<grpc::Channel> channel_;
  Stub stub_;
  std::atomic<std::chrono::steady_clock::rep> hurried_{0};
};

}  // namespace hmacd::internal
