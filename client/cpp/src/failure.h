/// The end of an attempt without a result.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace hmacd::internal {

/// Why an attempt failed.
struct Failure {
  /// The reason of the daemon, or a local reason.
  std::string reason;
  /// What is wrong, one line.
  std::string problem;
  /// Whether the daemon answered. Otherwise, the reason is local.
  bool from_daemon = false;
  /// Whether the failure is one of the transport: no answer of a daemon that works.
  bool transport = false;
  /// Whether gRPC may have sent the request on a connection. If not, the daemon certainly did not get it.
  bool sent = true;
  /// Whether the trailer grpc-retry-pushback-ms forbids a retry.
  bool no_retry = false;
  /// The delay of the daemon before the back-off (`google.rpc.RetryInfo`).
  std::optional<std::chrono::milliseconds> retry_delay;
  /// `x-request-id` of the answer. Empty if there was none.
  std::string request_id;
  /// Whether the daemon may have executed the call.
  bool may_have_run = true;
  /// The daemon's limit in bytes, of the reasons `MESSAGE_TOO_LONG` and `REQUEST_TOO_LONG`. 0 if it is unknown.
  std::size_t limit = 0;
  /// The length of the message that the daemon got in bytes, of the reason `MESSAGE_TOO_LONG`. 0 if it is unknown.
  std::size_t size = 0;
};

/// Whether the daemon asks for a retry with a reason that this version does not know.
bool asks_for_retry(const Failure &failure);

/// Reads the failure of a finished attempt.
///
/// @param address the address of the channel: gRPC reports it as peer until a daemon answers
/// @param limited whether the deadline of the attempt was the attempt timeout
Failure read_failure(const grpc::Status &status, const grpc::ClientContext &context, const std::string &address,
                     bool limited);

/// The failure for a damaged answer.
Failure damaged_answer(const grpc::ClientContext &context);

/// The request id of the answer. Empty if there is none.
std::string request_id(const grpc::ClientContext &context);

}  // namespace hmacd::internal
