/// The diagnosis of a connection.
#pragma once

#include <chrono>
#include <string>

#include "pem.h"
#include "target.h"

namespace hmacd::internal {

/// The first check of a connection that failed.
struct Diagnosis {
  enum class Kind { ok, unreachable, tls };
  Kind kind = Kind::ok;
  /// What is wrong, one line. Empty if all checks passed.
  std::string problem;
};

/// Connects to the target, and makes a TLS handshake with the client certificate. It sends no request.
///
/// gRPC does not report why a connection failed, so this is a connection of its own. Blocks: for the look-up of the
/// name, and then up to `limit`. The calling thread must block SIGPIPE.
///
/// @param identity null for a Unix socket
Diagnosis diagnose(const Target &target, const Identity *identity, std::chrono::milliseconds limit);

}  // namespace hmacd::internal
