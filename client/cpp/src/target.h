/// The address of a daemon.
#pragma once

#include <string>

namespace hmacd::internal {

/// A parsed target.
struct Target {
  /// As in the settings.
  std::string name;
  /// The address for gRPC. It differs from the peer address that gRPC reports for an answer.
  std::string address;
  /// Host and port; empty for a Unix socket. An IPv6 address has no brackets.
  std::string host;
  std::string port;

  bool is_unix() const { return host.empty(); }
};

/// Parses `host:port` (an IPv6 address in brackets) or `unix:/absolute/path`.
/// @throws Error `INVALID_ARGUMENT`
Target parse_target(const std::string &name);

}  // namespace hmacd::internal
