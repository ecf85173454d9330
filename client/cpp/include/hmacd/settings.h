/// The settings of a client.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace hmacd {

/// One finished call, for metrics and traces. It has no message, no MAC and no key name.
struct CallRecord {
  /// For example `hmacd.v1.MacService/GenerateMac`.
  std::string method;
  /// The target of the last attempt. Empty if there was none.
  std::string target;
  std::chrono::system_clock::time_point start;
  std::chrono::nanoseconds duration{};
  int attempts = 0;
  /// The reason of the error, or `UNKNOWN` for a reason that the client does not know. Empty after a success.
  std::string reason;
};

/// The settings of a client. The constructor of the client checks them.
struct Settings {
  /// 1 to 16 daemons, each `host:port` or `unix:/absolute/path`. Required.
  std::vector<std::string> targets;
  /// Path of the PEM file of the authorities of the daemons. Required for `host:port`, like the next two.
  std::string ca;
  /// Path of the PEM file of the client certificate and its chain.
  std::string certificate;
  /// Path of the PEM file of the private key: PKCS#8, PKCS#1 or SEC1, not encrypted.
  std::string private_key;
  /// The deadline of a call, if the caller has no earlier deadline. 1 ms to 1 h.
  std::chrono::milliseconds timeout{5000};
  /// The limit of one attempt while another target is usable. 1 ms to 1 h.
  std::chrono::milliseconds attempt_timeout{1000};
  /// The maximum length of a message. 1 to 1,048,576. The daemon has its own maximum.
  std::size_t max_message_bytes = 65'536;
  /// The period of the check of the PEM files. 1 s to 5 s.
  std::chrono::milliseconds file_interval{2000};
  /// Gets each finished call, also failed ones. It runs on a thread of gRPC: it must not block, and must not throw.
  std::function<void(const CallRecord &)> observer;

  /// Reads `HMACD_TARGET` (targets, separated by commas), `HMACD_CA`, `HMACD_CERT` and `HMACD_KEY`.
  /// @throws Error `INVALID_ARGUMENT` if `HMACD_TARGET` is not set
  static Settings from_env();
};

}  // namespace hmacd
