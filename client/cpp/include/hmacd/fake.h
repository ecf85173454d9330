/// A fake of hmacd for tests of programs that use the client. Link `hmacd::fake`.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hmacd/algorithm.h"
#include "hmacd/bytes.h"

namespace hmacd {

/// A fault of one attempt at the fake.
struct FakeFault {
  enum class Kind {
    /// Fails with `reason`.
    reason,
    /// The connection breaks: `UNAVAILABLE` without a reason.
    unavailable,
    /// Answers with a damaged CRC32C.
    damage,
    /// Answers after `delay`.
    late,
    /// Does not answer.
    no_answer,
  };
  Kind kind = Kind::no_answer;
  /// A name of error_reason.proto, for `Kind::reason`.
  std::string reason;
  /// For `Kind::late`.
  std::chrono::milliseconds delay{0};
  /// The delay of `google.rpc.RetryInfo` in the answer, for `Kind::reason`.
  std::optional<std::chrono::milliseconds> retry_delay;
  /// Whether the answer forbids a retry (`grpc-retry-pushback-ms: -1`).
  bool no_retry = false;
};

/// PEM files of a fake on TCP with mutual TLS.
struct FakeTls {
  /// Paths: the authority of the clients, and the certificate and the key of the fake.
  std::string ca;
  std::string certificate;
  std::string private_key;
};

/// Serves MacService and DescribeKey in this process, with HMAC of OpenSSL. Thread-safe, except `start` and `stop`.
class Fake {
 public:
  /// Starts on a Unix socket in a new folder.
  Fake();
  /// Starts on a free port of 127.0.0.1.
  explicit Fake(const FakeTls &tls);
  /// Stops.
  ~Fake();
  Fake(const Fake &) = delete;
  Fake &operator=(const Fake &) = delete;

  /// For `Settings::targets`. It stays the same after `stop` and `start`.
  std::string target() const;

  /// Adds or replaces a key. Its ARN is `arn:aws:kms:us-east-1:000000000000:key/<name>`.
  void add_key(std::string_view name, Algorithm algorithm, BytesView secret);

  /// Gives the fault to the next `calls` attempts that have no fault yet.
  void next(std::size_t calls, FakeFault fault);

  /// The number of attempts, also of those with a fault.
  std::size_t calls() const;
  /// The number of connections with an attempt. All connections of a Unix socket count as one.
  std::size_t connections() const;
  /// The number of attempts that the client cancelled, or whose deadline passed.
  std::size_t cancelled() const;
  /// The common name in the client certificate of the last attempt. Empty for a Unix socket.
  std::string caller() const;

  /// Breaks all connections and attempts, and refuses connections.
  void stop();
  /// Serves again after `stop`.
  void start();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace hmacd
