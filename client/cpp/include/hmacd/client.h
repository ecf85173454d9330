/// The client of hmacd.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hmacd/algorithm.h"
#include "hmacd/bytes.h"
#include "hmacd/call_options.h"
#include "hmacd/error.h"
#include "hmacd/settings.h"

namespace hmacd {

namespace internal {
class Core;
struct BoundKey;
}  // namespace internal

/// The result of an asynchronous call. Code can read the value only with `get`, so it cannot ignore an error.
template <class Value>
class Result {
 public:
  explicit Result(Value value) : value_(std::move(value)) {}
  explicit Result(std::exception_ptr error) : error_(std::move(error)) {}

  /// Returns the value, or throws the error of the call: an `Error`.
  const Value &get() const {
    if (error_) std::rethrow_exception(error_);
    return *value_;
  }

 private:
  std::optional<Value> value_;
  std::exception_ptr error_;
};

/// The result of an asynchronous verification.
template <>
class Result<void> {
 public:
  explicit Result(std::exception_ptr error) : error_(std::move(error)) {}

  /// Returns if the MAC is right, otherwise throws the error of the call: an `Error`.
  void get() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

/// A name of a key with its algorithm. Cheap to copy, thread-safe. After its client is closed, its calls fail with
/// `Closed`.
///
/// The asynchronous functions copy the bytes before they return. They throw nothing: each error is in the result. They
/// call `done` exactly once, on a thread of gRPC. For an error before the first attempt, they can call `done` on the
/// caller's thread. `done` must not block, and must not throw.
class Key {
 public:
  /// Computes the MAC of a message of 1 to `Settings::max_message_bytes` bytes.
  /// @throws Error
  std::string generate(BytesView message, const CallOptions &options = {}) const;
  void generate_async(BytesView message, std::function<void(Result<std::string>)> done,
                      const CallOptions &options = {}) const;

  /// Returns if `mac` is the MAC of the message.
  /// @throws InvalidMac if the MAC is wrong
  /// @throws Error of any other type, if there is no verdict
  void verify(BytesView message, BytesView mac, const CallOptions &options = {}) const;
  void verify_async(BytesView message, BytesView mac, std::function<void(Result<void>)> done,
                    const CallOptions &options = {}) const;

  Algorithm algorithm() const noexcept;
  /// `Settings::timeout` of the client.
  std::chrono::milliseconds timeout() const noexcept;
  /// The ARN of the key in the last answer. Empty before the first answer.
  std::string arn() const;

 private:
  friend class Client;
  explicit Key(std::shared_ptr<internal::BoundKey> bound);

  std::shared_ptr<internal::BoundKey> bound_;
};

/// A client of one or more daemons with the same keys. Thread-safe: create one and share it.
///
/// A client belongs to the process that created it. After `fork`, its calls in the child process fail with `Closed`.
class Client {
 public:
  /// Checks the settings, and reads and checks the PEM files. Does not connect.
  /// @throws Error `INVALID_ARGUMENT` with the name and the value of the wrong setting
  explicit Client(Settings settings);
  /// Closes the client.
  ~Client();
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  /// Binds a name (key id, key ARN, alias name or alias ARN) to an algorithm, without a call.
  /// @throws Error `INVALID_ARGUMENT` if the name is empty or has more than 2048 bytes
  Key key(std::string_view name, Algorithm algorithm) const;

  /// Gets the algorithm and the ARN of a key from the daemon (DescribeKey).
  /// @throws Error
  Key open_key(std::string_view name, const CallOptions &options = {}) const;

  /// Checks each target. Blocks for up to some seconds for each target. Makes no MAC. A failed check is not an error.
  /// @return one line for each target: `ok: <target>, <facts>`, or `failed: <target>, <first failed check>`
  /// @throws Closed
  std::vector<std::string> doctor() const;

  /// Refuses new calls with `Closed`, waits up to 5 s for calls in flight, and cancels the others. Idempotent. Do not
  /// call it in a callback of a call.
  void close();

 private:
  std::shared_ptr<internal::Core> core_;
};

}  // namespace hmacd
