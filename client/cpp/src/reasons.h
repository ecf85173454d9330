/// The reasons of errors, with their properties.
#pragma once

#include <grpcpp/support/status_code_enum.h>

#include <string_view>

namespace hmacd::internal {

/// The action after a failed attempt.
enum class Retry {
  never,
  /// The next target, at once. The target is suspended.
  next_target,
  /// The next target, after a back-off.
  back_off,
  /// Once a call, for damage in transit.
  once,
  /// Once a call, after the files are read and a new channel is open.
  reconnect,
};

/// The properties of a reason of error_reason.proto, or of a local reason.
struct Reason {
  std::string_view name;
  /// The status code of the daemon. OK for a local reason.
  grpc::StatusCode code;
  Retry retry;
  /// Whether the same call may succeed later.
  bool retryable;
  /// Whether the daemon certainly did not execute the call.
  bool not_executed;
};

/// Returns the properties. A reason that this version does not know has an empty name.
const Reason &reason(std::string_view name);

/// Returns the properties of a reason in an answer of the daemon. There, a local reason is unknown.
const Reason &daemon_reason(std::string_view name);

}  // namespace hmacd::internal
